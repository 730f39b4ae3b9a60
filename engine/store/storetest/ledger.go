package storetest

import (
	"flowctl/engine"
)

func outcome(hour, version int, run engine.RunID, s engine.State) engine.Outcome {
	return engine.Outcome{Flow: "f", Task: "t", Start: at(hour), End: at(hour + 1), Version: version, Run: run, State: s}
}

func key(hour int) engine.LedgerKey { return engine.LedgerKey{Flow: "f", Task: "t", Start: at(hour)} }

func latest(hour int) engine.LedgerKey {
	return engine.LedgerKey{Flow: "f", Task: "t", Start: at(hour), Latest: true}
}

func testLedger(w *world) {
	// Every state that an outcome can have, and it can change.
	states := []engine.State{
		engine.Waiting, engine.Succeeded, engine.Failed, engine.Killed, engine.Skipped, engine.Expired, engine.UpstreamFailed,
	}
	var c engine.Changes
	for i := range states {
		c.Outcomes = append(c.Outcomes, outcome(i, 1, engine.RunID(i), engine.Waiting))
	}
	w.commit(c)
	var keys []engine.LedgerKey
	var want []engine.LedgerAnswer
	for i, s := range states {
		c.Outcomes[i].State = s
		keys = append(keys, key(i))
		want = append(want, engine.LedgerAnswer{Found: true, Outcome: c.Outcomes[i]})
	}
	w.commit(c)
	w.commit(engine.Changes{Outcomes: []engine.Outcome{outcome(1, 3, 33, engine.Failed), outcome(1, 2, 22, engine.Succeeded)}})
	want[1].Outcome = outcome(1, 3, 33, engine.Failed)

	// A period without a run; a run without the task; an extra run does not count, neither as run nor as outcome; a partial run
	// says nothing of the tasks that it lacks.
	run, extra, partial := w.run(50), w.run(51), w.run(52)
	extra.Extra, partial.Partial = true, true
	w.commit(engine.Changes{Runs: []engine.Run{run, extra, partial}, Outcomes: []engine.Outcome{outcome(51, 1, 51, engine.Succeeded)}})
	keys = append(keys, key(49), key(50), key(51), key(52))
	want = append(want, engine.LedgerAnswer{}, engine.LedgerAnswer{NoTask: true}, engine.LedgerAnswer{}, engine.LedgerAnswer{})

	// What an older version made of a task does not count when the highest one lacks it, is partial, or has not ended it. Without any
	// run the ledger speaks for itself.
	for id, again := range map[engine.RunID]func(*engine.Run){
		60: func(*engine.Run) {},
		61: func(r *engine.Run) { r.Extra = true },
		62: func(r *engine.Run) { r.Partial = true },
		63: func(*engine.Run) {},
	} {
		first, second := w.run(id), w.run(id+100)
		second.Period, second.Label, second.Version = first.Period, first.Label, 2
		again(&second)
		w.commit(engine.Changes{
			Runs: []engine.Run{first, second}, TaskRuns: []engine.TaskRun{taskRun(id, "t")},
			Outcomes: []engine.Outcome{outcome(int(id), 1, id, engine.Failed)},
		})
	}
	w.commit(engine.Changes{TaskRuns: []engine.TaskRun{taskRun(163, "t")}})
	keys = append(keys, key(60), key(61), key(62), key(63))
	want = append(want, engine.LedgerAnswer{NoTask: true},
		engine.LedgerAnswer{Found: true, Outcome: outcome(61, 1, 61, engine.Failed)}, engine.LedgerAnswer{}, engine.LedgerAnswer{})

	w.restart()
	got, err := w.Outcomes(w.ctx, keys)
	w.must(err)
	w.equal("answers", got, want)
	got, err = w.Outcomes(w.ctx, nil)
	w.must(err)
	w.equal("no keys", len(got), 0)
}

func testLatest(w *world) {
	w.commit(engine.Changes{Outcomes: []engine.Outcome{
		outcome(1, 1, 1, engine.Succeeded),
		outcome(2, 1, 2, engine.Skipped),
		outcome(3, 1, 3, engine.Failed),
		outcome(4, 1, 4, engine.Succeeded), outcome(4, 2, 5, engine.Failed), // its highest version failed
		outcome(6, 1, 6, engine.Failed), outcome(6, 2, 7, engine.Succeeded),
		outcome(8, 1, 8, engine.Waiting),
	}})
	got, err := w.Outcomes(w.ctx, []engine.LedgerKey{latest(1), latest(2), latest(3), latest(6), latest(7), latest(100)})
	w.must(err)
	found := func(o engine.Outcome) engine.LedgerAnswer { return engine.LedgerAnswer{Found: true, Outcome: o} }
	first, second, sixth := outcome(1, 1, 1, engine.Succeeded), outcome(2, 1, 2, engine.Skipped), outcome(6, 2, 7, engine.Succeeded)
	w.equal("answers", got, []engine.LedgerAnswer{{}, found(first), found(second), found(second), found(sixth), found(sixth)})
}

func testLedgerOutputs(w *world) {
	own, reference := taskRun(1, "t"), taskRun(2, "t")
	own.Outputs = map[string]string{"rows": "1"}
	reference.From = 1
	again := w.run(2)
	again.Period, again.Version = w.run(1).Period, 2
	for _, c := range []engine.Changes{
		{Runs: []engine.Run{w.run(1)}, TaskRuns: []engine.TaskRun{own}, Outcomes: []engine.Outcome{outcome(1, 1, 1, engine.Succeeded)}},
		{Runs: []engine.Run{again}, TaskRuns: []engine.TaskRun{reference}, Outcomes: []engine.Outcome{outcome(1, 2, 2, engine.Succeeded)}},
	} {
		o := c.Outcomes[0]
		w.commit(c)
		got, err := w.Outcomes(w.ctx, []engine.LedgerKey{key(1), latest(2)})
		w.must(err)
		want := engine.LedgerAnswer{Found: true, Outcome: o, Outputs: own.Outputs}
		w.equal("answers", got, []engine.LedgerAnswer{want, want})
	}
}

func testExisting(w *world) {
	extra, failed := w.run(2), w.run(3)
	extra.Period, extra.Version, extra.Extra = w.run(1).Period, 2, true
	failed.State = engine.RunFailed
	only := w.run(4)
	only.Extra = true
	tasks := []engine.TaskRun{taskRun(1, "killed")}
	for name, state := range map[string]engine.State{
		"failed": engine.Failed, "killed": engine.Killed, "expired": engine.Expired, "behind": engine.UpstreamFailed,
		"succeeded": engine.Succeeded, "skipped": engine.Skipped,
	} {
		t := taskRun(3, name)
		t.State = state
		tasks = append(tasks, t)
	}
	w.commit(engine.Changes{Runs: []engine.Run{w.run(1), extra, failed, only}, TaskRuns: tasks})
	got, err := w.Existing(w.ctx, []engine.RunKey{{Flow: "f", Start: at(3)}, {Flow: "f", Start: at(1)}, {Flow: "f", Start: at(4)}, {Flow: "g", Start: at(1)}})
	w.must(err)
	w.equal("existing", got, []engine.Existing{
		{Version: 1, Run: 3, State: engine.RunFailed, Bad: []string{"behind", "expired", "failed", "killed"}}, {Version: 2, Run: 1, State: engine.RunActive}, {Version: 1}, {},
	})
}

func testWaits(w *world) {
	wait := func(run engine.RunID, hour int) engine.Wait {
		return engine.Wait{Run: run, Flow: "f", Task: "t", Start: at(hour)}
	}
	w.commit(engine.Changes{
		Runs:  []engine.Run{w.run(1), w.run(2), w.run(3)},
		Waits: []engine.Wait{wait(2, 10), wait(1, 10), wait(1, 10), wait(1, 11), wait(3, 12)},
	})
	check := func(want []engine.RunID, keys ...engine.LedgerKey) {
		w.Helper()
		got, err := w.Waiting(w.ctx, keys)
		w.must(err)
		w.equal("waiting", got, want)
	}
	check([]engine.RunID{1, 2}, key(10), key(11))
	check([]engine.RunID{1, 2, 3}, key(12), key(10))
	check(nil, key(13), engine.LedgerKey{Flow: "f", Task: "other", Start: at(10)})
	check(nil)
	// Waits are taken away before others are put.
	w.commit(engine.Changes{NoWaits: []engine.RunID{1, 99}, Waits: []engine.Wait{wait(1, 13)}})
	check([]engine.RunID{2}, key(10), key(11))
	check([]engine.RunID{1}, key(13))
}
