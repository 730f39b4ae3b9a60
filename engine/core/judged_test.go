package core

import (
	"strings"
	"testing"
	"time"

	"flowctl/engine"
)

// The tests of this file are small histories in which the machine and the reference model once differed.

// TestWhoStoodBehindOneThatIsGone: a task run waits for a pool because a better one wants more slots than are left. That one is killed.
func TestWhoStoodBehindOneThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 10)
	w.activate(strings.Replace(pooled, "slots: 3", "slots: 2", 1))
	w.do(StartRun{By: "ann", Flow: "f"})
	w.do(StartRun{By: "ann", Flow: "later"})
	w.wantHeld("f/a@2026-11-19", "f/free@2026-11-19")
	w.do(Kill{By: "ann", Run: 1, Task: "big"})
	w.wantHeld("f/a@2026-11-19", "f/c@2026-11-19", "f/free@2026-11-19")
}

// TestAPlaceLostByARestartIsStored: the older of two runs had the place, and no agent was there; after a restart the newer one has it.
func TestAPlaceLostByARestartIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:30:00Z")
	w.activate("flow: h\nteam: data\nschedule: {every: hour}\nconcurrency: {runs: 1, order: newest}\ntasks:\n  a: {run: 'true'}\n")
	w.sleep(2 * time.Hour)
	w.wantState("h/a@2026-11-20T12", engine.Ready)
	w.crash()
	w.wantState("h/a@2026-11-20T12", engine.Waiting)
	w.wantState("h/a@2026-11-20T13", engine.Ready)
}

// TestWhoWaitsForOneAgentHoldsUpNobodyElse: the place of a pool goes to a task run that no agent can take any more.
func TestWhoWaitsForOneAgentHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 10)
	w.join("two", 10, "big")
	w.activate("pools: {db: {slots: 1}}\n---\nflow: f\nteam: data\nschedule: {every: day}\ntasks:\n" +
		"  a: {run: 'true', pool: db}\n  b: {run: 'true', pool: db, agents: {labels: [big]}}\n  c: {run: 'true', pool: db}\n")
	w.do(StartRun{By: "ann", Flow: "f"})
	w.wantHeld("f/a@2026-11-19")
	w.do(AgentLost{Agent: "two"})
	w.finish("f/a@2026-11-19", engine.Succeeded)
	w.wantHeld("f/c@2026-11-19")
}

// TestAPlaceOfAPoolIsNotLostAtALimit: the task run that the pool lets try finds its own limit full.
func TestAPlaceOfAPoolIsNotLostAtALimit(t *testing.T) {
	t.Parallel()
	docs := func(b string) string {
		return "pools: {db: {slots: 1}}\n---\nflow: f\nteam: data\nschedule: {every: day}\ntasks:\n" +
			"  a: {run: 'true', pool: db}\n  b: {run: 'true', concurrency: 1" + b + "}\n  c: {run: 'true', pool: db}\n"
	}
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 10)
	free := w.activate(docs(""))
	first := w.do(StartRun{By: "ann", Flow: "f"}).(engine.RunID)
	w.drain()
	w.now = w.now.Add(24 * time.Hour)
	w.activate(docs(", pool: db"))
	w.wantHeld("f/a@2026-11-20")
	w.do(Rerun{Run: first, Version: 1, Task: "b", Revision: free, Rows: w.load([]engine.RunID{first})})
	w.wantHeld("f/a@2026-11-20", "f/b@2026-11-19")
	w.finish("f/a@2026-11-20", engine.Succeeded)
	w.wantHeld("f/b@2026-11-19", "f/c@2026-11-20")
}

// TestAWriterIsNoSuccessThatATriggerRuleAsksFor: the task of a rerun reads what another has written, and needs one success of something else.
func TestAWriterIsNoSuccessThatATriggerRuleAsksFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T00:30:00Z")
	w.join("one", 4)
	w.paths["/p"] = true
	w.activate("flow: up\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: 'true', outputs: [/p]}\n---\n" +
		"flow: other\nteam: data\ntasks:\n  x: {run: 'true'}\n---\n" +
		"flow: down\nteam: data\nschedule: {every: day}\ntasks:\n  b: {run: 'true', inputs: [/p], needs: [other/x], trigger_rule: one_success}\n")
	w.do(StartRun{By: "ann", Flow: "up"})
	w.drain()
	id := w.do(StartRun{By: "ann", Flow: "down"}).(engine.RunID)
	w.do(Succeed{By: "ann", Run: id})
	w.do(Rerun{Run: id, Version: 1, Rows: w.load([]engine.RunID{id})})
	w.wantHeld()
	w.do(StartRun{By: "ann", Flow: "other"})
	w.drain()
	w.wantState("down/b@2026-11-19", engine.Succeeded)
}

// TestAnExtraRunGoesOnWhenItsUpstreamSucceedsAfterAll: it had settled as failed.
func TestAnExtraRunGoesOnWhenItsUpstreamSucceedsAfterAll(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		w := newWorld(t, "2026-11-20T00:30:00Z")
		w.join("one", 4)
		w.activate("flow: up\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: 'true'}\n---\n" +
			"flow: down\nteam: data\nschedule: {every: day}\ntasks:\n  b: {run: 'true', needs: [up/a]}\n")
		up := w.do(StartRun{By: "ann", Flow: "up"}).(engine.RunID)
		w.finish("up/a@2026-11-19", engine.Failed)
		extra := w.do(StartRun{By: "ann", Flow: "down", Extra: true}).(engine.RunID)
		if s := w.rows.Runs[extra].State; s != engine.RunFailed {
			t.Fatalf("the extra run is %s", s)
		}
		if restart {
			w.crash()
		}
		w.do(Succeed{By: "ann", Run: up, Rows: w.load([]engine.RunID{up})})
		w.wantHeld("down/b@2026-11-19")
	}
}

// TestARunOfABackfillThatIsOverIsStillBehindAllElse: it leaves slots of the agent alone.
func TestARunOfABackfillThatIsOverIsStillBehindAllElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 2)
	rev := w.activate("flow: f\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: 'true'}\n  b: {run: 'true', needs: [a]}\n")
	id := w.backfill(rev, "f", "2026-11-01", "2026-11-02")
	w.finish("f/a@2026-11-01", engine.Failed)
	w.finish("f/a@2026-11-02", engine.Failed)
	if b := w.rows.backfill(t, id); b.State != engine.BackfillDone {
		t.Fatalf("the backfill is %s", b.State)
	}
	for _, label := range []string{"2026-11-01", "2026-11-02"} {
		r := w.run("f", label)
		w.do(Succeed{By: "ann", Run: r.ID, Task: "a", Rows: w.load([]engine.RunID{r.ID})})
	}
	w.wantHeld("f/b@2026-11-01")
}

// TestALimitThatIsLiftedHoldsNobody: the first of those who wait for a place is pinned to the limit.
func TestALimitThatIsLiftedHoldsNobody(t *testing.T) {
	t.Parallel()
	flow := func(extra string) string {
		return "flow: h\nteam: data\nschedule: {every: hour}\n" + extra + "tasks:\n  a: {run: 'true'}\n"
	}
	w := newWorld(t, "2026-11-20T12:30:00Z")
	w.join("one", 10)
	limited := w.activate(flow("concurrency: {runs: 1}\n"))
	w.sleep(time.Hour)
	w.drain()
	first := w.run("h", "2026-11-20T12").ID
	w.sleep(time.Hour)
	w.wantHeld("h/a@2026-11-20T13")
	w.do(Rerun{Run: first, Version: 1, Revision: limited, Rows: w.load([]engine.RunID{first})})
	w.sleep(time.Hour)
	w.wantHeld("h/a@2026-11-20T13")
	w.activate(flow(""))
	w.wantHeld("h/a@2026-11-20T13", "h/a@2026-11-20T14")
}

// TestEachRevisionHasItsLimit: one run is pinned to a revision by which two attempts may be live, the next follows one with a limit of one.
func TestEachRevisionHasItsLimit(t *testing.T) {
	t.Parallel()
	flow := func(limit string) string {
		return "flow: h\nteam: data\nschedule: {every: hour}\ntasks:\n  a: {run: 'true', concurrency: " + limit + "}\n"
	}
	w := newWorld(t, "2026-11-20T11:30:00Z")
	w.join("one", 10)
	two := w.activate(flow("2"))
	w.sleep(time.Hour)
	w.drain()
	first := w.run("h", "2026-11-20T11").ID
	w.sleep(2 * time.Hour)
	w.wantHeld("h/a@2026-11-20T12", "h/a@2026-11-20T13")
	w.do(Rerun{Run: first, Version: 1, Revision: two, Rows: w.load([]engine.RunID{first})})
	w.activate(flow("1"))
	w.sleep(time.Hour)
	w.finish("h/a@2026-11-20T12", engine.Succeeded)
	w.wantHeld("h/a@2026-11-20T11", "h/a@2026-11-20T13")
	w.finish("h/a@2026-11-20T13", engine.Succeeded)
	w.wantHeld("h/a@2026-11-20T11")
	w.finish("h/a@2026-11-20T11", engine.Succeeded)
	w.wantHeld("h/a@2026-11-20T14")
}

// TestARerunSeesWhenItsWriterCutsTimeInAnotherWay: its own flow is the same in both revisions.
func TestARerunSeesWhenItsWriterCutsTimeInAnotherWay(t *testing.T) {
	t.Parallel()
	docs := func(every string) string {
		return "flow: up\nteam: data\nschedule: {every: " + every + "}\ntasks:\n  a: {run: 'true', outputs: [/p]}\n---\n" +
			"flow: down\nteam: data\nschedule: {every: day}\ntasks:\n  b: {run: 'true', inputs: [/p]}\n"
	}
	w := newWorld(t, "2026-11-20T00:30:00Z")
	w.paths["/p"] = true
	w.join("one", 4)
	w.activate(docs("day"))
	w.do(StartRun{By: "ann", Flow: "down"})
	w.drain()
	w.do(StartRun{By: "ann", Flow: "up"})
	down := w.run("down", "2026-11-19").ID
	w.do(Rerun{Run: down, Version: 1, Rows: w.load([]engine.RunID{down})})
	w.wantHeld("up/a@2026-11-19")
	w.activate(docs("week")) // the week before has no run: nobody is about to write
	w.wantHeld("down/b@2026-11-19", "up/a@2026-11-19")
}

// TestAnAnswerThatIsOlderThanTheQuestionSaysNothing: between the first question about a run and its answer the run is made and ends, and another
// one asks.
func TestAnAnswerThatIsOlderThanTheQuestionSaysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T00:30:00Z")
	w.activate("flow: up\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: 'true'}\n---\n" +
		"flow: down\nteam: data\nschedule: {every: day}\ntasks:\n  b: {run: 'true', needs: [up/a]}\n")
	var asked []engine.LedgerKey
	handle := func(ev Event) any {
		t.Helper()
		reply, err := w.m.Handle(w.now, ev)
		if err != nil {
			t.Fatal(err)
		}
		out := w.m.Take()
		asked = append(asked, out.Lookups...)
		w.rows.apply(&out.Changes)
		w.m.Done()
		return reply
	}
	first := handle(StartRun{Flow: "down"}).(engine.RunID)
	handle(Kill{Run: first})
	up := handle(StartRun{Flow: "up"}).(engine.RunID)
	handle(Kill{Run: up})
	second := handle(StartRun{Flow: "down", Existing: engine.Existing{Run: first, State: engine.RunFailed, Version: 1}}).(engine.RunID)
	if len(asked) == 0 || len(asked) > 2 {
		t.Fatalf("asked %v", asked)
	}
	for i := range asked {
		answer := engine.LedgerAnswer{} // as the ledger was at the time of the first question
		if i > 0 {
			answer = w.rows.Outcomes(asked[i : i+1])[0]
		}
		handle(LedgerAnswered{Keys: asked[i : i+1], Answers: []engine.LedgerAnswer{answer}})
	}
	if s := w.rows.TaskRuns[engine.TaskRunKey{Run: second, Task: "b"}].State; s != engine.UpstreamFailed {
		t.Fatalf("it is %s: %v", s, w.m.Blockers(second))
	}
}

// TestAPlaceOfALimitIsNotKeptForWhoCannotTakeIt: of two that wait for it the first follows a revision by which only an agent that is gone can
// execute it.
func TestAPlaceOfALimitIsNotKeptForWhoCannotTakeIt(t *testing.T) {
	t.Parallel()
	docs := func(agents string) string {
		return "flow: f\nteam: data\ntasks:\n  a: {run: 'true', concurrency: 1" + agents + "}\n"
	}
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 10)
	w.join("two", 10, "big")
	big := w.activate(docs(", agents: {labels: [big]}"))
	first := w.do(StartRun{By: "ann", Flow: "f"}).(engine.RunID)
	w.drain()
	second := w.do(StartRun{By: "ann", Flow: "f"}).(engine.RunID)
	w.do(Rerun{Run: first, Version: 1, Revision: big, Rows: w.load([]engine.RunID{first})})
	w.activate(docs(""))
	w.now = w.now.Add(time.Minute)
	third := w.do(StartRun{By: "ann", Flow: "f"}).(engine.RunID)
	w.do(AgentLost{Agent: "two"})
	agent, as := w.holding("f/a@" + w.rows.Runs[second].Label)
	delete(w.fleet[agent], as.Attempt)
	w.do(Reported{Agent: agent, Reports: []engine.Report{
		{Attempt: as.Attempt, Kind: engine.ReportFinished, Result: engine.Result{State: engine.Succeeded}},
	}})
	w.wantHeld("f/a@" + w.rows.Runs[third].Label)
}

// TestABackfillWithoutATaskWakesWhoNeedsIt: the run that is replaced had settled as failed, and so had the one that needs it.
func TestABackfillWithoutATaskWakesWhoNeedsIt(t *testing.T) {
	t.Parallel()
	up := "flow: up\nteam: data\nschedule: {every: day}\ntasks:\n  x: {run: 'true'}\n"
	down := "---\nflow: down\nteam: data\nschedule: {every: day}\ntasks:\n  b: {run: 'true'"
	w := newWorld(t, "2026-11-20T00:30:00Z")
	w.join("one", 4)
	w.activate(up + "  a: {run: 'true'}\n" + down + ", needs: [up/a]}\n")
	w.do(StartRun{By: "ann", Flow: "up"})
	w.finish("up/a@2026-11-19", engine.Failed)
	w.drain()
	w.do(StartRun{By: "ann", Flow: "down"})
	w.wantState("down/b@2026-11-19", engine.UpstreamFailed)
	rev := w.activate(up + down + "}\n")
	w.wantState("down/b@2026-11-19", engine.UpstreamFailed)
	w.do(StartBackfill{Revision: rev, Row: engine.BackfillRow{Flows: []string{"up"}, From: "2026-11-19", To: "2026-11-19", Reprocess: "failed"}})
	w.wantHeld("down/b@2026-11-19", "up/x@2026-11-19")
}

// TestWhatABackfillIgnoresStaysIgnored: its run settles as failed, the backfill is over, and then the run goes on.
func TestWhatABackfillIgnoresStaysIgnored(t *testing.T) {
	t.Parallel()
	for _, restart := range []string{"", "settled", "active"} {
		w := newWorld(t, "2026-11-20T00:30:00Z")
		w.join("one", 4)
		rev := w.activate("flow: up\nteam: data\nschedule: {every: day}\ntasks:\n  x: {run: 'true'}\n---\n" +
			"flow: down\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: 'true'}\n  b: {run: 'true', needs: [a, up/x]}\n")
		w.do(StartBackfill{Revision: rev, Row: engine.BackfillRow{
			Flows: []string{"down"}, From: "2026-11-18", To: "2026-11-18", MissingUpstream: "ignore", Reprocess: "missing",
		}})
		w.finish("down/a@2026-11-18", engine.Failed)
		if b := w.rows.backfill(t, 1); b.State != engine.BackfillDone {
			t.Fatalf("the backfill is %s", b.State)
		}
		if restart == "settled" {
			w.crash()
			w.join("one", 4)
		}
		id := w.run("down", "2026-11-18").ID
		w.do(Succeed{By: "ann", Run: id, Task: "a", Rows: w.load([]engine.RunID{id})})
		if restart == "active" {
			w.crash()
			w.join("one", 4)
		}
		w.wantHeld("down/b@2026-11-18")
	}
}

// TestARunThatIsTakenUpForNothingIsBroughtUpToDate: it is named in a rerun of several runs, which is refused.
func TestARunThatIsTakenUpForNothingIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	docs := func(run string) string {
		return "flow: up\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: 'true'}\n---\n" +
			"flow: down\nteam: data\nschedule: {every: day}\ntasks:\n  b: {run: '" + run + "', needs: [up/a]}\n"
	}
	w := newWorld(t, "2026-11-20T00:30:00Z")
	w.join("one", 4)
	w.activate(docs("old"))
	up := w.do(StartRun{By: "ann", Flow: "up"}).(engine.RunID)
	w.finish("up/a@2026-11-19", engine.Failed)
	down := w.do(StartRun{By: "ann", Flow: "down"}).(engine.RunID)
	w.do(Rerun{By: "ann", Run: up, Version: 1, Rows: w.load([]engine.RunID{up})})
	rev := w.activate(docs("new"))
	if _, err := w.try(Reruns{Items: []Rerun{{By: "ann", Run: down}, {By: "ann", Run: 99}}, Rows: w.load([]engine.RunID{down})}); err == nil {
		t.Fatal("there is no run 99")
	}
	w.wantState("down/b@2026-11-19", engine.Waiting)
	if r := w.rows.Runs[down]; r.Revision != rev.ID {
		t.Fatalf("it follows revision %d", r.Revision)
	}
}
