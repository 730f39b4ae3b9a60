package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flowctl/engine"
	"flowctl/plugins/sdk"
)

func TestAttemptFromAssignmentToAck(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, _ := r.connected("one")
	r.hub.Assign("one", []*engine.Assignment{assignment(1)})
	p := r.started()
	folder := a.folderOf(1)
	if p.spec.Work != folder || p.spec.Text != "true" || filepath.Base(p.spec.Dir) != "flows" {
		t.Errorf("spec %+v", p.spec)
	}
	if data, err := os.ReadFile(filepath.Join(p.spec.Dir, "hello.sh")); string(data) != "echo hello\n" {
		t.Errorf("the flow's file is %q, %v", data, err)
	}
	p.print("hello ")
	nextReport(t, r.events, 1, engine.ReportStarted)
	p.print("world")
	if err := os.WriteFile(filepath.Join(folder, outputFile), []byte("rows=12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.exit(success)
	res := nextReport(t, r.events, 1, engine.ReportFinished).Result
	if res.State != engine.Succeeded || res.Outputs["rows"] != "12" {
		t.Errorf("result %+v", res)
	}
	if got := r.log(1); got != "hello world" {
		t.Errorf("when the end was reported, the log was %q", got)
	}
	if _, err := os.Stat(folder); err != nil {
		t.Errorf("the folder went before the end was acknowledged: %v", err)
	}
	r.hub.Ack("one", []engine.AttemptID{1})
	r.hub.Kill("one", []engine.AttemptID{1}) // answered after the ack was heeded
	nextReport(t, r.events, 1, engine.ReportUnknown)
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connected("one")
	as := assignment(42)
	as.PeriodStart, as.PeriodEnd, as.PeriodLabel = 0, 86_400_000_000, "1970-01-01"
	r.hub.Assign("one", []*engine.Assignment{as})
	env := map[string]string{}
	for _, v := range r.started().spec.Env {
		name, value, _ := strings.Cut(v, "=")
		if _, twice := env[name]; twice {
			t.Errorf("%s is set twice", name)
		}
		env[name] = value
	}
	work := filepath.Join(r.dir, "one", "work", "fake", "tree1", "42")
	want := map[string]string{
		"PATH": "/task", "HOME": os.Getenv("HOME"), "FLOWCTL_FLOW": "f", "FLOWCTL_TASK": "t", "FLOWCTL_RUN": "f@2026-11-19",
		"FLOWCTL_VERSION": "1", "FLOWCTL_ATTEMPT": "2", "FLOWCTL_FENCE": "42", "FLOWCTL_PERIOD_START": "1970-01-01T00:00:00Z",
		"FLOWCTL_PERIOD_END": "1970-01-02T00:00:00Z", "FLOWCTL_PERIOD_LABEL": "1970-01-01", "FLOWCTL_SERVER": "http://server",
		"FLOWCTL_OUTPUT": filepath.Join(work, "output"), "FLOWCTL_WORK": work,
		"FLOWCTL_WORKSPACE": filepath.Join(r.dir, "one", "workspace"),
	}
	for name, value := range want {
		if env[name] != value {
			t.Errorf("%s=%q, want %q", name, env[name], value)
		}
	}
}

func TestKnownAttemptIsIgnored(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connected("one")
	r.hub.Assign("one", []*engine.Assignment{assignment(1)})
	r.started()
	r.hub.Assign("one", []*engine.Assignment{assignment(1), assignment(2)})
	if p := r.started(); p.spec.Attempt != "2" {
		t.Errorf("attempt %s was started", p.spec.Attempt)
	}
}

func TestMissingInputIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, _ := r.connected("one")
	r.plugin.paths["there"] = true
	as := assignment(1)
	as.Inputs = []string{"there", "absent"}
	r.hub.Assign("one", []*engine.Assignment{as})
	if got := nextReport(t, r.events, 1, engine.ReportRefused); len(got.Missing) != 1 || got.Missing[0] != "absent" {
		t.Errorf("missing: %q", got.Missing)
	}
	if _, err := os.Stat(a.folderOf(1)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder is left: %v", err)
	}
	as.Inputs = []string{"there"}
	r.hub.Assign("one", []*engine.Assignment{as}) // the same attempt, sent again
	r.started()
}

func TestProbe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connected("one")
	r.plugin.paths["there"] = true
	r.hub.Probe("one", []string{"there", "absent", "s3://bucket/x"}, nil)
	got := map[string]engine.PathState{}
	for len(got) < 3 { // each sensor answers by itself
		for _, s := range next[[]engine.PathState](t, r.events) {
			got[s.Path] = s
		}
	}
	if !got["there"].Exists || got["absent"].Exists || got["s3://bucket/x"].Error == "" {
		t.Errorf("got %+v", got)
	}
}

func TestBadOutputFailsTheAttempt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, _ := r.connected("one")
	r.hub.Assign("one", []*engine.Assignment{assignment(1)})
	p := r.started()
	if err := os.WriteFile(filepath.Join(a.folderOf(1), outputFile), []byte("a=1\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.exit(success)
	nextReport(t, r.events, 1, engine.ReportStarted)
	res := nextReport(t, r.events, 1, engine.ReportFinished).Result
	if res.State != engine.Failed || res.Code != engine.CodeOutput || !strings.Contains(res.Message, "line 2") {
		t.Errorf("result %+v", res)
	}
}

func TestKill(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connected("one")
	r.hub.Assign("one", []*engine.Assignment{assignment(1)})
	p := r.started()
	nextReport(t, r.events, 1, engine.ReportStarted)
	r.hub.Kill("one", []engine.AttemptID{1})
	if how := <-p.signals; how != sdk.Terminate {
		t.Errorf("signal %d", how)
	}
	p.exit(sdk.Result{State: sdk.Killed, Code: sdk.CodeKilled, ExitCode: -1})
	if res := nextReport(t, r.events, 1, engine.ReportFinished).Result; res.State != engine.Killed || res.Code != engine.CodeKilled {
		t.Errorf("result %+v", res)
	}
}

func TestStartThatFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		runner  string
		refusal error
		code    engine.ErrorCode
	}{
		{"no such runner", "nonesuch", nil, engine.CodePlugin},
		{"invalid", "fake", sdk.ErrInvalid, engine.CodeStart},
		{"plugin dies each time", "fake", sdk.ErrGone, engine.CodePlugin},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.plugin.refusal = test.refusal
			_, stop := r.connected("one")
			as := assignment(1)
			as.Runner = test.runner
			r.hub.Assign("one", []*engine.Assignment{as})
			want := nextReport(t, r.events, 1, engine.ReportFinished).Result
			if want.State != engine.Failed || want.Code != test.code || want.Message == "" {
				t.Errorf("result %+v", want)
			}
			// It is not acknowledged, so another life of the agent must say the same.
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			next[lost](t, r.events)
			r.run(r.options("one"))
			got := next[joined](t, r.events).hello.Attempts
			if len(got) != 1 || got[0].Kind != engine.ReportFinished || got[0].Result.Code != want.Code || got[0].Result.Message != want.Message {
				t.Errorf("hello %+v", got)
			}
		})
	}
}

func TestKilledPluginLosesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connected("one")
	r.hub.Assign("one", []*engine.Assignment{assignment(1)})
	p := r.started()
	p.print("before ")
	nextReport(t, r.events, 1, engine.ReportStarted)
	p.lose()
	p.print("after")
	p.exit(success)
	if res := nextReport(t, r.events, 1, engine.ReportFinished).Result; res.State != engine.Succeeded {
		t.Errorf("result %+v", res)
	}
	if got := r.log(1); got != "before after" {
		t.Errorf("log %q", got)
	}
}

func TestAttemptThatTheRunnerLost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, _ := r.connected("one")
	r.hub.Assign("one", []*engine.Assignment{assignment(1)})
	p := r.started()
	nextReport(t, r.events, 1, engine.ReportStarted)
	r.plugin.mu.Lock()
	delete(r.plugin.all, a.folderOf(1))
	r.plugin.mu.Unlock()
	p.lose()
	if res := nextReport(t, r.events, 1, engine.ReportFinished).Result; res.State != engine.Failed || res.Code != engine.CodeLost {
		t.Errorf("result %+v", res)
	}
}
