package control

import (
	"sync"

	"flowctl/engine"
)

// watchers wakes those who follow runs and backfills, after each commit that touched them.
type watchers struct {
	mu        sync.Mutex
	runs      map[engine.RunID]map[chan struct{}]bool
	backfills map[engine.BackfillID]map[chan struct{}]bool
}

// run returns a channel that gets a signal after each change of a run, and a function that ends it. Signals coalesce.
func (w *watchers) run(id engine.RunID) (<-chan struct{}, func()) { return watch(w, &w.runs, id) }

// backfill is run for backfills.
func (w *watchers) backfill(id engine.BackfillID) (<-chan struct{}, func()) {
	return watch(w, &w.backfills, id)
}

func watch[K comparable](w *watchers, all *map[K]map[chan struct{}]bool, id K) (<-chan struct{}, func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if *all == nil {
		*all = map[K]map[chan struct{}]bool{}
	}
	if (*all)[id] == nil {
		(*all)[id] = map[chan struct{}]bool{}
	}
	c := make(chan struct{}, 1)
	(*all)[id][c] = true
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete((*all)[id], c)
		if len((*all)[id]) == 0 {
			delete(*all, id)
		}
	}
}

func (w *watchers) notify(c *engine.Changes) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.runs) > 0 {
		for i := range c.Runs {
			wakeAll(w.runs[c.Runs[i].ID])
		}
		for _, id := range c.NoRuns {
			wakeAll(w.runs[id])
		}
		for i := range c.TaskRuns {
			wakeAll(w.runs[c.TaskRuns[i].Run])
		}
	}
	if len(w.backfills) > 0 {
		for i := range c.Backfills {
			wakeAll(w.backfills[c.Backfills[i].ID])
		}
	}
}

func wakeAll(cs map[chan struct{}]bool) {
	for c := range cs {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
