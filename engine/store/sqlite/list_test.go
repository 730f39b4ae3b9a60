package sqlite

import (
	"errors"
	"testing"

	"flowctl/engine"
)

// FuzzCursor gives lists any cursor: it is refused as the client's mistake, or names the place that it was made from.
func FuzzCursor(f *testing.F) {
	for _, cursor := range []string{"", formatCursor(1), formatCursor(1_763_510_400_000_000, 2), formatCursor(-1, 0), "zz.", ".", "1.2.3", "z;DROP TABLE runs", "1y2p0ij32e8e8"} {
		f.Add(cursor, 1)
		f.Add(cursor, 2)
	}
	f.Fuzz(func(t *testing.T, cursor string, n int) {
		if n < 1 || n > 3 {
			return
		}
		var l list
		err := l.after(cursor, "x", n)
		var e *engine.Error
		switch {
		case err != nil:
			if !errors.As(err, &e) || e.Code != engine.Invalid || len(l.args) > 0 {
				t.Fatalf("%q: %v", cursor, err)
			}
		case cursor != "":
			keys := make([]int64, len(l.args))
			for i, arg := range l.args {
				keys[i] = arg.(int64)
			}
			var again list
			if err := again.after(formatCursor(keys...), "x", n); err != nil || len(keys) != n {
				t.Fatalf("%q names %v: %v", cursor, keys, err)
			}
		}
	})
}
