package dsltest

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/goccy/go-yaml/parser"

	"flowctl/dsl"
)

// Parse runs the YAML library's parser alone over all files, on all cores: the baseline that compiling is measured by.
func Parse(files []dsl.File) error {
	workers := runtime.GOMAXPROCS(0)
	failures := make([]error, workers)
	var next atomic.Int64
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(files); i = int(next.Add(1)) - 1 {
				if _, err := parser.ParseBytes(files[i].Data, 0); err != nil {
					failures[w] = fmt.Errorf("%s: %w", files[i].Path, err)
					return
				}
			}
		})
	}
	wait.Wait()
	return errors.Join(failures...)
}
