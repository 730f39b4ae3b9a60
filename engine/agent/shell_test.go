package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/plugins/host"
	"flowctl/plugins/keeper"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
	"flowctl/plugins/sensor/file"
	"flowctl/runners/shell"
)

// servePlugin lets the test binary stand in for flowctl, which the host launches as keeper and as plugin.
func servePlugin(args []string) int {
	switch {
	case args[0] == "keep":
		if err := keeper.Run(args[1], args[3:], os.Stdin, os.Stdout); err != nil { // args[2] is --
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	case args[0] == "end":
		if err := keeper.End(args[len(args)-1], args[1] == "--whole"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	case args[0] == "clear":
		if err := keeper.Clear(args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	case args[0] == "rogue":
		return rogue(args[1], args[2])
	case args[len(args)-1] == "shell":
		return process.Serve(shell.Runner{})
	default:
		return sdk.Serve(file.Sensor{})
	}
}

// hostPlugins gives an agent the plugins of a host.
type hostPlugins struct{ host *host.Host }

func (p hostPlugins) Runner(ctx context.Context, name, user string, pins []string) (Runner, error) {
	return p.host.Runner(ctx, name, user, pins)
}

func (p hostPlugins) Holder(ctx context.Context, name, user string, pins []string) (Runner, error) {
	return p.host.Holder(ctx, name, user, pins)
}

func (p hostPlugins) Sensor(ctx context.Context, name string, pins []string) (Sensor, error) {
	return p.host.Sensor(ctx, name, pins)
}

func (p hostPlugins) Clear(ctx context.Context, user, folder string) error {
	return p.host.Clear(ctx, user, folder)
}

// launch returns a host for an agent, and what ends it.
func launch(t testing.TB, o *Options) (h *host.Host, end func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if h, err = host.New(host.Options{Dir: filepath.Join(o.Dir, "plugins"), Self: self, Idle: 5 * time.Second}); err != nil {
		t.Fatal(err)
	}
	o.Plugins = hostPlugins{h}
	return h, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			t.Log(err) // the keeper of a killed plugin stays with its task
		}
	}
}

func TestShellAttempts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := r.options("one")
	o.Token = r.token()
	_, end := launch(t, &o)
	a, stop := r.run(o)
	t.Cleanup(func() { _ = stop(); end() })
	next[joined](t, r.events)

	as := assignment(1)
	as.Runner, as.Env = "shell", nil
	as.Text = `./hello.sh; echo "$FLOWCTL_RUN" >&2; echo rows=3 >> "$FLOWCTL_OUTPUT"; touch "$FLOWCTL_WORKSPACE/mark"`
	r.hub.Assign("one", []*engine.Assignment{as})
	nextReport(t, r.events, 1, engine.ReportStarted)
	res := nextReport(t, r.events, 1, engine.ReportFinished).Result
	if res.State != engine.Succeeded || res.Outputs["rows"] != "3" {
		t.Errorf("result %+v", res)
	}
	if got := r.log(1); got != "hello\nf@2026-11-19\n" {
		t.Errorf("log %q", got)
	}
	if left, err := filepath.Glob(filepath.Join(a.opts.Dir, "work", "shell", "tree1", "*")); len(left) != 1 {
		t.Errorf("work holds %v, %v", left, err)
	}

	as = assignment(2)
	as.Runner, as.Text, as.Inputs = "shell", "exit 3", []string{"mark"}
	r.hub.Assign("one", []*engine.Assignment{as})
	nextReport(t, r.events, 2, engine.ReportStarted)
	if res := nextReport(t, r.events, 2, engine.ReportFinished).Result; res.Code != engine.CodeExit || res.ExitCode != 3 {
		t.Errorf("result %+v", res)
	}

	as = assignment(3)
	as.Runner, as.Text, as.Inputs = "shell", "true", []string{"nonesuch"}
	r.hub.Assign("one", []*engine.Assignment{as})
	nextReport(t, r.events, 3, engine.ReportRefused)
}

func TestShellAttemptOutlivesAgentAndPlugin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := r.options("one")
	o.Token = r.token()
	h, end := launch(t, &o)
	_, stop := r.run(o)
	next[joined](t, r.events)
	gate := filepath.Join(r.dir, "gate")
	as := assignment(1)
	as.Runner, as.Env = "shell", nil
	as.Text = fmt.Sprintf("echo begin; until [ -e %[1]s ]; do sleep 0.02; done; echo end", gate)
	r.hub.Assign("one", []*engine.Assignment{as})
	nextReport(t, r.events, 1, engine.ReportStarted)

	// The plugin dies under the agent, then the agent goes too.
	p, err := h.Runner(t.Context(), "shell", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	proc, err := os.FindProcess(p.PID())
	if err != nil {
		t.Fatal(err)
	}
	if err := proc.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.Gone()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	end()
	next[lost](t, r.events)
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	again := r.options("one")
	_, end = launch(t, &again)
	_, stop = r.run(again)
	t.Cleanup(func() { _ = stop(); end() })
	if got := next[joined](t, r.events).hello.Attempts; len(got) != 1 || got[0].Kind != engine.ReportStarted {
		t.Errorf("hello %+v", got)
	}
	if res := nextReport(t, r.events, 1, engine.ReportFinished).Result; res.State != engine.Succeeded {
		t.Errorf("result %+v", res)
	}
	if got := strings.Fields(r.log(1)); len(got) != 2 || got[0] != "begin" || got[1] != "end" {
		t.Errorf("log %q", got)
	}
}

func TestKillOfAShellAttempt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := r.options("one")
	o.Token = r.token()
	_, end := launch(t, &o)
	_, stop := r.run(o)
	t.Cleanup(func() { _ = stop(); end() })
	next[joined](t, r.events)
	as := assignment(1)
	as.Runner, as.Env, as.Text = "shell", nil, "sleep 1000 & wait"
	r.hub.Assign("one", []*engine.Assignment{as})
	nextReport(t, r.events, 1, engine.ReportStarted)
	r.hub.Kill("one", []engine.AttemptID{1})
	if res := nextReport(t, r.events, 1, engine.ReportFinished).Result; res.State != engine.Killed || res.Code != engine.CodeKilled {
		t.Errorf("result %+v", res)
	}
}

// isThin tells whether the log in a work folder has a size, and takes up much less of the disk.
func isThin(work string, size int64) bool {
	var s syscall.Stat_t
	err := syscall.Stat(filepath.Join(work, sdk.LogFile), &s)
	return err == nil && s.Size == size && s.Blocks*512 < 12<<20
}

// eventually waits for what other processes do to files.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not yet: %s", what)
		}
	}
}

// TestLogThatIsTooLong holds that a task that prints without end does not fill the agent's disk: of what the server does not get, nothing stays.
func TestLogThatIsTooLong(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := r.options("one")
	o.Token, o.MaxLog = r.token(), 1<<20
	_, end := launch(t, &o)
	defer end()
	r.run(o)
	next[joined](t, r.events)
	as := assignment(1)
	as.Runner, as.Env, as.Text = "shell", []string{"PATH=" + os.Getenv("PATH")}, `yes | head -c 33554432; echo the end; mkfifo "$FLOWCTL_WORKSPACE/go"; cat "$FLOWCTL_WORKSPACE/go"`
	r.hub.Assign("one", []*engine.Assignment{as})
	nextReport(t, r.events, 1, engine.ReportStarted)
	eventually(t, "the log is thin", func() bool { return isThin(filepath.Join(o.Dir, "work", "shell", "tree1", "1"), 33554432+8) })
	eventually(t, "it waits for us", func() bool {
		f, err := os.OpenFile(filepath.Join(o.Dir, "workspace", "go"), os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			_ = f.Close()
		}
		return err == nil
	})
	if res := nextReport(t, r.events, 1, engine.ReportFinished).Result; res.State != engine.Succeeded {
		t.Errorf("%+v", res)
	}
	r.hub.Ack("one", []engine.AttemptID{1})
	got := r.log(1)
	head, tail, _ := strings.Cut(got, "\n[flowctl: 32505864 bytes are left out here]\n")
	if !strings.HasPrefix(head, "y\ny\n") || !strings.HasSuffix(tail, "y\ny\nthe end\n") || strings.Contains(got, "\x00") || len(tail) != 1<<19 {
		t.Errorf("%d and %d bytes: %.80q … %.80q", len(head), len(tail), head, tail)
	}
}
