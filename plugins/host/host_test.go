package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowctl/plugins/keeper"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
	"flowctl/plugins/sensor/file"
	"flowctl/runners/shell"
)

// TestMain lets this binary stand in for flowctl: the host launches it as keeper and as plugin.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "plugin" {
		os.Exit(verb(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}

func verb(name string, args []string) int {
	switch {
	case name == "keep":
		if err := keeper.Run(args[0], args[2:], os.Stdout); err != nil { // args[1] is --
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	case args[len(args)-1] == "shell":
		return process.Serve(shell.Runner{})
	default:
		return sdk.Serve(file.Sensor{})
	}
}

// open returns a host on a folder. It is closed, and what it left is killed, when the test ends.
func open(t testing.TB, dir string) *Host {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Options{Dir: dir, Self: self, Idle: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Errorf("close the host: %v", err)
		}
	})
	return h
}

func shellOf(t testing.TB, h *Host) *Process {
	t.Helper()
	p, err := h.Runner(t.Context(), "shell")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func script(t testing.TB, text string) sdk.Spec {
	return sdk.Spec{Attempt: t.Name(), Work: filepath.Join(t.TempDir(), "work"), Dir: "/", Text: text, Env: []string{"PATH=/usr/bin:/bin"}}
}

// wait returns the result and the whole log.
func wait(t testing.TB, p sdk.Runner, work string) (sdk.Result, string) {
	t.Helper()
	var log strings.Builder
	r, err := p.Wait(t.Context(), work, 0, func(offset int64, data []byte) error {
		if offset != int64(log.Len()) {
			t.Errorf("log chunk at %d, want %d", offset, log.Len())
		}
		log.Write(data)
		return nil
	})
	if err != nil {
		t.Fatalf("wait: %v", err)
	}
	return r, log.String()
}

func TestExecutes(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	p := shellOf(t, h)
	spec := script(t, "echo hello; exit 3")
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	r, log := wait(t, p, spec.Work)
	if r.Code != sdk.CodeExit || r.ExitCode != 3 || log != "hello\n" {
		t.Errorf("got %+v and log %q", r, log)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID(), 0); err == nil {
		t.Errorf("plugin process %d is still there", p.PID())
	}
}

func TestSurvivesThePlugin(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	p := shellOf(t, h)
	spec := script(t, "echo before; sleep 0.5; echo after; exit 7")
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Gone()
	q := shellOf(t, h)
	if q.PID() == p.PID() {
		t.Fatalf("the host returned the dead process %d", p.PID())
	}
	found, err := q.Recover(t.Context(), spec.Work)
	if err != nil || found == sdk.NotStarted {
		t.Fatalf("recover: %v, %v", found, err)
	}
	if r, log := wait(t, q, spec.Work); r.ExitCode != 7 || log != "before\nafter\n" {
		t.Errorf("got %+v and log %q", r, log)
	}
}

func TestReattaches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	p := shellOf(t, first)
	spec := script(t, "echo before; sleep 0.5; echo after; exit 7")
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(t.Context()); err != nil { // leaves the process, which carries an attempt
		t.Fatal(err)
	}
	q := shellOf(t, open(t, dir))
	if q.PID() != p.PID() {
		t.Fatalf("got process %d, want the running one %d", q.PID(), p.PID())
	}
	if r, log := wait(t, q, spec.Work); r.ExitCode != 7 || log != "before\nafter\n" {
		t.Errorf("got %+v and log %q", r, log)
	}
}
