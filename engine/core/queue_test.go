package core

import (
	"strings"
	"testing"
	"time"

	"flowctl/engine"
)

const oneAtATime = `
flow: single
team: data
schedule: {every: day}
tasks:
  a: {run: "true", concurrency: 1}
`

// TestAPlaceThatIsNotTakenGoesToTheNext: the task run that was let through by a limit is killed before an agent takes it.
func TestAPlaceThatIsNotTakenGoesToTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 10)
	rev := w.activate(oneAtATime)
	w.backfill(rev, "single", "2026-11-01", "2026-11-03")
	w.wantHeld("single/a@2026-11-01")
	agent, as := w.holding("single/a@2026-11-01")
	w.do(AgentLost{Agent: "one"})
	w.do(Reported{Agent: agent, Reports: []engine.Report{
		{Attempt: as.Attempt, Kind: engine.ReportFinished, Result: engine.Result{State: engine.Succeeded}},
	}})
	delete(w.fleet[agent], as.Attempt)
	w.do(Kill{By: "ann", Run: w.run("single", "2026-11-02").ID})
	w.join("one", 10)
	w.wantHeld("single/a@2026-11-03")
}

// TestRunsThatWaitForTheirFlowSeeItsNewLimit: they have not started, so they follow the revision.
func TestRunsThatWaitForTheirFlowSeeItsNewLimit(t *testing.T) {
	t.Parallel()
	flow := func(limit string) string {
		return "flow: h\nteam: data\nschedule: {every: hour}\nconcurrency: {" + limit + "}\ntasks:\n  a: {run: 'true'}\n"
	}
	w := newWorld(t, "2026-11-20T12:30:00Z")
	w.join("one", 10)
	w.activate(flow("runs: 1"))
	w.sleep(4 * time.Hour)
	w.wantHeld("h/a@2026-11-20T12")
	w.activate(flow("runs: 2, order: newest"))
	w.wantHeld("h/a@2026-11-20T12", "h/a@2026-11-20T15")
	w.activate(flow("runs: 9"))
	w.wantHeld("h/a@2026-11-20T12", "h/a@2026-11-20T13", "h/a@2026-11-20T14", "h/a@2026-11-20T15")
}

func TestACancelledBackfillCannotBeResumed(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		w := newWorld(t, "2026-11-20T12:00:00Z")
		w.join("one", 10)
		rev := w.activate(oneAtATime)
		id := w.backfill(rev, "single", "2026-11-01", "2026-11-03")
		agent, as := w.holding("single/a@2026-11-01")
		w.do(AgentLost{Agent: agent})
		w.deaf = true // the kill does not arrive
		w.do(ControlBackfill{By: "ann", ID: id, Verb: "cancel"})
		if restart {
			w.rebuild()
		}
		for _, verb := range []string{"resume", "pause"} {
			if _, err := w.try(ControlBackfill{By: "ann", ID: id, Verb: verb}); err == nil {
				t.Fatalf("%s: a cancelled backfill was taken", verb)
			}
		}
		w.deaf = false
		w.end(agent, as.Attempt, engine.Killed)
		if b := w.rows.Backfills[id]; b.State != engine.BackfillCancelled || b.FinishedAt == 0 || b.Failed != 3 {
			t.Fatalf("backfill: %+v", b)
		}
		if len(w.m.backfills)+len(w.m.runs) != 0 {
			t.Fatal("the cancelled backfill stays in memory")
		}
	}
}

// TestARetryWaitsForAnUpstreamThatRunsAnew: the upstream is rerun while the retry waits for its delay.
func TestARetryWaitsForAnUpstreamThatRunsAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.join("one", 10)
	w.activate(`
flow: up
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  a: {run: "true"}
---
flow: down
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  b: {run: "true", needs: [up/a], retry: {limit: 1, delay: 5m}}
`)
	w.sleep(2 * time.Minute)
	w.finish("up/a@2026-11-19", engine.Succeeded)
	w.finish("down/b@2026-11-19", engine.Failed)
	id := w.run("up", "2026-11-19").ID
	w.do(Rerun{By: "ann", Run: id, Version: 1, Rows: w.load([]engine.RunID{id})})
	w.sleep(10 * time.Minute)
	w.wantHeld("up/a@2026-11-19")
	w.drain()
	w.wantState("down/b@2026-11-19", engine.Succeeded)
}

// TestAnAgentThatLacksWhatAnotherSeesIsNotAskedAtOnceAgain: a path that one agent sees and the executing one does not.
func TestAnAgentThatLacksWhatAnotherSeesIsNotAskedAtOnceAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.join("one", 10)
	w.paths["/in"] = true
	w.activate("flow: f\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: 'true', inputs: [/in]}\n")
	w.sleep(2 * time.Minute)
	agent, as := w.holding("f/a@2026-11-19")
	delete(w.fleet[agent], as.Attempt)
	w.do(Reported{Agent: agent, Reports: []engine.Report{{Attempt: as.Attempt, Kind: engine.ReportRefused, Missing: []string{"/in"}}}})
	w.wantHeld()
	w.sleep(refusedPause)
	w.wantHeld("f/a@2026-11-19")
	_, as = w.holding("f/a@2026-11-19")
	w.do(Reported{Agent: agent, Reports: []engine.Report{
		{Attempt: as.Attempt, Kind: engine.ReportStarted}, {Attempt: as.Attempt, Kind: engine.ReportRefused},
	}})
	w.wantState("f/a@2026-11-19", engine.Failed) // whatever an agent says, nothing panics
}

// TestARunBehindOneWithALowerLimit: it stands behind it although its own revision has room, and goes when that one is gone.
func TestARunBehindOneWithALowerLimit(t *testing.T) {
	t.Parallel()
	flow := func(runs string) string {
		return "flow: h\nteam: data\nschedule: {every: hour}\nconcurrency: {runs: " + runs + "}\ntasks:\n  a: {run: 'true'}\n"
	}
	w := newWorld(t, "2026-11-20T12:30:00Z")
	w.join("one", 10)
	two := w.activate(flow("2"))
	w.sleep(time.Hour)
	w.wantHeld("h/a@2026-11-20T12")
	w.activate(flow("1"))
	w.sleep(time.Hour)
	w.backfill(two, "h", "2026-11-19T05", "2026-11-19T05")
	w.wantHeld("h/a@2026-11-20T12")
	w.do(Kill{By: "ann", Run: w.run("h", "2026-11-20T13").ID})
	w.wantHeld("h/a@2026-11-20T12", "h/a@2026-11-19T05")
}

// TestATurnThatAnotherVersionTookIsGone: a task run whose turn came while another version of it was executed ages anew when that has ended.
func TestATurnThatAnotherVersionTookIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	rev := w.activate("flow: a\nteam: data\nschedule: {every: day}\ntasks:\n  x: {run: 'true'}\n---\nflow: b\nteam: data\ntasks:\n  y: {run: 'true'}\n")
	days, err := rev.Project.Flow("a").Schedule.Parse("2026-11-18")
	if err != nil {
		t.Fatal(err)
	}
	first := w.do(StartRun{By: "ann", Flow: "a", Period: &days[0], Extra: true}).(engine.RunID)
	w.do(StartRun{By: "ann", Flow: "a", Period: &days[0], Extra: true, Existing: engine.Existing{Version: 1, Run: first, State: engine.RunActive}})
	w.sleep(time.Minute)
	w.join("one", 2) // the first extra run starts, and the turn of the second comes
	for range 2 {
		w.do(StartRun{By: "ann", Flow: "b"})
		w.sleep(time.Minute)
	}
	w.finish("a/x@2026-11-18", engine.Succeeded)
	if held := w.held(); len(held) != 2 || !strings.HasPrefix(held[0], "b/") || !strings.HasPrefix(held[1], "b/") {
		t.Fatalf("%v are executed: what waited for the slot was passed by", held)
	}
}
