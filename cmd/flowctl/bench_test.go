//go:build linux

package main_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"flowctl/engine"
)

// many is how many tasks, runs or flows the benchmarks of the whole system have.
const many = 1000

const benchHead = "teams:\n  data: {members: [ann]}\n---\npeople:\n  ann: {name: Ann, email: ann@example.com}\n"

// benchSite is a running server with its local agent, whose runner plugin has been launched.
func benchSite(b *testing.B, flows string) (*site, engine.Service) {
	b.Helper()
	s, c := startBench(b, flows)
	runToEnd(b, c, "warm")
	return s, c
}

// remoteSite is benchSite with an agent that is a process of its own, which joined over the loopback, in place of the local one.
func remoteSite(b *testing.B, flows string) (*site, engine.Service) {
	b.Helper()
	s, c := startBench(b, flows, "--no-local-agent")
	token, err := c.AgentToken(b.Context(), engine.AgentTokenRequest{TTLS: 60})
	if err != nil {
		b.Fatal(err)
	}
	agent := s.start("agent", "agent", "--server", s.agents, "--name", "far", "--token", token.Token, "--data", filepath.Join(s.dir, "far"), "--max-load", "0")
	b.Cleanup(func() { agent.terminate(b) })
	runToEnd(b, c, "warm")
	return s, c
}

func startBench(b *testing.B, flows string, flags ...string) (*site, engine.Service) {
	b.Helper()
	s := newSite(b, map[string][]byte{
		"flowctl.yaml": []byte("version: 1\n"), "teams.yaml": []byte(benchHead), "flows.yaml": []byte(flows),
		"warm.yaml": []byte("flow: warm\nteam: data\ntasks:\n  up: {run: 'true'}\n"),
	})
	server := s.startServer(flags...)
	s.awaitReady(server)
	b.Cleanup(func() { server.terminate(b) })
	return s, s.client()
}

// runToEnd starts an on-demand flow and returns its run once it succeeded.
func runToEnd(b *testing.B, c engine.Service, flow string) engine.RunView {
	b.Helper()
	started, err := c.StartRun(b.Context(), engine.StartRun{Target: flow})
	if err != nil {
		b.Fatal(err)
	}
	for {
		list, err := c.Runs(b.Context(), engine.RunsQuery{Target: flow, Page: engine.Page{Limit: 1}})
		if err != nil {
			b.Fatal(err)
		}
		if r := list.Items[0]; r.ID == started.ID && r.State != engine.RunActive {
			if r.State != engine.RunSucceeded {
				b.Fatalf("%s %s", r.Name, r.State)
			}
			return r
		}
		time.Sleep(20 * pause) // asking seldom disturbs least
	}
}

// rawSteps runs `sh -c true` as often as the benchmarks run tasks, n at a time, and returns the time it took.
func rawSteps(b *testing.B, n int) time.Duration {
	b.Helper()
	began := time.Now()
	work := make(chan struct{}, many)
	for range many {
		work <- struct{}{}
	}
	close(work)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for range work {
				if err := exec.Command("/bin/sh", "-c", "true").Run(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

// rawBest is rawSteps at the best parallelism.
func rawBest(b *testing.B) time.Duration {
	b.Helper()
	best := rawSteps(b, 2)
	for _, n := range []int{4, 8, 16} {
		best = min(best, rawSteps(b, n))
	}
	return best
}

// chainFlow is a flow of n tasks, each of which needs the one before.
func chainFlow(n int) string {
	var flow bytes.Buffer
	fmt.Fprintf(&flow, "flow: chain%d\nteam: data\ntasks:\n  t0: {run: 'true'}\n", n)
	for i := 1; i < n; i++ {
		fmt.Fprintf(&flow, "  t%d: {run: 'true', needs: [t%d]}\n", i, i-1)
	}
	return flow.String()
}

// BenchmarkChain is a run of 1,000 tasks, each of which needs the one before: server, store, agent and plugin stand in every
// step. The baseline is `sh -c true`, one after the other.
func BenchmarkChain(b *testing.B) { benchmarkChain(b, benchSite) }

// BenchmarkChainRemote is BenchmarkChain on an agent that is a process of its own.
func BenchmarkChainRemote(b *testing.B) { benchmarkChain(b, remoteSite) }

func benchmarkChain(b *testing.B, start func(*testing.B, string) (*site, engine.Service)) {
	b.Helper()
	_, c := start(b, chainFlow(many))
	var ours, raw time.Duration
	for b.Loop() {
		raw += rawSteps(b, 1) / 2
		r := runToEnd(b, c, fmt.Sprint("chain", many))
		ours += r.FinishedAt.Sub(r.CreatedAt)
		raw += rawSteps(b, 1) / 2
	}
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N*many), "µs/step")
	b.ReportMetric(float64(ours)/float64(raw), "x-raw")
}

// BenchmarkChainGrowth runs a chain of 250 tasks and one of 4,000; x-flat is the time of a step of the long one over that of a step of
// the short one, which runs before and after it.
func BenchmarkChainGrowth(b *testing.B) {
	const short, long = 250, 4000
	_, c := benchSite(b, chainFlow(short)+"---\n"+chainFlow(long))
	step := func(n int) time.Duration {
		r := runToEnd(b, c, fmt.Sprint("chain", n))
		return r.FinishedAt.Sub(r.CreatedAt) / time.Duration(n)
	}
	var few, lot time.Duration
	for b.Loop() {
		few += step(short) / 2
		lot += step(long)
		few += step(short) / 2
	}
	b.ReportMetric(float64(lot)/float64(few), "x-flat")
}

// BenchmarkFanOut is a run of one task, 1,000 that need it, and one that needs these. The baseline is `sh -c true` at the best
// parallelism.
func BenchmarkFanOut(b *testing.B) { benchmarkFanOut(b, benchSite) }

// BenchmarkFanOutRemote is BenchmarkFanOut on an agent that is a process of its own.
func BenchmarkFanOutRemote(b *testing.B) { benchmarkFanOut(b, remoteSite) }

func benchmarkFanOut(b *testing.B, start func(*testing.B, string) (*site, engine.Service)) {
	b.Helper()
	var flows, all bytes.Buffer
	fmt.Fprint(&flows, "flow: fan\nteam: data\ntasks:\n  first: {run: 'true'}\n")
	for i := range many {
		fmt.Fprintf(&flows, "  t%d: {run: 'true', needs: [first]}\n", i)
		fmt.Fprintf(&all, "t%d, ", i)
	}
	fmt.Fprintf(&flows, "  last: {run: 'true', needs: [%s]}\n", all.String())
	_, c := start(b, flows.String())
	var ours, raw time.Duration
	for b.Loop() {
		raw += rawBest(b) / 2
		r := runToEnd(b, c, "fan")
		ours += r.FinishedAt.Sub(r.CreatedAt)
		raw += rawBest(b) / 2
	}
	b.ReportMetric(float64(b.N*(many+2))/ours.Seconds(), "tasks/s")
	b.ReportMetric(float64(raw)/float64(ours), "of-raw")
}

// BenchmarkSubmit submits 1,000 one-task runs over the API, 16 at a time, and waits until all have ended.
func BenchmarkSubmit(b *testing.B) {
	_, c := benchSite(b, "flow: one\nteam: data\ntasks:\n  x: {run: 'true'}\n")
	var ours, raw time.Duration
	for b.Loop() {
		raw += rawBest(b)
		began := time.Now()
		submit(b, c)
		ended := awaitEnds(b, c, "one", began, many)
		ours += ended.Sub(began)
	}
	b.ReportMetric(float64(b.N*many)/ours.Seconds(), "runs/s")
	b.ReportMetric(float64(raw)/float64(ours), "of-raw")
}

func submit(b *testing.B, c engine.Service) {
	b.Helper()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := 0; i < many; i += 16 {
				if _, err := c.StartRun(b.Context(), engine.StartRun{Target: "one"}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// awaitEnds waits until n runs that were created after an instant have succeeded, of one flow or of all, and returns when the last did.
func awaitEnds(b *testing.B, c engine.Service, flow string, since time.Time, n int) (last time.Time) {
	b.Helper()
	for {
		active, err := c.Runs(b.Context(), engine.RunsQuery{Target: flow, State: engine.RunActive, Page: engine.Page{Limit: 1}})
		if err != nil {
			b.Fatal(err)
		}
		if len(active.Items) == 0 {
			break
		}
		time.Sleep(20 * pause)
	}
	ended, q := 0, engine.RunsQuery{Target: flow, State: engine.RunSucceeded, Page: engine.Page{Limit: many}}
	for {
		list, err := c.Runs(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range list.Items {
			if r.CreatedAt.After(since) {
				ended++
				if r.FinishedAt.After(last) {
					last = *r.FinishedAt
				}
			}
		}
		if q.Cursor = list.Next; q.Cursor == "" {
			break
		}
	}
	if ended < n {
		b.Fatalf("%d runs succeeded, want %d", ended, n)
	}
	return last
}

// BenchmarkDueTogether has 1,000 flows that are due at the same minute. The baseline is `sh -c true` at the best parallelism.
func BenchmarkDueTogether(b *testing.B) {
	var flows bytes.Buffer
	for i := range many {
		fmt.Fprintf(&flows, "flow: due.f%d\nteam: data\nschedule: {cron: '* * * * *'}\ntasks:\n  x: {run: 'true'}\n---\n", i)
	}
	_, c := benchSite(b, flows.String())
	var ours, raw time.Duration
	for b.Loop() {
		raw += rawBest(b)
		due := time.Now().Truncate(time.Minute).Add(time.Minute)
		time.Sleep(time.Until(due.Add(time.Second)))
		last := awaitEnds(b, c, "", due, many)
		ours += lastStart(b, c, due, last).Sub(due)
	}
	b.ReportMetric(float64(ours.Milliseconds())/float64(b.N), "ms-to-last-start")
	b.ReportMetric(float64(ours)/float64(raw), "x-raw")
}

// lastStart returns when the last attempt started that was assigned between two instants.
func lastStart(b *testing.B, c engine.Service, from, to time.Time) (last time.Time) {
	b.Helper()
	q := engine.AttemptsQuery{Page: engine.Page{Limit: many}}
	for {
		list, err := c.Attempts(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		for _, a := range list.Items {
			if a.AssignedAt.Before(from) {
				return last
			}
			if a.AssignedAt.Before(to) && a.StartedAt != nil && a.StartedAt.After(last) {
				last = *a.StartedAt
			}
		}
		if q.Cursor = list.Next; q.Cursor == "" {
			return last
		}
	}
}
