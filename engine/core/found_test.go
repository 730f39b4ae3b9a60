package core

import (
	"strings"
	"testing"
	"time"

	"flowctl/engine"
)

// The tests of this file are findings of TestInvariants, in the smallest form that shows them.

// TestARunThatIsWokenFollowsTheActiveRevision: it had settled before any attempt, and the repository went on.
func TestARunThatIsWokenFollowsTheActiveRevision(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.join("one", 4)
	w.activate(acrossFlows)
	w.sleep(12*time.Hour + time.Minute)
	w.finish("up/other@2026-11-19", engine.Succeeded)
	w.finish("up/a@2026-11-19", engine.Failed)
	w.activate(strings.Replace(acrossFlows, "  b:", "  b0: {run: 'true'}\n  b:", 1))
	id := w.run("up", "2026-11-19").ID
	w.do(Succeed{By: "ann", Run: id, Task: "a", Rows: w.load([]engine.RunID{id})})
	w.wantHeld("down/b0@2026-11-19", "down/b@2026-11-19")
}

// TestARunThatExpiredWhileAnAttemptWasOutExpiresWhenItIsGivenBack: the timer found it started.
func TestARunThatExpiredWhileAnAttemptWasOutExpiresWhenItIsGivenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.join("one", 4)
	w.activate(strings.Replace(chainFlow, "team: data", "team: data\nexpire_after: 2h", 1))
	w.sleep(2 * time.Minute)
	agent, as := w.holding("shop/a@2026-11-19")
	w.sleep(3 * time.Hour)
	w.wantState("shop/a@2026-11-19", engine.Assigned)
	delete(w.fleet[agent], as.Attempt)
	w.do(Reported{Agent: agent, Reports: []engine.Report{{Attempt: as.Attempt, Kind: engine.ReportRefused}}})
	w.wantState("shop/a@2026-11-19", engine.Expired)
}

// TestAnEraEndsTheRunThatItsFirstRunReplaces, which began at the same instant and would wait for ever.
func TestAnEraEndsTheRunThatItsFirstRunReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	hours := "flow: h\nteam: data\nschedule: {every: hour}\ntasks:\n  a: {run: 'true'}\n"
	w.activate(hours)
	w.sleep(2 * time.Hour)
	old := w.run("h", "2026-11-20T00").ID
	w.activate(strings.Replace(hours, "hour", "day", 1))
	w.sleep(24 * time.Hour)
	if r := w.rows.Runs[old]; r.State != engine.RunFailed {
		t.Fatalf("the replaced run is %s", r.State)
	}
	w.join("one", 10)
	if got := strings.Join(w.held(), " "); !strings.Contains(got, "h/a@2026-11-20 ") && !strings.HasSuffix(got, "h/a@2026-11-20") {
		t.Fatalf("the new era does not run: %s", got)
	}
}

// TestTwoBackfillsOfOnePeriodAtOnce: both ask before either has made its run, and the first run settles at once.
func TestTwoBackfillsOfOnePeriodAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	rev := w.activate("flow: f\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: 'true', when: 'false'}\n")
	row := engine.BackfillRow{Flows: []string{"f"}, From: "2026-11-01", To: "2026-11-01", Reprocess: "missing"}
	for range 2 {
		if _, err := w.m.Handle(w.now, StartBackfill{Row: row, Revision: rev}); err != nil {
			t.Fatal(err)
		}
	}
	w.perform()
	if n := len(w.rows.Runs); n != 1 {
		t.Fatalf("%d runs were made, want 1", n)
	}
}

// TestOnlyTheHighestVersionIsTheNewestSuccess: a rerun takes back what its older version had achieved, also after a restart.
func TestOnlyTheHighestVersionIsTheNewestSuccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.join("one", 4)
	w.activate(chainFlow + "---\nflow: any\nteam: data\ntasks:\n  y: {run: 'true', needs: [shop/a]}\n  x: {run: 'true', needs: [y, {task: shop/a, periods: latest}]}\n")
	w.sleep(2 * time.Minute)
	w.drain()
	id := w.do(StartRun{By: "ann", Flow: "any"}).(engine.RunID)
	w.rerun("shop", "2026-11-19", Rerun{})
	x := &w.m.runs[id].tasks[1]
	if x.unmet != 2 {
		t.Fatalf("%d needs are unmet, want both", x.unmet)
	}
	w.crash()
	if x = &w.m.runs[id].tasks[1]; x.unmet != 2 {
		t.Fatalf("%d needs are unmet after a restart, want both", x.unmet)
	}
}

// TestWhatANewVersionLacksDoesNotCount, when the version before it has left memory, and for who settled because it failed.
func TestWhatANewVersionLacksDoesNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.join("one", 4)
	w.activate(acrossFlows)
	w.sleep(12*time.Hour + time.Minute)
	w.finish("up/other@2026-11-19", engine.Succeeded)
	w.finish("up/a@2026-11-19", engine.Failed)
	w.wantState("down/b@2026-11-19", engine.UpstreamFailed)
	w.activate(strings.Replace(strings.Replace(acrossFlows, "  a: {run: \"true\"}\n", "", 1), "needs: [up/a]", "needs: [up/other]", 1))
	w.rerun("up", "2026-11-19", Rerun{})
	w.wantHeld("up/other@2026-11-19")
	w.drain()
	w.wantState("last/c@2026-11-19", engine.Succeeded)
}

// TestAPartialRunOfARevisionWithoutATaskSaysNothingOfIt, in memory as in the ledger.
func TestAPartialRunOfARevisionWithoutATaskSaysNothingOfIt(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		w := newWorld(t, "2026-11-20T12:00:00Z")
		rev := w.activate(acrossFlows)
		w.backfill(rev, "down", "2026-11-19", "2026-11-19") // pinned: it needs up/a
		w.activate(strings.Replace(strings.Replace(acrossFlows, "  a: {", "  a2: {", 1), "[up/a]", "[up/a2]", 1))
		last, _ := w.m.active.Project.Flow("up").Schedule.LastEnded(w.now)
		w.do(StartRun{By: "ann", Flow: "up", Task: "other", Period: &last})
		if restart {
			w.crash()
		}
		w.join("one", 4)
		w.wantHeld("up/other@2026-11-19")
	}
}

// TestPlacesAreGivenInTheOrderOfTheFlowAfterARestart.
func TestPlacesAreGivenInTheOrderOfTheFlowAfterARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	rev := w.activate("flow: f\nteam: data\nschedule: {every: day}\nconcurrency: {runs: 1, order: newest}\ntasks:\n  a: {run: 'true'}\n")
	w.backfill(rev, "f", "2026-11-01", "2026-11-03")
	w.sleep(13 * time.Hour) // the scheduled run of the 20th is the last one made
	w.crash()
	w.join("one", 4)
	w.wantHeld("f/a@2026-11-20")
	w.finish("f/a@2026-11-20", engine.Succeeded)
	w.wantHeld("f/a@2026-11-03")
}

// TestActivationsLeaveNoTimersBehind, however often they come.
func TestActivationsLeaveNoTimersBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	for range 10 {
		w.activate(acrossFlows)
	}
	if n := len(w.m.timers.heap); n != 3 {
		t.Fatalf("%d timers for 3 flows", n)
	}
}

// TestAnOlderScheduleDoesNotSpeakForAPeriod: an hourly run that failed began at the same instant as the first day of the new schedule, whose
// run is made in the same round as the one that needs it.
func TestAnOlderScheduleDoesNotSpeakForAPeriod(t *testing.T) {
	t.Parallel()
	docs := func(every string) string {
		return "flow: down\nteam: data\nschedule: {every: day}\ntasks:\n  t: {run: 'true', trigger_rule: one_failed, needs: [up/x]}\n---\n" +
			"flow: up\nteam: data\nschedule: {every: " + every + "}\ntasks:\n  x: {run: 'true'}\n"
	}
	w := newWorld(t, "2026-11-19T12:30:00Z")
	w.join("one", 100)
	w.activate(docs("hour"))
	w.sleep(12 * time.Hour)
	w.drain()
	w.sleep(time.Hour)
	w.finish("up/x@2026-11-20T00", engine.Failed)
	w.activate(docs("day"))
	w.sleep(24 * time.Hour)
	w.wantHeld("up/x@2026-11-20")
	w.finish("up/x@2026-11-20", engine.Failed)
	w.wantHeld("down/t@2026-11-20")
}

// TestARunThatAnOperatorTookUpFollowsTheActiveRevision: its upstream is being rerun, so it goes on, whatever becomes of what was asked.
func TestARunThatAnOperatorTookUpFollowsTheActiveRevision(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.join("one", 4)
	w.activate(acrossFlows)
	w.sleep(12*time.Hour + time.Minute)
	w.finish("up/other@2026-11-19", engine.Succeeded)
	w.finish("up/a@2026-11-19", engine.Failed)
	up, down := w.run("up", "2026-11-19").ID, w.run("down", "2026-11-19").ID
	w.do(Rerun{By: "ann", Run: up, Version: 1, Rows: w.load([]engine.RunID{up})})
	rev := w.activate(strings.Replace(acrossFlows, "  b:", "  b0: {run: 'true'}\n  b:", 1))
	if _, err := w.try(Rerun{By: "ann", Run: down, Version: 1, FromTask: "nobody", Rows: w.load([]engine.RunID{down})}); err == nil {
		t.Fatal("a rerun from a task that is not there was accepted")
	}
	if r := w.run("down", "2026-11-19"); r.State != engine.RunActive || r.Revision != rev.ID {
		t.Fatalf("%+v, want it to go on at revision %d", r, rev.ID)
	}
}

// TestAnExtraRunTakesNothingFromTheOneBesideIt, which had settled and waits for its upstream.
func TestAnExtraRunTakesNothingFromTheOneBesideIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:00:00Z")
	w.join("one", 4)
	rev := w.activate(failedUpstream)
	w.sleep(time.Hour + 2*time.Minute)
	w.finish("up/a@2026-11-19", engine.Failed)
	down := w.run("down", "2026-11-19")
	period, _ := rev.Project.Flow("down").Schedule.Parse("2026-11-19")
	w.do(StartRun{By: "ann", Flow: "down", Period: &period[0], Extra: true, Existing: engine.Existing{Version: 1, Run: down.ID, State: down.State}})
	w.do(Succeed{By: "ann", Run: 2, Task: "a", Rows: w.load([]engine.RunID{2})})
	w.drain()
	w.wantState("down/c@2026-11-19", engine.Succeeded)
}
