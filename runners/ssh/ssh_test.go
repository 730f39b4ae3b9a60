//go:build linux

package ssh

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	s := sshd(t)
	sdktest.Runner(t, sdktest.Suite{Commander: runner(t), Elsewhere: true, Script: func(script string) sdk.Spec {
		return sdk.Spec{Text: script, With: s.With(nil)}
	}})
}

// Without setsid and with nothing but what the documentation asks for. The host's own environment holds, less what the task sets.
func TestPlainHost(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	for _, name := range []string{"awk", "cat", "cp", "find", "grep", "head", "mkdir", "mv", "rm", "sed", "sh", "sleep", "tail", "tar", "touch"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	s, here := sshd(t, "SetEnv HOST_VARIABLE=host PATH="+bin), newSite(t)
	work := here.start("a", sdk.Spec{
		With: s.With(nil), Env: append(os.Environ(), "OWN=it's mine", "FLOWCTL_FLOW=f", "FLOWCTL_WORKSPACE=/here"),
		Text: `[ "$PATH" = ` + bin + ` ] && echo "$HOST_VARIABLE|$OWN|$FLOWCTL_FLOW|${FLOWCTL_WORKSPACE-none}|${GOCACHE-none}"
			case $FLOWCTL_OUTPUT$FLOWCTL_WORK in *'` + s.Cache + `'*) echo far;; esac; cd "$FLOWCTL_WORK" || exit
			sleep 60 & echo child $!; (sleep 60 & echo stranger $!); echo ready; wait`,
	})
	var seen string
	r, log := here.wait(work, once("ready\n", func(log string) {
		seen = log
		if err := here.runner.Signal(t.Context(), work, sdk.Terminate); err != nil {
			t.Error(err)
		}
	}))
	if r.State != sdk.Killed || !strings.HasPrefix(log, "host|it's mine|f|none|none\nfar\n") {
		t.Errorf("%+v, log %q", r, log)
	}
	gone(t, pidIn(t, seen, "child"))
	gone(t, pidIn(t, seen, "stranger"))
}

// Nobody on the host reads a secret from the table of processes, or from files.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	secret := fmt.Sprintf("secret-%d", os.Getpid())
	file := filepath.Join(t.TempDir(), "go")
	work := here.start("a", sdk.Spec{
		With: s.With(nil), Env: []string{"TOKEN=" + secret}, Text: waiting(file, "x="+secret, `echo "$TOKEN"`),
	})
	r, log := here.wait(work, once("ready\n", func(string) {
		lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range lines {
			if line, _ := os.ReadFile(path); bytes.Contains(line, []byte(secret)) {
				t.Errorf("a command line tells it: %q", line)
			}
		}
		for _, dir := range []string{filepath.Dir(s.Cache), s.Cache, filepath.Join(s.Cache, "attempts")} {
			if stat, err := os.Stat(dir); err != nil || dir != filepath.Dir(s.Cache) && stat.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v", dir, stat.Mode(), err)
			}
		}
		touch(t, file)
	}))
	if log != "ready\n"+secret+"\n" {
		t.Errorf("%+v, log %q", r, log)
	}
}

// Whoever keeps children that ignore TERM, and strangers in sessions of their own that do, loses them at the end of the grace, with the log complete.
func TestStubbornTree(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	const stubborn = `trap "" TERM; while :; do sleep 0.05; done`
	work := here.start("a", sdk.Spec{With: s.With(nil), Grace: 2 * time.Second, Text: `
		sh -c 'echo child $$; ` + stubborn + `' &
		(setsid sh -c '(setsid sh -c "echo daemon \$\$; echo ready; trap \"\" TERM; while :; do sleep 0.05; done" &)' &)
		trap 'echo told' TERM; while :; do sleep 0.05; done`})
	var seen string
	r, log := here.wait(work, func(log string) {
		if seen == "" && strings.Contains(log, "ready\n") && strings.Contains(log, "child ") {
			seen = log
			if err := here.runner.Signal(t.Context(), work, sdk.Terminate); err != nil {
				t.Error(err)
			}
		}
	})
	if r.State != sdk.Killed || !strings.Contains(log, "told\n") {
		t.Errorf("%+v, log %q", r, log)
	}
	gone(t, pidIn(t, seen, "child"))
	gone(t, pidIn(t, seen, "daemon"))
	if left := entries(t, filepath.Join(s.Cache, "attempts")); len(left) > 0 {
		t.Errorf("left on the host: %v", left)
	}
}

func TestOutputs(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	for name, c := range map[string]struct{ text, want string }{
		"kept":  {`echo rows=3 >>"$FLOWCTL_OUTPUT"; exit 9`, "rows=3\n"},
		"none":  {`true`, ""},
		"large": {`head -c 3000000 /dev/zero >"$FLOWCTL_OUTPUT"`, strings.Repeat("\x00", maxOutputs)},
	} {
		work := here.start(name, sdk.Spec{Text: c.text, With: s.With(nil)})
		here.wait(work, nil)
		if got, _ := os.ReadFile(filepath.Join(work, "output")); string(got) != c.want {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(c.want))
		}
	}
}

// An account whose login greets even those who come to run a command cannot be used, and says so.
func TestLoginThatTalks(t *testing.T) {
	t.Parallel()
	s, here := sshd(t, `ForceCommand echo "dear user"; sh -c "$SSH_ORIGINAL_COMMAND"`), newSite(t)
	here.refused(s.With(nil), "dear user", "login")
}

// What a login leaves behind may hold the connection's streams: the end of the task is the end all the same.
func TestSomethingHoldsTheLine(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	s, here := sshd(t, `ForceCommand case "$SSH_ORIGINAL_COMMAND" in *attach*) sleep 600 & echo $! > `+file+`;; esac; exec sh -c "$SSH_ORIGINAL_COMMAND"`), newSite(t)
	r, log := here.run(sdk.Spec{With: s.With(nil), Text: "seq 100000 | tail -n 1"})
	if r.State != sdk.Succeeded || log != "100000\n" {
		t.Errorf("%+v, log %q", r, log)
	}
	text, _ := os.ReadFile(file)
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || syscall.Kill(pid, syscall.SIGKILL) != nil {
		t.Errorf("nothing held the line: %q", text)
	}
}
