package core

import (
	"fmt"
	"testing"

	"flowctl/engine"
)

// BenchmarkEvents measures the machine alone: on-demand runs of one task are asked for, assigned and finished, while many others wait
// for an upstream that never ran. An event must not cost more because more wait.
func BenchmarkEvents(b *testing.B) {
	for _, waiting := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			w := newWorld(b, "2026-11-19T12:00:00Z")
			rev := w.compile("flow: go\nteam: data\ntasks:\n  x: {run: 'true'}\n---\n" +
				"flow: up\nteam: data\ntasks:\n  x: {run: 'true'}\n---\n" +
				"flow: wait\nteam: data\ntasks:\n  x: {run: 'true', needs: [up/x]}\n")
			m := w.m
			handle := func(ev Event) *Output {
				if _, err := m.Handle(w.now, ev); err != nil {
					b.Fatal(err)
				}
				return m.Take()
			}
			handle(Activated{Revision: rev})
			m.Done()
			handle(AgentJoined{Hello: engine.Hello{Name: "one", BootID: "1", Slots: 1000}})
			m.Done()
			for range waiting {
				handle(StartRun{Flow: "wait"})
				m.Done()
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				id := handle(StartRun{Flow: "go"}).Assign["one"][0].Attempt
				m.Done()
				handle(Reported{Agent: "one", Reports: []engine.Report{
					{Attempt: id, Kind: engine.ReportFinished, Result: engine.Result{State: engine.Succeeded}},
				}})
				m.Done()
			}
			b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
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
