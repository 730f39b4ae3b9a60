package core

import (
	"fmt"
	"testing"
	"time"

	"flowctl/engine"
)

// TestWhatWaitedForAFailureExpires: an upstream that is forced too late does not bring its dependents back.
func TestWhatWaitedForAFailureExpires(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]engine.State{time.Hour: engine.Succeeded, 5 * time.Hour: engine.Expired} {
		w := newWorld(t, "2026-11-19T23:00:00Z")
		w.join("one", 4)
		w.activate("flow: up\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: x}\n---\n" +
			"flow: down\nteam: data\nschedule: {every: day}\nexpire_after: 4h\ntasks:\n  b: {run: x, needs: [up/a]}\n")
		w.sleep(time.Hour + 2*time.Minute)
		w.finish("up/a@2026-11-19", engine.Failed)
		w.sleep(after)
		id := w.run("up", "2026-11-19").ID
		w.do(Succeed{By: "ann", Run: id, Task: "a", Rows: w.load([]engine.RunID{id})})
		w.do(Tick{})
		w.drain()
		w.wantState("down/b@2026-11-19", want)
	}
}

const ruled = `flow: f
team: data
schedule: {every: day}
tasks:
  z: {run: x}
  u: {run: x, needs: [z]}
  v: {run: x}
  all_success: {run: x, needs: [u, v]}
  all_done: {run: x, needs: [u, v], trigger_rule: all_done}
  one_success: {run: x, needs: [u, v], trigger_rule: one_success}
  one_failed: {run: x, needs: [u, v], trigger_rule: one_failed}
`

// TestTriggerRules: what each rule makes of an upstream u that ends in each way, beside v, which succeeds or fails.
func TestTriggerRules(t *testing.T) {
	t.Parallel()
	const runs, waits, skips, stops = engine.Assigned, engine.Waiting, engine.Skipped, engine.UpstreamFailed
	kill := func(w *world) { w.do(Kill{By: "ann", Run: 1, Task: "u"}) }
	for name, c := range map[string]struct {
		u                                          func(w *world)
		v                                          engine.State
		allSuccess, allDone, oneSuccess, oneFailed engine.State
	}{
		"runs":                 {func(*world) {}, engine.Succeeded, waits, waits, runs, waits},
		"runs, v failed":       {func(*world) {}, engine.Failed, stops, waits, waits, runs},
		"succeeded":            {func(w *world) { w.finish("f/u@2026-11-19", engine.Succeeded) }, engine.Succeeded, runs, runs, runs, skips},
		"succeeded, v failed":  {func(w *world) { w.finish("f/u@2026-11-19", engine.Succeeded) }, engine.Failed, stops, runs, runs, runs},
		"failed":               {func(w *world) { w.finish("f/u@2026-11-19", engine.Failed) }, engine.Succeeded, stops, runs, runs, runs},
		"failed, v failed":     {func(w *world) { w.finish("f/u@2026-11-19", engine.Failed) }, engine.Failed, stops, runs, stops, runs},
		"killed":               {kill, engine.Succeeded, stops, runs, runs, runs},
		"skipped":              {func(w *world) { kill(w); w.do(Skip{By: "ann", Run: 1, Task: "u"}) }, engine.Succeeded, runs, runs, runs, skips},
		"forced":               {func(w *world) { kill(w); w.do(Succeed{By: "ann", Run: 1, Task: "u"}) }, engine.Succeeded, runs, runs, runs, skips},
		"upstream_failed":      {nil, engine.Succeeded, stops, runs, runs, runs},
		"upstream_failed, too": {nil, engine.Failed, stops, runs, stops, runs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "2026-11-19T23:00:00Z")
			w.join("one", 10)
			w.activate(ruled)
			w.hold("f", "all_success", "") // so that the order of ends does not matter
			w.hold("f", "all_done", "")
			w.hold("f", "one_success", "")
			w.hold("f", "one_failed", "")
			w.sleep(time.Hour + time.Minute)
			if c.u == nil {
				w.finish("f/z@2026-11-19", engine.Failed)
			} else {
				w.finish("f/z@2026-11-19", engine.Succeeded)
				c.u(w)
			}
			w.finish("f/v@2026-11-19", c.v)
			w.letGo()
			for task, want := range map[string]engine.State{
				"all_success": c.allSuccess, "all_done": c.allDone, "one_success": c.oneSuccess, "one_failed": c.oneFailed,
			} {
				w.wantState("f/"+task+"@2026-11-19", want)
			}
		})
	}
}

// TestASkipDoesNotSpread: to follow a branch is to ask for it.
func TestASkipDoesNotSpread(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:00:00Z")
	w.join("one", 10)
	w.activate(`flow: f
team: data
schedule: {every: day}
tasks:
  a: {run: x, when: "period.kind == 'hour'"}
  b: {run: x, needs: [a]}
  c: {run: x, needs: [a], when: "needs.a.state == 'succeeded'"}
  d: {run: x, needs: [c]}
`)
	w.sleep(time.Hour + time.Minute)
	w.wantState("f/a@2026-11-19", engine.Skipped)
	w.wantState("f/c@2026-11-19", engine.Skipped)
	w.wantHeld("f/b@2026-11-19", "f/d@2026-11-19")
}

// TestAConditionIsAskedAnewInANewVersion, by what its upstream made there.
func TestAConditionIsAskedAnewInANewVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:00:00Z")
	w.join("one", 10)
	w.activate("flow: f\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: x}\n" +
		"  b: {run: x, needs: [a], when: \"needs.a.outputs.rows == '7'\", retry: {limit: 1, delay: 1m}}\n")
	w.sleep(time.Hour + time.Minute)
	w.finish("f/a@2026-11-19", engine.Succeeded, "rows=7")
	w.finish("f/b@2026-11-19", engine.Failed)
	w.do(Rerun{By: "ann", Run: 1, Version: 1, Task: "a"})
	w.finish("f/a@2026-11-19", engine.Succeeded, "rows=0")
	w.wantState("f/b@2026-11-19", engine.Skipped) // in the new version it is asked anew
	if got := w.rows.TaskRuns[engine.TaskRunKey{Run: 1, Task: "b"}].State; got != engine.Killed {
		t.Errorf("in the version that was replaced it is %s", got)
	}
}

// TestAFlowThatIsRemovedGeneratesNoMore: its pending runs stay at the last revision that has it, and go on.
func TestAFlowThatIsRemovedGeneratesNoMore(t *testing.T) {
	t.Parallel()
	const other = "flow: other\nteam: data\ntasks:\n  a: {run: x}\n"
	gone := "flow: f\nteam: data\nschedule: {every: day}\ntasks:\n  a: {run: x}\n"
	for _, restart := range []bool{false, true} {
		w := newWorld(t, "2026-11-19T23:00:00Z")
		first := w.activate(gone + "---\n" + other)
		w.sleep(time.Hour + time.Minute)
		w.activate(other)
		if restart {
			w.crash()
		}
		w.sleep(48 * time.Hour)
		if w.run("f", "2026-11-20") != nil || !w.rows.Flows["f"].Removed {
			t.Fatalf("the removed flow is %+v", w.rows.Flows["f"])
		}
		if expected, _ := w.expect(48); len(expected) != 0 {
			t.Errorf("%v are expected", expected)
		}
		w.join("one", 1)
		w.wantHeld("f/a@2026-11-19")
		w.drain()
		if r := w.run("f", "2026-11-19"); r.State != engine.RunSucceeded || r.Revision != first.ID {
			t.Errorf("the pending run is %+v", r)
		}
		w.activate(gone) // it is new: its first period is the one in progress
		w.sleep(24 * time.Hour)
		if w.run("f", "2026-11-20") != nil || w.run("f", "2026-11-22") == nil {
			t.Error("a flow that came back did not begin with the period in progress")
		}
	}
}

// TestAPausedRunHoldsNothingOfOtherFlows: its place in its own flow is all it keeps.
func TestAPausedRunHoldsNothingOfOtherFlows(t *testing.T) {
	t.Parallel()
	const pooled = "flow: %s\nteam: data\nschedule: {every: day}\nconcurrency: {runs: 1}\ntasks:\n  a: {run: x, pool: p}\n---\n"
	w := newWorld(t, "2026-11-19T23:00:00Z")
	w.activate(fmt.Sprintf(pooled, "f") + fmt.Sprintf(pooled, "g") + "pools: {p: {slots: 1}}\n")
	w.sleep(time.Hour + time.Minute)
	w.hold("f", "", "2026-11-19")
	w.sleep(24 * time.Hour)
	w.join("one", 1)
	w.wantHeld("g/a@2026-11-19")
	w.finish("g/a@2026-11-19", engine.Succeeded)
	w.finish("g/a@2026-11-20", engine.Succeeded)
	w.wantHeld()
	if got := w.explained("f/a@2026-11-20"); got != "flow_limit [f@2026-11-19]: concurrency 1 of flow f is taken" {
		t.Errorf("the next run is blocked by %s", got)
	}
}
