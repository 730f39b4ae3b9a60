package core

import (
	"strings"
	"testing"
	"time"

	"flowctl/engine"
)

func (w *world) rerun(flow, label string, ev Rerun) {
	w.t.Helper()
	r := w.run(flow, label)
	ev.By, ev.Run, ev.Version, ev.Rows = "ann", r.ID, r.Version, w.load([]engine.RunID{r.ID})
	w.do(ev)
}

// TestARevisionKeepsWhatEndedInARunThatHasNotStarted: references of a rerun and forced task runs stay what they are.
func TestARevisionKeepsWhatEndedInARunThatHasNotStarted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.join("one", 4)
	w.activate(chainFlow)
	w.sleep(2 * time.Minute)
	w.finish("shop/a@2026-11-19", engine.Succeeded, "n=1")
	w.finish("shop/b@2026-11-19", engine.Failed)
	w.do(AgentLost{Agent: "one"})
	w.rerun("shop", "2026-11-19", Rerun{Failed: true})
	w.activate(strings.ReplaceAll(chainFlow, "c:", "d:"))
	row := w.rows.TaskRuns[engine.TaskRunKey{Run: w.run("shop", "2026-11-19").ID, Task: "a"}]
	if row.State != engine.Succeeded || row.From == 0 || row.Outputs["n"] != "1" {
		t.Fatalf("the task run taken by reference is %+v", row)
	}
	w.join("one", 4)
	w.wantHeld("shop/b@2026-11-19")
}

// TestARevisionLeavesNoGhosts: task runs that waited for the end of another version are replaced, and start once.
func TestARevisionLeavesNoGhosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.join("one", 4)
	w.activate(chainFlow)
	w.sleep(2 * time.Minute)
	agent, as := w.holding("shop/a@2026-11-19")
	w.deaf = true
	w.rerun("shop", "2026-11-19", Rerun{Kill: true})
	w.activate(strings.ReplaceAll(chainFlow, "c:", "d:"))
	w.deaf = false
	w.end(agent, as.Attempt, engine.Killed)
	w.wantHeld("shop/a@2026-11-19")
	w.drain()
	if n := len(w.assigned); n != 4 {
		t.Fatalf("assigned: %v", w.assigned)
	}
}

// TestAnUnstartedRunFollowsTheScheduleOfItsUpstream: the flow itself is the same in both revisions.
func TestAnUnstartedRunFollowsTheScheduleOfItsUpstream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	flows := func(every string) string {
		return "flow: up\nteam: data\nschedule: {every: " + every + "}\ntasks:\n  a: {run: 'true'}\n---\n" +
			"flow: down\nteam: data\nschedule: {every: day}\ntasks:\n  b: {run: 'true', needs: [up/a]}\n"
	}
	w.activate(flows("hour"))
	w.sleep(13 * time.Hour)
	id := w.run("down", "2026-11-19").ID
	if n := len(w.m.runs[id].tasks[0].needs[0].refs); n != 24 {
		t.Fatalf("the day needs %d hours", n)
	}
	w.activate(flows("day"))
	if n := len(w.m.runs[id].tasks[0].needs[0].refs); n != 1 {
		t.Fatalf("the day still needs %d periods", n)
	}
}

func TestASupersededVersionDoesNotGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.join("one", 4)
	w.activate(acrossFlows)
	w.sleep(12*time.Hour + time.Minute)
	w.finish("up/other@2026-11-19", engine.Succeeded)
	w.finish("up/a@2026-11-19", engine.Failed) // down and last settle as upstream_failed
	first := w.run("down", "2026-11-19").ID
	w.rerun("down", "2026-11-19", Rerun{})
	w.wantHeld()
	id := w.run("up", "2026-11-19").ID
	w.do(Succeed{By: "ann", Run: id, Task: "a", Rows: w.load([]engine.RunID{id})})
	w.drain()
	if r := w.rows.Runs[first]; r.State != engine.RunFailed {
		t.Fatalf("the first version is %s", r.State)
	}
	if got := strings.Join(w.assigned, " "); strings.Count(got, "down/b") != 1 {
		t.Fatalf("down/b did not run once: %s", got)
	}
	w.wantState("last/c@2026-11-19", engine.Succeeded)
}

// TestTwoRerunsOfOneRun: the second operator did not know of the first.
func TestTwoRerunsOfOneRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.join("one", 4)
	w.activate(chainFlow)
	w.sleep(2 * time.Minute)
	w.drain()
	ev := Rerun{By: "ann", Run: 1, Version: 1, Rows: w.load([]engine.RunID{1})}
	w.do(ev)
	if _, err := w.try(ev); err == nil || err.(*engine.Error).Code != engine.Conflict {
		t.Fatalf("the second rerun: %v", err)
	}
	w.drain()
	w.wantState("shop/c@2026-11-19", engine.Succeeded)
}

// TestGenerationCompletesAPartialRun, also one that has settled, and across a crash between the generation and its effects.
func TestGenerationCompletesAPartialRun(t *testing.T) {
	t.Parallel()
	for _, settled := range []bool{false, true} {
		for _, crash := range []bool{false, true} {
			w := newWorld(t, "2026-11-19T12:00:00Z")
			w.join("one", 10)
			w.activate(strings.Replace(chainFlow, "every: day", "every: day, at: '06:00'", 1) +
				"---\nflow: down\nteam: data\nschedule: {every: day, at: '06:00'}\ntasks:\n  x: {run: 'true', needs: [shop/c]}\n")
			w.sleep(13 * time.Hour)
			last, _ := w.m.active.Project.Flow("shop").Schedule.LastEnded(w.now)
			w.do(StartRun{By: "ann", Flow: "shop", Task: "a", Period: &last})
			if settled {
				w.drain()
				w.wantState("shop/a@2026-11-19", engine.Succeeded)
			}
			if crash {
				w.now = w.now.Add(6 * time.Hour)
				if _, err := w.m.Handle(w.now, Tick{}); err != nil {
					t.Fatal(err)
				}
				w.rows.apply(&w.m.Take().Changes)
				w.crash()
			}
			w.sleep(6 * time.Hour)
			if !settled {
				w.wantHeld("shop/a@2026-11-19")
			} else {
				w.wantHeld("shop/b@2026-11-19")
			}
			w.drain()
			w.wantState("shop/c@2026-11-19", engine.Succeeded)
			if s := w.state("down/x@2026-11-19"); s != engine.Succeeded {
				t.Fatalf("settled %v, crash %v: down/x is %s: %+v", settled, crash, s, w.m.Blockers(w.run("down", "2026-11-19").ID))
			}
			if n := len(w.assigned); n != 4 {
				t.Fatalf("settled %v, crash %v: assigned %v", settled, crash, w.assigned)
			}
			if len(w.rows.Waits) != 0 {
				t.Fatalf("waits are left: %v", w.rows.Waits)
			}
		}
	}
}

// TestAPartialRunDoesNotStandForTheTasksItLacks: what needs one of them waits.
func TestAPartialRunDoesNotStandForTheTasksItLacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 10)
	rev := w.activate(acrossFlows)
	last, _ := rev.Project.Flow("up").Schedule.LastEnded(w.now)
	w.do(StartRun{By: "ann", Flow: "up", Task: "other", Period: &last})
	w.drain()
	w.do(StartRun{By: "ann", Flow: "down", Period: &last})
	w.wantState("down/b@2026-11-19", engine.Waiting)
	w.wantHeld()
}

// TestAnEffectThatWasLostWakesAgain: the upstream is forced and settles, and the server dies before it wakes who waited.
func TestAnEffectThatWasLostWakesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.join("one", 4)
	w.activate(acrossFlows)
	w.sleep(12*time.Hour + time.Minute)
	w.finish("up/other@2026-11-19", engine.Succeeded)
	w.finish("up/a@2026-11-19", engine.Failed)
	id := w.run("up", "2026-11-19").ID
	if _, err := w.m.Handle(w.now, Succeed{By: "ann", Run: id, Task: "a", Rows: w.load([]engine.RunID{id})}); err != nil {
		t.Fatal(err)
	}
	w.rows.apply(&w.m.Take().Changes)
	w.crash()
	w.drain()
	w.wantState("last/c@2026-11-19", engine.Succeeded)
}

// TestRunningOneTaskOfAnEndedRunIsARerun: the others are what they were; a run that was partial stays so until it is completed.
func TestRunningOneTaskOfAnEndedRunIsARerun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:59:00Z")
	w.join("one", 4)
	w.activate(chainFlow + "---\nflow: late\nteam: data\nschedule: {every: day, at: '06:00'}\ntasks:\n  a: {run: 'true'}\n  b: {run: 'true'}\n  c: {run: 'true'}\n")
	w.sleep(2 * time.Minute)
	w.drain()
	run := func(flow, task string) *engine.Run {
		t.Helper()
		p, _ := w.m.active.Project.Flow(flow).Schedule.LastEnded(w.now)
		found := w.rows.Existing([]engine.RunKey{{Flow: flow, Start: p.Start}})[0]
		ev := StartRun{By: "ann", Flow: flow, Task: task, Period: &p, Existing: found}
		if found.Run != 0 {
			ev.Rows = w.load([]engine.RunID{found.Run})
		}
		id := w.do(ev).(engine.RunID)
		r := w.rows.Runs[id]
		return &r
	}
	r := run("shop", "b")
	w.wantHeld("shop/b@2026-11-19")
	w.drain()
	a := w.rows.TaskRuns[engine.TaskRunKey{Run: r.ID, Task: "a"}]
	if r.Version != 2 || r.Partial || a.From != 1 || a.State != engine.Succeeded {
		t.Fatalf("the run is %+v, its a %+v", r, a)
	}
	run("late", "a")
	w.drain()
	r = run("late", "b")
	w.wantHeld("late/b@2026-11-19")
	if r.Version != 2 || !r.Partial {
		t.Fatalf("the second partial run is %+v", r)
	}
	w.drain()
	w.sleep(6 * time.Hour)
	w.wantHeld("late/c@2026-11-19")
}

// TestATaskThatItsUpstreamsRevisionDoesNotHaveIsMarked: it does not count for the need, and that is no secret.
func TestATaskThatItsUpstreamsRevisionDoesNotHaveIsMarked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:00:00Z")
	w.join("one", 1)
	const up = "flow: up\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: x}\n"
	w.activate(up)
	w.sleep(time.Hour + time.Minute)
	w.finish("up/a@2026-11-19", engine.Succeeded)
	rev := w.activate(up + "  new: {run: x}\n---\nflow: down\nteam: data\nschedule: {every: day}\ntasks:\n  b: {run: x, needs: [up/new, up/a]}\n")
	w.backfill(rev, "down", "2026-11-19", "2026-11-19")
	w.wantHeld("down/b@2026-11-19")
	id := w.run("down", "2026-11-19").ID
	if got := w.m.Uncounted(id)["b"]; len(got) != 1 || got[0] != "up/new@2026-11-19" {
		t.Errorf("what does not count: %v", got)
	}
}
