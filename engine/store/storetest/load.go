package storetest

import (
	"flowctl/dsl/period"
	"flowctl/engine"
)

func testLoad(w *world) {
	settled, live := w.run(1), w.run(2)
	settled.State = engine.RunSucceeded
	failed := w.run(3)
	failed.State = engine.RunFailed
	over := attempt(1, 2, "a", 1)
	over.State = engine.Failed
	w.commit(engine.Changes{
		Runs:     []engine.Run{w.run(10), live, settled, failed},
		TaskRuns: []engine.TaskRun{taskRun(10, "z"), taskRun(10, "b"), taskRun(2, "a"), taskRun(1, "a"), taskRun(3, "a")},
		Attempts: []engine.Attempt{attempt(3, 10, "b", 1), over, attempt(2, 2, "a", 2)},
		Backfills: []engine.BackfillRow{
			{ID: 1, Revision: w.revision, State: engine.BackfillDone, FinishedAt: at(3)}, {ID: 2, Revision: w.revision, State: engine.BackfillRunning},
			{ID: 3, Revision: w.revision, State: engine.BackfillPaused}, {ID: 4, Revision: w.revision, State: engine.BackfillCancelled, FinishedAt: at(3)},
			{ID: 5, Revision: w.revision, State: engine.BackfillCancelled}, // some of its runs go on
		},
	})
	w.restart()
	n := w.load()
	w.equal("runs", ids(n.Runs), []engine.RunID{2, 10})
	w.equal("task runs", n.TaskRuns, []engine.TaskRun{taskRun(2, "a"), taskRun(10, "b"), taskRun(10, "z")})
	w.equal("attempts", n.Attempts, []engine.Attempt{attempt(2, 2, "a", 2), attempt(3, 10, "b", 1)})
	var backfills []engine.BackfillID
	for _, b := range n.Backfills {
		backfills = append(backfills, b.ID)
	}
	w.equal("backfills", backfills, []engine.BackfillID{2, 3, 5})
	w.equal("numbers", []int64{int64(n.LastRun), int64(n.LastAttempt), int64(n.LastBackfill)}, []int64{10, 3, 5})

	newer, extra := w.run(11), w.run(12)
	newer.Period, newer.Version, newer.State = w.run(2).Period, 2, engine.RunFailed
	extra.Period, extra.Version, extra.Extra = w.run(10).Period, 2, true
	w.equal("none superseded", len(n.Superseded), 0)
	w.commit(engine.Changes{Runs: []engine.Run{newer, extra}})
	w.equal("superseded", w.load().Superseded, []engine.RunID{2})
	extra.State = engine.RunFailed
	w.commit(engine.Changes{Runs: []engine.Run{extra}})

	// A run that settles leaves, one that is taken up again returns.
	live.State, settled.State = engine.RunSucceeded, engine.RunActive
	w.commit(engine.Changes{Runs: []engine.Run{live, settled}})
	w.equal("runs", ids(w.load().Runs), []engine.RunID{1, 10})
}

// testIgnoring: a backfill that ignores what is missing is over, and some of its runs go on.
func testIgnoring(w *world) {
	w.commit(engine.Changes{Backfills: []engine.BackfillRow{
		{ID: 1, Revision: w.revision, State: engine.BackfillDone, FinishedAt: at(3), MissingUpstream: "ignore"},
		{ID: 2, Revision: w.revision, State: engine.BackfillRunning, MissingUpstream: "wait"},
	}})
	var runs []engine.Run
	for id, backfill := range map[engine.RunID]engine.BackfillID{1: 0, 2: 2, 3: 1, 4: 1, 5: 1} {
		r := w.run(id)
		r.Backfill = backfill
		if id == 5 {
			r.State = engine.RunFailed
		}
		runs = append(runs, r)
	}
	w.commit(engine.Changes{Runs: runs})
	w.restart()
	w.equal("ignoring", w.load().Ignoring, []engine.RunID{3, 4})
	n, err := w.LoadRuns(w.ctx, []engine.RunID{5, 2, 4})
	w.must(err)
	w.equal("ignoring", n.Ignoring, []engine.RunID{4, 5})
}

// testWoken: what a wait names has happened, and nobody loaded the run that waited.
func testWoken(w *world) {
	wait := func(run engine.RunID, task string, hour int) engine.Wait {
		return engine.Wait{Run: run, Flow: "f", Task: task, Start: at(hour)}
	}
	var runs []engine.Run
	for id := range engine.RunID(8) {
		r := w.run(id + 1)
		r.State = engine.RunFailed
		runs = append(runs, r)
	}
	w.commit(engine.Changes{
		Runs: runs, Flows: []engine.FlowState{{Flow: "f", Cursor: runs[6].Period.End}},
		TaskRuns: []engine.TaskRun{taskRun(5, "t")},
		Outcomes: []engine.Outcome{
			outcome(1, 1, 21, engine.Failed), outcome(1, 2, 22, engine.Succeeded), outcome(2, 1, 23, engine.Skipped),
			outcome(3, 1, 24, engine.Succeeded), outcome(3, 2, 25, engine.Failed), outcome(4, 1, 26, engine.UpstreamFailed),
		},
		Waits: []engine.Wait{
			wait(1, "t", 1), wait(1, "t", 2), wait(2, "t", 2), wait(2, "t", 4), wait(3, "t", 3), wait(4, "t", 4), wait(5, "t", 5),
			wait(6, "t", 6), // the newest run of that period does not have the task
			wait(7, "", 7), wait(8, "", 8),
		},
	})
	w.equal("woken", w.load().Woken, []engine.RunID{1, 2, 6, 7})
	w.commit(engine.Changes{NoWaits: []engine.RunID{1, 2, 6, 7}})
	w.equal("woken", len(w.load().Woken), 0)
}

func testAhead(w *world) {
	demand := w.run(9)
	demand.Flow, demand.Period = "d", period.Period{Kind: period.Demand, Start: at(50), End: at(50)}
	extra := w.run(6)
	extra.Extra = true
	again := w.run(15)
	again.Period, again.Version = w.run(5).Period, 2
	other := w.run(8)
	other.Flow = "without-cursor"
	w.commit(engine.Changes{
		Runs:  []engine.Run{w.run(3), w.run(4), w.run(5), extra, w.run(7), demand, again, other},
		Flows: []engine.FlowState{{Flow: "f", Cursor: at(5)}, {Flow: "d"}},
	})
	ahead := func(start, version int, made bool) engine.Ahead {
		return engine.Ahead{RunKey: engine.RunKey{Flow: "f", Start: at(start)}, Version: version, Made: made}
	}
	w.equal("ahead", w.load().Ahead, []engine.Ahead{ahead(5, 2, true), ahead(6, 1, false), ahead(7, 1, true)})
}

func testLoadRuns(w *world) {
	settled := w.run(1)
	settled.State = engine.RunFailed
	over := attempt(1, 1, "a", 1)
	over.State = engine.Succeeded
	w.commit(engine.Changes{
		Runs:     []engine.Run{settled, w.run(2), w.run(3)},
		TaskRuns: []engine.TaskRun{taskRun(1, "b"), taskRun(1, "a"), taskRun(2, "a"), taskRun(3, "a")},
		Attempts: []engine.Attempt{over, attempt(2, 2, "a", 1), attempt(3, 3, "a", 1)},
	})
	n, err := w.LoadRuns(w.ctx, []engine.RunID{3, 1, 99})
	w.must(err)
	w.equal("snapshot", n, &engine.Snapshot{
		Runs: []engine.Run{settled, w.run(3)}, TaskRuns: []engine.TaskRun{taskRun(1, "a"), taskRun(1, "b"), taskRun(3, "a")},
		Attempts: []engine.Attempt{attempt(3, 3, "a", 1)},
	})
	n, err = w.LoadRuns(w.ctx, nil)
	w.must(err)
	w.equal("none", n, &engine.Snapshot{})
}
