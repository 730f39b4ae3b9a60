package core

import (
	"strings"
	"testing"
	"time"

	"flowctl/dsl/period"
	"flowctl/engine"
)

const chainFlow = `
flow: shop
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  a: {run: "true"}
  b: {run: "true", needs: [a]}
  c: {run: "true", needs: [b]}
`

func TestARunIsGeneratedAtItsTimeAndItsTasksFollowTheirNeeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.join("one", 4)
	w.activate(chainFlow)
	if len(w.rows.Runs) != 0 {
		t.Fatalf("a new flow generated its past: %v", w.rows.Runs)
	}
	w.sleep(12 * time.Hour) // midnight
	if len(w.rows.Runs) != 0 {
		t.Fatal("the run was created before 00:01")
	}
	w.sleep(time.Minute)
	w.wantHeld("shop/a@2026-11-19")
	w.finish("shop/a@2026-11-19", engine.Succeeded)
	w.wantHeld("shop/b@2026-11-19")
	w.drain()
	if r := w.run("shop", "2026-11-19"); r.State != engine.RunSucceeded || r.Kind != engine.Scheduled {
		t.Fatalf("run is %+v", r)
	}
	if w.m.runs[1] != nil {
		t.Fatal("a settled run stays in memory")
	}
	w.sleep(24 * time.Hour)
	w.wantHeld("shop/a@2026-11-20")
}

func TestDailyWaitsForItsHours(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-18T23:30:00Z")
	w.join("one", 100)
	w.activate(`
flow: hours
team: data
schedule: {every: hour}
tasks:
  load: {run: "true"}
---
flow: days
team: data
schedule: {every: day}
tasks:
  sum: {run: "true", needs: [hours/load]}
`)
	w.sleep(2 * time.Minute)
	w.sleep(29 * time.Minute) // 00:01: hour 23 of the 18th, and the day 18 whose first hours have no run
	w.drain()
	w.wantState("days/sum@2026-11-18", engine.Waiting)
	bs := w.m.Blockers(w.run("days", "2026-11-18").ID)["sum"]
	if len(bs) != 1 || bs[0].Kind != engine.BlockAbsent || bs[0].Hint != "flowctl backfill hours --from 2026-11-18T00 --to 2026-11-18T22" {
		t.Fatalf("blockers: %+v", bs)
	}
	for range 24 {
		w.sleep(time.Hour)
		w.drain()
	}
	w.wantState("days/sum@2026-11-19", engine.Succeeded)
}

func TestRetriesThenFailsAndDependentsWaitAsUpstreamFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.join("one", 4)
	w.activate(strings.Replace(chainFlow, `a: {run: "true"}`, `a: {run: "true", retry: {limit: 2, delay: 1m, backoff: 2}}`, 1))
	w.sleep(12*time.Hour + time.Minute)
	name := "shop/a@2026-11-19"
	w.finish(name, engine.Failed)
	w.wantState(name, engine.Retrying)
	w.sleep(59 * time.Second)
	w.wantHeld()
	w.sleep(time.Second)
	w.finish(name, engine.Failed)
	w.sleep(time.Minute)
	w.wantHeld()
	w.sleep(time.Minute) // the second delay is twice the first
	w.finish(name, engine.Failed)
	w.wantState(name, engine.Failed)
	w.wantState("shop/b@2026-11-19", engine.UpstreamFailed)
	w.wantState("shop/c@2026-11-19", engine.UpstreamFailed)
	if r := w.run("shop", "2026-11-19"); r.State != engine.RunFailed {
		t.Fatalf("run is %s", r.State)
	}
	id := w.run("shop", "2026-11-19").ID
	w.do(Rerun{By: "ann", Run: id, Version: 1, Task: "a", Rows: w.load([]engine.RunID{id})})
	w.wantHeld(name)
	w.drain()
	r := w.run("shop", "2026-11-19")
	if r.Version != 2 || r.State != engine.RunSucceeded || r.Kind != engine.Rerun {
		t.Fatalf("after the rerun: %+v", r)
	}
}

const acrossFlows = `
flow: up
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  a: {run: "true"}
  other: {run: "true"}
---
flow: down
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  b: {run: "true", needs: [up/a]}
---
flow: last
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  c: {run: "true", needs: [down/b]}
`

func TestDependentsThatSettledGoOnWhenTheUpstreamIsForced(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		w := newWorld(t, "2026-11-19T12:00:00Z")
		w.join("one", 4)
		w.activate(acrossFlows)
		w.sleep(12*time.Hour + time.Minute)
		w.finish("up/other@2026-11-19", engine.Succeeded)
		w.finish("up/a@2026-11-19", engine.Failed)
		w.wantState("last/c@2026-11-19", engine.UpstreamFailed)
		if len(w.m.runs) != 0 {
			t.Fatalf("%d runs in memory, want none", len(w.m.runs))
		}
		if restart {
			w.crash()
		}
		id := w.run("up", "2026-11-19").ID
		w.do(Succeed{By: "ann", Run: id, Task: "a", Rows: w.load([]engine.RunID{id})})
		w.wantHeld("down/b@2026-11-19")
		w.drain()
		w.wantState("last/c@2026-11-19", engine.Succeeded)
		if len(w.rows.Waits) != 0 {
			t.Fatalf("waits are left: %v", w.rows.Waits)
		}
	}
}

func TestPreviousPeriodChains(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 10)
	rev := w.activate(`
flow: balance
team: data
schedule: {every: day, start: 2026-11-10}
tasks:
  roll: {run: "true", needs: [{task: roll, periods: previous}]}
`)
	id := w.do(StartBackfill{Row: engine.BackfillRow{Flows: []string{"balance"}, From: "2026-11-10", To: "2026-11-14", Reprocess: "missing"}, Revision: rev}).(engine.BackfillID)
	for _, day := range []string{"10", "11", "12", "13", "14"} {
		w.wantHeld("balance/roll@2026-11-" + day)
		w.drain1()
	}
	if b := w.rows.backfill(t, id); b.State != engine.BackfillDone || b.Succeeded != 5 {
		t.Fatalf("backfill: %+v", b)
	}
}

// drain1 finishes what is held now, once.
func (w *world) drain1() {
	for _, name := range w.held() {
		w.finish(name, engine.Succeeded)
	}
}

func TestBackfillKeepsToItsWindowAndItsOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 100)
	rev := w.activate(acrossFlows)
	id := w.do(StartBackfill{Row: engine.BackfillRow{
		Flows: []string{"down", "last", "up"}, From: "2026-11-01", To: "2026-11-10", MaxActive: 3, Reprocess: "missing",
	}, Revision: rev}).(engine.BackfillID)
	most := 0
	for range 100 {
		most = max(most, len(w.m.runs))
		if len(w.held()) == 0 {
			break
		}
		w.crash()
		w.finish(w.held()[0], engine.Succeeded)
	}
	if most != 3 {
		t.Fatalf("up to %d runs were active, want 3", most)
	}
	if b := w.rows.backfill(t, id); b.State != engine.BackfillDone || b.Succeeded != 30 || b.Created != 30 {
		t.Fatalf("backfill: %+v", b)
	}
}

func TestConcurrencyOfFlowAndTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 100)
	rev := w.activate(`
flow: narrow
team: data
schedule: {every: day}
concurrency: {runs: 2}
tasks:
  a: {run: "true"}
---
flow: single
team: data
schedule: {every: day}
tasks:
  a: {run: "true", concurrency: 1}
`)
	w.do(StartBackfill{Row: engine.BackfillRow{Flows: []string{"narrow", "single"}, From: "2026-11-01", To: "2026-11-04", Reprocess: "missing"}, Revision: rev})
	w.wantHeld("narrow/a@2026-11-01", "narrow/a@2026-11-02", "single/a@2026-11-01")
	bs := w.m.Blockers(w.run("narrow", "2026-11-03").ID)["a"]
	if len(bs) != 1 || bs[0].Kind != engine.BlockFlowLimit || len(bs[0].Holders) != 2 {
		t.Fatalf("blockers: %+v", bs)
	}
	bs = w.m.Blockers(w.run("single", "2026-11-03").ID)["a"]
	if len(bs) != 1 || bs[0].Kind != engine.BlockTaskLimit || bs[0].Holders[0] != "single/a@2026-11-01" {
		t.Fatalf("blockers: %+v", bs)
	}
	w.finish("narrow/a@2026-11-02", engine.Failed)
	w.finish("single/a@2026-11-01", engine.Succeeded)
	w.wantHeld("narrow/a@2026-11-01", "narrow/a@2026-11-03", "single/a@2026-11-02")
}

func TestInputPathsAreProbedOncePerPathAndAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.activate(`
flow: files
team: data
schedule: {every: day}
tasks:
  a: {run: "true", inputs: [/data/in/]}
  b: {run: "true", inputs: [/data/in/]}
`)
	w.sleep(2 * time.Minute)
	if w.probes != 0 {
		t.Fatal("a path was probed without an agent")
	}
	w.join("one", 4)
	if w.probes != 1 {
		t.Fatalf("%d probes, want 1 for both tasks", w.probes)
	}
	w.sleep(time.Minute)
	if w.probes != 3 {
		t.Fatalf("%d probes after a minute, want 3", w.probes)
	}
	w.paths["/data/in/"] = true
	w.sleep(30 * time.Second)
	w.wantHeld("files/a@2026-11-19", "files/b@2026-11-19")
	_, as := w.holding("files/a@2026-11-19")
	delete(w.fleet["one"], as.Attempt)
	w.paths["/data/in/"] = false
	w.do(Reported{Agent: "one", Reports: []engine.Report{{Attempt: as.Attempt, Kind: engine.ReportRefused, Missing: []string{"/data/in/"}}}})
	w.wantState("files/a@2026-11-19", engine.Waiting)
	w.paths["/data/in/"] = true
	w.sleep(30 * time.Second)
	_, as = w.holding("files/a@2026-11-19")
	if as == nil || as.No != 1 {
		t.Fatalf("after a refusal: %+v", as)
	}
}

func TestMissedPeriodsAfterDowntime(t *testing.T) {
	t.Parallel()
	for missed, want := range map[string]int{"all": 5, "latest": 1, "none": 0} {
		w := newWorld(t, "2026-11-19T10:30:00Z")
		w.join("one", 10)
		w.activate("flow: h\nteam: data\nschedule: {every: hour, missed: " + missed + "}\ntasks:\n  a: {run: 'true'}\n")
		w.now = w.now.Add(5 * time.Hour) // 15:30: hours 10 to 14 ended
		w.crash()
		if got := len(w.rows.Runs); got != want {
			t.Errorf("missed: %s generated %d runs, want %d", missed, got, want)
		}
		w.sleep(time.Hour)
		if got := len(w.rows.Runs); got != want+1 {
			t.Errorf("missed: %s has %d runs an hour later, want %d", missed, got, want+1)
		}
	}
}

func TestAnUnstartedRunFollowsTheRevisionAndAStartedOneDoesNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.activate(chainFlow)
	w.sleep(2 * time.Minute)
	w.activate(strings.ReplaceAll(chainFlow, "c:", "d:"))
	if w.state("shop/c@2026-11-19") != "" || w.state("shop/d@2026-11-19") != engine.Waiting {
		t.Fatal("the waiting run does not follow the new revision")
	}
	w.join("one", 1)
	w.wantHeld("shop/a@2026-11-19")
	w.activate(chainFlow)
	w.wantState("shop/d@2026-11-19", engine.Waiting)
	if r := w.run("shop", "2026-11-19"); r.Revision != 2 || !r.Pinned {
		t.Fatalf("the started run is at revision %d", r.Revision)
	}
}

func TestRunNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.join("one", 10)
	w.activate(chainFlow + "---\nflow: ask\nteam: data\nparams: {n: 1}\ntasks:\n  x: {run: 'true'}\n")
	f := w.m.active.Project.Flow("shop")
	last, _ := f.Schedule.LastEnded(w.now)
	start := func() (any, error) {
		return w.try(StartRun{By: "ann", Flow: "shop", Period: &last, Existing: w.rows.Existing([]engine.RunKey{{Flow: "shop", Start: last.Start}})[0]})
	}
	if _, err := start(); err != nil {
		t.Fatal(err)
	}
	w.wantHeld("shop/a@2026-11-18")
	if _, err := start(); err == nil || err.(*engine.Error).Code != engine.Conflict {
		t.Fatalf("a second run of an unfinished period: %v", err)
	}
	w.drain()
	if _, err := start(); err != nil {
		t.Fatal(err)
	}
	if r := w.run("shop", "2026-11-18"); r.Version != 2 {
		t.Fatalf("version %d, want 2", r.Version)
	}
	for range 3 { // on demand: each request is a run of its own, also at the same instant
		w.do(StartRun{By: "ann", Flow: "ask", Params: map[string]string{"n": "2"}})
	}
	if _, err := w.try(StartRun{By: "ann", Flow: "ask", Params: map[string]string{"m": "2"}}); err == nil {
		t.Fatal("an unknown param was taken")
	}
	open, _ := f.Schedule.Containing(w.now)
	if _, err := w.try(StartRun{By: "ann", Flow: "shop", Period: &open}); err == nil {
		t.Fatal("a period that has not ended was run without --extra")
	}
	w.do(StartRun{By: "ann", Flow: "shop", Period: &open, Extra: true})
	w.sleep(13 * time.Hour)
	if r := w.run("shop", "2026-11-19"); r == nil || r.Kind != engine.Scheduled {
		t.Fatalf("the extra run stopped the scheduled one: %+v", r)
	}
}

func TestARunMadeBeforeItsTimeIsNotGeneratedAgain(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		w := newWorld(t, "2026-11-19T12:00:00Z")
		w.join("one", 10)
		w.activate(strings.Replace(chainFlow, "every: day", "every: day, at: '06:00'", 1))
		w.sleep(13 * time.Hour)
		f := w.m.active.Project.Flow("shop")
		last, _ := f.Schedule.LastEnded(w.now)
		w.do(StartRun{By: "ann", Flow: "shop", Task: "a", Period: &last})
		w.drain()
		if restart {
			w.crash()
		}
		w.sleep(24 * time.Hour)
		n := 0
		for _, r := range w.rows.Runs {
			if r.Label == "2026-11-19" {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%d runs of the period, want 1", n)
		}
	}
}

func TestAnEraBeginsBesideTheRunsOfTheOneBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.join("one", 10)
	flow := "flow: h\nteam: data\nschedule: {every: hour}\ntasks:\n  a: {run: 'true'}\n"
	w.activate(flow)
	w.sleep(2 * time.Hour) // 01:30: the hour from midnight has a run
	w.activate(strings.Replace(flow, "hour", "day", 1))
	w.sleep(24 * time.Hour)
	if r := w.run("h", "2026-11-20"); r == nil || r.Version != 2 || r.Kind != engine.Scheduled {
		t.Fatalf("the day that begins with an hour's run: %+v", r)
	}
}

func TestKillAndLostAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.join("one", 10)
	w.activate(chainFlow)
	w.sleep(2 * time.Minute)
	w.do(Kill{By: "ann", Run: 1})
	if r := w.run("shop", "2026-11-19"); r.State != engine.RunFailed {
		t.Fatalf("killed run is %s", r.State)
	}
	w.wantState("shop/a@2026-11-19", engine.Killed)
	w.sleep(24 * time.Hour)
	_, as := w.holding("shop/a@2026-11-20")
	w.do(AgentLost{Agent: "one"})
	w.wantState("shop/a@2026-11-20", engine.Assigned)
	// The machine of the agent restarted: what it held is gone, and an unknown start is not taken for no start.
	w.do(AgentJoined{Hello: engine.Hello{Name: "one", BootID: "another", Slots: 10}})
	if a := w.rows.Attempts[as.Attempt]; a.State != engine.Failed || a.Code != engine.CodeLost {
		t.Fatalf("attempt: %+v", a)
	}
	if _, err := w.try(Kill{By: "ann", Run: 99}); err == nil {
		t.Fatal("killed a run that is not there")
	}
}

func TestAnAttemptOfWhichItsAgentKnowsNothingYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.join("one", 10)
	w.activate(chainFlow)
	w.sleep(2 * time.Minute)
	_, as := w.holding("shop/a@2026-11-19")
	w.do(AgentLost{Agent: "one"})
	w.do(AgentJoined{Hello: engine.Hello{Name: "one", BootID: "boot", Slots: 10, Attempts: []engine.Report{
		{Attempt: as.Attempt, Kind: engine.ReportHeld},
	}}})
	w.wantState("shop/a@2026-11-19", engine.Assigned)
	delete(w.fleet["one"], as.Attempt)
	w.do(Reported{Agent: "one", Reports: []engine.Report{{Attempt: as.Attempt, Kind: engine.ReportUnknown}}})
	if _, again := w.holding("shop/a@2026-11-19"); again == nil || again.Attempt != as.Attempt {
		t.Fatalf("it was not sent again but %+v", again)
	}
	w.finish("shop/a@2026-11-19", engine.Succeeded)
	w.wantState("shop/a@2026-11-19", engine.Succeeded)
}

func TestRerunWithKillWaitsForTheEndOfTheOldAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.join("one", 10)
	w.activate(chainFlow)
	w.sleep(2 * time.Minute)
	_, as := w.holding("shop/a@2026-11-19")
	if _, err := w.try(Rerun{By: "ann", Run: 1, Version: 1}); err == nil {
		t.Fatal("a running run was rerun without --kill")
	}
	if _, err := w.m.Handle(w.now, Rerun{By: "ann", Run: 1, Version: 1, Kill: true}); err != nil {
		t.Fatal(err)
	}
	out := w.m.Take()
	if len(out.Assign) != 0 || len(out.Kill["one"]) != 1 || out.Kill["one"][0] != as.Attempt {
		t.Fatalf("the new version started before the old one ended: %+v", out)
	}
	w.perform()
	w.wantHeld("shop/a@2026-11-19")
	if _, now := w.holding("shop/a@2026-11-19"); now.Version != 2 {
		t.Fatalf("version %d runs", now.Version)
	}
	w.drain()
	if r := w.run("shop", "2026-11-19"); r.Version != 2 || r.State != engine.RunSucceeded {
		t.Fatalf("%+v", r)
	}
}

func TestPauseResumeCancelBackfill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 1)
	rev := w.activate(chainFlow)
	id := w.do(StartBackfill{Row: engine.BackfillRow{Flows: []string{"shop"}, From: "2026-11-01", To: "2026-11-05", Reprocess: "missing"}, Revision: rev}).(engine.BackfillID)
	w.do(ControlBackfill{By: "ann", ID: id, Verb: "pause"})
	w.drain()
	if n := len(w.assigned); n != 1 {
		t.Fatalf("%d assignments while paused: %v", n, w.assigned)
	}
	w.do(ControlBackfill{By: "ann", ID: id, Verb: "resume"})
	w.wantHeld("shop/b@2026-11-01")
	w.do(ControlBackfill{By: "ann", ID: id, Verb: "cancel"})
	if b := w.rows.backfill(t, id); b.State != engine.BackfillCancelled || b.FinishedAt == 0 {
		t.Fatalf("backfill: %+v", b)
	}
	if len(w.m.runs) != 0 || len(w.m.backfills) != 0 {
		t.Fatal("the cancelled backfill stays in memory")
	}
}

func TestMissingUpstreamIgnored(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]int{"wait": 0, "ignore": 1} {
		w := newWorld(t, "2026-11-20T12:00:00Z")
		w.join("one", 1)
		rev := w.activate(acrossFlows)
		w.do(StartBackfill{Row: engine.BackfillRow{Flows: []string{"down"}, From: "2026-11-05", To: "2026-11-05", Reprocess: "missing", MissingUpstream: mode}, Revision: rev})
		if got := len(w.held()); got != want {
			t.Errorf("missing upstream %s: %d held, want %d", mode, got, want)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.activate(strings.Replace(chainFlow, "team: data", "team: data\nexpire_after: 2h", 1))
	w.sleep(2*time.Hour + 2*time.Minute)
	w.wantState("shop/a@2026-11-19", engine.Expired)
	if r := w.run("shop", "2026-11-19"); r.State != engine.RunFailed {
		t.Fatalf("run is %s", r.State)
	}
}

func TestPriorityAndBackfillsLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:50:00Z")
	rev := w.activate(strings.Replace(chainFlow, "team: data", "team: data\npriority: 1", 1) +
		"---\nflow: urgent\nteam: data\npriority: 0\nschedule: {every: day}\ntasks:\n  x: {run: 'true'}\n" +
		"---\nflow: slow\nteam: data\npriority: 9\nschedule: {every: day}\ntasks:\n  x: {run: 'true'}\n")
	w.do(StartBackfill{Row: engine.BackfillRow{Flows: []string{"urgent"}, From: "2026-11-01", To: "2026-11-01", Reprocess: "missing"}, Revision: rev})
	w.sleep(15 * time.Minute)
	w.join("one", 1)
	for len(w.held()) > 0 {
		w.drain1()
	}
	got := strings.Join(w.assigned, " ")
	want := "urgent/x@2026-11-19 shop/a@2026-11-19 shop/b@2026-11-19 shop/c@2026-11-19 slow/x@2026-11-19 urgent/x@2026-11-01"
	if got != want {
		t.Fatalf("order:\n%s\nwant\n%s", got, want)
	}
}

var _ = period.Day
