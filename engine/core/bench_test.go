package core

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"flowctl/engine"
)

// BenchmarkEvents measures the machine alone: on-demand runs of one task are asked for, assigned and finished, while many others wait
// for an upstream that never ran. An event must not cost more because more wait: x-of-1000 is its time by the time with 1,000 waiting, which is
// measured in turns with it.
func BenchmarkEvents(b *testing.B) {
	few := newQueueing(b, 1_000)
	for _, waiting := range []int{1_000, 100_000, 1_000_000} {
		var many *queueing
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			if many == nil {
				many = newQueueing(b, waiting)
			}
			b.ReportAllocs()
			b.ResetTimer()
			var took, baseline time.Duration
			for left := b.N; left > 0; left -= turn {
				took += many.runSome(b, min(turn, left))
				b.StopTimer()
				baseline += few.runSome(b, min(turn, left))
				b.StartTimer()
			}
			b.ReportMetric(2*float64(b.N)/took.Seconds(), "events/s")
			b.ReportMetric(many.bytes, "B/waiting")
			b.ReportMetric(took.Seconds()/baseline.Seconds(), "x-of-1000")
		})
	}
}

// turn is how many runs one of two machines makes before it is the other's turn.
const turn = 2_000

// queueing is a machine in which many task runs wait.
type queueing struct {
	w     *world
	bytes float64 // of memory for each that waits
}

func newQueueing(b *testing.B, waiting int) *queueing {
	q := &queueing{w: newWorld(b, "2026-11-19T12:00:00Z")}
	rev := q.w.compile("flow: go\nteam: data\ntasks:\n  x: {run: 'true'}\n---\n" +
		"flow: up\nteam: data\ntasks:\n  x: {run: 'true'}\n---\n" +
		"flow: wait\nteam: data\ntasks:\n  x: {run: 'true', needs: [up/x]}\n")
	q.handle(b, Activated{Revision: rev})
	q.w.m.Done()
	q.handle(b, AgentJoined{Hello: engine.Hello{Name: "one", BootID: "1", Slots: 1000}})
	q.w.m.Done()
	before := heapInUse()
	for range waiting {
		q.handle(b, StartRun{Flow: "wait"})
		q.w.m.Done()
	}
	q.bytes = float64(heapInUse()-before) / float64(waiting)
	return q
}

func heapInUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func (q *queueing) handle(t fataler, ev Event) *Output {
	if _, err := q.w.m.Handle(q.w.now, ev); err != nil {
		t.Fatalf("%T: %v", ev, err)
	}
	return q.w.m.Take()
}

// runSome asks for runs and lets the agent finish each, and returns how long that took.
func (q *queueing) runSome(b *testing.B, n int) time.Duration {
	start := time.Now()
	for range n {
		id := q.handle(b, StartRun{Flow: "go"}).Assign["one"][0].Attempt
		q.w.m.Done()
		q.handle(b, Reported{Agent: "one", Reports: []engine.Report{
			{Attempt: id, Kind: engine.ReportFinished, Result: engine.Result{State: engine.Succeeded}},
		}})
		q.w.m.Done()
	}
	return time.Since(start)
}

// BenchmarkPaths measures what waiting paths cost: an event that has nothing to do with them, and each look at one of them.
func BenchmarkPaths(b *testing.B) {
	for _, waiting := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			c := newCrowd(b, crowdFlows())
			c.wait(waiting)
			for len(c.asked) > 0 {
				c.answer(min(ProbeBatch, len(c.asked)))
			}
			b.Run("event", func(b *testing.B) {
				for range b.N {
					id := c.handle(StartRun{Flow: "go", Params: map[string]string{"n": "none"}})[0]
					c.handle(Reported{Agent: "one", Reports: []engine.Report{
						{Attempt: id, Kind: engine.ReportFinished, Result: engine.Result{State: engine.Succeeded}},
					}})
				}
			})
			b.Run("look", func(b *testing.B) {
				c.calls, c.paths = 0, 0
				for c.paths < b.N {
					c.w.now = c.w.now.Add(probeEvery)
					c.handle(Tick{})
					for len(c.asked) > 0 && c.paths < b.N {
						c.answer(min(ProbeBatch, len(c.asked)))
					}
				}
				b.ReportMetric(float64(c.paths)/float64(c.calls), "paths/call")
			})
		})
	}
}

// TestTimersOfRunsThatAreGoneAreDropped: each would expire a week after its run has ended.
func TestTimersOfRunsThatAreGoneAreDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate("flow: go\nteam: data\ntasks:\n  x: {run: 'true'}\n")
	q := queueing{w: w}
	for run := engine.RunID(1); run < 5*sweepAtLeast; run++ {
		q.handle(t, StartRun{Flow: "go"})
		w.m.Done()
		q.handle(t, Succeed{Run: run})
		w.m.Done()
		if n := len(w.m.timers.heap); n > 2*sweepAtLeast {
			t.Fatalf("%d timers for %d runs", n, len(w.m.runs))
		}
	}
}
