//go:build cgo

package sqlite

import (
	"path/filepath"
	"strings"
	"testing"
)

// The statements that run while work goes on must not read tables that grow with history from one end to the other.
func TestNoStatementScansHistory(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "flowctl.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, text := range []string{
		activeRuns, activeTaskRuns, liveAttempts, aheadRuns, ignoringRuns, badTasks, someRuns, someIgnoring, someTaskRuns, someAttempts, outcomeOf, lacks, latestSuccess, outputsOf, putRun,
		putTaskRun, putAttempt, putOutcome, putPace, putSignal, isSet, setPeriods, `DELETE FROM waits WHERE run = ?1`,
		`SELECT ` + runColumns + ` FROM runs r WHERE r.flow = ?1 ORDER BY r.period_start DESC, r.version DESC LIMIT 10`,
		`SELECT ` + runColumns + ` FROM runs r INDEXED BY runs_backfill WHERE r.backfill = ?1 AND r.id < ?2 ORDER BY r.id DESC LIMIT 10`,
		`SELECT ` + attemptColumns + ` FROM attempts a WHERE a.run = ?1 ORDER BY +a.id DESC LIMIT 10`,
		`SELECT ` + eventColumns + ` FROM events INDEXED BY events_run WHERE run = ?1 AND task = ?2 AND id < ?3 ORDER BY id DESC LIMIT 10`,
		`SELECT ` + eventColumns + ` FROM events INDEXED BY events_flow WHERE flow = ?1 AND kind = ?2 AND id < ?3 ORDER BY id DESC LIMIT 10`,
		`SELECT ` + eventColumns + ` FROM events INDEXED BY events_kind WHERE kind = ?1 ORDER BY id DESC LIMIT 10`,
	} {
		err := s.read(t.Context(), func(c *conn) error {
			return c.query(t.Context(), `EXPLAIN QUERY PLAN `+text, func(r *row) error {
				r.next = 3
				step := r.text()
				// A partial index holds only what is active, and flows are few.
				scan := strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "runs_active") &&
					step != "SCAN f" && !strings.Contains(step, "json_each")
				if scan || strings.Contains(step, "TEMP B-TREE") && strings.Contains(text, "LIMIT 10") && !strings.Contains(text, "+a.id") {
					t.Errorf("%s\n\t%s", text, step)
				}
				return nil
			})
		})
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "flowctl.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	w := <-s.writer
	err = w.script(t.Context(), `PRAGMA user_version = 1000`)
	s.writer <- w
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the lock is freed by the failure
		if _, err := Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "newer flowctl") {
			t.Errorf("got error %v", err)
		}
	}
}
