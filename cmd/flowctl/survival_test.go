//go:build linux

package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/plugins/keeper"
)

// survivalTask prints a large log until it is told to go, and some more, and ends with a code of its own.
const survivalTask = `#!/bin/sh
i=0 rest=20
while [ $rest -gt 0 ]; do
  seq -f '%0100.0f' $((i * 500)) $((i * 500 + 499))
  i=$((i + 1))
  if [ -e "$GO" ]; then rest=$((rest - 1)); fi
  sleep 0.05
done
echo $((i * 500)) > "$GO"
exit 7
`

// TestATaskOutlivesAllThatCarriesIt lets everything around a running task break, end and be replaced: its connection, the server, the agent, the agent's
// binary and the plugin process. The task runs once, its exit code and resource usage are known, and its log is whole, byte for byte.
func TestATaskOutlivesAllThatCarriesIt(t *testing.T) {
	t.Parallel()
	told := filepath.Join(t.TempDir(), "go")
	c := &crash{site: newSite(t, map[string][]byte{
		"flowctl.yaml": []byte("version: 1\ntimezone: UTC\n"),
		"flow.yaml":    []byte("people: {alice: {name: Alice}}\nteams: {data: {members: [alice]}}\n---\nflow: f\nteam: data\ntasks: {t: {run: ./task.sh, env: {GO: " + told + "}}}\n"),
		"task.sh":      []byte(survivalTask),
	}), halved: map[string]bool{}}
	serve := func() { c.server = c.startServer("--no-local-agent") }
	serve()
	c.awaitReady(c.server)
	c.svc = c.client()
	token, err := c.svc.AgentToken(t.Context(), engine.AgentTokenRequest{TTLS: 60})
	if err != nil {
		t.Fatal(err)
	}
	line := newRelay(t, "127.0.0.1", c.agents)
	binary := os.Getenv(binaryVariable)
	data := filepath.Join(c.dir, "agent")
	work := func(flags ...string) {
		c.agent = c.startCommand("agent", append([]string{binary, "agent", "--server", line.address, "--name", "one", "--data", data, "--max-load", "0", "--min-free-memory", "0"}, flags...)...)
	}
	work("--token", token.Token)
	run, err := c.svc.StartRun(t.Context(), engine.StartRun{Target: "f"})
	if err != nil {
		t.Fatal(err)
	}
	attempt := c.awaitLog(run.ID, 1)

	for i := range 5 {
		line.breaks(time.Duration(i*100) * time.Millisecond)
		attempt = c.awaitLog(run.ID, attempt.size+300_000)
	}
	c.kill(c.server)
	serve()
	attempt = c.awaitLog(run.ID, attempt.size+300_000)
	c.kill(c.agent)
	c.awaitAgent("lost")
	work()
	c.awaitAgent("connected")
	attempt = c.awaitLog(run.ID, attempt.size+300_000)
	c.agent.terminate(t)
	c.awaitAgent("lost")
	binary = c.upgraded(binary)
	work()
	c.awaitAgent("connected")
	attempt = c.awaitLog(run.ID, attempt.size+300_000)
	if !c.killPlugin(filepath.Join(data, "plugins"), "runner-shell") {
		t.Error("there is no plugin process to kill")
	}
	line.breaks(time.Second)
	if err := os.WriteFile(told, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.svc.WatchRun(t.Context(), run.ID, func(engine.RunDetail) error { return nil }); err != nil {
		t.Fatal(err)
	}
	l, err := c.svc.Attempts(t.Context(), engine.AttemptsQuery{})
	if err != nil || len(l.Items) != 1 {
		t.Fatalf("attempts %+v, %v", l, err)
	}
	a := l.Items[0]
	if a.State != engine.Failed || a.Code != engine.CodeExit || a.ExitCode == nil || *a.ExitCode != 7 || a.CPUS <= 0 || a.MaxRSS <= 0 {
		t.Errorf("the attempt is %+v", a)
	}
	text, err := os.ReadFile(told)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for i := range lines {
		fmt.Fprintf(&want, "%0100d\n", i)
	}
	var log strings.Builder
	if err := c.svc.Logs(t.Context(), a.ID, 0, false, &log); err != nil {
		t.Fatal(err)
	}
	if log.String() != want.String() {
		t.Errorf("the log has %d bytes and differs from the %d that the task wrote", log.Len(), want.Len())
	}
	c.awaitDrained(data, binary)
	c.agent.terminate(t)
	c.server.terminate(t)
	c.awaitNoProcess(20 * time.Second)
}

// awaitAgent waits until the only agent is in a state.
func (c *crash) awaitAgent(state string) {
	c.t.Helper()
	last := ""
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(pause) {
		l, err := c.svc.Agents(c.t.Context(), engine.Page{})
		if err == nil && len(l.Items) == 1 {
			if last = l.Items[0].State; last == state {
				return
			}
		}
	}
	c.t.Fatalf("the agent is %s, and not %s within 30 seconds", last, state)
}

// upgraded returns another build of the binary, as far as anybody can tell.
func (c *crash) upgraded(binary string) string {
	c.t.Helper()
	data, err := os.ReadFile(binary)
	if err != nil {
		c.t.Fatal(err)
	}
	path := filepath.Join(c.dir, "flowctl-new")
	if err := os.WriteFile(path, data, 0o755); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// seen is how much of an attempt's log the server has.
type seen struct {
	id   engine.AttemptID
	size int64
}

// awaitLog waits until the server has that much of the log of a run's only attempt.
func (c *crash) awaitLog(run engine.RunID, size int64) seen {
	c.t.Helper()
	s := seen{}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(pause) {
		if d, err := c.svc.Run(c.t.Context(), run); s.id == 0 && err == nil {
			s.id = d.Tasks[0].Attempt
		}
		if s.id == 0 {
			continue
		}
		var got counter
		if c.svc.Logs(c.t.Context(), s.id, s.size, false, &got) == nil {
			s.size += int64(got)
		}
		if s.size >= size {
			return s
		}
	}
	c.t.Fatalf("the log has %d bytes, and not %d within 20 seconds", s.size, size)
	return s
}

type counter int64

func (n *counter) Write(p []byte) (int, error) { *n += counter(len(p)); return len(p), nil }

// awaitDrained waits until the plugin processes of other binaries have ended.
func (c *crash) awaitDrained(data, binary string) {
	c.t.Helper()
	var left []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(pause) {
		left = nil
		cards, _ := filepath.Glob(filepath.Join(data, "plugins", "*", "*"))
		for _, folder := range cards {
			card, err := keeper.ReadReattach(folder)
			if err == nil && !bytes.HasPrefix([]byte(card.Binary), []byte(binary)) && syscall.Kill(card.PID, 0) == nil {
				left = append(left, fmt.Sprintf("%d of %s", card.PID, card.Binary))
			}
		}
		if len(left) == 0 {
			return
		}
	}
	c.t.Errorf("plugin processes of the old binary are left: %v", left)
}
