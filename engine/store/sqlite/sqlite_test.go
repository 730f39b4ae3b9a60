//go:build cgo

package sqlite_test

import (
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
