package core

import (
	"strings"
	"testing"

	"flowctl/engine"
)

func TestADeadAgentsAttemptsAreLostAndRetried(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate("flow: f\nteam: data\ntasks:\n  x: {run: 'true', retry: {limit: 1, delay: 0s}}\n  y: {run: 'true'}\n")
	w.join("one", 4)
	w.do(StartRun{Flow: "f"})
	label := w.rows.Runs[1].Label
	w.wantHeld("f/x@"+label, "f/y@"+label)
	if _, err := w.try(DeclareDead{By: "ann", Agent: "one"}); err == nil || !strings.Contains(err.Error(), "is connected") {
		t.Fatalf("a connected agent was declared dead: %v", err)
	}
	w.do(AgentLost{Agent: "one"})
	w.rebuild() // a new server has never seen the agent, but knows what it holds
	if ids := w.do(DeclareDead{By: "ann", Agent: "one"}).([]engine.AttemptID); len(ids) != 2 {
		t.Fatalf("attempts %v ended", ids)
	}
	if _, err := w.try(DeclareDead{By: "ann", Agent: "one"}); err == nil || !strings.Contains(err.Error(), "holds nothing") {
		t.Fatalf("it was declared dead twice: %v", err)
	}
	if y := w.rows.TaskRuns[engine.TaskRunKey{Run: 1, Task: "y"}]; y.State != engine.Failed || y.Code != engine.CodeLost || !strings.Contains(y.Message, "declared dead by ann") {
		t.Errorf("y without retries is %+v", y)
	}
	w.join("two", 4)
	if agent, _ := w.holding("f/x@" + label); agent == "" || len(w.fleet["two"]) != 1 {
		t.Fatalf("x was not retried elsewhere: %v", w.held())
	}
	w.join("one", 4) // it is not dead: what it holds is killed
	if n := len(w.fleet["one"]); n != 0 {
		t.Errorf("the agent that came back still executes %d attempts", n)
	}
}
