package dsl_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml/parser"

	"flowctl/dsl"
	"flowctl/dsl/dsltest"
)

// parse is the baseline: the YAML parser alone over all files, on all cores.
func parse(b *testing.B, files []dsl.File) time.Duration {
	start := time.Now() //nolint:forbidigo // a benchmark measures
	var wait sync.WaitGroup
	work := make(chan []byte, len(files))
	for _, f := range files {
		work <- f.Data
	}
	close(work)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for data := range work {
				if _, err := parser.ParseBytes(data, 0); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wait.Wait()
	return time.Since(start) //nolint:forbidigo // a benchmark measures
}

// BenchmarkCompile1000 compiles 1,000 files of 10 tasks from nothing; x-parse is its time over that of parsing the same files.
func BenchmarkCompile1000(b *testing.B) {
	files := dsltest.Repository(1000, 10)
	var baseline time.Duration
	for b.Loop() {
		b.StopTimer()
		baseline += parse(b, files)
		runtime.GC()
		b.StartTimer()
		if project, found := dsl.New().Compile(files); project == nil {
			b.Fatalf("%+v", found[0])
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(baseline), "x-parse")
}

// BenchmarkRecompileOneOf1000 compiles again after one file of 1,000 changed; x-full is its time over that of a full compile.
func BenchmarkRecompileOneOf1000(b *testing.B) {
	files := dsltest.Repository(1000, 10)
	c := dsl.New()
	start := time.Now() //nolint:forbidigo // a benchmark measures
	c.Compile(files)
	full := time.Since(start) //nolint:forbidigo // a benchmark measures
	for i := 0; b.Loop(); i++ {
		f := &files[2+500]
		f.Data = append([]byte(dsltest.Flow(500, 10)), []byte("# "+time.Duration(i).String()+"\n")...)
		if project, found := c.Compile(files); project == nil {
			b.Fatalf("%+v", found[0])
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(full), "x-full")
}
