package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// Open opens the store that is kept in a folder. The suite closes it.
type Open func(t *testing.T, dir string) engine.Store

// Run checks that the stores which open returns do what engine.Store says.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*world)
	}{
		{"empty store", testEmpty},
		{"every row survives a restart", testRoundTrip},
		{"rows are replaced as a whole", testReplace},
		{"the last row of a key counts", testLastCounts},
		{"task runs are removed", testNoTaskRuns},
		{"runs are removed", testNoRuns},
		{"pauses are removed", testNoPauses},
		{"a commit can be repeated", testRepeat},
		{"a stale leader changes nothing", testFence},
		{"a failed commit changes nothing", testAtomic},
		{"a cancelled commit is whole or absent", testCancel},
		{"load returns only what can move", testLoad},
		{"load names the runs ahead of their cursor", testAhead},
		{"load names the settled runs whose wait is over", testWoken},
		{"load names the runs that ignore what is missing", testIgnoring},
		{"settled runs are loaded by number", testLoadRuns},
		{"the ledger answers with the highest version", testLedger},
		{"the ledger finds the newest success", testLatest},
		{"the ledger has the outputs", testLedgerOutputs},
		{"existing runs", testExisting},
		{"waits", testWaits},
		{"revisions", testRevisions},
		{"files and contents", testFiles},
		{"agents", testAgents},
		{"tokens are used once", testTokens},
		{"runs are listed in pages", testRunPages},
		{"runs are selected", testRunQueries},
		{"runs are found by period", testFindRuns},
		{"attempts are listed", testAttempts},
		{"operations are listed", testOperations},
		{"events are listed", testEvents},
		{"an event is kept once", testEventOnce},
		{"agents whose loss was told are not loaded", testPresences},
		{"lateness of settled runs and anomalies come and go", testOverdueAndAnomalies},
		{"signals are set and unset", testSignals},
		{"alerts and the outbox", testOutbox},
		{"events that happened are known by their keys", testHappened},
		{"what is absent is not found", testNotFound},
		{"readers see whole commits", testReaders},
		{"a closed store refuses", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(newWorld(t, open))
		})
	}
}

// world is a store with a leader and one active revision.
type world struct {
	*testing.T
	engine.Store
	ctx      context.Context
	open     func() engine.Store
	term     int64
	revision engine.RevisionID
}

func newWorld(t *testing.T, open Open) *world {
	dir := t.TempDir()
	w := &world{T: t, ctx: t.Context(), open: func() engine.Store { return open(t, dir) }}
	w.Store = w.open()
	t.Cleanup(func() {
		if err := w.Store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	var err error
	w.term, err = w.Lead(w.ctx)
	w.must(err)
	w.revision, err = w.PutRevision(w.ctx, w.term, &engine.Revision{Commit: "c0ffee"})
	w.must(err)
	w.must(w.Activate(w.ctx, w.term, w.revision, noon))
	return w
}

// restart closes the store and opens it again.
func (w *world) restart() {
	w.Helper()
	w.must(w.Store.Close())
	w.Store = w.open()
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) commit(c engine.Changes) {
	w.Helper()
	w.must(w.Commit(w.ctx, w.term, &c))
}

func (w *world) load() *engine.Snapshot {
	w.Helper()
	n, err := w.Load(w.ctx)
	w.must(err)
	return n
}

func (w *world) equal(what string, got, want any) {
	w.Helper()
	if !reflect.DeepEqual(got, want) {
		w.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func (w *world) code(what string, err error, want engine.Code) {
	w.Helper()
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != want {
		w.Errorf("%s: got error %v, want one of class %s", what, err, want)
	}
}

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const hour = period.Instant(time.Hour / time.Microsecond)

// at is an instant, some hours after noon.
func at(hours int) period.Instant { return period.At(noon) + period.Instant(hours)*hour }

// run is an active hourly run; its number is also the hour of its period.
func (w *world) run(id engine.RunID) engine.Run {
	return engine.Run{
		ID: id, Flow: "f", Period: period.Period{Kind: period.Hour, Start: at(int(id)), End: at(int(id) + 1)}, Zone: "UTC", Label: "label",
		Version: 1, Kind: engine.Scheduled, State: engine.RunActive, Revision: w.revision, Created: at(int(id) + 1), Due: at(int(id) + 1),
	}
}

func taskRun(run engine.RunID, task string) engine.TaskRun {
	return engine.TaskRun{Run: run, Task: task, State: engine.Waiting}
}

func attempt(id engine.AttemptID, run engine.RunID, task string, no int) engine.Attempt {
	return engine.Attempt{ID: id, Run: run, Task: task, No: no, Agent: "local", State: engine.Assigned, ExitCode: -1, Assigned: at(0)}
}

func ids(runs []engine.Run) []engine.RunID {
	var l []engine.RunID
	for _, r := range runs {
		l = append(l, r.ID)
	}
	return l
}
