package ledger

import (
	"testing"

	"flowctl/dsl/period"
	"flowctl/engine"
)

func run(id engine.RunID, version int, start period.Instant) engine.Run {
	return engine.Run{ID: id, Flow: "f", Version: version, Period: period.Period{Kind: period.Day, Start: start, End: start + 10}, State: engine.RunSucceeded}
}

func outcome(r engine.Run, s engine.State) engine.Outcome {
	return engine.Outcome{Flow: "f", Task: "t", Start: r.Period.Start, End: r.Period.End, Version: r.Version, Run: r.ID, State: s}
}

// TestHighestVersionSpeaks puts versions in any order, with an extra run above them.
func TestHighestVersionSpeaks(t *testing.T) {
	t.Parallel()
	l := New()
	second, first, extra := run(2, 2, 100), run(1, 1, 100), run(3, 3, 100)
	extra.Extra = true
	l.Apply(&engine.Changes{
		Runs:     []engine.Run{second, first, extra},
		TaskRuns: []engine.TaskRun{{Run: 2, Task: "t", State: engine.Failed, Outputs: map[string]string{"rows": "2"}}},
		Outcomes: []engine.Outcome{outcome(first, engine.Succeeded), outcome(second, engine.Failed)},
	})
	a := l.Outcomes([]engine.LedgerKey{{Flow: "f", Task: "t", Start: 100}})[0]
	if !a.Found || a.Outcome.Version != 2 || a.Outputs["rows"] != "2" {
		t.Errorf("the task ended as %+v", a)
	}
	if a := l.Outcomes([]engine.LedgerKey{{Flow: "f", Task: "t", Latest: true}})[0]; a.Found {
		t.Errorf("the newest success is %+v, of a version that was replaced", a)
	}
	if e := l.Existing([]engine.RunKey{{Flow: "f", Start: 100}})[0]; e.Version != 3 || e.Run != 2 {
		t.Errorf("%+v exists", e)
	}
	if a := l.Outcomes([]engine.LedgerKey{{Flow: "f", Task: "u", Start: 100}})[0]; !a.NoTask {
		t.Errorf("a task that the run does not have: %+v", a)
	}
}

func TestCloneGoesItsOwnWay(t *testing.T) {
	t.Parallel()
	l := New()
	first, second := run(1, 1, 100), run(2, 2, 100)
	l.Apply(&engine.Changes{Runs: []engine.Run{first}, Outcomes: []engine.Outcome{outcome(first, engine.Failed)}, Waits: []engine.Wait{{Run: 1, Flow: "g"}}})
	c := l.Clone()
	c.Apply(&engine.Changes{Runs: []engine.Run{second}, Outcomes: []engine.Outcome{outcome(first, engine.Succeeded)}, NoWaits: []engine.RunID{1}})
	key := []engine.LedgerKey{{Flow: "f", Task: "t", Start: 100}}
	if a := l.Outcomes(key)[0]; a.Outcome.State != engine.Failed {
		t.Errorf("the original says %+v", a)
	}
	if version, _ := l.Highest("f", 100); version != 1 {
		t.Errorf("the original has version %d", version)
	}
	if ids := l.Waiting([]engine.LedgerKey{{Flow: "g"}}); len(ids) != 1 {
		t.Errorf("the original waits: %v", ids)
	}
}
