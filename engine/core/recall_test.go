package core

import (
	"fmt"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

// unstarted is a world in which agent one was given the attempts 1 and 2 and has started neither.
func unstarted(t *testing.T) *world {
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.m.RedispatchAfter = 5 * time.Minute
	w.activate("flow: f\nteam: data\ntasks:\n  x: {run: 'true'}\n  y: {run: 'true'}\n")
	w.join("one", 4)
	w.do(StartRun{Flow: "f"})
	return w
}

func (w *world) says(agent string, rs ...engine.Report) {
	w.t.Helper()
	for _, r := range rs {
		if r.Kind == engine.ReportRefused {
			delete(w.fleet[agent], r.Attempt)
		}
	}
	w.do(Reported{Agent: agent, Reports: rs})
}

func TestWhatDoesNotStartGoesToAnotherAgent(t *testing.T) {
	t.Parallel()
	w := unstarted(t)
	w.says("one", engine.Report{Attempt: 2, Kind: engine.ReportStarted})
	w.sleep(5*time.Minute - time.Second)
	if len(w.recalls) > 0 {
		t.Fatalf("recalled early: %v", w.recalls)
	}
	w.sleep(time.Minute)
	if fmt.Sprint(w.recalls) != "[1]" {
		t.Fatalf("recalled %v, want attempt 1 alone", w.recalls)
	}
	w.join("two", 1)
	if n := len(w.fleet["two"]); n > 0 {
		t.Fatal("it went to another agent before the first gave it back")
	}
	w.says("one", engine.Report{Attempt: 1, Kind: engine.ReportRefused, Message: "recalled"})
	w.sleep(refusedPause)
	if agent, as := w.holding("f/x@" + w.rows.Runs[1].Label); agent != "two" || as.Attempt != 3 || as.No != 1 {
		t.Fatalf("agent %q has it now, of agents with more room: %+v", agent, as)
	}
	first := w.rows.Attempts[1]
	if first.Agent != "one" || first.State != engine.Failed || first.Code != engine.CodeRefused || first.Message != "recalled" {
		t.Errorf("the first assignment on record is %+v", first)
	}
	if e, told := w.rows.Events[fmt.Sprintf("%s/1/x/1", flow.Redispatched)]; !told || e.Agent != "one" {
		t.Errorf("the event is %+v", e)
	}
	w.drain()
	if row := w.rows.TaskRuns[engine.TaskRunKey{Run: 1, Task: "x"}]; row.State != engine.Succeeded || row.Attempts != 1 {
		t.Errorf("x is %+v: what never started counts as no attempt", row)
	}
}

// TestAnUnknownStartIsNotTakenForNone: neither silence nor an agent that is gone gives an attempt back.
func TestAnUnknownStartIsNotTakenForNone(t *testing.T) {
	t.Parallel()
	w := unstarted(t)
	w.join("two", 4)
	w.sleep(20 * time.Minute)
	if n := len(w.recalls); n < 4 || n > 8 {
		t.Fatalf("a silent agent was asked for %v: want each attempt every five minutes or so", w.recalls)
	}
	w.do(AgentLost{Agent: "one"})
	asked := len(w.recalls)
	w.sleep(time.Hour)
	if len(w.recalls) > asked {
		t.Error("an agent was asked that is gone")
	}
	if len(w.fleet["two"]) > 0 || w.rows.Attempts[1].State != engine.Assigned {
		t.Fatalf("attempt 1 is %+v, and agent two has %d", w.rows.Attempts[1], len(w.fleet["two"]))
	}

	w.rebuild() // the next server gives the agent its time again
	clear(w.fleet["one"])
	w.recalls = nil
	w.join("one", 4)
	w.sleep(5*time.Minute - time.Second)
	if len(w.recalls) > 0 {
		t.Errorf("recalled early: %v", w.recalls)
	}
	w.sleep(time.Minute)
	if fmt.Sprint(w.recalls) != "[1 2]" {
		t.Fatalf("recalled %v", w.recalls)
	}
	w.says("one", engine.Report{Attempt: 1, Kind: engine.ReportStarted}, engine.Report{Attempt: 2, Kind: engine.ReportHeld})
	w.sleep(time.Minute)
	if w.rows.Attempts[1].State != engine.Running || w.rows.Attempts[2].State != engine.Assigned {
		t.Errorf("the attempts are %+v and %+v", w.rows.Attempts[1], w.rows.Attempts[2])
	}
}
