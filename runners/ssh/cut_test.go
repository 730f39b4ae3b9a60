//go:build linux

package ssh

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"flowctl/plugins/sdk"
)

// through is a `with` document that reaches the server over a network, with short times.
func (s *server) through(n *network, lease time.Duration) json.RawMessage {
	return s.With(map[string]any{"port": n.port, "keepalive": "1s", "lease": lease.String()})
}

// gone fails the test unless the process ends soon.
func gone(t testing.TB, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd) //nolint:errcheck // it is only looked at
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 60_000)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 60_000)
	}
	if n != 1 || err != nil {
		t.Errorf("process %d still runs (%v)", pid, err)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// pidIn reads the process id that follows a word in a log.
func pidIn(t testing.TB, log, word string) int {
	t.Helper()
	_, rest, _ := strings.Cut(log, word+" ")
	pid, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]))
	if err != nil {
		t.Fatalf("the log %q has no process id after %s", log, word)
	}
	return pid
}

// once calls f at the first log that contains the text.
func once(text string, f func(log string)) func(string) {
	done := false
	return func(log string) {
		if !done && strings.Contains(log, text) {
			done = true
			f(log)
		}
	}
}

// waiting is a script that says that it is ready, and goes on when the file is there.
func waiting(file, before, after string) string {
	return fmt.Sprintf("%s; echo ready; until [ -e '%s' ]; do sleep 0.02; done; %s", before, file, after)
}

func touch(t testing.TB, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestGoesOnAfterACut(t *testing.T) {
	t.Parallel()
	for name, hurt := range map[string]func(*network){
		"cut":    func(n *network) { n.cut(false) },
		"frozen": (*network).freeze, // only the missing answer tells
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, here := sshd(t), newSite(t)
			n := newNetwork(t, s)
			file := filepath.Join(t.TempDir(), "go")
			work := here.start("a", sdk.Spec{With: s.through(n, time.Minute), Text: waiting(file, "echo once >>"+file+".count", "echo after; exit 3")})
			r, log := here.wait(work, once("ready\n", func(string) {
				n.forget()
				hurt(n)
				<-n.made
				touch(t, file)
			}))
			if r.ExitCode != 3 || r.Code != sdk.CodeExit || log != "ready\nafter\n" {
				t.Errorf("%+v, log %q", r, log)
			}
			if count, _ := os.ReadFile(file + ".count"); string(count) != "once\n" {
				t.Errorf("it ran %q", count)
			}
		})
	}
}

// The task ends while nobody can see it.
func TestEndsDuringACut(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	n := newNetwork(t, s)
	file := filepath.Join(t.TempDir(), "go")
	work := here.start("a", sdk.Spec{
		With: s.through(n, time.Minute), Text: waiting(file, "echo pid $$", `echo k=v >>"$FLOWCTL_OUTPUT"; echo after; kill -SEGV $$`),
	})
	r, log := here.wait(work, once("ready\n", func(log string) {
		n.cut(true)
		touch(t, file)
		gone(t, pidIn(t, log, "pid"))
		n.up()
	}))
	if r.Code != sdk.CodeSignal || !strings.HasSuffix(log, "ready\nafter\n") {
		t.Errorf("%+v, log %q", r, log)
	}
	if out, err := os.ReadFile(filepath.Join(work, "output")); string(out) != "k=v\n" {
		t.Errorf("outputs %q, %v", out, err)
	}
	if left := entries(t, filepath.Join(s.Cache, "attempts")); len(left) > 0 {
		t.Errorf("left on the host: %v", left)
	}
}

// Every byte of a log arrives once, whatever it is and however often the connection breaks.
func TestBinaryLogOverManyConnections(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	n := newNetwork(t, s)
	want := make([]byte, 16<<20)
	_, _ = rand.Read(want)
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, want, 0o600); err != nil {
		t.Fatal(err)
	}
	work := here.start("a", sdk.Spec{With: s.through(n, time.Minute), Text: "cat " + file})
	cuts := 0
	r, log := here.wait(work, func(log string) {
		if len(log) > (cuts+1)*len(want)/8 && cuts < 5 {
			cuts++
			n.cut(false)
		}
	})
	if r.State != sdk.Succeeded || !bytes.Equal([]byte(log), want) || cuts < 3 {
		t.Errorf("%+v, %d bytes of %d after %d cuts", r, len(log), len(want), cuts)
	}
}

func TestLeaseEndsTheTask(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	n := newNetwork(t, s)
	work := here.start("a", sdk.Spec{With: s.through(n, 2*time.Second), Text: `trap '' TERM
(trap '' TERM; setsid sh -c 'trap "" TERM; echo stranger $$; echo ready; while :; do sleep 0.1; done' &)
echo leader $$; while :; do sleep 0.1; done`})
	r, _ := here.wait(work, once("ready\n", func(log string) {
		n.cut(true)
		gone(t, pidIn(t, log, "leader"))
		gone(t, pidIn(t, log, "stranger"))
		n.up()
	}))
	if r.Code != sdk.CodeLost || !strings.Contains(r.Message, "lease") {
		t.Errorf("%+v", r)
	}
}

// A near half that is killed takes the task with it, before the attempt is said to be over.
func TestNearHalfIsKilled(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	work := here.start("a", sdk.Spec{With: s.With(nil), Text: "echo leader $$; setsid sh -c 'echo stranger $$; echo ready; exec sleep 60' & wait"})
	var seen string
	r, _ := here.wait(work, once("ready\n", func(log string) {
		seen = log
		near(t, work, syscall.SIGKILL)
	}))
	if r.Code != sdk.CodeSignal {
		t.Errorf("%+v", r)
	}
	for _, word := range []string{"leader", "stranger"} {
		if pid := pidIn(t, seen, word); syscall.Kill(pid, 0) == nil && !zombie(pid) {
			t.Errorf("the %s outlived its attempt", word)
		}
	}
	if left := entries(t, filepath.Join(s.Cache, "attempts")); len(left) > 0 {
		t.Errorf("left on the host: %v", left)
	}
}

func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || bytes.Contains(b, []byte(") Z "))
}

// near signals the near half of an attempt.
func near(t testing.TB, work string, sig syscall.Signal) {
	t.Helper()
	found, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range found {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if env, err := os.ReadFile(path); err == nil && pid != os.Getpid() && bytes.Contains(env, []byte("FLOWCTL_WORK="+work+"\x00")) {
			if err := syscall.Kill(pid, sig); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("there is no near half")
}

// TERM during a cut is said again when there is a connection.
func TestKillDuringACut(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	n := newNetwork(t, s)
	work := here.start("a", sdk.Spec{
		With: s.through(n, time.Minute), Grace: time.Minute, Text: "trap 'echo cleaned; exit' TERM; echo ready; while :; do sleep 0.02; done",
	})
	r, log := here.wait(work, once("ready\n", func(string) {
		n.cut(true)
		if err := here.runner.Signal(t.Context(), work, sdk.Terminate); err != nil {
			t.Fatal(err)
		}
		n.up()
	}))
	if r.State != sdk.Killed || !strings.HasSuffix(log, "\ncleaned\n") {
		t.Errorf("%+v, log %q", r, log)
	}
}

// Somebody on the host kills all that looks after the task.
func TestFarHalfIsKilled(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	work := here.start("a", sdk.Spec{With: s.With(nil), Text: "echo leader $$; echo supervisor $PPID; echo ready; exec sleep 60"})
	r, _ := here.wait(work, once("ready\n", func(log string) {
		if err := syscall.Kill(pidIn(t, log, "supervisor"), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		gone(t, pidIn(t, log, "leader"))
	}))
	if r.Code != sdk.CodeLost {
		t.Errorf("%+v", r)
	}
}

// The host was restarted, and the process ids that the attempt knew are somebody else's now.
func TestHostIsRestarted(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	n := newNetwork(t, s)
	stranger := exec.Command("sleep", "60")
	stranger.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	work := here.start("a", sdk.Spec{With: s.through(n, time.Minute), Text: "echo leader $$; echo supervisor $PPID; echo ready; exec sleep 60"})
	r, _ := here.wait(work, once("ready\n", func(log string) {
		n.cut(true)
		for _, word := range []string{"supervisor", "leader"} {
			pid := pidIn(t, log, word)
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			gone(t, pid)
		}
		for _, file := range []string{"supervisor", "pid"} {
			path := filepath.Join(s.Cache, "attempts", entries(t, filepath.Join(s.Cache, "attempts"))[0], file)
			if err := os.WriteFile(path, []byte(strconv.Itoa(stranger.Process.Pid)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		n.up()
	}))
	if r.Code != sdk.CodeLost {
		t.Errorf("%+v", r)
	}
	if zombie(stranger.Process.Pid) {
		t.Error("a stranger was killed")
	}
	_ = stranger.Process.Kill()
	_ = stranger.Wait()
}
