package agent

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"flowctl/engine"
)

func TestUnacknowledgedEndIsSaidAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connected("one")
	r.hub.Assign("one", []*engine.Assignment{assignment(1), assignment(2)})
	p := r.started()
	q := r.started()
	if p.spec.Attempt != "1" {
		p, q = q, p
	}
	p.print("all of it")
	next[engine.Report](t, r.events) // both starts
	next[engine.Report](t, r.events)
	p.exit(success)
	nextReport(t, r.events, 1, engine.ReportFinished)

	r.close()
	next[lost](t, r.events)
	q.print("while away")
	r.serve(r.addr)
	kinds := map[engine.AttemptID]engine.ReportKind{}
	for _, a := range next[joined](t, r.events).hello.Attempts {
		kinds[a.Attempt] = a.Kind
	}
	if len(kinds) != 2 || kinds[1] != engine.ReportFinished || kinds[2] != engine.ReportStarted {
		t.Errorf("hello %v", kinds)
	}
	q.exit(success)
	nextReport(t, r.events, 2, engine.ReportFinished)
	if got := r.log(2); got != "while away" {
		t.Errorf("log %q", got)
	}
	r.hub.Ack("one", []engine.AttemptID{1, 2})
	r.hub.Kill("one", []engine.AttemptID{1})
	nextReport(t, r.events, 1, engine.ReportUnknown)
}

func TestLogLostAtTheServerIsSentBeforeTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connected("one")
	r.hub.Assign("one", []*engine.Assignment{assignment(1)})
	p := r.started()
	p.print("some output")
	nextReport(t, r.events, 1, engine.ReportStarted)
	p.exit(success)
	nextReport(t, r.events, 1, engine.ReportFinished)

	r.close()
	next[lost](t, r.events)
	_ = r.logs.Close()
	if err := os.Truncate(filepath.Join(r.dir, "logs", "0", "1.log"), 4); err != nil { // a power loss
		t.Fatal(err)
	}
	r.openLogs()
	r.serve(r.addr)
	if got := next[joined](t, r.events).hello.Attempts; len(got) != 1 || got[0].Kind != engine.ReportStarted {
		t.Errorf("the agent said %+v although the server lacked a part of the log", got)
	}
	nextReport(t, r.events, 1, engine.ReportFinished)
	if got := r.log(1); got != "some output" {
		t.Errorf("log %q", got)
	}
}

func TestRestartedAgentAdoptsAttempts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, stop := r.connected("one")
	r.hub.Assign("one", []*engine.Assignment{assignment(1), assignment(2)})
	p := r.started()
	q := r.started()
	next[engine.Report](t, r.events)
	next[engine.Report](t, r.events)
	p.print("first ")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	next[lost](t, r.events)
	p.print("second")
	p.exit(success)

	r.connected("one")
	first := next[engine.Report](t, r.events)
	if first.Kind != engine.ReportFinished || first.Result.State != engine.Succeeded {
		t.Errorf("report %+v", first)
	}
	if got := r.log(first.Attempt); got != "first second" {
		t.Errorf("log %q", got)
	}
	r.hub.Kill("one", []engine.AttemptID{3 - first.Attempt})
	<-q.signals
	q.exit(success)
	nextReport(t, r.events, 3-first.Attempt, engine.ReportFinished)
	select {
	case again := <-r.plugin.starts:
		t.Errorf("attempt %s was started again", again.spec.Attempt)
	default:
	}
}

func TestFoldersOfAttemptsThatWereNotStarted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, stop := r.connected("one")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	next[lost](t, r.events)
	if err := os.MkdirAll(filepath.Join(a.folderOf(1), "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(filepath.Dir(a.folderOf(1)), "rubbish"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, stop = r.run(r.options("one"))
	if got := next[joined](t, r.events).hello.Attempts; len(got) != 0 {
		t.Errorf("hello %+v", got)
	}
	if left, err := os.ReadDir(filepath.Join(r.dir, "one", "work")); err != nil || len(left) != 0 {
		t.Errorf("work holds %v, %v", left, err)
	}
	r.hub.Assign("one", []*engine.Assignment{assignment(1)})
	r.started()
	_ = stop()
}

// While the runner cannot say whether an attempt was started, the server hears neither that it was nor that it is unknown.
func TestAttemptOfWhichNothingIsKnownYet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, stop := r.connected("one")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	next[lost](t, r.events)
	if err := os.MkdirAll(a.folderOf(1), 0o700); err != nil {
		t.Fatal(err)
	}
	r.plugin.mu.Lock()
	r.plugin.silence = errors.New("no descriptors left")
	r.plugin.mu.Unlock()
	r.run(r.options("one"))
	if got := next[joined](t, r.events).hello.Attempts; len(got) != 1 || got[0].Kind != engine.ReportHeld {
		t.Fatalf("hello %+v", got)
	}
	r.plugin.mu.Lock()
	r.plugin.silence = nil
	r.plugin.mu.Unlock()
	nextReport(t, r.events, 1, engine.ReportUnknown)
	r.hub.Assign("one", []*engine.Assignment{assignment(1)})
	r.started()
}

func TestOneAgentPerFolder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connected("one")
	a, err := New(r.options("one"))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v", err)
	}
}

func TestSecondStreamReplacesTheFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, stop := r.connected("one")
	o := r.options("one")
	o.Dir += "-copy"
	if err := os.Mkdir(o.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(identityPath(filepath.Join(r.dir, "one")))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(identityPath(o.Dir), data, 0o600); err != nil {
		t.Fatal(err)
	}
	r.run(o)
	next[lost](t, r.events) // of the first, before the second joins
	next[joined](t, r.events)
	_ = stop()
}

func TestPausesBeforeConnectingAgainGrow(t *testing.T) {
	t.Parallel()
	pause := time.Duration(0)
	for i := range 50 {
		next := longer(pause)
		if most := min(max(2*pause, minPause), maxPause); next < most/2 || next > most {
			t.Errorf("pause %d is %v after %v", i, next, pause)
		}
		pause = next
	}
	if pause < maxPause/2 {
		t.Errorf("it has grown to %v only", pause)
	}
}
