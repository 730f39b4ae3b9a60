package proc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// start runs a script in a session of its own and waits for its first line.
func start(t *testing.T, script string, env ...string) (int, *Handle) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	pid, h, err := Fork("/bin/sh", []string{"sh", "-c", script}, append(env, "PATH=/usr/bin:/bin"), "/", [3]uintptr{null.Fd(), w.Fd(), w.Fd()})
	_, _ = null.Close(), w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		Reap(pid)
		h.Close()
		_ = r.Close()
	})
	if line, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Fatalf("first line %q: %v", line, err)
	}
	return pid, h
}

func TestForkGivesTheUsualTimerSlack(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 3_000_000, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, defaultSlack, 0, 0, 0) }()
	pid, h := start(t, "echo; [ $(cat /proc/self/timerslack_ns) = 50000 ]")
	if err := h.Ended(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := Peek(pid); err != nil || got.Code != 0 {
		t.Errorf("the process got another slack: %+v, %v", got, err)
	}
	if own, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || own != 3_000_000 {
		t.Errorf("the thread's own slack is %d, %v after the fork", own, err)
	}
}

func TestPeek(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]Exit{
		"echo; exit 200":      {Code: 200},
		"echo; kill -TRAP $$": {Code: -1, Signal: int(syscall.SIGTRAP)},
	} {
		pid, h := start(t, script)
		if err := h.Ended(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it stays to be looked at
			got, err := Peek(pid)
			if err != nil || got.Code != want.Code || got.Signal != want.Signal || got.MaxRSS < 1<<16 || got.CPU <= 0 || got.CPU > time.Minute {
				t.Errorf("%s: got %+v, %v, want %+v", script, got, err, want)
			}
		}
		if s, err := ReadStat(pid); err != nil || s.State != 'Z' || s.Session != pid || s.Parent != os.Getpid() {
			t.Errorf("%s: %+v, %v", script, s, err)
		}
	}
	if _, err := Peek(1); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("a process that is no child: %v", err)
	}
}

func TestPeekTellsWhatWentToDisks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Type == unix.TMPFS_MAGIC {
		t.Skip("no disk is behind the folder for temporary files: ", err)
	}
	const bytes = 1 << 20
	pid, h := start(t, fmt.Sprintf("echo; head -c %d /dev/zero >%s/zeros", bytes, dir))
	if err := h.Ended(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := Peek(pid); err != nil || got.Written < bytes || got.Written > 16*bytes || got.Read < 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestEndedIsCancelled(t *testing.T) {
	t.Parallel()
	_, h := start(t, "echo; sleep 60")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := h.Ended(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := h.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := h.Ended(t.Context()); err == nil {
		return
	}
	t.Error("a cancelled wait spoiled the handle")
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	before := Boot()
	pid, _ := start(t, "echo; sleep 60")
	after := Boot()
	if !Alive(pid, before, after) {
		t.Error("a process that was just born is not alive")
	}
	if Alive(pid, before-int64(time.Second), before-2*tick) || Alive(pid, after+2*tick, after+int64(time.Second)) {
		t.Error("a process is taken for one that was born at another time")
	}
}

// The name of a command is free text in the middle of a line of numbers.
func TestReadStatName(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "a) Z 1 (b")
	if err := os.Symlink(sh, name); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	if s, err := ReadStat(cmd.Process.Pid); err != nil || s.Parent != os.Getpid() || s.State == 'Z' {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	mark := "FLOWCTL_TEST_MARK=" + t.TempDir()
	// A child, a grandchild in a session of its own, an orphan in another that only the mark tells, and forks without end.
	pid, h := start(t, `sleep 60 & setsid sh -c 'sleep 60 & wait' & (setsid sleep 60 &)
(while :; do sleep 0.001 & done) 2>/dev/null & echo ready; wait`, mark)
	tree := Tree{Leader: pid, Mark: mark}
	if n := len(tree.Members()); n < 5 {
		t.Errorf("%d members: %+v", n, tree.Members())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if !tree.Kill(ctx) {
		t.Errorf("left: %+v", tree.Members())
	}
	if err := h.Ended(ctx); err != nil {
		t.Errorf("the leader: %v", err)
	}
	for _, s := range List() {
		if s.State != 'Z' && strings.Contains(strings.Join(Environ(s.PID), "\n"), mark) {
			t.Errorf("left: %+v", s)
		}
	}
}
