package simulate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/workload"
	"flowctl/engine/core"
)

// TestReplay is invariant 9: the events of a simulation, handled by a fresh machine, give the same changes and effects.
func TestReplay(t *testing.T) {
	t.Parallel()
	given := "tasks: [{task: '*/*', duration: 1m..90m, fail: 40%}]\n"
	t.Run("shop", func(t *testing.T) {
		t.Parallel()
		p := compile(t, shop)
		replay(t, p, outcomes(t, p, given+`
actions:
  - {at: 2026-11-20T06:00, run: mart@2026-11-17}
  - {at: 2026-11-20T07:00, backfill: [shop], from: 2026-11-10, to: 2026-11-12, max_active: 5}
  - {at: 2026-11-21T03:00, pause: shop/clean}
  - {at: 2026-11-21T09:00, resume: shop/clean}
  - {at: 2026-11-22T03:00, rerun: shop@2026-11-20T05..2026-11-20T09, from_task: clean, cascade: both, kill: true}
`))
	})
	t.Run("warehouse", func(t *testing.T) {
		t.Parallel()
		folder, ok := workload.Folder()
		if !ok {
			t.Skip("FLOWCTL_WORKLOADS names no folder of recorded workloads")
		}
		repository, err := workload.BQETL(folder, workload.Options{CutKnots: true})
		if err != nil {
			t.Fatal(err)
		}
		p := compileFiles(t, repository)
		replay(t, p, outcomes(t, p, given))
	})
}

func replay(t *testing.T, p *flow.Project, given *flow.Outcomes) {
	t.Helper()
	w := newWorld(Input{Project: p, From: at(t, "2026-11-19"), To: at(t, "2026-11-26"), Slots: 20, Outcomes: given})
	var steps []step
	var said []string
	w.record = func(s step) {
		steps = append(steps, s)
		said = append(said, transcript(s.output))
	}
	w.start()
	if err := w.advance(t.Context(), at(t, "2026-11-26")); err != nil {
		t.Fatal(err)
	}
	if len(steps) < 800 {
		t.Fatalf("only %d events", len(steps))
	}
	rev := &core.Revision{ID: revision, Commit: "simulated", Tree: p.Hash, Project: p}
	m := restore(w.from, seasoned(w.from, rev), rev)
	for i, s := range steps {
		_, _ = m.Handle(s.at, s.event)
		if got := transcript(m.Take()); got != said[i] {
			t.Fatalf("event %d, %T, gave\n%s\nfirst\n%s", i, s.event, got, said[i])
		}
		m.Done()
	}
}

func transcript(out *core.Output) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", out.Changes)
	for _, name := range sorted(out.Assign) {
		for _, as := range out.Assign[name] {
			fmt.Fprintf(&b, "assign %s %+v\n", name, *as)
		}
	}
	fmt.Fprintf(&b, "%v %v %v %v %v %v %v %v %v", out.Kill, out.Recall, out.Ack, out.Probe, out.Silences, out.Lookups, out.Existing, out.Wake, out.Overdue)
	return b.String()
}

// TestRecordedExecutions simulates workflows that were once executed, with the run times of then and as many slots as they want: each ends
// exactly when its longest path does.
func TestRecordedExecutions(t *testing.T) {
	t.Parallel()
	folder, ok := workload.Folder()
	if !ok {
		t.Skip("FLOWCTL_WORKLOADS names no folder of recorded workloads")
	}
	executions, err := workload.Executions(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range executions {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			p := compileFiles(t, e.Repository(func(workload.Executed) string { return "true" }))
			from := at(t, "2026-11-19")
			given := &flow.Outcomes{Actions: []flow.Action{{At: from, Verb: flow.VerbRun, Target: p.Flows[0].Name}}}
			for _, x := range e.Tasks {
				d := x.Runtime.Truncate(time.Microsecond)
				given.Tasks = append(given.Tasks, flow.Outcome{Task: p.Flows[0].Name + "/" + x.Name, Duration: &flow.Span{Min: d, Max: d}})
			}
			r := result(t, Input{Project: p, From: from, To: from.Add(365 * 24 * time.Hour), Outcomes: given})
			if len(r.Runs) != 1 || r.Runs[0].FinishedAt == nil {
				t.Fatalf("%+v", r.Totals)
			}
			got, want := r.Runs[0].FinishedAt.Sub(from.Time()), longestPath(e)
			var path time.Duration
			for _, l := range r.Runs[0].CriticalPath {
				path += l.FinishedAt.Sub(l.StartedAt)
			}
			if got != want || path != want {
				t.Errorf("%d tasks end after %s, the critical path takes %s, the longest path of the graph %s", len(e.Tasks), got, path, want)
			}
			t.Logf("%d tasks: %s, by %d of them; it took %s once", len(e.Tasks), got, len(r.Runs[0].CriticalPath), e.Makespan)
		})
	}
}

// longestPath is computed from the recorded graph alone.
func longestPath(e workload.Execution) time.Duration {
	known := map[int]time.Duration{}
	var end func(i int) time.Duration
	end = func(i int) time.Duration {
		if d, ok := known[i]; ok {
			return d
		}
		var start time.Duration
		for _, p := range e.Tasks[i].Parents {
			start = max(start, end(p))
		}
		known[i] = start + e.Tasks[i].Runtime.Truncate(time.Microsecond)
		return known[i]
	}
	var longest time.Duration
	for i := range e.Tasks {
		longest = max(longest, end(i))
	}
	return longest
}
