//go:build cgo

package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"flowctl/engine"
	"flowctl/engine/store/sqlite"
	"flowctl/engine/store/storetest"
)

func open(t *testing.T, dir string) engine.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(dir, "flowctl.db"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, open)
}

// The wrapper for other packages' tests must itself be a good store while no fault is told.
func TestFaultyStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, dir string) engine.Store { return &storetest.Faulty{Store: open(t, dir)} })
}

func TestFaults(t *testing.T) {
	t.Parallel()
	s := &storetest.Faulty{Store: open(t, t.TempDir())}
	defer s.Close() //nolint:errcheck // the test is over
	term, err := s.Lead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Next(storetest.FailBefore, storetest.None)
	s.Next(storetest.Fence, storetest.FailAfter)
	for i, c := range []struct {
		err    error
		stored int
	}{{storetest.ErrInjected, 0}, {nil, 1}, {engine.ErrFenced, 1}, {context.DeadlineExceeded, 2}, {nil, 3}} {
		if err := s.Commit(t.Context(), term, &engine.Changes{Operations: []engine.Operation{{Verb: "kill"}}}); !errors.Is(err, c.err) {
			t.Errorf("commit %d: got error %v, want %v", i, err, c.err)
		}
		if stored, err := s.Operations(t.Context(), engine.OperationQuery{}); err != nil || len(stored) != c.stored {
			t.Errorf("commit %d: %d are stored, want %d: %v", i, len(stored), c.stored, err)
		}
	}
	if s.Commits() != 5 {
		t.Errorf("%d commits were counted", s.Commits())
	}
}

func TestOneServerPerFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new folder?")
	first := open(t, dir)
	_, err := sqlite.Open(t.Context(), filepath.Join(dir, "flowctl.db"))
	if err == nil || !strings.Contains(err.Error(), "another flowctl server") {
		t.Fatalf("second server on the folder: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
}
