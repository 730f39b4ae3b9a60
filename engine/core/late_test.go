package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flowctl/engine"
)

const twoFlows = `
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
  b: {run: "true", needs: [up/a], dependency_timeout: 3h, output_timeout: 5h}
`

// The run of 2026-11-19 is due at 2026-11-20T00:01.
func TestLatenessIsMarkedAtItsInstantOnce(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		w := newWorld(t, "2026-11-19T23:00:00Z")
		w.join("one", 4)
		w.activate(twoFlows)
		w.sleep(time.Hour + time.Minute)
		w.sleep(3*time.Hour - time.Second)
		w.wantEvents()
		if restart {
			w.crash()
		}
		w.sleep(time.Second)
		w.wantEvents("dependency_late/1/b")
		e := w.rows.Events["dependency_late/1/b"]
		if e.At.Time().Format(time.RFC3339) != "2026-11-20T03:01:00Z" || !strings.Contains(e.Detail, "up/a@2026-11-19 is") {
			t.Fatalf("event %+v", e)
		}
		if restart {
			w.crash()
		}
		w.sleep(2 * time.Hour)
		told := []string{"dependency_late/1/b", "output_late/1/b"}
		if restart { // the agent has told that its upstream runs
			told = append(told, "long_running/2/a/1")
		}
		w.wantEvents(told...)
		row := w.rows.TaskRuns[engine.TaskRunKey{Run: w.run("down", "2026-11-19").ID, Task: "b"}]
		if row.DependencyLate != e.At || row.OutputLate != w.now {
			t.Fatalf("marks %v and %v", row.DependencyLate, row.OutputLate)
		}
		w.drain()
		w.wantState("down/b@2026-11-19", engine.Succeeded)
		w.wantEvents(append(told, "recovered/1/b")...)
	}
}

func TestWhatIsInTimeIsNotLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:00:00Z")
	w.join("one", 4)
	w.activate(twoFlows)
	w.sleep(time.Hour + time.Minute)
	w.finish("up/a@2026-11-19", engine.Succeeded)
	w.sleep(3 * time.Hour) // it runs: its dependencies were met
	w.wantEvents()
	w.finish("down/b@2026-11-19", engine.Succeeded)
	w.sleep(10 * time.Hour)
	w.wantEvents()
}

// A limit that holds a task is no dependency.
func TestATaskThatWaitsForAnAgentIsNotLateWithItsDependencies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:00:00Z")
	w.activate(strings.Replace(twoFlows, "needs: [up/a], ", "", 1))
	w.sleep(7 * time.Hour)
	w.wantEvents("output_late/1/b")
}

// What is made after an outage, and what somebody asked for, is late by its own time.
func TestLatenessOfOthersCountsFromTheirCreation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate(twoFlows)
	w.now = w.now.Add(18 * time.Hour) // the server was down
	w.crash()
	w.sleep(3*time.Hour - time.Second)
	w.wantEvents()
	w.sleep(time.Second)
	w.wantEvents("dependency_late/1/b")
	w.do(Kill{By: "ann", Run: w.run("down", "2026-11-19").ID})
	w.do(Rerun{By: "ann", Run: 1, Version: 1, Rows: w.load([]engine.RunID{1})})
	w.sleep(3 * time.Hour)
	w.wantEvents("dependency_late/1/b", "killed/1/b", "dependency_late/3/b")
}

func TestAMissingInputIsADependency(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:00:00Z")
	w.join("one", 4)
	w.activate("flow: f\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks:\n" +
		"  a: {run: 'true', inputs: ['/data/x'], dependency_timeout: 30m}\n")
	w.sleep(time.Hour + 31*time.Minute)
	w.wantEvents("dependency_late/1/a")
	if e := w.rows.Events["dependency_late/1/a"]; !strings.Contains(e.Detail, "input /data/x is not there") {
		t.Fatalf("event %+v", e)
	}
}

// Without an agent nobody can look, which is no excuse.
func TestAnInputThatNobodyLooksAtIsLateToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:00:00Z")
	w.activate("flow: f\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks:\n" +
		"  a: {run: 'true', inputs: ['/data/x'], dependency_timeout: 30m}\n")
	w.sleep(time.Hour + 20*time.Minute)
	w.crash()
	w.sleep(10*time.Minute + 30*time.Second)
	w.wantEvents()
	w.crash() // within a minute after a restart nobody may have looked yet
	w.sleep(59 * time.Second)
	w.wantEvents()
	w.sleep(time.Second)
	w.wantEvents("dependency_late/1/a")
}

// A pause that holds the task run as well is no dependency.
func TestADependencyIsToldWithoutThePauseBesideIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:00:00Z")
	w.activate(twoFlows)
	w.do(Pause{By: "ann", Target: "down", Pauses: []engine.Pause{{PauseKey: engine.PauseKey{Flow: "down", Start: engine.AllPeriods}}}})
	w.sleep(4*time.Hour + time.Minute)
	if e := w.rows.Events["dependency_late/1/b"]; !strings.HasSuffix(e.Detail, ": up/a@2026-11-19 is ready") {
		t.Fatalf("event %+v", e)
	}
}

const failedUpstream = `flow: up
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  a: {run: x}
---
flow: down
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  b: {run: x, needs: [up/a], dependency_timeout: 3h, output_timeout: 5h}
  c: {run: x, needs: [b], output_timeout: 4h}
`

// TestLatenessIsToldOfWhatWaitsInASettledRun: the run has left memory when the instants come.
func TestLatenessIsToldOfWhatWaitsInASettledRun(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		w := newWorld(t, "2026-11-19T23:00:00Z")
		w.join("one", 4)
		w.activate(failedUpstream)
		w.sleep(time.Hour + 2*time.Minute)
		w.finish("up/a@2026-11-19", engine.Failed)
		down := w.run("down", "2026-11-19")
		if down.State != engine.RunFailed || len(w.m.runs) != 0 {
			t.Fatalf("the run is %+v, %d in memory", down, len(w.m.runs))
		}
		told := []string{"failed/2/a"}
		for _, step := range []struct {
			after time.Duration
			key   string
		}{{3 * time.Hour, "dependency_late/1/b"}, {4 * time.Hour, "output_late/1/c"}, {5 * time.Hour, "output_late/1/b"}} {
			if restart {
				w.crash()
			}
			at := down.Due.Add(step.after)
			w.sleep(time.Duration(at-w.now)*time.Microsecond - time.Second)
			w.wantEvents(told...)
			w.sleep(time.Second)
			told = append(told, step.key)
			w.wantEvents(told...)
			if e := w.rows.Events[step.key]; e.At != at {
				t.Fatalf("%s was told at %v", step.key, e.At.Time())
			}
		}
		if e := w.rows.Events["dependency_late/1/b"]; e.Detail != "3h0m0s after 2026-11-20T00:01:00Z: it waits for an upstream that failed" {
			t.Errorf("event %+v", e)
		}
		row := w.rows.TaskRuns[engine.TaskRunKey{Run: 1, Task: "b"}]
		if row.State != engine.UpstreamFailed || row.DependencyLate == 0 || row.OutputLate != w.now || w.run("down", "2026-11-19").Finished != down.Finished {
			t.Errorf("the task run is %+v", row)
		}
		w.crash()
		w.sleep(24 * time.Hour)
		if len(w.rows.Overdue) != 0 {
			t.Errorf("%v will be late again", w.rows.Overdue)
		}
		w.do(Succeed{By: "ann", Run: 2, Task: "a", Rows: w.load([]engine.RunID{2})})
		w.drain()
		w.wantState("down/c@2026-11-19", engine.Succeeded)
		if _, told := w.rows.Events["recovered/1/b"]; !told {
			t.Error("nothing told that what was late has recovered")
		}
	}
}

// TestWhatGoesOnOrIsReplacedIsNotLateAfterAll: the lateness of a settled run goes with what it waits for.
func TestWhatGoesOnOrIsReplacedIsNotLateAfterAll(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(w *world){
		"the upstream is forced": func(w *world) {
			w.do(Succeed{By: "ann", Run: 2, Task: "a", Rows: w.load([]engine.RunID{2})})
			w.drain()
		},
		"the run is repeated": func(w *world) {
			w.do(Rerun{By: "ann", Run: 1, Version: 1, Rows: w.load([]engine.RunID{1})})
			w.do(Kill{By: "ann", Run: 3, Rows: w.load([]engine.RunID{3})})
		},
		"it is killed": func(w *world) { w.do(Kill{By: "ann", Run: 1, Rows: w.load([]engine.RunID{1})}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "2026-11-19T23:00:00Z")
			w.join("one", 4)
			w.activate(failedUpstream)
			w.sleep(time.Hour + 2*time.Minute)
			w.finish("up/a@2026-11-19", engine.Failed)
			if len(w.rows.Overdue) != 1 {
				t.Fatalf("%d settled runs will be late", len(w.rows.Overdue))
			}
			act(w)
			w.crash()
			w.sleep(20 * time.Hour)
			if len(w.rows.Overdue) != 0 {
				t.Errorf("%v will be late", w.rows.Overdue)
			}
			for key := range w.rows.Events {
				if strings.Contains(key, "late/1/") {
					t.Errorf("%s was told", key)
				}
			}
		})
	}
}

// TestABackfillIsLateOnce: each of its task runs has its mark and event, and people are told once, by an event of the backfill. What recovers was
// told to nobody.
func TestABackfillIsLateOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-30T12:00:00Z")
	rev := w.activate("flow: f\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: 'true', output_timeout: 1h}\n")
	w.do(StartBackfill{Revision: rev, Row: engine.BackfillRow{
		Flows: []string{"f"}, From: "2026-11-11", To: "2026-11-20", MaxActive: 5, Reprocess: "missing", By: "carol",
	}})
	w.sleep(2 * time.Hour)
	late := []string{"backfill_late/1"}
	for id := 1; id <= 5; id++ {
		late = append(late, fmt.Sprintf("output_late/%d/a", id))
	}
	w.wantEvents(late...)
	if e := w.rows.Events["backfill_late/1"]; e.By != "carol" || e.Backfill != 1 || e.Flow != "f" || e.Detail != "output_late of f/a@2026-11-11, the first of it: 1h0m0s after 2026-11-30T12:00:00Z it is ready" {
		t.Errorf("event %+v", e)
	}
	w.crash()
	w.join("one", 1)
	w.finish("f/a@2026-11-11", engine.Succeeded)
	w.wantEvents(late...)
}
