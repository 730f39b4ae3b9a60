package core

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

// wantEvents compares the keys of all events.
func (w *world) wantEvents(want ...string) {
	w.t.Helper()
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(w.rows.Events)); !slices.Equal(got, want) {
		w.t.Fatalf("events %v, want %v", got, want)
	}
}

const oneTask = "flow: f\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks:\n" +
	"  a: {run: 'true', retry: {limit: 1, delay: 1m}}\n  b: {run: 'true', needs: [a]}\n"

func TestAFailureIsToldOnceAndItsEndToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 4)
	w.activate(oneTask)
	id := w.do(StartRun{By: "ann", Flow: "f"}).(engine.RunID)
	w.finish("f/a@2026-11-19", engine.Failed)
	w.crash()
	w.wantEvents("retrying/1/a/1")
	w.sleep(time.Minute)
	w.finish("f/a@2026-11-19", engine.Failed)
	w.wantEvents("retrying/1/a/1", "failed/1/a")
	if e := w.rows.Events["failed/1/a"]; e.Kind != flow.Failed || e.Flow != "f" || e.Task != "a" || e.Run != id || e.Attempt != 2 ||
		e.Agent != "one" || e.At != w.now {
		t.Fatalf("event %+v", e)
	}
	w.do(Rerun{By: "ann", Run: id, Version: 1, Rows: w.load([]engine.RunID{id})})
	w.crash() // that an older version failed is remembered
	w.drain()
	w.wantState("f/b@2026-11-19", engine.Succeeded)
	w.wantEvents("retrying/1/a/1", "failed/1/a", "recovered/2/a")
	w.do(Rerun{By: "ann", Run: 2, Version: 2, Rows: w.load([]engine.RunID{2})})
	w.drain()
	w.wantEvents("retrying/1/a/1", "failed/1/a", "recovered/2/a")
}

func TestAForcedSuccessIsARecovery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 4)
	w.activate(strings.Replace(oneTask, "limit: 1", "limit: 0", 1))
	w.do(StartRun{By: "ann", Flow: "f"})
	w.finish("f/a@2026-11-19", engine.Failed)
	w.do(Succeed{By: "ann", Run: 1, Task: "a", Rows: w.load([]engine.RunID{1})})
	w.wantEvents("failed/1/a", "recovered/1/a")
	if e := w.rows.Events["recovered/1/a"]; e.Detail != "forced by ann" {
		t.Fatalf("event %+v", e)
	}
}

func TestAnOrdinaryLifeIsNoEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 4)
	w.activate(oneTask)
	w.do(StartRun{By: "ann", Flow: "f"})
	w.drain()
	w.wantState("f/b@2026-11-19", engine.Succeeded)
	w.wantEvents()
}

func TestKillsAreToldButNotWhatANewerVersionReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 4)
	w.activate(oneTask)
	w.do(StartRun{By: "ann", Flow: "f"})
	w.do(Rerun{By: "ann", Run: 1, Version: 1, Kill: true})
	w.wantEvents()
	w.do(Kill{By: "ann", Run: 2})
	w.wantEvents("killed/2/a", "killed/2/b")
	if e := w.rows.Events["killed/2/a"]; e.Detail != "killed by ann" || e.Attempt != 2 {
		t.Fatalf("event %+v", e)
	}
}

func TestExpiryIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.activate("flow: f\nteam: data\nexpire_after: 2h\nschedule: {every: day, start: 2026-11-01}\ntasks:\n  a: {run: 'true'}\n")
	w.do(StartRun{By: "ann", Flow: "f"})
	w.sleep(time.Hour)
	w.crash()
	w.sleep(2 * time.Hour)
	w.crash()
	w.wantEvents("expired/1/a")
}

func TestWhatAnAgentGivesBackOrHasLostIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 4)
	w.activate(oneTask)
	w.do(StartRun{By: "ann", Flow: "f"})
	_, as := w.holding("f/a@2026-11-19")
	delete(w.fleet["one"], as.Attempt)
	w.do(Reported{Agent: "one", Reports: []engine.Report{{Attempt: as.Attempt, Kind: engine.ReportRefused, Message: "no memory"}}})
	w.wantEvents("redispatched/1/a/1")
	w.sleep(refusedPause)
	_, as = w.holding("f/a@2026-11-19")
	w.do(Reported{Agent: "one", Reports: []engine.Report{{Attempt: as.Attempt, Kind: engine.ReportStarted}}})
	clear(w.fleet["one"]) // and its data folder
	w.join("one", 4)
	w.wantEvents("redispatched/1/a/1", "zombie/1/a/2", "retrying/1/a/2")
}

func TestBackfillsTellWhatTheyLeaveAloneAndTheirEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-30T12:00:00Z")
	w.join("one", 1)
	rev := w.activate(oneTask)
	period, _ := rev.Project.Flow("f").Schedule.Parse("2026-11-12")
	w.do(StartRun{By: "ann", Flow: "f", Period: &period[0]})
	w.do(StartBackfill{Revision: rev, Row: engine.BackfillRow{
		Flows: []string{"f"}, From: "2026-11-11", To: "2026-11-13", MaxActive: 1, Reprocess: "missing",
	}})
	w.crash()
	w.drain()
	var skipped, finished engine.Event
	for _, e := range w.rows.Events {
		switch e.Kind {
		case flow.BackfillSkipped:
			skipped = e
		case flow.BackfillFinished:
			finished = e
		}
	}
	if len(w.rows.Events) != 1 || finished.Key != "backfill_finished/1" || finished.Detail != "done: 2 succeeded, 0 failed, 1 periods left alone" {
		// The run of the 12th had ended when the backfill came to it, so that nothing unfinished was left alone.
		t.Fatalf("events %+v", w.rows.Events)
	}
	w.do(StartRun{By: "ann", Flow: "f"})
	w.do(StartBackfill{Revision: rev, Row: engine.BackfillRow{Flows: []string{"f"}, From: "2026-11-29", To: "2026-11-29", Reprocess: "all"}})
	w.crash()
	for _, e := range w.rows.Events {
		if e.Kind == flow.BackfillSkipped {
			skipped = e
		}
	}
	if skipped.Backfill != 2 || skipped.Detail != "f@2026-11-29" || skipped.Flow != "f" || len(w.rows.Events) != 3 {
		t.Fatalf("events %+v", w.rows.Events)
	}
}

func TestACancelledBackfillTellsOfWhatRanAndOfItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-30T12:00:00Z")
	w.join("one", 1)
	rev := w.activate(oneTask)
	id := w.backfill(rev, "f", "2026-11-01", "2026-11-20")
	w.do(ControlBackfill{By: "ann", ID: id, Verb: "cancel"})
	w.wantEvents("killed/1/a", "backfill_finished/1")
}

func TestALostAgentIsToldOncePerLoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 4)
	w.do(AgentLost{Agent: "one"})
	w.sleep(lostAfter - time.Second)
	w.join("one", 4) // a stream may break
	w.sleep(time.Hour)
	w.wantEvents()
	w.do(AgentLost{Agent: "one"})
	w.sleep(lostAfter / 2)
	w.rebuild() // the server was away: the agent has its time again
	w.sleep(lostAfter - time.Second)
	w.wantEvents()
	w.sleep(time.Second)
	if len(w.rows.Events) != 1 {
		t.Fatalf("events %+v", w.rows.Events)
	}
	w.rebuild()
	w.sleep(time.Hour)
	if len(w.rows.Events) != 1 {
		t.Fatalf("events %+v", w.rows.Events)
	}
	w.join("one", 4)
	w.do(AgentLost{Agent: "one"})
	w.sleep(time.Hour)
	if len(w.rows.Events) != 2 {
		t.Fatalf("events %+v", w.rows.Events)
	}
}
