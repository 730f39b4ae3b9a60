package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/plugins/host"
	"flowctl/plugins/sdk"
)

// rogue is a plugin that crashes or hangs.
func rogue(kind, how string) int {
	if how == "silent" {
		select {}
	}
	return sdk.Serve(misbehaved{kind, how})
}

type misbehaved struct{ kind, how string }

func (m misbehaved) Describe() sdk.Description {
	return sdk.Description{Name: m.how, Version: "1", Kind: m.kind}
}

func (misbehaved) Validate(json.RawMessage) []sdk.Problem { return nil }

func (m misbehaved) Start(_ context.Context, spec sdk.Spec) error {
	if m.how == "freezes" {
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		select {}
	}
	return nil
}

func (m misbehaved) Wait(_ context.Context, _ string, _ int64, log func(int64, []byte) error) (sdk.Result, error) {
	if m.how == "bursts" {
		return sdk.Result{}, log(0, make([]byte, 17<<20))
	}
	panic("rogue")
}

func (misbehaved) Signal(context.Context, string, sdk.Signal) error { return nil }

func (m misbehaved) Recover(context.Context, string) (sdk.Recovered, error) {
	if m.how == "freezes" {
		select {}
	}
	return sdk.Running, nil
}

func (misbehaved) Check(context.Context, string, []string) ([]sdk.PathState, error) { select {} }

// roguePlugins takes what is in the plugin folder for locked.
type roguePlugins struct {
	hostPlugins
	dir string
}

func (p roguePlugins) pins(kind, name string) []string {
	sum, err := host.Sum(filepath.Join(p.dir, "flowctl-"+kind+"-"+name))
	if err != nil { // one of flowctl's own
		return nil
	}
	return []string{sum}
}

func (p roguePlugins) Runner(ctx context.Context, name, user string, _ []string) (Runner, error) {
	return p.hostPlugins.Runner(ctx, name, user, p.pins(sdk.KindRunner, name))
}

func (p roguePlugins) Holder(ctx context.Context, name, user string, _ []string) (Runner, error) {
	return p.hostPlugins.Holder(ctx, name, user, p.pins(sdk.KindRunner, name))
}

func (p roguePlugins) Sensor(ctx context.Context, name string, _ []string) (Sensor, error) {
	return p.hostPlugins.Sensor(ctx, name, p.pins(sdk.KindSensor, name))
}

// launchRogues is launch, with rogues in the plugin folder and little patience.
func launchRogues(t *testing.T, o *Options, ids ...string) (h *host.Host, end func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, id := range ids {
		kind, how, _ := strings.Cut(id, "-")
		text := fmt.Sprintf("#!/bin/sh\nexec '%s' plugin rogue %s %s\n", self, kind, how)
		if err := os.WriteFile(filepath.Join(dir, "flowctl-"+id), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h, err = host.New(host.Options{
		Dir: filepath.Join(o.Dir, "plugins"), Self: self, PluginDir: dir, Idle: 5 * time.Second, Start: 3 * time.Second, Answer: time.Second, Log: o.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Plugins = roguePlugins{hostPlugins{h}, dir}
	return h, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			t.Error(err)
		}
	}
}

// Whatever a runner does, its attempt ends with a code and with a message that names the plugin's file, and the attempts of others go on.
func TestRogueRunners(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		how     string
		code    engine.ErrorCode
		message string
	}{
		{"silent", engine.CodePlugin, "no handshake within 3s"},
		{"crashes", engine.CodeLost, "its runner broke"},
		{"bursts", engine.CodeLost, "larger than max"},
		{"freezes", engine.CodeLost, "whether it was started is not known"},
	} {
		t.Run(test.how, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			o := r.options("one")
			o.Token, o.Pause = r.token(), 10*time.Millisecond
			_, end := launchRogues(t, &o, "runner-"+test.how)
			_, stop := r.run(o)
			t.Cleanup(func() { _ = stop(); end() })
			next[joined](t, r.events)
			bad, good := assignment(1), assignment(2)
			bad.Runner, good.Runner, good.Text = test.how, "shell", "sleep 1; echo done"
			r.hub.Assign("one", []*engine.Assignment{bad, good})
			ends := map[engine.AttemptID]engine.Result{}
			for len(ends) < 2 {
				if e := next[engine.Report](t, r.events); e.Kind == engine.ReportFinished {
					ends[e.Attempt] = e.Result
				}
			}
			if res := ends[1]; res.State != engine.Failed || res.Code != test.code || !strings.Contains(res.Message, test.message) ||
				!strings.Contains(res.Message, "flowctl-runner-"+test.how) {
				t.Errorf("got %+v, want %s: %s", res, test.code, test.message)
			}
			if res := ends[2]; res.State != engine.Succeeded {
				t.Errorf("the other: %+v", res)
			}
		})
	}
}

// The attempts of a runner that freezes go on without it, and can be killed.
func TestAFrozenRunner(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed=%v", killed), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			o := r.options("one")
			o.Token = r.token()
			h, end := launchRogues(t, &o)
			_, stop := r.run(o)
			t.Cleanup(func() { _ = stop(); end() })
			next[joined](t, r.events)
			gate := filepath.Join(r.dir, "gate")
			as := assignment(1)
			as.Runner, as.Env = "shell", nil
			as.Text = fmt.Sprintf("echo begin; until [ -e %s ]; do sleep 0.02; done; exit 3", gate)
			r.hub.Assign("one", []*engine.Assignment{as})
			nextReport(t, r.events, 1, engine.ReportStarted)
			p, err := h.Runner(t.Context(), "shell", "", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(p.PID(), syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			if killed {
				r.hub.Kill("one", []engine.AttemptID{1})
			} else if err := os.WriteFile(gate, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			res := nextReport(t, r.events, 1, engine.ReportFinished).Result
			if killed && res.State != engine.Killed || !killed && res.ExitCode != 3 {
				t.Errorf("result %+v", res)
			}
		})
	}
}

// A sensor that hangs fails its own checks and keeps no other from its answer.
func TestRogueSensors(t *testing.T) {
	t.Parallel()
	for how, message := range map[string]string{"silent": "no handshake within 3s", "hangs": sdk.ErrLate.Error()} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			o := r.options("one")
			o.Token = r.token()
			_, end := launchRogues(t, &o, "sensor-"+how)
			_, stop := r.run(o)
			t.Cleanup(func() { _ = stop(); end() })
			next[joined](t, r.events)
			r.hub.Probe("one", []string{how + "://x", "nothing"}, nil)
			if got := next[[]engine.PathState](t, r.events); len(got) != 1 || got[0] != (engine.PathState{Path: "nothing"}) {
				t.Errorf("first %+v", got)
			}
			if got := next[[]engine.PathState](t, r.events); len(got) != 1 || !strings.Contains(got[0].Error, message) || !strings.Contains(got[0].Error, "flowctl-sensor-"+how) {
				t.Errorf("then %+v, want %q", got, message)
			}
		})
	}
}

// An agent that starts does not wait for ever for a runner that cannot say what became of an attempt.
func TestTakingUpIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.plugin.deaf = make(chan struct{})
	a, stop := r.connected("one")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	next[lost](t, r.events)
	if err := os.MkdirAll(a.folderOf(1), 0o700); err != nil {
		t.Fatal(err)
	}
	o := r.options("one")
	o.Pause = 10 * time.Millisecond
	r.run(o)
	if got := next[joined](t, r.events).hello.Attempts; len(got) != 1 || got[0].Kind != engine.ReportHeld {
		t.Fatalf("hello %+v", got)
	}
	close(r.plugin.deaf)
	nextReport(t, r.events, 1, engine.ReportUnknown)
}

func TestARunnerThatCannotBeAskedLosesItsAttempt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := r.options("one")
	o.Token, o.Pause = r.token(), 100*time.Microsecond
	r.run(o)
	next[joined](t, r.events)
	r.hub.Assign("one", []*engine.Assignment{assignment(1)})
	p := r.started()
	nextReport(t, r.events, 1, engine.ReportStarted)
	r.plugin.mu.Lock()
	r.plugin.silence = errors.New("no descriptors left")
	r.plugin.mu.Unlock()
	p.lose()
	res := nextReport(t, r.events, 1, engine.ReportFinished).Result
	if res.State != engine.Failed || res.Code != engine.CodeLost || !strings.Contains(res.Message, "could not be asked for 90ms: no descriptors left") {
		t.Errorf("result %+v", res)
	}
}

func TestBreaks(t *testing.T) {
	t.Parallel()
	var b breaks
	for i, step := range []struct {
		sent int64
		held time.Duration
		want int
	}{
		{0, 0, 1}, {0, time.Second, 2}, {0, 0, 3}, {7, 0, 1}, {7, 0, 2}, {7, calm, 1}, {7, 0, 2}, {3, 0, 3},
	} {
		if got := b.count(step.sent, step.held); got != step.want {
			t.Errorf("step %d: %d in a row, want %d", i, got, step.want)
		}
	}
}
