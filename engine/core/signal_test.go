package core

import (
	"slices"
	"strings"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

const signalled = signalsYAML + `---
flow: f
team: data
schedule: {every: day}
tasks:
	up: {run: x}
	down: {run: x, needs: [up], signals: [daily, hourly], dependency_timeout: 3h}
`

// signal sets the periods of a signal that a label names.
func (w *world) signal(name, label string, unset bool) any {
	w.t.Helper()
	ps, err := w.m.Active().Project.Signals[name].Schedule.Parse(label)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	return w.do(w.rows.setSignal(name, unset, ps...))
}

func TestSignals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate(signalled)
	w.join("one", 10)
	w.sleep(13 * time.Hour)
	w.drain()
	w.wantState("f/up@2026-11-19", engine.Succeeded)
	w.wantState("f/down@2026-11-19", engine.Waiting)
	w.wantBlockers("f/down@2026-11-19",
		"signal daily is not set for 2026-11-19; flowctl signal set daily 2026-11-19",
		"signal hourly is not set for 24 periods: 2026-11-19T00..2026-11-19T23; flowctl signal set hourly 2026-11-19T00..2026-11-19T23")

	if n := w.signal("daily", "2026-11-19", false); n != 1 {
		t.Errorf("%v periods were set", n)
	}
	if n := w.signal("daily", "2026-11-19", false); n != 0 || len(w.rows.ops) != 1 {
		t.Errorf("%v periods were set again: %v", n, w.rows.ops)
	}
	w.crash()
	w.wantBlockers("f/down@2026-11-19",
		"signal hourly is not set for 24 periods: 2026-11-19T00..2026-11-19T23; flowctl signal set hourly 2026-11-19T00..2026-11-19T23")
	w.sleep(3 * time.Hour)
	if e, late := w.rows.Events[string(flow.DependencyLate)+"/1/down"]; !late || !strings.Contains(e.Detail, "signal hourly") {
		t.Errorf("lateness: %+v", w.rows.Events)
	}
	w.signal("hourly", "2026-11-19", false)
	w.wantHeld("f/down@2026-11-19")

	// What started goes on.
	w.signal("daily", "2026-11-19", true)
	w.wantHeld("f/down@2026-11-19")
	w.drain()
	w.wantState("f/down@2026-11-19", engine.Succeeded)
}

func TestUnsetSignalHoldsWhatHasNotStarted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate(signalsYAML + "---\nflow: f\nteam: data\nschedule: {every: day}\ntasks: {t: {run: x, signals: [daily]}}\n")
	w.signal("daily", "2026-11-19", false)
	w.sleep(13 * time.Hour)
	w.wantState("f/t@2026-11-19", engine.Ready)
	w.signal("daily", "2026-11-19", true)
	w.wantState("f/t@2026-11-19", engine.Waiting)
	w.join("one", 10)
	w.wantHeld()
	w.signal("daily", "2026-11-19", false)
	w.wantHeld("f/t@2026-11-19")
}

// Signals are no part of the trigger rule: one that is set does not stand in for a need.
func TestSignalsBesideTriggerRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate(signalsYAML + `---
flow: f
team: data
schedule: {every: day}
tasks:
	a: {run: x}
	b: {run: x, needs: [a], signals: [daily], trigger_rule: one_success}
	c: {run: x, needs: [a], signals: [daily], trigger_rule: one_failed}
`)
	w.join("one", 10)
	w.signal("daily", "2026-11-19", false)
	w.sleep(13 * time.Hour)
	w.wantHeld("f/a@2026-11-19")
	w.signal("daily", "2026-11-19", true)
	w.finish("f/a@2026-11-19", engine.Succeeded)
	w.wantState("f/b@2026-11-19", engine.Waiting)
	w.wantState("f/c@2026-11-19", engine.Skipped)
}

func TestSignalsThatAreIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	rev := w.activate(signalsYAML + "---\nflow: f\nteam: data\nschedule: {every: day}\ntasks: {t: {run: x, signals: [daily]}}\n")
	w.join("one", 10)
	w.do(StartBackfill{Revision: rev, Row: engine.BackfillRow{
		Flows: []string{"f"}, From: "2026-11-01", To: "2026-11-01", MissingUpstream: "ignore", Reprocess: "missing",
	}})
	w.do(StartBackfill{Revision: rev, Row: engine.BackfillRow{
		Flows: []string{"f"}, From: "2026-11-02", To: "2026-11-02", MissingUpstream: "wait", Reprocess: "missing",
	}})
	p := period.Period{Kind: period.Day, Start: w.now.Add(-36 * time.Hour), End: w.now.Add(-12 * time.Hour)}
	w.do(StartRun{By: "ann", Flow: "f", Period: &p, Force: true})
	w.wantHeld("f/t@2026-11-01", "f/t@2026-11-18")
}

// A signal that is declared anew with another schedule is waited for by it.
func TestSignalOfAnotherSchedule(t *testing.T) {
	t.Parallel()
	const f = "---\nflow: f\nteam: data\nschedule: {every: day}\ntasks: {t: {run: x, signals: [s]}}\n"
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate("signals: {s: {every: day, teams: [data]}}\n" + f)
	w.join("one", 10)
	w.sleep(13 * time.Hour)
	w.activate("signals: {s: {every: week, teams: [data]}}\n" + f)
	w.wantBlockers("f/t@2026-11-19", "signal s is not set for 2026-W46; flowctl signal set s 2026-W46")
	w.signal("s", "2026-W46", false)
	w.wantHeld("f/t@2026-11-19")
}

func TestSignalThatIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	_, err := w.try(SetSignal{Signal: "daily"})
	wantCode(t, err, engine.Unavailable)
	w.activate("flow: f\nteam: data\ntasks: {t: {run: x}}\n")
	_, err = w.try(SetSignal{Signal: "daily"})
	wantCode(t, err, engine.NotFound)
}

// wantBlockers checks what blocks a task run, each as "message; hint".
func (w *world) wantBlockers(name string, want ...string) {
	w.t.Helper()
	id, label, _ := strings.Cut(name, "@")
	flow, task, _ := strings.Cut(id, "/")
	var got []string
	for _, b := range w.m.Blockers(w.run(flow, label).ID)[task] {
		got = append(got, b.Message+"; "+b.Hint)
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("%s is blocked by %q, want %q", name, got, want)
	}
}

func wantCode(t *testing.T, err error, code engine.Code) {
	t.Helper()
	if e, ok := err.(*engine.Error); !ok || e.Code != code {
		t.Errorf("error %v, want one of class %s", err, code)
	}
}
