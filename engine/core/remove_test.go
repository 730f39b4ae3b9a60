package core

import (
	"strings"
	"testing"
	"time"

	"flowctl/engine"
)

const pairFlows = `
flow: up
team: data
schedule: {every: day, start: 2026-11-01}
concurrency: {runs: 1}
expire_after: 2h
tasks:
  a: {run: "true"}
---
flow: down
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  b: {run: "true", needs: [up/a]}
`

func TestASkippedTaskSatisfiesWhatWaitsForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.join("one", 4)
	w.activate(pairFlows)
	w.sleep(time.Hour)
	r := w.run("up", "2026-11-19")
	if _, err := w.try(Skip{By: "ann", Run: r.ID, Task: "a"}); err == nil || !strings.Contains(err.Error(), "kill it first") {
		t.Fatalf("a running task was skipped: %v", err)
	}
	w.finish("up/a@2026-11-19", engine.Failed)
	w.wantState("down/b@2026-11-19", engine.UpstreamFailed)
	w.crash()
	w.do(Skip{By: "ann", Run: r.ID, Rows: w.load([]engine.RunID{r.ID})})
	w.wantState("up/a@2026-11-19", engine.Skipped)
	w.wantHeld("down/b@2026-11-19")
	if _, err := w.try(Skip{By: "ann", Run: r.ID, Rows: w.load([]engine.RunID{r.ID})}); err == nil {
		t.Fatal("a skipped task was skipped again")
	}
}

func TestADeletedRunWasNeverMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.activate(pairFlows)
	w.sleep(25 * time.Hour) // two periods; what did not start of the first expired
	old, next := w.run("up", "2026-11-19"), w.run("up", "2026-11-20")
	if _, err := w.try(Delete{Target: "up", Runs: []engine.RunID{old.ID}}); err == nil || !strings.Contains(err.Error(), "it has ended") {
		t.Fatalf("a settled run was deleted: %v", err)
	}
	dry := w.do(Delete{Target: "up", Runs: []engine.RunID{old.ID, next.ID}, DryRun: true}).(Deleted)
	if len(dry.Runs) != 1 || len(dry.Left) != 1 || w.run("up", "2026-11-20") == nil {
		t.Fatalf("dry run: %+v", dry)
	}
	w.do(Delete{By: "ann", Target: "up", Runs: []engine.RunID{next.ID}})
	w.wantState("up/a@2026-11-20", "")
	w.wantBlocker("down", "2026-11-20", "b", engine.BlockAbsent, "flowctl backfill up --from 2026-11-20 --to 2026-11-20")
	last := w.m.lastRun
	w.crash()
	if w.m.lastRun != last {
		t.Errorf("the last run is %d after a restart, was %d", w.m.lastRun, last)
	}
	w.join("one", 4)
	w.sleep(24 * time.Hour) // the next one is made; the deleted one is not
	w.wantHeld("up/a@2026-11-21")
	w.backfill(w.revs[1], "up", "2026-11-20", "2026-11-20")
	w.drain()
	w.wantState("down/b@2026-11-20", engine.Succeeded)
	if n := w.run("up", "2026-11-20").Version; n != 1 {
		t.Errorf("the period's new run has version %d", n)
	}
}

// TestWhoWaitedForADeletedRunWaitsForTheNext: it had failed once, so that others had settled.
func TestWhoWaitedForADeletedRunWaitsForTheNext(t *testing.T) {
	t.Parallel()
	for _, crash := range []bool{false, true} {
		w := newWorld(t, "2026-11-19T23:30:00Z")
		w.join("one", 4)
		w.activate("flow: first\nteam: data\nschedule: {every: day}\ntasks:\n  x: {run: 'true'}\n---\n" +
			"flow: up\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: 'true', needs: [first/x]}\n---\n" +
			"flow: down\nteam: data\nschedule: {every: day}\ntasks:\n  b: {run: 'true', needs: [up/a]}\n")
		w.sleep(time.Hour)
		w.finish("first/x@2026-11-19", engine.Failed)
		w.wantState("down/b@2026-11-19", engine.UpstreamFailed)
		first, up := w.run("first", "2026-11-19"), w.run("up", "2026-11-19")
		w.hold("up", "", "")
		w.do(Rerun{Run: first.ID, Rows: w.load([]engine.RunID{first.ID}), Version: 1})
		w.finish("first/x@2026-11-19", engine.Succeeded)
		w.wantState("up/a@2026-11-19", engine.Waiting)
		w.wantState("down/b@2026-11-19", engine.UpstreamFailed) // it has left memory
		if crash {
			if _, err := w.m.Handle(w.now, Delete{Target: "up", Runs: []engine.RunID{up.ID}}); err != nil {
				t.Fatal(err)
			}
			w.rows.apply(&w.m.Take().Changes)
			w.crash()
		} else {
			w.do(Delete{Target: "up", Runs: []engine.RunID{up.ID}})
		}
		w.wantState("down/b@2026-11-19", engine.Waiting)
		w.letGo()
		w.backfill(w.revs[1], "up", "2026-11-19", "2026-11-19")
		w.drain()
		w.wantState("down/b@2026-11-19", engine.Succeeded)
	}
}

func TestADeletedRunFreesItsPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.activate(strings.Replace(pairFlows, "expire_after: 2h\n", "", 1))
	w.sleep(25 * time.Hour)
	w.hold("up", "", "2026-11-19") // it holds the only place of its flow
	w.join("one", 4)
	w.wantHeld()
	w.do(Delete{Target: "up", Runs: []engine.RunID{w.run("up", "2026-11-19").ID}})
	w.wantHeld("up/a@2026-11-20")
}

func TestAPeriodDeletedAheadOfItsTimeIsGenerated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.activate(pairFlows)
	w.now = w.now.Add(30*time.Minute + 10*time.Second) // the period has ended, its run is due at 00:01
	r := w.do(StartRun{Flow: "up"}).(engine.RunID)
	w.do(Delete{Target: "up", Runs: []engine.RunID{r}})
	w.crash()
	w.sleep(time.Minute)
	if got := w.run("up", "2026-11-19"); got == nil || got.Kind != engine.Scheduled || got.Version != 1 {
		t.Fatalf("run %+v", got)
	}
}
