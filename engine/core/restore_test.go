package core

import (
	"testing"
	"time"
)

// TestACrashBetweenStoringAndFollowingARevision: the store names a revision active that the machine never heard of.
func TestACrashBetweenStoringAndFollowingARevision(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:30:00Z")
	w.join("one", 4)
	rev := w.compile("flow: h\nteam: data\nschedule: {every: hour}\ntasks:\n  a: {run: 'true'}\n")
	w.rows.Active = rev.ID
	w.crash()
	if n := len(w.rows.Runs); n != 0 {
		t.Fatalf("%d periods before the revision was active were generated", n)
	}
	w.sleep(31 * time.Minute)
	w.wantHeld("h/a@2026-11-19T12")
}
