//go:build !linux

package process

import (
	"errors"
	"fmt"
)

type watcher struct{}

func newWatcher() *watcher { return &watcher{} }

func (*watcher) watch(path string) (<-chan struct{}, func(), error) {
	return nil, nil, fmt.Errorf("watch %s: %w", path, errors.ErrUnsupported)
}
