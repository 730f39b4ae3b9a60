package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/keeper"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
	"flowctl/plugins/sdktest/inbox"
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
		if err := keeper.Run(args[0], args[2:], os.Stdin, os.Stdout); err != nil { // args[1] is --
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	case name == "rogue":
		return rogue(args[0], args[1])
	case args[len(args)-1] == "shell":
		return process.Serve(shell.Runner{})
	case slices.Contains(args, sdk.KindChannel):
		return sdk.Serve(inbox.Channel{})
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
	h, err := New(Options{Dir: dir, Self: self, Builtin: append(Builtin(), "channel-file"), Idle: time.Minute})
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
	p, err := h.Runner(t.Context(), "shell", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func script(t testing.TB, text string) sdk.Spec {
	return sdk.Spec{
		Attempt: t.Name(), Work: filepath.Join(t.TempDir(), "work"), Dir: "/", Text: text, Env: []string{"PATH=/usr/bin:/bin"},
		Timeout: time.Minute, // of what a failed test leaves behind
	}
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

func TestChannel(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	path := filepath.Join(t.TempDir(), "inbox")
	n := sdk.Notification{Key: "k", With: fmt.Appendf(nil, `{"path": %q}`, path)}
	first, err := h.Channel(t.Context(), "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := first.Send(t.Context(), n); err != nil || !r.Delivered {
		t.Fatalf("send: %+v, %v", r, err)
	}
	if err := syscall.Kill(first.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-first.Gone()
	if _, err := first.Send(t.Context(), n); !errors.Is(err, sdk.ErrGone) {
		t.Errorf("send to a dead process: %v, want sdk.ErrGone", err)
	}
	second, err := h.Channel(t.Context(), "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := second.Send(t.Context(), n); err != nil || !r.Delivered {
		t.Fatalf("send: %+v, %v", r, err)
	}
	if list, err := inbox.Read(path); err != nil || len(list) != 2 {
		t.Errorf("the inbox holds %v, %v; want two notifications", list, err)
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

// ended fails unless a process ends soon.
func ended(t testing.TB, pid int) {
	t.Helper()
	h, err := proc.Open(pid)
	if err != nil {
		return
	}
	defer h.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if h.Ended(ctx) != nil {
		t.Errorf("process %d still runs", pid)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	none := goleak.IgnoreCurrent()
	h := open(t, dir)
	p := shellOf(t, h)
	sensor, err := h.Sensor(t.Context(), "file", nil)
	if err != nil {
		t.Fatal(err)
	}
	spec := script(t, "true")
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	wait(t, p, spec.Work)
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{p.card.PID, p.card.Keeper, sensor.card.PID, sensor.card.Keeper} {
		if s, err := proc.ReadStat(pid); err == nil && s.State != 'Z' {
			t.Errorf("process %d is still there: %+v", pid, s)
		}
	}
	if _, err := h.Runner(t.Context(), "shell", "", nil); err == nil {
		t.Error("a closed host launched a plugin")
	}
	goleak.VerifyNone(t, none)
}

// A host that ends in good order also ends what a host before it left when that was killed.
func TestCloseEndsWhatWasLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := shellOf(t, open(t, dir)) // as if killed: it is not closed before the next
	if err := open(t, dir).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{p.card.PID, p.card.Keeper} {
		if s, err := proc.ReadStat(pid); err == nil && s.State != 'Z' {
			t.Errorf("process %d is still there: %+v", pid, s)
		}
	}
}

// A plugin with a live attempt outlives its host; without a host, it ends after the attempt.
func TestEndsWithoutHost(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	h.options.Idle = time.Millisecond
	p := shellOf(t, h)
	flag := filepath.Join(t.TempDir(), "go")
	spec := script(t, "while ! [ -e "+flag+" ]; do sleep 0.01; done; exit 9")
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := proc.ReadStat(p.PID()); err != nil || s.State == 'Z' {
		t.Fatalf("the plugin left its attempt: %+v, %v", s, err)
	}
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ended(t, p.card.PID)
	ended(t, p.card.Keeper)
	q := shellOf(t, open(t, t.TempDir()))
	if found, err := q.Recover(t.Context(), spec.Work); err != nil || found != sdk.Finished {
		t.Errorf("recover: %v, %v", found, err)
	}
	if r, _ := wait(t, q, spec.Work); r.ExitCode != 9 {
		t.Errorf("got %+v, want exit code 9", r)
	}
}

// When plugin and keeper are both killed, the end of a task is awaited, but its exit code is lost.
func TestPluginAndKeeperKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := open(t, dir)
	p := shellOf(t, h)
	flag := filepath.Join(t.TempDir(), "go")
	spec := script(t, "echo began; while ! [ -e "+flag+" ]; do sleep 0.01; done; echo ended")
	killed := script(t, "sleep 60")
	for _, s := range []sdk.Spec{spec, killed} {
		if err := p.Start(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	for _, pid := range []int{p.card.Keeper, p.card.PID} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	<-p.Gone()
	q := shellOf(t, h)
	if found, err := q.Recover(t.Context(), spec.Work); err != nil || found != sdk.Running {
		t.Fatalf("recover: %v, %v", found, err)
	}
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, log := wait(t, q, spec.Work); r.Code != sdk.CodeLost || log != "began\nended\n" {
		t.Errorf("got %+v and log %q", r, log)
	}
	if err := q.Signal(t.Context(), killed.Work, sdk.Terminate); err != nil {
		t.Fatal(err)
	}
	if r, _ := wait(t, q, killed.Work); r.State != sdk.Killed {
		t.Errorf("got %+v, want killed", r)
	}
}

// A plugin process without its keeper ends its attempts and takes no new ones, so that its death costs none of those.
func TestKeeperKilled(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	p := shellOf(t, h)
	flag := filepath.Join(t.TempDir(), "go")
	spec := script(t, "echo began; while ! [ -e "+flag+" ]; do sleep 0.01; done; echo ended; exit 4")
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.card.Keeper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Gone()
	q := shellOf(t, h)
	if q.PID() == p.PID() {
		t.Fatalf("the host still uses process %d, which has no keeper", p.PID())
	}
	if found, err := q.Recover(t.Context(), spec.Work); err != nil || found != sdk.Running {
		t.Fatalf("recover: %v, %v", found, err)
	}
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, log := wait(t, q, spec.Work); r.ExitCode != 4 || log != "began\nended\n" {
		t.Errorf("got %+v and log %q", r, log)
	}
	ended(t, p.PID())
}

// A task of a dead plugin keeps its deadline, and its tree dies with it.
func TestDeadlineSurvivesThePlugin(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	p := shellOf(t, h)
	spec := script(t, "setsid sleep 60 & sleep 60")
	spec.Timeout = time.Second
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Gone()
	q := shellOf(t, h)
	if found, err := q.Recover(t.Context(), spec.Work); err != nil || found == sdk.NotStarted {
		t.Fatalf("recover: %v, %v", found, err)
	}
	if r, _ := wait(t, q, spec.Work); r.Code != sdk.CodeTimeout || !strings.Contains(r.Message, "1s") {
		t.Errorf("got %+v, want a timeout after 1s", r)
	}
	if left := (proc.Tree{Mark: process.Mark(spec.Work)}).Members(); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}

// The lease of a task ends when nobody is there any more but its keeper: no host, and a dead plugin.
func TestTheKeeperEnforcesLeases(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	p := shellOf(t, h)
	spec := script(t, "setsid sleep 60 & sleep 60")
	spec.Lease = sdk.SinceBoot() + time.Second
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Gone()
	ended(t, p.card.Keeper) // it ends when its last orphan has
	if left := (proc.Tree{Mark: process.Mark(spec.Work)}).Members(); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
	if late := sdk.SinceBoot() - spec.Lease; late < 0 || late > 5*time.Second {
		t.Errorf("the tree was gone %v after the end of the lease", late)
	}
	q := shellOf(t, h)
	if r, _ := wait(t, q, spec.Work); r.State != sdk.Failed || r.Code != sdk.CodeAgentLost {
		t.Errorf("got %+v, want %s", r, sdk.CodeAgentLost)
	}
}

// With plugin and keeper dead, the next plugin process that is asked about the task enforces its lease.
func TestALeaseSurvivesPluginAndKeeper(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	p := shellOf(t, h)
	spec := script(t, "setsid sleep 60 & sleep 60")
	spec.Lease = sdk.SinceBoot() + 2*time.Second
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{p.card.Keeper, p.PID()} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	<-p.Gone()
	q := shellOf(t, h)
	if found, err := q.Recover(t.Context(), spec.Work); err != nil || found != sdk.Running {
		t.Fatalf("recover: %v, %v", found, err)
	}
	if r, _ := wait(t, q, spec.Work); r.Code != sdk.CodeAgentLost {
		t.Errorf("got %+v, want %s", r, sdk.CodeAgentLost)
	}
	if left := (proc.Tree{Mark: process.Mark(spec.Work)}).Members(); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}

// A process of another binary takes no new attempts and ends after its last one.
func TestNewBinary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	p := shellOf(t, first)
	flag := filepath.Join(t.TempDir(), "go")
	spec := script(t, "while ! [ -e "+flag+" ]; do sleep 0.01; done; exit 9")
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "flowctl")
	if err := os.Link(first.options.Self, other); err != nil {
		content, err := os.ReadFile(first.options.Self)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(other, content, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	second := open(t, dir)
	second.options.Self = other
	q := shellOf(t, second)
	if q.PID() == p.PID() {
		t.Fatal("a process of the old binary was taken")
	}
	if err := p.Start(t.Context(), script(t, "true")); !errors.Is(err, sdk.ErrGone) {
		t.Errorf("a draining process took an attempt: %v", err)
	}
	if found, err := q.Recover(t.Context(), spec.Work); err != nil || found != sdk.Running {
		t.Fatalf("recover: %v, %v", found, err)
	}
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, _ := wait(t, q, spec.Work); r.ExitCode != 9 {
		t.Errorf("got %+v, want exit code 9", r)
	}
	ended(t, p.card.PID)
}

func TestFinds(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	h.options.PluginDir = t.TempDir()
	broken := filepath.Join(h.options.PluginDir, "flowctl-runner-broken")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho hello\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"broken":  "no go-plugin gRPC handshake",
		"missing": "no flowctl-runner-missing is in the plugin folder",
		"../etc":  "is no plugin name",
		"file":    "no flowctl-runner-file",
	} {
		if _, err := h.Inspect(t.Context(), sdk.KindRunner, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("runner %q: got %v, want %q", name, err, want)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	third := filepath.Join(h.options.PluginDir, "flowctl-runner-shell")
	if err := os.WriteFile(third, []byte("#!/bin/sh\nexec '"+self+"' plugin serve shell\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.options.Builtin = []string{"sensor-file"}
	found, err := h.Inspect(t.Context(), sdk.KindRunner, "shell")
	if err != nil || found.Path != third || found.Name != "shell" {
		t.Fatalf("found %+v, %v", found, err)
	}
	p, err := h.Runner(t.Context(), "shell", "", []string{found.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	spec := script(t, "exit 4")
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if r, _ := wait(t, p, spec.Work); r.ExitCode != 4 {
		t.Errorf("a plugin of its own: %+v", r)
	}
}

func TestLongFolder(t *testing.T) {
	t.Parallel()
	h := open(t, filepath.Join(t.TempDir(), strings.Repeat("long", 40)))
	p := shellOf(t, h)
	sockets := filepath.Dir(p.card.Address)
	if s, err := os.Stat(sockets); err != nil || s.Mode().Perm() != 0o700 {
		t.Errorf("socket folder %s: %v, %v", sockets, s, err)
	}
	for _, pid := range []int{p.card.Keeper, p.card.PID} { // nobody is left to remove it
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	<-p.Gone()
	ended(t, p.card.PID)
	ended(t, p.card.Keeper)
	shellOf(t, h)
	if _, err := os.Stat(sockets); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket folder of a dead process is still there: %v", err)
	}
}
