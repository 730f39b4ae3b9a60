//go:build linux

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/runners/ssh/sshdtest"
)

// TestSSH runs a flow on a host without an agent. The server, its agent and the runner's plugin process are killed meanwhile.
func TestSSH(t *testing.T) {
	t.Parallel()
	host := sshdtest.Start(t)
	marks := t.TempDir()
	s := newSite(t, map[string][]byte{
		"flowctl.yaml":      []byte("version: 1\n"),
		"teams.yaml":        []byte("people: {alice: {name: Alice, email: alice@example.com}}\nteams: {data: {members: [alice]}}\n"),
		"far/look.sh":       []byte("#!/bin/sh\necho \"$1 on $FLOWCTL_TASK\"\ncat 'beside me.txt'\necho rows=3 >>\"$FLOWCTL_OUTPUT\"\n"),
		"far/beside me.txt": []byte("a file of the flow\n"),
		"far/flow.yaml": fmt.Appendf(nil, `flow: far
team: data
params: {who: "it's me"}
defaults:
  runner: ssh
  with: %s
tasks:
  look: {file: look.sh, args: ["${{ params.who }}"]}
  use:
    needs: [look]
    run: |
      echo begin ${{ quote(params.who) }}; echo $$ > %[2]s/pid; touch %[2]s/started
      until [ -e %[2]s/go ]; do sleep 0.02; done
      echo got ${{ needs.look.outputs.rows }}; exit 7
`, host.With(nil), marks),
	})
	server := s.startServer()
	s.awaitReady(server)
	run, err := s.client().StartRun(t.Context(), engine.StartRun{Target: "far"})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(pause) {
		if _, err := os.Stat(filepath.Join(marks, "started")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the second task does not start")
		}
	}
	server.kill()
	killed := 0
	for pid, line := range s.processes() {
		if strings.Contains(line, "plugin serve --kind runner ssh") && !strings.Contains(line, "plugin keep") && syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed != 1 {
		t.Errorf("killed %d plugin processes, want 1", killed)
	}
	server = s.startServer()
	s.awaitReady(server)
	if err := os.WriteFile(filepath.Join(marks, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.client().WatchRun(t.Context(), run.ID, func(d engine.RunDetail) error {
		run = &d.RunView
		return nil
	}); err != nil || run.State != engine.RunFailed {
		t.Errorf("the run is %s (%v)", run.State, err)
	}
	for task, want := range map[string]string{"look": "it's me on look\na file of the flow\n", "use": "begin it's me\ngot 3\n"} {
		if out, problems, code := s.flowctl(t.Context(), "logs", "far/"+task); out != want || code != 0 {
			t.Errorf("the log of %s: %d, %q, %s", task, code, out, problems)
		}
	}
	attempts := every(t, func(p engine.Page) (*engine.List[engine.AttemptView], error) {
		return s.client().Attempts(t.Context(), engine.AttemptsQuery{Page: p})
	})
	if len(attempts) != 2 {
		t.Errorf("%d attempts, want 2", len(attempts))
	}
	for _, a := range attempts {
		if use := strings.HasPrefix(a.TaskRun, "far/use"); use != (a.Code == engine.CodeExit && *a.ExitCode == 7) || !use && a.State != engine.Succeeded {
			t.Errorf("%s ended as %s, %q: %s", a.TaskRun, a.State, a.Code, a.Message)
		}
	}
	server.terminate(t)
	s.awaitNoProcess(20 * time.Second)
}
