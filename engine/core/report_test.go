package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

const reported = `flow: f
team: data
tasks:
  a: {run: x}
---
flow: g
team: data
owner: bob
tasks:
  a: {run: x}
---
people: {bob: {name: Bob, email: b@example.com, timezone: Asia/Tokyo}}
`

// reports returns the daily reports told so far, by owner.
func (w *world) reports() map[string]engine.Event {
	found := map[string]engine.Event{}
	for _, e := range w.rows.Events {
		if e.Kind == flow.DailyReport {
			found[e.Owner] = e
		}
	}
	return found
}

// launch runs one task of a flow, of which agent one holds nothing else, for d.
func (w *world) launch(name string, d time.Duration, state engine.State) {
	w.t.Helper()
	w.do(StartRun{By: "ann", Flow: name})
	w.begin()
	w.sleep(d)
	w.end("one", sortedKeys(w.fleet["one"])[0], state)
}

// TestOwnersReadOfLongAttemptsAtTen, each where they are: 10:00 in Tokyo is 01:00.
func TestOwnersReadOfLongAttemptsAtTen(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		w := newWorld(t, "2026-11-20T00:00:00Z")
		w.join("one", 4)
		w.activate(reported)
		w.launch("f", 121*time.Minute, engine.Failed)
		w.launch("g", 3*time.Hour, engine.Succeeded)
		w.launch("f", 2*time.Hour, engine.Succeeded) // not over
		if restart {
			w.crash()
		}
		w.sleep(3*time.Hour - time.Minute - time.Second) // to 09:59:59
		if got := w.reports(); len(got) != 0 {
			t.Fatalf("reports %+v", got)
		}
		w.sleep(time.Second)
		e := w.reports()["oncall:data"]
		want := "1 of the attempts of the last day took longer than 2h0m0s or deviated much:\nf/a@2026-11-20T00:00:00.000000 failed after 2h1m0s"
		if e.At != w.now || e.Detail != want || len(w.reports()) != 1 {
			t.Fatalf("reports %+v, want %q at %v", w.reports(), want, w.now.Time())
		}
		if restart {
			w.crash()
		}
		w.sleep(15 * time.Hour)
		e = w.reports()["bob"]
		if got := e.At.Time().Format(time.RFC3339); got != "2026-11-21T01:00:00Z" || !strings.Contains(e.Detail, "g/a@2026-11-20T02:01:00.000000 succeeded after 3h0m0s") {
			t.Errorf("report %+v at %s", e, got)
		}
		w.crash()
		w.sleep(48 * time.Hour)
		if got := len(w.reports()); got != 2 || len(w.rows.Anomalies) != 0 {
			t.Errorf("%d reports, and %v are kept", got, w.rows.Anomalies)
		}
	}
}

// TestAReportIsMadeUpForAfterAnOutage, once, with all that waited.
func TestAReportIsMadeUpForAfterAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T00:00:00Z")
	w.join("one", 4)
	w.activate(reported)
	w.launch("f", 3*time.Hour, engine.Succeeded)
	w.now = w.now.Add(30 * time.Hour) // the server was down at 10:00
	w.rebuild()
	if e := w.reports()["oncall:data"]; e.At != w.now {
		t.Errorf("reports %+v", w.reports())
	}
	w.crash()
	w.sleep(48 * time.Hour)
	if got := len(w.rows.Events); got != 2 { // the report, and long_running
		t.Errorf("events %v", w.rows.Events)
	}
}

// TestWhatDeviatesMuchIsReported: by more than three deviations, more than half of what is usual, and more than five minutes.
func TestWhatDeviatesMuchIsReported(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mean, deviation, took time.Duration
		count                 int64
		state                 engine.State
		want                  bool
	}{
		{20 * time.Minute, time.Minute, 31 * time.Minute, 5, engine.Succeeded, true},
		{20 * time.Minute, time.Minute, 9 * time.Minute, 5, engine.Succeeded, true},
		{20 * time.Minute, time.Minute, 31 * time.Minute, 4, engine.Succeeded, false},     // too little is known
		{20 * time.Minute, time.Minute, 31 * time.Minute, 5, engine.Failed, false},        // which is told anyway
		{20 * time.Minute, time.Minute, 30 * time.Minute, 5, engine.Succeeded, false},     // half of what is usual
		{20 * time.Minute, 4 * time.Minute, 32 * time.Minute, 5, engine.Succeeded, false}, // three deviations
		{time.Minute, time.Second, 6 * time.Minute, 5, engine.Succeeded, false},           // five minutes
		{time.Minute, time.Second, 6*time.Minute + 1, 5, engine.Succeeded, true},
		{3 * time.Hour, time.Hour, 2*time.Hour + time.Second, 50, engine.Succeeded, true}, // R22: over 120 min, however usual
		{0, 0, 2*time.Hour + time.Second, 0, engine.Killed, true},
		{0, 0, 2 * time.Hour, 0, engine.Killed, false},
	} {
		usual := &pace{row: engine.Pace{Count: c.count, Mean: c.mean.Microseconds(), Deviation: c.deviation.Microseconds()}}
		if got := unusual(c.took, c.state, usual); got != c.want {
			t.Errorf("unusual(%+v) = %v", c, got)
		}
	}
	w := newWorld(t, "2026-11-20T00:00:00Z")
	w.join("one", 4)
	w.activate(reported)
	for range paceSamples {
		w.launch("f", 20*time.Minute, engine.Succeeded)
	}
	w.launch("f", time.Hour, engine.Succeeded)
	w.sleep(24 * time.Hour)
	if e := w.reports()["oncall:data"]; !strings.HasSuffix(e.Detail, "succeeded after 1h0m0s; it usually takes 20m0s, give or take 0s") {
		t.Errorf("report %+v", e)
	}
}

// TestAReportIsBounded, and says how much it leaves out.
func TestAReportIsBounded(t *testing.T) {
	t.Parallel()
	all := make([]engine.Anomaly, reportLines+5)
	for i := range all {
		all[i] = engine.Anomaly{Name: fmt.Sprint(i), State: engine.Failed}
	}
	if got := reportText(all); strings.Count(got, "\n") != reportLines+1 || !strings.HasSuffix(got, "\nand 5 more") {
		t.Errorf("%q", got)
	}
	for i := range all {
		all[i].Name = strings.Repeat("x", 1000)
	}
	if got := reportText(all); len(got) > reportBytes || !strings.HasSuffix(got, " more") {
		t.Errorf("%d bytes: %q", len(got), got[len(got)-40:])
	}
}
