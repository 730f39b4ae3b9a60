//go:build linux

package main_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/engine/agent"
	"flowctl/plugins/sdk"
)

// idleAgentVariable has the test binary be an agent on the folder that it names. Its attempts end as soon as they begin, without plugins, so that what a fleet costs the
// server can be seen on one machine.
const idleAgentVariable = "FLOWCTL_TEST_IDLE_AGENT"

const fleetSlots = 50

func idleAgent(dir string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	a, err := agent.New(agent.Options{
		Name: filepath.Base(dir), Dir: dir, Server: os.Getenv("SERVER"), Token: os.Getenv("TOKEN"), Slots: fleetSlots, Plugins: noPlugins{},
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err == nil {
		err = a.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// noPlugins has runners whose attempts succeed at once.
type noPlugins struct{}

func (noPlugins) Runner(context.Context, string, string, []string) (agent.Runner, error) {
	return noRunner{}, nil
}

func (noPlugins) Holder(context.Context, string, string, []string) (agent.Runner, error) {
	return noRunner{}, nil
}

func (noPlugins) Sensor(context.Context, string, []string) (agent.Sensor, error) {
	return nil, errors.New("there are no sensors here")
}

func (noPlugins) Clear(context.Context, string, string) error { return nil }

type noRunner struct{}

func (noRunner) Start(context.Context, sdk.Spec) error { return nil }

func (noRunner) Wait(context.Context, string, int64, func(int64, []byte) error) (sdk.Result, error) {
	return sdk.Result{State: sdk.Succeeded}, nil
}

func (noRunner) Signal(context.Context, string, sdk.Signal) error { return nil }

func (noRunner) Renew(context.Context, string, time.Duration) error { return nil }

func (noRunner) Recover(context.Context, string) (sdk.Recovered, error) { return sdk.NotStarted, nil }

// BenchmarkFleet has 200 agents of 50 slots each, every one a process, connected to one server: what their heartbeats cost it, and what an attempt costs that
// one of them is given.
func BenchmarkFleet(b *testing.B) {
	const agents, tasks = 200, 10_000
	var flow strings.Builder
	fmt.Fprintf(&flow, "flow: fan\nteam: data\ntasks:\n")
	for i := range tasks {
		fmt.Fprintf(&flow, "  t%d: {run: 'true'}\n", i)
	}
	s, c := startBench(b, flow.String(), "--no-local-agent")
	for i := range agents {
		token, err := c.AgentToken(b.Context(), engine.AgentTokenRequest{TTLS: 600})
		if err != nil {
			b.Fatal(err)
		}
		cmd := exec.Command("/proc/self/exe")
		dir := filepath.Join(s.dir, fmt.Sprintf("agent%03d", i))
		cmd.Env = append(s.environment(), idleAgentVariable+"="+dir, "SERVER="+s.agents, "TOKEN="+token.Token, "GOMAXPROCS=1")
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		})
	}
	s.awaitAgents(c, agents)
	runToEnd(b, c, "warm")
	const heard = 30 * time.Second // three heartbeats of each
	before := s.serverCPU()
	time.Sleep(heard)
	beats := s.serverCPU() - before
	var ours, cpu time.Duration
	for b.Loop() {
		before := s.serverCPU()
		r := runToEnd(b, c, "fan")
		cpu += s.serverCPU() - before
		ours += r.FinishedAt.Sub(r.CreatedAt)
	}
	b.ReportMetric(100*float64(beats)/float64(heard), "%-of-a-core-idle")
	b.ReportMetric(float64(b.N*tasks)/ours.Seconds(), "attempts/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N*tasks), "server-µs/attempt")
}

// awaitAgents waits until as many agents are connected.
func (s *site) awaitAgents(c engine.Service, n int) {
	s.t.Helper()
	connected := 0
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * pause) {
		connected = 0
		for _, a := range every(s.t, func(p engine.Page) (*engine.List[engine.AgentView], error) { return c.Agents(s.t.Context(), p) }) {
			if a.State == "connected" {
				connected++
			}
		}
		if connected == n {
			return
		}
	}
	s.t.Fatalf("%d of %d agents are connected", connected, n)
}

// serverCPU is the processor time of the server so far.
func (s *site) serverCPU() time.Duration {
	s.t.Helper()
	for pid, line := range s.processes() {
		if !strings.Contains(line, " server --repo") {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			s.t.Fatal(err)
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		var user, system int64 // proc(5): fields 14 and 15, in hundredths of a second
		if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
			s.t.Fatal(err)
		}
		return time.Duration(user+system) * 10 * time.Millisecond
	}
	s.t.Fatal("the server does not run")
	return 0
}
