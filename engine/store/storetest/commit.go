package storetest

import (
	"context"
	"errors"
	"sync"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

func testEmpty(w *world) {
	w.equal("snapshot", w.load(), &engine.Snapshot{Active: w.revision})
	w.commit(engine.Changes{})
}

// everything holds one row of each kind with all fields set.
func (w *world) everything() engine.Changes {
	return engine.Changes{
		Backfills: []engine.BackfillRow{{
			ID: 3, Revision: w.revision, Flows: []string{"f", "g"}, From: "2026-11-01", To: "2026-11-07", MaxActive: 4, MissingUpstream: "wait",
			Reprocess: "failed", State: engine.BackfillPaused, Total: 9, Created: 8, Skipped: 7, Unfinished: 2, Succeeded: 6, Failed: 5, Cursor: "there",
			By: "alice", CreatedAt: at(1), FinishedAt: at(2),
		}},
		Runs: []engine.Run{{
			ID: 7, Flow: "f", Period: period.Period{Kind: period.Day, Start: at(0), End: at(24)}, Zone: "Asia/Shanghai", Label: "2026-11-20",
			Version: 2, Kind: engine.Backfill, State: engine.RunActive, Revision: w.revision, Pinned: true,
			Params: map[string]string{"table": "orders", "quote": `"'`}, Backfill: 3, Partial: true, Extra: true, Force: true,
			Created: at(25), Due: at(26), Started: at(27), Finished: at(28),
		}},
		TaskRuns: []engine.TaskRun{{
			Run: 7, Task: "load", State: engine.Retrying, Attempts: 2, Attempt: 11, From: 5, NextAt: at(29), Code: engine.CodeExit,
			Message: "exit 1 – 出错", Outputs: map[string]string{"rows": "12"}, Started: at(27), Finished: at(28),
			DependencyLate: 7, OutputLate: 8, Alerted: true, GateAsked: 9, GateTaken: 10, GateReleased: 11,
		}},
		Attempts: []engine.Attempt{{
			ID: 11, Run: 7, Task: "load", No: 2, Agent: "host", Boot: "b1", State: engine.Killing, Code: engine.CodeTimeout, Message: "too long",
			ExitCode: 137, Assigned: at(27), Started: at(28), Finished: at(29), MaxRSS: 1 << 33, CPU: 123456, Read: 1 << 34, Written: 7,
		}},
		Waits:      []engine.Wait{{Run: 7, Flow: "u", Task: "t", Start: at(-24)}},
		Outcomes:   []engine.Outcome{{Flow: "f", Task: "load", Start: at(0), End: at(24), Version: 2, Run: 99, State: engine.UpstreamFailed}},
		Flows:      []engine.FlowState{{Flow: "f", Era: at(-100), Schedule: "fingerprint", Cursor: at(48), Removed: true}},
		Operations: []engine.Operation{{At: at(30), By: "alice", Verb: "kill", Target: "f@2026-11-20", Detail: "why"}},
		Pauses: []engine.Pause{
			{PauseKey: engine.PauseKey{Start: at(31)}, At: at(1), By: "alice"},
			{PauseKey: engine.PauseKey{Flow: "f", Task: "load", Start: engine.AllPeriods}, At: at(2), By: "bob"},
			{PauseKey: engine.PauseKey{Flow: "f", Task: "load", Start: at(0)}, Label: "2026-11-20", At: at(3), By: "bob"},
		},
		Events: []engine.Event{{
			At: at(31), Kind: flow.Retrying, Flow: "f", Task: "load", Run: 7, Attempt: 11, Backfill: 3, Agent: "host", Key: "retrying/7/load/11",
			Owner: "oncall:data", Detail: "exit 1 – 出错",
		}},
		Overdue: []engine.Overdue{{Run: 7, At: at(33)}},
		Anomalies: []engine.Anomaly{{
			Attempt: 11, Name: "f/load@2026-11-20", Owner: "oncall:data", At: at(34), Took: 1 << 40, State: engine.Failed, Count: 3, Mean: 4, Deviation: 5,
		}},
		Presences: []engine.Presence{{Agent: "host", Lost: at(32)}},
		Drains:    []engine.Drain{{Agent: "host", At: at(33), By: "alice"}},
		Paces:     []engine.Pace{{Flow: "f", Task: "load", Count: 3, Mean: 1 << 40, Deviation: 5}},
		Signals:   []engine.SignalRow{signal(0, "alice")},
	}
}

func testRoundTrip(w *world) {
	c := w.everything()
	w.commit(c)
	w.restart()
	n := w.load()
	w.equal("snapshot", n, &engine.Snapshot{
		Active: w.revision, Runs: c.Runs, TaskRuns: c.TaskRuns, Attempts: c.Attempts, Flows: c.Flows, Backfills: c.Backfills, Pauses: c.Pauses, Woken: []engine.RunID{7},
		Presences: c.Presences, Drains: c.Drains, Paces: c.Paces, Overdue: c.Overdue, Anomalies: c.Anomalies,
		LastRun: 7, LastAttempt: 11, LastBackfill: 3,
	})
	answers, err := w.Outcomes(w.ctx, []engine.LedgerKey{{Flow: "f", Task: "load", Start: at(0)}})
	w.must(err)
	w.equal("outcomes", answers, []engine.LedgerAnswer{{Found: true, Outcome: c.Outcomes[0]}})
	set, err := w.Signals(w.ctx, "crm", 10)
	w.must(err)
	w.equal("signals", set, c.Signals)
	waiting, err := w.Waiting(w.ctx, []engine.LedgerKey{{Flow: "u", Task: "t", Start: at(-24)}})
	w.must(err)
	w.equal("waiting", waiting, []engine.RunID{7})
	ops, err := w.Operations(w.ctx, engine.OperationQuery{})
	w.must(err)
	c.Operations[0].ID = 1
	w.equal("operations", ops, c.Operations)
	events, next, err := w.Events(w.ctx, engine.EventQuery{})
	w.must(err)
	c.Events[0].ID = 1
	w.equal("events", events, c.Events)
	w.equal("next page of events", next, "")

	run, err := w.Store.Run(w.ctx, 7)
	w.must(err)
	w.equal("run", *run, c.Runs[0])
	tasks, err := w.TaskRuns(w.ctx, 7)
	w.must(err)
	w.equal("task runs", tasks, c.TaskRuns)
	a, err := w.Attempt(w.ctx, 11)
	w.must(err)
	w.equal("attempt", *a, c.Attempts[0])
	backfills, err := w.Backfills(w.ctx)
	w.must(err)
	w.equal("backfills", backfills, c.Backfills)
}

func testReplace(w *world) {
	c := w.everything()
	w.commit(c)
	r, t, a, b, f := &c.Runs[0], &c.TaskRuns[0], &c.Attempts[0], &c.Backfills[0], &c.Flows[0]
	c.Presences[0].Lost = 0
	c.Drains[0].By = "bob"
	c.Overdue[0].At = at(35)
	c.Paces[0].Count, c.Paces[0].Mean, c.Paces[0].Deviation = 4, 2, 1
	r.Zone, r.Label, r.Kind, r.Pinned, r.Params, r.Partial, r.Extra, r.Force = "UTC", "l", engine.Manual, false, map[string]string{}, false, false, false
	r.Created, r.Due, r.Started, r.Finished = 0, 0, 0, 0
	*t = engine.TaskRun{Run: 7, Task: "load", State: engine.Ready}
	a.Agent, a.Boot, a.State, a.Code, a.Message, a.ExitCode = "other", "b2", engine.Running, "", "", 0
	a.Assigned, a.Started, a.Finished, a.MaxRSS, a.CPU, a.Read, a.Written = 1, 0, 0, 0, 0, 0, 0
	b.Flows, b.State, b.Total, b.Created, b.Skipped, b.Succeeded, b.Failed, b.Cursor = nil, engine.BackfillRunning, 0, 1, 2, 3, 4, ""
	*f = engine.FlowState{Flow: "f", Cursor: at(100)}
	c.Outcomes[0].State, c.Outcomes[0].Run = engine.Succeeded, 98
	c.Pauses[1].By, c.Pauses[2].Label = "carol", "day 20"
	w.commit(c)
	w.equal("snapshot", w.load(), &engine.Snapshot{
		Active: w.revision, Runs: c.Runs, TaskRuns: c.TaskRuns, Attempts: c.Attempts, Flows: c.Flows, Backfills: c.Backfills, Pauses: c.Pauses, Woken: []engine.RunID{7},
		Presences: c.Presences, Drains: c.Drains, Paces: c.Paces, Overdue: c.Overdue, Anomalies: c.Anomalies,
		LastRun: 7, LastAttempt: 11, LastBackfill: 3,
	})
	w.commit(engine.Changes{Drains: []engine.Drain{{Agent: "host", Lifted: true}, {Agent: "a", At: at(1), By: "bob"}}})
	w.equal("drains", w.load().Drains, []engine.Drain{{Agent: "a", At: at(1), By: "bob"}})
	answers, err := w.Outcomes(w.ctx, []engine.LedgerKey{{Flow: "f", Task: "load", Start: at(0)}})
	w.must(err)
	w.equal("outcomes", answers, []engine.LedgerAnswer{{Found: true, Outcome: c.Outcomes[0]}})
}

func testLastCounts(w *world) {
	r1, r2 := w.run(1), w.run(1)
	r2.Pinned = true
	t1, t2 := taskRun(1, "a"), taskRun(1, "a")
	t2.State = engine.Ready
	a1, a2 := attempt(1, 1, "a", 1), attempt(1, 1, "a", 1)
	a2.State = engine.Running
	w.commit(engine.Changes{
		Runs: []engine.Run{r1, r2}, TaskRuns: []engine.TaskRun{t1, t2}, Attempts: []engine.Attempt{a1, a2},
		Flows: []engine.FlowState{{Flow: "f", Cursor: at(10)}, {Flow: "f", Cursor: at(20)}},
	})
	w.equal("snapshot", w.load(), &engine.Snapshot{
		Active: w.revision, Runs: []engine.Run{r2}, TaskRuns: []engine.TaskRun{t2}, Attempts: []engine.Attempt{a2},
		Flows: []engine.FlowState{{Flow: "f", Cursor: at(20)}}, LastRun: 1, LastAttempt: 1,
	})
}

// testNoRuns: a deleted run leaves nothing behind but its number, which no other run gets.
func testNoRuns(w *world) {
	wait := engine.Wait{Run: 2, Flow: "f", Task: "a", Start: at(1)}
	settled := w.run(2)
	settled.State = engine.RunFailed
	w.commit(engine.Changes{
		Runs: []engine.Run{w.run(1), settled, w.run(3)}, TaskRuns: []engine.TaskRun{taskRun(1, "a"), taskRun(1, "b"), taskRun(2, "a"), taskRun(3, "a")},
		Outcomes: []engine.Outcome{outcome(1, 1, 1, engine.UpstreamFailed), outcome(2, 1, 2, engine.UpstreamFailed)},
		Waits:    []engine.Wait{wait, {Run: 3, Flow: "f", Task: "a", Start: at(2)}},
	})
	w.equal("none woken", len(w.load().Woken), 0)
	w.commit(engine.Changes{NoRuns: []engine.RunID{1, 3, 9}}) // 9 was made and deleted in one round
	w.restart()
	n := w.load()
	w.equal("runs", len(n.Runs), 0)
	w.equal("last run", n.LastRun, engine.RunID(9))
	w.equal("woken", n.Woken, []engine.RunID{2}) // it waits for a period that has no run any more
	answers, err := w.Outcomes(w.ctx, []engine.LedgerKey{{Flow: "f", Task: "t", Start: at(1)}, {Flow: "f", Task: "t", Start: at(2)}})
	w.must(err)
	w.equal("outcomes", []bool{answers[0].Found, answers[1].Found}, []bool{false, true})
	found, err := w.Existing(w.ctx, []engine.RunKey{{Flow: "f", Start: at(1)}})
	w.must(err)
	w.equal("existing", found, []engine.Existing{{}})
	waiting, err := w.Waiting(w.ctx, []engine.LedgerKey{{Flow: "f", Task: "a", Start: at(2)}})
	w.must(err)
	w.equal("waiting", len(waiting), 0)
	w.commit(engine.Changes{Runs: []engine.Run{w.run(12)}})
	w.equal("last run", w.load().LastRun, engine.RunID(12))
}

func testNoPauses(w *world) {
	c := w.everything()
	w.commit(engine.Changes{Pauses: c.Pauses})
	w.commit(engine.Changes{
		NoPauses: []engine.PauseKey{c.Pauses[0].PauseKey, c.Pauses[2].PauseKey, {Flow: "absent"}},
		Pauses:   []engine.Pause{{PauseKey: engine.PauseKey{Flow: "a", Start: at(1)}, Label: "l", At: at(2), By: "ann"}},
	})
	w.restart()
	want := []engine.Pause{{PauseKey: engine.PauseKey{Flow: "a", Start: at(1)}, Label: "l", At: at(2), By: "ann"}, c.Pauses[1]}
	w.equal("loaded", w.load().Pauses, want)
	listed, err := w.Pauses(w.ctx)
	w.must(err)
	w.equal("listed", listed, want)
}

func testNoTaskRuns(w *world) {
	w.commit(engine.Changes{Runs: []engine.Run{w.run(1)}, TaskRuns: []engine.TaskRun{taskRun(1, "a"), taskRun(1, "b"), taskRun(1, "c")}})
	w.commit(engine.Changes{
		NoTaskRuns: []engine.TaskRunKey{{Run: 1, Task: "a"}, {Run: 1, Task: "absent"}}, TaskRuns: []engine.TaskRun{taskRun(1, "d")},
	})
	w.equal("task runs", w.load().TaskRuns, []engine.TaskRun{taskRun(1, "b"), taskRun(1, "c"), taskRun(1, "d")})

	// A run that had settled moves to a revision without the task: what became of it there does not count any more.
	w.commit(engine.Changes{
		Outcomes: []engine.Outcome{outcome(1, 1, 1, engine.Expired)}, TaskRuns: []engine.TaskRun{taskRun(1, "t")},
	})
	w.commit(engine.Changes{NoTaskRuns: []engine.TaskRunKey{{Run: 1, Task: "t"}}})
	answers, err := w.Outcomes(w.ctx, []engine.LedgerKey{{Flow: "f", Task: "t", Start: at(1)}})
	w.must(err)
	w.equal("outcome", answers, []engine.LedgerAnswer{{NoTask: true}})
}

// testRepeat: a leader that does not know whether its commit arrived may find everything or nothing of it, and then repeats.
func testRepeat(w *world) {
	c := w.everything()
	w.commit(c)
	before := w.load()
	c.Operations = nil
	w.commit(c)
	w.equal("snapshot", w.load(), before)
}

func testFence(w *world) {
	w.commit(engine.Changes{Runs: []engine.Run{w.run(1)}})
	stale := w.term
	newer, err := w.Lead(w.ctx)
	w.must(err)
	if newer <= stale {
		w.Fatalf("term %d follows %d", newer, stale)
	}
	_, put := w.PutRevision(w.ctx, stale, &engine.Revision{Commit: "stale"})
	for what, err := range map[string]error{
		"commit":       w.Commit(w.ctx, stale, &engine.Changes{Runs: []engine.Run{w.run(2)}}),
		"empty commit": w.Commit(w.ctx, stale, &engine.Changes{}),
		"future term":  w.Commit(w.ctx, newer+1, &engine.Changes{}),
		"put revision": put,
		"activate":     w.Activate(w.ctx, stale, w.revision, noon),
	} {
		if !errors.Is(err, engine.ErrFenced) {
			w.Errorf("%s: got error %v, want ErrFenced", what, err)
		}
	}
	w.equal("last run", w.load().LastRun, engine.RunID(1))
	w.must(w.Commit(w.ctx, newer, &engine.Changes{Runs: []engine.Run{w.run(2)}}))
	w.restart()
	again, err := w.Lead(w.ctx)
	w.must(err)
	if again <= newer {
		w.Errorf("term %d after a restart, %d before", again, newer)
	}
}

func testAtomic(w *world) {
	w.commit(engine.Changes{Runs: []engine.Run{w.run(1)}, Flows: []engine.FlowState{{Flow: "f"}}})
	before := w.load()
	twin := w.run(3)
	twin.Period = w.run(1).Period // the same flow, period and version as run 1
	good := engine.Changes{Runs: []engine.Run{w.run(2)}, Outcomes: []engine.Outcome{{Flow: "x", Task: "y", Version: 1, State: engine.Failed}}}
	for what, bad := range map[string]engine.Changes{
		"two runs of one version": {Runs: []engine.Run{w.run(2), twin}, Outcomes: good.Outcomes},
		"bad state of a task run": {Runs: good.Runs, TaskRuns: []engine.TaskRun{{Run: 2, Task: "a", State: "odd"}}},
		"bad state of a run":      {Runs: []engine.Run{w.run(2), {ID: 4, Flow: "g", Version: 1, Kind: engine.Manual, State: "odd", Revision: w.revision}}},
		"bad outcome": {
			Runs:     good.Runs,
			Outcomes: append([]engine.Outcome{{Flow: "x", Task: "z", Version: 1, State: engine.Failed}}, engine.Outcome{Flow: "x", Task: "y", Version: 1, State: engine.Running}),
		},
		"task run without a run": {Runs: good.Runs, TaskRuns: []engine.TaskRun{taskRun(77, "a")}},
	} {
		if err := w.Commit(w.ctx, w.term, &bad); err == nil || errors.Is(err, engine.ErrFenced) {
			w.Errorf("%s: got error %v", what, err)
		}
		w.equal(what+": snapshot", w.load(), before)
	}
	// The store is in order after all that; also for the names that a failed commit brought.
	w.commit(good)
	answers, err := w.Outcomes(w.ctx, []engine.LedgerKey{{Flow: "x", Task: "y"}, {Flow: "x", Task: "z"}})
	w.must(err)
	w.equal("found", []bool{answers[0].Found, answers[1].Found}, []bool{true, false})
}

func testCancel(w *world) {
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	if err := w.Commit(ctx, w.term, &engine.Changes{Runs: []engine.Run{w.run(1)}}); !errors.Is(err, context.Canceled) {
		w.Errorf("cancelled before: got error %v", err)
	}
	w.equal("runs", w.load().LastRun, engine.RunID(0))

	// Cancelled at some instant during the commit: all rows or none, whatever it returns.
	const rows = 200
	for i := range 20 {
		c := engine.Changes{Runs: []engine.Run{w.run(engine.RunID(i + 1))}}
		for j := range rows {
			c.TaskRuns = append(c.TaskRuns, taskRun(engine.RunID(i+1), string(rune('a'+j%26))+string(rune('a'+j/26))))
		}
		ctx, cancel := context.WithCancel(w.ctx)
		var wg sync.WaitGroup
		wg.Go(cancel)
		err := w.Commit(ctx, w.term, &c)
		wg.Wait()
		got, loadErr := w.TaskRuns(w.ctx, engine.RunID(i+1))
		w.must(loadErr)
		if len(got) != rows && (len(got) != 0 || err == nil) {
			w.Fatalf("commit returned %v, %d of %d rows are there", err, len(got), rows)
		}
	}
}

func testReaders(w *world) {
	const rounds = 50
	ctx, stop := context.WithCancel(w.ctx)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for ctx.Err() == nil {
				n, err := w.Load(ctx)
				if err != nil {
					if ctx.Err() == nil {
						w.Errorf("read: %v", err)
					}
					return
				}
				if len(n.TaskRuns) != 2*len(n.Runs) || len(n.Runs) != int(n.LastRun) {
					w.Errorf("read %d runs with %d task runs, the last is %d", len(n.Runs), len(n.TaskRuns), n.LastRun)
				}
			}
		})
	}
	for i := range rounds {
		id := engine.RunID(i + 1)
		w.commit(engine.Changes{Runs: []engine.Run{w.run(id)}, TaskRuns: []engine.TaskRun{taskRun(id, "a"), taskRun(id, "b")}})
		w.equal("own write", w.load().LastRun, id)
	}
	stop()
	wg.Wait()
}

func testClosed(w *world) {
	w.must(w.Store.Close())
	if err := w.Commit(w.ctx, w.term, &engine.Changes{}); err == nil {
		w.Error("commit to a closed store succeeded")
	}
	if _, err := w.Load(w.ctx); err == nil {
		w.Error("load from a closed store succeeded")
	}
	if err := w.Store.Close(); err != nil {
		w.Errorf("close again: %v", err)
	}
}
