package storetest

import (
	"slices"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// many commits runs 1 to n, whose flows, kinds, states and backfills vary.
func (w *world) many(n int) []engine.Run {
	c := engine.Changes{Backfills: []engine.BackfillRow{{ID: 1, Revision: w.revision, State: engine.BackfillRunning}}}
	for i := 1; i <= n; i++ {
		r := w.run(engine.RunID(i))
		r.Period.Start, r.Period.End = at(n-i), at(n-i+1) // the newest run has the oldest period
		if i%3 == 0 {
			r.Flow, r.Kind = "g", engine.Manual
		}
		if i%4 == 0 {
			r.Backfill, r.Kind = 1, engine.Backfill
		}
		r.State = []engine.RunState{engine.RunActive, engine.RunSucceeded, engine.RunFailed}[i%5%3]
		c.Runs = append(c.Runs, r)
	}
	w.commit(c)
	return c.Runs
}

// walk reads a list page by page.
func (w *world) walk(q engine.RunQuery) []engine.RunID {
	w.Helper()
	var got []engine.RunID
	for pages := 0; ; pages++ {
		runs, next, err := w.Runs(w.ctx, q)
		w.must(err)
		got = append(got, ids(runs)...)
		if q.Limit > 0 && len(runs) > q.Limit || next != "" && len(runs) == 0 || pages > 100 {
			w.Fatalf("page of %d runs, next %q", len(runs), next)
		}
		if q.Cursor = next; next == "" {
			return got
		}
	}
}

func testRunPages(w *world) {
	all := w.many(60)
	for _, limit := range []int{0, 1, 7, 59, 60, 61} {
		for _, flow := range []string{"", "f"} {
			var want []engine.RunID
			for _, r := range all {
				if flow == "" || r.Flow == flow {
					want = append(want, r.ID)
				}
			}
			if flow == "" { // by number; runs of one flow come by period, which goes the other way here
				slices.Reverse(want)
			}
			w.equal("runs", w.walk(engine.RunQuery{Flow: flow, Limit: limit}), want)
		}
	}
	// Versions of one period, the newest first.
	versions := []engine.Run{w.run(101), w.run(102), w.run(103)}
	for i := range versions {
		versions[i].Flow, versions[i].Period, versions[i].Version = "v", versions[0].Period, i+1
	}
	w.commit(engine.Changes{Runs: versions})
	w.equal("versions", w.walk(engine.RunQuery{Flow: "v", Limit: 1}), []engine.RunID{103, 102, 101})

	// Runs that are made while somebody pages do not shift the pages.
	_, next, err := w.Runs(w.ctx, engine.RunQuery{Limit: 13})
	w.must(err)
	w.commit(engine.Changes{Runs: []engine.Run{w.run(200)}})
	page, _, err := w.Runs(w.ctx, engine.RunQuery{Limit: 1, Cursor: next})
	w.must(err)
	w.equal("next page", ids(page), []engine.RunID{50})
	for _, q := range []engine.RunQuery{{Cursor: "?"}, {Flow: "f", Cursor: next}, {State: "odd"}} {
		_, _, err = w.Runs(w.ctx, q)
		w.code("bad query", err, engine.Invalid)
	}
}

func testRunQueries(w *world) {
	all := w.many(60)
	for _, q := range []engine.RunQuery{
		{State: engine.RunActive},
		{State: engine.RunSucceeded},
		{State: engine.RunFailed},
		{Flow: "g"},
		{Flow: "g", State: engine.RunFailed},
		{Kind: engine.Manual},
		{Backfill: 1},
		{Backfill: 1, State: engine.RunActive, Flow: "f"},
		{Backfill: 1, State: engine.RunFailed},
		{Flow: "f", From: at(10), To: at(20)},
		{From: at(10), State: engine.RunActive},
		{To: at(3)},
		{Flow: "absent"},
	} {
		var want []engine.RunID
		for _, r := range all {
			if (q.Flow == "" || r.Flow == q.Flow) && (q.State == "" || r.State == q.State) && (q.Kind == "" || r.Kind == q.Kind) &&
				(q.Backfill == 0 || r.Backfill == q.Backfill) && (q.From == 0 || r.Period.Start >= q.From) && (q.To == 0 || r.Period.Start <= q.To) {
				want = append(want, r.ID)
			}
		}
		for _, limit := range []int{0, 2} {
			q.Limit = limit
			got := w.walk(q)
			slices.Sort(got)
			w.equal("runs", got, want)
		}
	}
}

func testFindRuns(w *world) {
	second, third, other := w.run(12), w.run(13), w.run(20)
	second.Period, second.Version = w.run(2).Period, 2
	third.Period, third.Version = w.run(2).Period, 3
	other.Flow, other.Period = "g", w.run(2).Period
	w.commit(engine.Changes{Runs: []engine.Run{w.run(3), w.run(2), w.run(1), w.run(4), third, second, other}})
	for _, c := range []struct {
		from, to period.Instant
		version  int
		all      bool
		want     []engine.RunID
	}{
		{at(1), at(3), 0, false, []engine.RunID{1, 13, 3}},
		{at(1), at(3), 0, true, []engine.RunID{1, 2, 12, 13, 3}},
		{at(1), at(3), 2, false, []engine.RunID{12}},
		{at(1), at(3), 2, true, []engine.RunID{12}},
		{at(4), at(4), 0, false, []engine.RunID{4}},
		{at(5), at(9), 0, true, nil},
	} {
		got, err := w.FindRuns(w.ctx, "f", c.from, c.to, c.version, c.all)
		w.must(err)
		w.equal("runs", ids(got), c.want)
	}
}

func testAttempts(w *world) {
	var all []engine.Attempt
	for i := range 30 {
		a := attempt(engine.AttemptID(i+1), engine.RunID(i%3+1), []string{"a", "b"}[i%2], i+1)
		if i%5 == 0 {
			a.Agent, a.State = "other", engine.Failed
		}
		all = append(all, a)
	}
	w.commit(engine.Changes{Runs: []engine.Run{w.run(1), w.run(2), w.run(3)}, Attempts: all})
	for _, q := range []engine.AttemptQuery{
		{},
		{Run: 2},
		{Run: 2, Task: "a"},
		{Agent: "other"},
		{State: engine.Assigned, Run: 1},
		{State: engine.Failed, Task: "b"},
		{Run: 99},
	} {
		var want []engine.Attempt
		for _, a := range slices.Backward(all) {
			if (q.Run == 0 || a.Run == q.Run) && (q.Task == "" || a.Task == q.Task) && (q.Agent == "" || a.Agent == q.Agent) &&
				(q.State == "" || a.State == q.State) {
				want = append(want, a)
			}
		}
		for _, limit := range []int{0, 3} {
			q.Limit, q.Cursor = limit, ""
			var got []engine.Attempt
			for {
				page, next, err := w.Attempts(w.ctx, q)
				w.must(err)
				if limit > 0 && len(page) > limit {
					w.Fatalf("%d attempts on a page of %d", len(page), limit)
				}
				got = append(got, page...)
				if q.Cursor = next; next == "" {
					break
				}
			}
			w.equal("attempts", got, want)
		}
	}
	_, _, err := w.Attempts(w.ctx, engine.AttemptQuery{Cursor: "?"})
	w.code("bad cursor", err, engine.Invalid)
}

func testOperations(w *world) {
	for i, o := range []engine.Operation{
		{By: "ann", Verb: "run", Target: "f@2026"}, {By: "bob", Verb: "kill", Target: "f/load@2026"}, {By: "ann", Verb: "rerun", Target: "f2@2026"},
		{By: "ann", Verb: "backfill", Target: "e f"}, {By: "bob", Verb: "pause", Target: "f"},
	} {
		o.At = at(i)
		w.commit(engine.Changes{Operations: []engine.Operation{o}})
	}
	verbs := func(q engine.OperationQuery) (got []string) {
		ops, err := w.Operations(w.ctx, q)
		w.must(err)
		for _, o := range ops {
			got = append(got, o.Verb)
		}
		return got
	}
	all, err := w.Operations(w.ctx, engine.OperationQuery{Limit: 2})
	w.must(err)
	w.equal("the newest", []string{all[0].Verb, all[1].Verb}, []string{"pause", "backfill"})
	w.equal("the next", verbs(engine.OperationQuery{Before: all[1].ID, Limit: 2}), []string{"rerun", "kill"})
	w.equal("of a flow", verbs(engine.OperationQuery{Target: "f"}), []string{"pause", "backfill", "kill", "run"})
	w.equal("of a task", verbs(engine.OperationQuery{Target: "f/load"}), []string{"kill"})
	w.equal("by somebody", verbs(engine.OperationQuery{By: "ann", Verb: "run"}), []string{"run"})
	w.equal("at some time", verbs(engine.OperationQuery{From: at(1), To: at(2)}), []string{"rerun", "kill"})
}

func testNotFound(w *world) {
	_, run := w.Store.Run(w.ctx, 9)
	_, attempt := w.Attempt(w.ctx, 9)
	_, revision := w.Revision(w.ctx, 9)
	_, blob := w.Blob(w.ctx, file("", 0, "absent").Hash)
	for what, err := range map[string]error{"run": run, "attempt": attempt, "revision": revision, "blob": blob} {
		w.code(what, err, engine.NotFound)
	}
	tasks, err := w.TaskRuns(w.ctx, 9)
	w.must(err)
	w.equal("task runs", len(tasks), 0)
}
