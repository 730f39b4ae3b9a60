package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"flowctl/engine"
)

// Fault is what goes wrong with one Commit.
type Fault uint8

// The faults. The zero Fault is none.
const (
	None       Fault = iota
	FailBefore       // nothing is stored; the caller sees ErrInjected
	FailAfter        // everything is stored; the caller sees context.DeadlineExceeded, as when the answer was lost
	Fence            // nothing is stored; the caller sees engine.ErrFenced
)

// ErrInjected is the error of FailBefore.
var ErrInjected = errors.New("injected fault")

// Faulty is a store whose commits fail as told. All else is passed to the Store.
type Faulty struct {
	engine.Store

	mu      sync.Mutex
	faults  []Fault
	commits int
}

// Next tells the faults of the next commits, in order, after those told before.
func (f *Faulty) Next(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, faults...)
}

// Commits returns how many commits were tried.
func (f *Faulty) Commits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.commits
}

func (f *Faulty) take() Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commits++
	if len(f.faults) == 0 {
		return None
	}
	fault := f.faults[0]
	f.faults = f.faults[1:]
	return fault
}

// Commit commits, or fails as told.
func (f *Faulty) Commit(ctx context.Context, term int64, c *engine.Changes) error {
	switch f.take() {
	case FailBefore:
		return ErrInjected
	case Fence:
		return fmt.Errorf("injected fault: %w", engine.ErrFenced)
	case FailAfter:
		if err := f.Store.Commit(ctx, term, c); err != nil {
			return err
		}
		return fmt.Errorf("injected fault, after the commit: %w", context.DeadlineExceeded)
	}
	return f.Store.Commit(ctx, term, c)
}
