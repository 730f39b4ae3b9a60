package agent

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// trashRest is how long nothing may be thrown away before the trash is emptied. Removing a folder costs about as much as making
	// it, and slows the making of others down.
	trashRest = 250 * time.Millisecond
	// trashFull is how many folders gather at most, under load without rest.
	trashFull = 4096
)

// trash removes folders that are of no more use, once the work rests or many have gathered.
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
		if !t.rest(ctx) {
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

// rest waits until it is time to empty the trash, and returns false when ctx ended before.
func (t *trash) rest(ctx context.Context) bool {
	timer := time.NewTimer(trashRest)
	defer timer.Stop()
	for {
		select {
		case <-t.ready:
			t.mu.Lock()
			full := len(t.paths) >= trashFull
			t.mu.Unlock()
			if full {
				return true
			}
			timer.Reset(trashRest)
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}
