package core

import (
	"strings"
	"testing"
	"time"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// hold pauses a flow or task, for one period when a start is given.
func (w *world) hold(flow, task, label string) {
	w.t.Helper()
	p := engine.Pause{PauseKey: engine.PauseKey{Flow: flow, Task: task, Start: engine.AllPeriods}, Label: label}
	if label != "" {
		p.Start = w.run(flow, label).Period.Start
	}
	w.do(Pause{By: "ann", Target: p.Target(), Pauses: []engine.Pause{p}})
}

// letGo takes all pauses back.
func (w *world) letGo() {
	w.t.Helper()
	for _, p := range w.m.pausesInOrder() {
		w.do(Resume{By: "ann", Target: p.Target(), Flow: p.Flow, Task: p.Task, From: p.Start, To: p.Start})
	}
}

func (w *world) wantBlocker(flow, label, task string, kind engine.BlockerKind, hint string) {
	w.t.Helper()
	for _, b := range w.m.Blockers(w.run(flow, label).ID)[task] {
		if b.Kind == kind && b.Hint == hint {
			return
		}
	}
	w.t.Fatalf("blockers of %s/%s@%s: %+v, want %s with %q", flow, task, label, w.m.Blockers(w.run(flow, label).ID)[task], kind, hint)
}

func TestAPausedFlowIsGeneratedAndNotDispatched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.join("one", 4)
	w.activate(chainFlow)
	w.sleep(time.Hour)
	w.wantHeld("shop/a@2026-11-19")
	w.hold("shop", "", "")
	w.finish("shop/a@2026-11-19", engine.Succeeded) // what runs goes on
	w.wantState("shop/b@2026-11-19", engine.Waiting)
	w.wantBlocker("shop", "2026-11-19", "b", engine.BlockPaused, "flowctl resume 'shop'")
	w.crash()
	w.sleep(24 * time.Hour)
	w.wantHeld()
	w.wantState("shop/a@2026-11-20", engine.Waiting)
	w.wantBlocker("shop", "2026-11-20", "c", engine.BlockPaused, "flowctl resume 'shop'") // beside its need
	w.letGo()
	w.wantHeld("shop/b@2026-11-19", "shop/a@2026-11-20")
}

func TestATaskOrAPeriodIsPausedAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.join("one", 4)
	w.activate(chainFlow)
	w.hold("shop", "b", "")
	w.sleep(25 * time.Hour)
	w.drain()
	w.wantState("shop/a@2026-11-19", engine.Succeeded)
	w.wantState("shop/b@2026-11-19", engine.Waiting)
	w.hold("shop", "", "2026-11-20")
	w.do(Resume{Flow: "shop", Task: "b", From: engine.AllPeriods, To: engine.AllPeriods})
	w.sleep(24 * time.Hour)
	w.drain()
	w.wantState("shop/c@2026-11-19", engine.Succeeded)
	w.wantState("shop/b@2026-11-20", engine.Waiting)
	// A pause of a period holds the version that a rerun makes as well.
	r := w.run("shop", "2026-11-20")
	w.do(Rerun{Run: r.ID, Version: 1})
	w.wantHeld()
	w.letGo()
	w.wantHeld("shop/a@2026-11-20")
}

func TestAPauseTakesReadyTasksOutOfTheirQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.activate("flow: f\nteam: data\ntasks:\n  x: {run: 'true', concurrency: 1, retry: {limit: 1, delay: 1m}}\n")
	for range 3 {
		w.do(StartRun{Flow: "f"})
	}
	w.join("one", 4)
	w.wantHeld("f/x@" + w.rows.Runs[1].Label) // one runs, two are parked
	w.hold("f", "", "")
	w.finish("f/x@"+w.rows.Runs[1].Label, engine.Failed)
	w.sleep(2 * time.Minute) // its retry is due
	w.wantHeld()
	w.letGo()
	for range 3 {
		if len(w.held()) != 1 {
			t.Fatalf("agents hold %v, want one", w.held())
		}
		w.finish(w.held()[0], engine.Succeeded)
	}
	for id, r := range w.rows.Runs {
		if r.State != engine.RunSucceeded {
			t.Errorf("run %d is %s", id, r.State)
		}
	}
}

func TestTheHorizon(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T20:30:00Z")
	w.join("one", 9)
	w.activate("flow: h\nteam: data\nschedule: {every: hour}\ntasks:\n  x: {run: 'true'}\n")
	at := func(s string) engine.Pause {
		i, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return engine.Pause{PauseKey: engine.PauseKey{Start: period.At(i)}}
	}
	w.do(Pause{By: "ann", Pauses: []engine.Pause{at("2026-11-19T21:01:00Z")}})
	w.sleep(4 * time.Hour)
	w.wantHeld("h/x@2026-11-19T20") // the run of 21:01 is not after 21:01
	w.wantBlocker("h", "2026-11-19T21", "x", engine.BlockHorizon, "flowctl resume --all")
	w.crash()
	w.do(Pause{By: "bob", Pauses: []engine.Pause{at("2026-11-19T23:30:00Z")}}) // moves it
	w.wantHeld("h/x@2026-11-19T20", "h/x@2026-11-19T21", "h/x@2026-11-19T22")
	if n := len(w.rows.Pauses); n != 1 {
		t.Fatalf("%d horizons are stored", n)
	}
	w.do(Resume{By: "bob"})
	w.wantHeld("h/x@2026-11-19T20", "h/x@2026-11-19T21", "h/x@2026-11-19T22", "h/x@2026-11-19T23")
	last := w.rows.ops[len(w.rows.ops)-1]
	if last.Verb != "resume" || last.Target != "--all" || last.By != "bob" || last.Detail != "scheduled after 2026-11-19T23:30:00Z" {
		t.Errorf("operation %+v", last)
	}
}

func TestPausesAreRefusedWhenTheyChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.activate(chainFlow)
	w.hold("shop", "b", "")
	for want, ev := range map[string]Event{
		"shop/b is paused already": Pause{Target: "shop/b", Pauses: []engine.Pause{{PauseKey: engine.PauseKey{Flow: "shop", Task: "b", Start: engine.AllPeriods}}}},
		"but shop/b is":            Resume{Target: "shop", Flow: "shop", From: engine.AllPeriods, To: engine.AllPeriods},
		"flow x is not paused":     Resume{Target: "flow x", Flow: "x", From: engine.AllPeriods, To: engine.AllPeriods},
		"there is no horizon":      Resume{},
	} {
		if _, err := w.try(ev); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", ev, err, want)
		}
	}
}
