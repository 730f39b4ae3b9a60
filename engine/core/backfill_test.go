package core

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// yearRepository has n flows of ten hourly tasks each, in chains.
func yearRepository(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "---\nflow: f%d\nteam: data\nschedule: {every: hour, start: 2024-01-01}\ntasks:\n", i)
		for k := range 10 {
			fmt.Fprintf(&b, "  t%d: {run: 'true'", k)
			switch {
			case k > 0:
				fmt.Fprintf(&b, ", needs: [t%d]", k-1)
			case i > 0:
				fmt.Fprintf(&b, ", needs: [f%d/t9]", i-1)
			}
			b.WriteString("}\n")
		}
	}
	return strings.TrimPrefix(b.String(), "---\n")
}

// filler ends everything that a backfill starts, at once, and keeps no row: what stays is the machine.
type filler struct {
	m     *Machine
	peak  int // task runs in memory
	ended int
}

// step handles one event and all questions that follow; it returns the attempts that were given away.
func (f *filler) step(now period.Instant, ev Event) (given []engine.AttemptID, err error) {
	if _, err := f.m.Handle(now, ev); err != nil {
		return nil, err
	}
	for {
		out := f.m.Take()
		for i := range out.Changes.TaskRuns {
			if out.Changes.TaskRuns[i].State == engine.Succeeded {
				f.ended++
			}
		}
		for _, as := range out.Assign {
			for _, a := range as {
				given = append(given, a.Attempt)
			}
		}
		var next []Event
		for _, q := range out.Existing {
			next = append(next, ExistingAnswered{Backfill: q.Backfill, Keys: q.Keys, Found: make([]engine.Existing, len(q.Keys))})
		}
		if len(out.Lookups) > 0 {
			keys := append([]engine.LedgerKey{}, out.Lookups...)
			answers := make([]engine.LedgerAnswer, len(keys))
			for i, k := range keys { // what a need finds no run of in memory has succeeded and left it
				answers[i] = engine.LedgerAnswer{Found: true, Outcome: engine.Outcome{Flow: k.Flow, Task: k.Task, Start: k.Start, State: engine.Succeeded}}
			}
			next = append(next, LedgerAnswered{Keys: keys, Answers: answers})
		}
		f.m.Done()
		live := 0
		for _, b := range f.m.backfills {
			live += b.tasks
		}
		f.peak = max(f.peak, live)
		if len(next) == 0 {
			return given, nil
		}
		for _, ev := range next {
			if _, err := f.m.Handle(now, ev); err != nil {
				return nil, err
			}
		}
	}
}

// fill runs a backfill until so many task runs have ended.
func (f *filler) fill(w *world, row engine.BackfillRow, enough int) error {
	held, err := f.step(w.now, StartBackfill{Row: row, Revision: w.revs[1]})
	for err == nil && len(held) > 0 && f.ended < enough {
		reports := make([]engine.Report, len(held))
		for i, id := range held {
			reports[i] = engine.Report{Attempt: id, Kind: engine.ReportFinished, Result: engine.Result{State: engine.Succeeded}}
		}
		held, err = f.step(w.now, Reported{Agent: "one", Reports: reports})
	}
	return err
}

// newFiller has an agent of many slots and n flows of a year of hours.
func newFiller(t fataler, n int) (*filler, *world, engine.BackfillRow) {
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate(yearRepository(n))
	w.do(AgentJoined{Hello: engine.Hello{Name: "one", BootID: "1", Slots: 100_000}})
	row := engine.BackfillRow{From: "2024-01-01", To: "2024-12-31", Reprocess: "missing", MissingUpstream: "wait"}
	for _, f := range w.revs[1].Project.Flows {
		row.Flows = append(row.Flows, f.Name)
	}
	return &filler{m: w.m}, w, row
}

// TestABackfillKeepsAWindow: of a year of hours of 1,000 tasks, no more is in memory than the window, at any time.
func TestABackfillKeepsAWindow(t *testing.T) {
	t.Parallel()
	f, w, row := newFiller(t, 100)
	if err := f.fill(w, row, 50_000); err != nil {
		t.Fatal(err)
	}
	if f.ended < 50_000 {
		t.Fatalf("the backfill stands after %d task runs", f.ended)
	}
	if most := DefaultMaxActive * 10; f.peak > most {
		t.Errorf("%d task runs were in memory at once, want at most %d", f.peak, most)
	}
	for name, n := range map[string]int{"runs": len(f.m.runs), "points": len(f.m.points), "attempts": len(f.m.attempts), "timers": len(f.m.timers.heap)} {
		if n > DefaultMaxActive*10 {
			t.Errorf("%d %s are left in memory", n, name)
		}
	}
}

// BenchmarkBackfill measures the machine alone on a year of hours of 1,000 tasks, 8.78 million task runs, each of which is given away and
// ends at once: task runs a second, and the heap that is left.
func BenchmarkBackfill(b *testing.B) {
	total := 0
	for b.Loop() {
		f, w, row := newFiller(b, 100)
		if err := f.fill(w, row, 500_000); err != nil {
			b.Fatal(err)
		}
		var mem runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&mem)
		total += f.ended
		b.ReportMetric(float64(mem.HeapAlloc)/(1<<20), "heap-MiB")
	}
	b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "task-runs/s")
}
