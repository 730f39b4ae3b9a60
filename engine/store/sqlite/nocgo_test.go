//go:build !cgo

package sqlite_test

import (
	"path/filepath"
	"strings"
	"testing"

	"flowctl/engine/store/sqlite"
)

func TestOpenWithoutCgo(t *testing.T) {
	t.Parallel()
	_, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "flowctl.db"))
	if err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=1") {
		t.Fatalf("got error %v, want one that says how to build", err)
	}
}
