package core

import (
	"strings"
	"testing"

	"flowctl/engine"
)

func TestADrainedAgentTakesNothingNewAndFinishesWhatItHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate("flow: f\nteam: data\ntasks: {x: {run: 'true'}, y: {run: 'true', needs: [x]}}\n")
	w.join("one", 4)
	w.do(StartRun{Flow: "f"})
	label := w.rows.Runs[1].Label
	w.do(Drain{By: "ann", Agent: "one"})
	w.do(Drain{By: "bob", Agent: "one"}) // changes nothing
	if d := w.rows.Drains["one"]; d.By != "ann" || len(w.rows.Drains) != 1 {
		t.Fatalf("drains: %+v", w.rows.Drains)
	}
	w.finish("f/x@"+label, engine.Succeeded)
	w.wantState("f/y@"+label, engine.Ready)
	if bs := w.m.Blockers(1)["y"]; len(bs) != 1 || bs[0].Kind != engine.BlockAgent || !strings.Contains(bs[0].Message, "one is drained by ann") {
		t.Errorf("explained as %+v", bs)
	}

	w.rebuild() // a new server knows, before and after the agent is back
	w.join("one", 4)
	w.wantState("f/y@"+label, engine.Ready)
	w.join("two", 1) // others take over
	w.wantHeld("f/y@" + label)
	if len(w.fleet["one"]) != 0 {
		t.Error("the drained agent was given work")
	}
	w.do(StartRun{Flow: "f", Extra: true})
	w.do(Drain{By: "ann", Agent: "one", Lift: true})
	if len(w.fleet["one"]) != 1 || len(w.rows.Drains) != 0 {
		t.Errorf("after undrain it holds %d attempts, drains %+v", len(w.fleet["one"]), w.rows.Drains)
	}
}
