package core

import (
	"strings"
	"testing"

	"flowctl/engine"
)

// TestAFullAgentGivesAttemptsBack lets an agent give an attempt back, which goes to another one at once and is no retry.
func TestAFullAgentGivesAttemptsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate("flow: f\nteam: data\ntasks: {x: {run: 'true'}}\n")
	w.join("a", 4)
	w.join("b", 4)
	w.do(StartRun{Flow: "f"})
	name, as := "a", (*engine.Assignment)(nil)
	for _, as = range w.fleet[name] {
	}
	if as == nil {
		t.Fatalf("it was not given to a: %v", w.held())
	}
	giveBack := func(name string, id engine.AttemptID, why string) {
		delete(w.fleet[name], id)
		w.do(Reported{Agent: name, Reports: []engine.Report{{Attempt: id, Kind: engine.ReportRefused, Full: true, Message: why}}})
	}
	giveBack("a", as.Attempt, "the load is 9 per core")
	if len(w.fleet["b"]) != 1 {
		t.Fatalf("it did not go to b at once: %v", w.held())
	}
	first := w.rows.Attempts[as.Attempt]
	if first.State != engine.Failed || first.Code != engine.CodeRefused || first.Message != "the load is 9 per core" {
		t.Errorf("on record: %+v", first)
	}
	giveBack("b", as.Attempt+1, "17 MiB of memory are free")
	if n := len(w.rows.Attempts); n != 2 {
		t.Fatalf("%d attempts: a full agent was asked again", n)
	}
	if bs := w.m.Blockers(1)["x"]; len(bs) != 1 || !strings.Contains(bs[0].Message,
		"a takes nothing at present: the load is 9 per core; b takes nothing at present: 17 MiB of memory are free") {
		t.Errorf("explained as %+v", bs)
	}
	w.do(AgentBeat{Agent: "b", Beat: engine.Beat{Full: "16 MiB of memory are free"}}) // still
	if s := w.m.AgentState("b"); s.Full != "16 MiB of memory are free" || len(w.rows.Attempts) != 2 {
		t.Errorf("state %+v, %d attempts", s, len(w.rows.Attempts))
	}
	w.do(AgentBeat{Agent: "b"})
	if len(w.fleet["b"]) != 1 {
		t.Error("it did not go to b when b could take it")
	}
	if x := w.rows.TaskRuns[engine.TaskRunKey{Run: 1, Task: "x"}]; x.Attempts != 1 {
		t.Errorf("what was given back is counted: %+v", x)
	}
}
