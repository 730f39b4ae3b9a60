package core

import (
	"testing"

	"flowctl/engine"
)

// TestZombiesAreSettledByTheirCriterion: an agent says of an attempt that its process is gone, and as what it is to be settled.
func TestZombiesAreSettledByTheirCriterion(t *testing.T) {
	t.Parallel()
	const why = "the machine was restarted"
	for name, test := range map[string]struct {
		ends   engine.State
		kill   bool
		state  engine.State
		code   engine.ErrorCode
		detail string
	}{
		"by its outputs":   {engine.Succeeded, false, engine.Succeeded, "", "settled as succeeded: " + why},
		"as lost":          {engine.Failed, false, engine.Failed, engine.CodeLost, "settled as failed: " + why},
		"while it is shot": {engine.Failed, true, engine.Killed, engine.CodeKilled, "settled as killed: " + why},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "2026-11-20T12:00:00Z")
			w.join("one", 4)
			w.activate("flow: f\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks:\n  a: {run: x, success: outputs, outputs: [/out]}\n")
			w.do(StartRun{By: "ann", Flow: "f"})
			if w.deaf = true; test.kill {
				w.do(Kill{By: "ann", Run: 1})
			}
			w.do(Reported{Agent: "one", Reports: []engine.Report{
				{Attempt: 1, Kind: engine.ReportStarted},
				{Attempt: 1, Kind: engine.ReportFinished, Result: engine.Result{State: test.ends, Code: engine.CodeLost, ExitCode: -1, Message: why}},
			}})
			row, attempt := w.rows.TaskRuns[engine.TaskRunKey{Run: 1, Task: "a"}], w.rows.Attempts[1]
			if row.State != test.state || row.Code != test.code || attempt.State != test.state || attempt.Message != why {
				t.Errorf("the task run is %+v, its attempt %+v", row, attempt)
			}
			if e := w.rows.Events["zombie/1/a/1"]; e.Detail != test.detail {
				t.Errorf("event %+v", e)
			}
			if w.m.Pace("f", "a").Count != 0 {
				t.Error("how long it took was learnt, though nobody knows")
			}
		})
	}
}

// TestWhatNoAgentCanSettleIsLost: what the outputs were before is known to the agent alone.
func TestWhatNoAgentCanSettleIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 4)
	w.activate("flow: f\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks:\n  a: {run: x, success: outputs, outputs: [/out]}\n")
	w.do(StartRun{By: "ann", Flow: "f"})
	w.do(AgentLost{Agent: "one"})
	w.do(DeclareDead{By: "ann", Agent: "one"})
	const want = "settled as failed: agent one was declared dead by ann; only that agent knows what its outputs were before, so they cannot settle it"
	if e := w.rows.Events["zombie/1/a/1"]; e.Detail != want {
		t.Errorf("event %+v", e)
	}
	w.wantState("f/a@2026-11-19", engine.Failed)
}
