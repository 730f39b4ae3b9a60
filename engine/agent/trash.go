package agent

import (
	"context"
	"log/slog"
	"os"
	"sync"
)

// trash removes folders that are of no more use, one after the other, beside the work.
type trash struct {
	ready chan struct{} // holds at most one message: there may be something to remove

	mu    sync.Mutex
	paths []string
}

func newTrash() *trash { return &trash{ready: make(chan struct{}, 1)} }

func (t *trash) add(path string) {
	t.mu.Lock()
	t.paths = append(t.paths, path)
	t.mu.Unlock()
	select {
	case t.ready <- struct{}{}:
	default:
	}
}

// empty removes what is added until ctx ends. What is left then is found by the next start.
func (t *trash) empty(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case <-t.ready:
		case <-ctx.Done():
			return
		}
		t.mu.Lock()
		paths := t.paths
		t.paths = nil
		t.mu.Unlock()
		for _, p := range paths {
			if err := os.RemoveAll(p); err != nil {
				log.Warn("a folder was not removed", "path", p, "error", err)
			}
		}
	}
}
