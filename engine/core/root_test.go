package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flowctl/engine"
)

// wantRoots compares the roots of a task run named flow/task@label, each as "name kind state: hint".
func (w *world) wantRoots(name string, want ...string) {
	w.t.Helper()
	id, label, _ := strings.Cut(name, "@")
	f, task, _ := strings.Cut(id, "/")
	var got []string
	for _, r := range w.m.Roots(w.run(f, label).ID)[task] {
		got = append(got, fmt.Sprintf("%s %s %s: %s", r.TaskRun, r.Kind, r.State, r.Hint))
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("roots of %s are %q, want %q", name, got, want)
	}
}

// wantStart compares how long from now a task run named flow/task@label could start at the earliest; negative = not known.
func (w *world) wantStart(name string, want time.Duration) {
	w.t.Helper()
	id, label, _ := strings.Cut(name, "@")
	f, task, _ := strings.Cut(id, "/")
	at, known := w.m.EarliestStarts(w.run(f, label).ID, w.now)[task]
	if known != (want >= 0) || known && at != w.now.Add(want) {
		w.t.Fatalf("%s starts at %v (%v), want %v after %v", name, at.Time(), known, want, w.now.Time())
	}
}

const deepFlows = `
flow: up
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  a: {run: "true", retry: {limit: 1, delay: 10m}}
  b: {run: "true", needs: [a]}
---
flow: mid
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  c: {run: "true", needs: [up/b]}
---
flow: down
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  d: {run: "true", needs: [mid/c]}
  e: {run: "true", needs: [d, up/a]}
---
flow: late
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  f: {run: "true", needs: [down/d]}
  g: {run: "true"}
`

// day starts a run of each of some flows for a day.
func (w *world) day(label string, flows ...string) {
	w.t.Helper()
	for _, f := range flows {
		ps, err := w.m.active.Project.Flow(f).Schedule.Parse(label)
		if err != nil {
			w.t.Fatalf("%s: %v", label, err)
		}
		w.do(StartRun{By: "ann", Flow: f, Period: &ps[0]})
	}
}

func TestRootsAreAtTheEndsOfNeeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.join("one", 4)
	w.activate(deepFlows)
	w.day("2026-11-10", "down")
	backfillUp := ": flowctl backfill up --from 2026-11-10 --to 2026-11-10"
	w.wantRoots("down/d@2026-11-10") // what it lacks are its blockers
	w.wantRoots("down/e@2026-11-10", "down/d@2026-11-10 upstream_absent : flowctl backfill mid --from 2026-11-10 --to 2026-11-10",
		"down/e@2026-11-10 upstream_absent "+backfillUp)
	w.day("2026-11-10", "mid")
	w.wantRoots("down/d@2026-11-10", "mid/c@2026-11-10 upstream_absent "+backfillUp)
	w.day("2026-11-10", "up")
	w.wantRoots("down/e@2026-11-10", "up/a@2026-11-10 need assigned: ")
	w.wantRoots("up/a@2026-11-10") // it waits for nobody
	w.hold("mid", "", "")
	w.wantRoots("down/e@2026-11-10", "mid/c@2026-11-10 paused : flowctl resume 'mid'", "up/a@2026-11-10 need assigned: ")
	w.letGo()
	w.finish("up/a@2026-11-10", engine.Failed)
	w.wantRoots("down/e@2026-11-10", "up/a@2026-11-10 retry : ")
	w.sleep(10 * time.Minute)
	w.finish("up/a@2026-11-10", engine.Failed)
	w.wantState("down/e@2026-11-10", engine.UpstreamFailed)
	// All have settled and left memory.
	if w.m.Roots(w.run("down", "2026-11-10").ID) != nil {
		t.Fatal("a settled run has roots")
	}
	// For what waits for them, memory ends at the first.
	w.day("2026-11-10", "late")
	w.wantRoots("late/f@2026-11-10", "down/d@2026-11-10 need upstream_failed: flowctl explain 'down/d@2026-11-10'")
}

func TestRootsOfAWaitForALimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate(deepFlows)
	w.day("2026-11-10", "up", "mid")
	w.wantRoots("mid/c@2026-11-10", "up/a@2026-11-10 no_agent : ")
	w.join("one", 1)
	w.day("2026-11-11", "up", "mid")
	w.wantRoots("mid/c@2026-11-11", "up/a@2026-11-11 agents_busy : ")
}

// TestRootsAreBounded: in number and in how far they are looked for.
func TestRootsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	const daily = "\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks:\n"
	const last = walkMost + 10
	var wide, long, names strings.Builder
	for i := range engine.MostRoots + 2 {
		fmt.Fprintf(&wide, "  w%02d: {run: 'true'}\n", i)
		fmt.Fprintf(&names, "w%02d, ", i)
	}
	for i := range last {
		fmt.Fprintf(&long, "  t%d: {run: 'true', needs: [t%d]}\n", i+1, i)
	}
	w.activate("flow: wide" + daily + wide.String() + "  all: {run: 'true', needs: [" + names.String() + "]}\n" +
		"---\nflow: long" + daily + "  t0: {run: 'true'}\n" + long.String() +
		"---\nflow: far" + daily + fmt.Sprintf("  x: {run: 'true', needs: [long/t%d]}\n", last))
	w.day("2026-11-10", "wide", "long", "far")
	rs := w.m.Roots(w.run("wide", "2026-11-10").ID)["all"]
	if len(rs) != engine.MostRoots || rs[0].TaskRun != "wide/w00@2026-11-10" || rs[9].TaskRun != "wide/w09@2026-11-10" {
		t.Fatalf("roots %+v", rs)
	}
	w.wantRoots(fmt.Sprintf("long/t%d@2026-11-10", last), "long/t0@2026-11-10 no_agent : ")
	end := fmt.Sprintf("long/t%d@2026-11-10", last-walkMost+1)
	w.wantRoots("far/x@2026-11-10", end+" need waiting: flowctl explain '"+end+"'")
}

func TestTheEarliestStartFollowsWhatTasksUsuallyTake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.join("one", 4)
	w.activate(strings.Replace(deepFlows, "d: {run: \"true\",", "d: {run: \"true\", start_after: 240h,", 1))
	w.day("2026-11-02", "up", "mid")
	w.wantStart("mid/c@2026-11-02", -1) // nobody knows yet how long these take
	for range 3 {
		w.begin()
		w.sleep(time.Minute)
		w.drainOnce()
	}
	w.day("2026-11-12", "up", "mid", "down")
	w.begin()
	w.wantStart("up/a@2026-11-12", -1) // it has started
	w.wantStart("up/b@2026-11-12", time.Minute)
	w.wantStart("mid/c@2026-11-12", 2*time.Minute)
	w.wantStart("down/d@2026-11-12", w.run("down", "2026-11-12").Period.End.Add(240*time.Hour).Time().Sub(w.now.Time()))
	w.wantStart("down/e@2026-11-12", -1)
	w.sleep(20 * time.Second)
	w.wantStart("mid/c@2026-11-12", 100*time.Second)
	w.sleep(time.Hour)
	w.wantStart("mid/c@2026-11-12", time.Minute) // it is overdue and could end now
	w.hold("up", "b", "")
	w.wantStart("mid/c@2026-11-12", -1)
	w.letGo()
	w.finish("up/a@2026-11-12", engine.Failed)
	w.wantStart("up/a@2026-11-12", 10*time.Minute)
	w.wantStart("mid/c@2026-11-12", 12*time.Minute)
	w.sleep(10 * time.Minute)
	w.finish("up/a@2026-11-12", engine.Failed)
	if w.state("mid/c@2026-11-12") != engine.UpstreamFailed || len(w.m.EarliestStarts(w.run("mid", "2026-11-12").ID, w.now)) != 0 {
		t.Fatalf("mid/c is %s and has an earliest start", w.state("mid/c@2026-11-12"))
	}
	w.day("2026-11-13", "mid")
	w.wantStart("mid/c@2026-11-13", -1) // there is no run of up
}

// drainOnce lets all that is held now succeed.
func (w *world) drainOnce() {
	for _, id := range sortedKeys(w.fleet["one"]) {
		w.end("one", id, engine.Succeeded)
	}
}

// TestTheEarliestStartFollowsTheTriggerRule: of a short and a long upstream.
func TestTheEarliestStartFollowsTheTriggerRule(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]time.Duration{
		"all_success": time.Hour, "all_done": time.Hour, "one_success": time.Minute, "one_failed": -1,
	} {
		w := newWorld(t, "2026-11-19T12:00:00Z")
		w.join("one", 4)
		w.activate("flow: f\nteam: data\ntasks:\n  short: {run: 'true'}\n  long: {run: 'true'}\n" +
			"  x: {run: 'true', needs: [short, long], trigger_rule: " + rule + "}\n")
		start := func() string {
			id := w.do(StartRun{By: "ann", Flow: "f"}).(engine.RunID)
			w.begin()
			return w.rows.Runs[id].Label
		}
		label := start()
		w.sleep(time.Minute)
		w.finish("f/short@"+label, engine.Succeeded)
		w.sleep(59 * time.Minute)
		w.finish("f/long@"+label, engine.Succeeded)
		w.drain()
		w.sleep(time.Minute)
		w.wantStart("f/x@"+start(), want)
	}
}

// TestNoEarliestStartIsToldOfWhatIsHeld, although all durations are known.
func TestNoEarliestStartIsToldOfWhatIsHeld(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		head, task string // of the flow, and of its first task
		hold       func(*world)
	}{
		"nothing":        {},
		"a limit":        {head: "concurrency: {runs: 1}\n"},
		"a task limit":   {task: ", concurrency: 1"},
		"a pause":        {hold: func(w *world) { w.hold("f", "a", "") }},
		"no agent":       {hold: func(w *world) { w.do(AgentLost{Agent: "one"}) }},
		"a lacking path": {task: ", inputs: [/in]", hold: func(w *world) { delete(w.paths, "/in") }},
	} {
		w := newWorld(t, "2026-11-19T12:00:00Z")
		w.join("one", 4)
		w.paths["/in"] = true
		w.activate("flow: f\nteam: data\nschedule: {every: day, start: 2026-11-01}\n" + c.head +
			"tasks:\n  a: {run: 'true'" + c.task + "}\n  b: {run: 'true', needs: [a]}\n")
		w.day("2026-11-09", "f")
		w.begin()
		w.sleep(time.Minute)
		w.drain()
		w.day("2026-11-10", "f")
		if c.hold != nil {
			c.hold(w)
		}
		w.day("2026-11-11", "f")
		want := time.Duration(-1)
		if name == "nothing" {
			want = time.Minute
		}
		t.Log(name)
		w.wantStart("f/b@2026-11-11", want)
	}
}
