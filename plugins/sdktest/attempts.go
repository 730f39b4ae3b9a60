package sdktest

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
)

// Deeds tells the conformance suite what to execute on a runner whose tasks are no commands.
type Deeds struct {
	Commander process.Commander
	Open      func(*testing.T) Process // another process of a plugin that is an executable; nil: Commander is served in this process
	Succeed   sdk.Spec                 // its log holds Mark, once
	Fail      sdk.Spec                 // is refused by what executes it; its log holds Mark, too
	Endless   sdk.Spec                 // goes on for longer than any test once its log holds Mark
	Mark      string
	Leases    bool // an attempt can have a lease of some seconds
}

// Attempts tests what package sdk promises of any runner's attempts. Runner tests more, where tasks are commands.
func Attempts(t *testing.T, d Deeds) {
	t.Helper()
	suite := Suite{Commander: d.Commander, Script: func(string) sdk.Spec { return d.Succeed }}
	open := func(t *testing.T) *bench {
		if d.Open == nil {
			return newBench(t, suite)
		}
		return &bench{t: t, suite: suite, runner: d.Open(t), folder: t.TempDir()}
	}
	for _, c := range []struct {
		name string
		run  func(*deeds, *testing.T)
	}{
		{"describe", func(d *deeds, t *testing.T) { describe(t, d.bench) }},
		{"recover what never started", func(d *deeds, t *testing.T) { recoverNever(t, d.bench) }},
		{"unknown", func(d *deeds, t *testing.T) { unknown(t, d.bench) }},
		{"ends", (*deeds).ends},
		{"kill", (*deeds).kill},
		{"timeout", (*deeds).timeout},
		{"recover by another process", (*deeds).recover},
		{"lease", (*deeds).lease},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(&deeds{Deeds: d, bench: open(t), open: open}, t)
		})
	}
}

// deeds is one served runner and what it can be given to do.
type deeds struct {
	Deeds
	*bench
	open func(*testing.T) *bench // another process of the runner
}

// begin starts an attempt.
func (d *deeds) begin(name string, s sdk.Spec) string {
	d.t.Helper()
	s.Attempt, s.Work, s.Dir = name, filepath.Join(d.folder, name), d.folder
	d.start(s)
	return s.Work
}

// begun calls f when the attempt is under way.
func (d *deeds) begun(t *testing.T, work string, f func()) sdk.Result {
	t.Helper()
	var log strings.Builder
	done := false
	r, err := d.runner.Wait(t.Context(), work, 0, func(_ int64, data []byte) error {
		log.Write(data)
		if !done && strings.Contains(log.String(), d.Mark) {
			done = true
			f()
		}
		return nil
	})
	if err != nil || !done {
		t.Fatalf("wait: %v; log %q", err, log.String())
	}
	return r
}

func (d *deeds) ends(t *testing.T) {
	for range 2 { // a second start changes nothing
		d.begin("succeed", d.Succeed)
	}
	work := filepath.Join(d.folder, "succeed")
	r, log := d.wait(work)
	d.want(r, sdk.Succeeded, "", 0)
	if strings.Count(log, d.Mark) != 1 {
		t.Errorf("the log holds %q %d times: %s", d.Mark, strings.Count(log, d.Mark), log)
	}
	again, same := d.wait(work)
	if again != r || same != log {
		t.Errorf("it ended once as %+v, then as %+v; log %q", r, again, same)
	}
	r, log = d.wait(d.begin("fail", d.Fail))
	if r.State != sdk.Failed || r.Message == "" || !strings.Contains(log, d.Mark) {
		t.Errorf("%+v, log %q", r, log)
	}
	wrong := d.Succeed
	wrong.With = []byte(`{"no such setting": true}`)
	r, _ = d.wait(d.begin("settings", wrong))
	d.want(r, sdk.Failed, sdk.CodeStart, -1)
}

func (d *deeds) kill(t *testing.T) {
	for how, name := range map[sdk.Signal]string{sdk.Terminate: "terminate", sdk.Kill: "kill"} {
		work := d.begin(name, d.Endless)
		r := d.begun(t, work, func() {
			if err := d.runner.Signal(t.Context(), work, how); err != nil {
				t.Error(err)
			}
		})
		d.want(r, sdk.Killed, sdk.CodeKilled, -1)
		if err := d.runner.Signal(t.Context(), work, how); err != nil {
			t.Errorf("signal after the end: %v", err)
		}
	}
}

func (d *deeds) timeout(*testing.T) {
	s := d.Endless
	s.Timeout = startup
	r, _ := d.wait(d.begin("timeout", s))
	d.want(r, sdk.Failed, sdk.CodeTimeout, -1)
	if !strings.Contains(r.Message, startup.String()) {
		d.t.Errorf("message %q does not tell the timeout", r.Message)
	}
}

func (d *deeds) recover(t *testing.T) {
	s := d.Endless
	s.Grace = time.Minute
	work := d.begin("elsewhere", s)
	d.begun(t, work, func() {
		other := &deeds{Deeds: d.Deeds, bench: d.open(t)}
		if found, err := other.runner.Recover(t.Context(), work); err != nil || found != sdk.Running {
			t.Errorf("recover: %v, %v", found, err)
		}
		if err := other.runner.Signal(t.Context(), work, sdk.Terminate); err != nil {
			t.Error(err)
		}
		r, log := other.wait(work)
		other.want(r, sdk.Killed, sdk.CodeKilled, -1)
		if !strings.Contains(log, d.Mark) {
			t.Errorf("log %q", log)
		}
		if found, err := other.runner.Recover(t.Context(), work); err != nil || found != sdk.Finished {
			t.Errorf("recover after the end: %v, %v", found, err)
		}
	})
}

func (d *deeds) lease(t *testing.T) {
	if !d.Leases {
		return
	}
	s := d.Endless
	s.Lease = sdk.SinceBoot() + startup
	began := s.Lease
	work := d.begin("leased", s)
	r := d.begun(t, work, func() {
		for _, more := range []time.Duration{2 * startup, time.Second} { // word that came late changes nothing
			if err := d.runner.Renew(t.Context(), work, began-startup+more); err != nil {
				t.Error(err)
			}
		}
	})
	d.want(r, sdk.Failed, sdk.CodeAgentLost, -1)
	if sdk.SinceBoot() < began+startup {
		t.Error("it ended before the lease that was renewed")
	}
	if err := d.runner.Renew(t.Context(), work, sdk.SinceBoot()+time.Hour); err != nil {
		t.Errorf("the renewal for an attempt that is over: %v", err)
	}
	s.Lease = time.Millisecond // after the machine was started
	r, log := d.wait(d.begin("late", s))
	d.want(r, sdk.Failed, sdk.CodeAgentLost, -1)
	if log != "" {
		t.Errorf("it ran although its lease had ended: %q", log)
	}
}
