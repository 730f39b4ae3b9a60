package sdktest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
)

func leaseEnds(t *testing.T, b *bench) {
	if b.suite.Elsewhere {
		return // a lease has to be longer than a test
	}
	s := b.spec("leased", family)
	s.Lease = sdk.SinceBoot() + startup
	b.start(s)
	r, log := b.wait(s.Work)
	b.want(r, sdk.Failed, sdk.CodeAgentLost, -1)
	if log != "ready\n" {
		t.Errorf("log %q", log)
	}
	b.ended("leader")
	b.ended("child")
	b.ended("stranger")
	if err := b.runner.Renew(t.Context(), s.Work, sdk.SinceBoot()+time.Hour); err != nil {
		t.Errorf("the renewal for an attempt that is over: %v", err)
	}
}

func leaseRenewed(t *testing.T, b *bench) {
	if b.suite.Elsewhere {
		return // a lease has to be longer than a test
	}
	s := b.spec("renewed", "while ! [ -e go ]; do sleep 0.01; done; echo done")
	s.Lease = sdk.SinceBoot() + startup
	b.start(s)
	for _, more := range []time.Duration{time.Minute, time.Second} { // word that came late changes nothing
		if err := b.runner.Renew(t.Context(), s.Work, sdk.SinceBoot()+more); err != nil {
			t.Fatal(err)
		}
	}
	if !proc.SleepUntil(t.Context(), int64(s.Lease)) {
		t.Fatal("the test ended first")
	}
	if err := os.WriteFile(filepath.Join(b.folder, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, log := b.wait(s.Work)
	b.want(r, sdk.Succeeded, "", 0)
	if log != "done\n" {
		t.Errorf("log %q", log)
	}
}

func leaseOver(t *testing.T, b *bench) {
	s := b.spec("late", "touch ran")
	s.Lease = time.Millisecond // after the machine was started
	b.start(s)
	r, _ := b.wait(s.Work)
	b.want(r, sdk.Failed, sdk.CodeAgentLost, -1)
	if _, err := os.Stat(filepath.Join(b.folder, "ran")); err == nil {
		t.Error("it ran although its lease had ended")
	}
	s = b.spec("unleased", "while ! [ -e go ]; do sleep 0.01; done")
	b.start(s)
	if err := b.runner.Renew(t.Context(), s.Work, sdk.SinceBoot()+time.Hour); !errors.Is(err, sdk.ErrInvalid) {
		t.Errorf("the renewal of no lease: %v", err)
	}
	if err := b.runner.Signal(t.Context(), s.Work, sdk.Kill); err != nil {
		t.Fatal(err)
	}
	b.wait(s.Work)
}

// leaseElsewhere lets another plugin process, which has adopted the attempt, renew the lease that the first one enforces.
func leaseElsewhere(t *testing.T, b *bench) {
	if b.suite.Elsewhere {
		return // a lease has to be longer than a test
	}
	s := b.spec("adopted", "while ! [ -e go ]; do sleep 0.01; done; exit 3")
	s.Lease = sdk.SinceBoot() + startup
	b.start(s)
	other := newBench(t, b.suite)
	if found, err := other.runner.Recover(t.Context(), s.Work); err != nil || found != sdk.Running {
		t.Fatalf("recover: %v, %v", found, err)
	}
	if err := other.runner.Renew(t.Context(), s.Work, sdk.SinceBoot()+time.Minute); err != nil {
		t.Fatal(err)
	}
	if !proc.SleepUntil(t.Context(), int64(s.Lease+startup/10)) {
		t.Fatal("the test ended first")
	}
	if err := os.WriteFile(filepath.Join(b.folder, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := other.wait(s.Work)
	other.want(r, sdk.Failed, sdk.CodeExit, 3)
}
