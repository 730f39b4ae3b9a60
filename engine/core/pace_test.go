package core

import (
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

const paced = "flow: f\nteam: data\ntasks:\n  a: {run: 'true', retry: {limit: 1}}\n"

// take starts a run of flow f and lets its attempt succeed after d.
func (w *world) take(d time.Duration) {
	w.t.Helper()
	w.do(StartRun{By: "ann", Flow: "f"})
	w.begin()
	w.sleep(d)
	w.drain()
}

// begin lets the attempts that agent one holds report their start.
func (w *world) begin() {
	w.t.Helper()
	for _, id := range sortedKeys(w.fleet["one"]) {
		w.do(Reported{Agent: "one", Reports: []engine.Report{{Attempt: id, Kind: engine.ReportStarted}}})
	}
}

func TestDurationsAreLearnt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 4)
	w.activate(paced)
	if p := w.m.Pace("f", "a"); p != (engine.Pace{Flow: "f", Task: "a"}) {
		t.Fatalf("pace %+v", p)
	}
	second := time.Second.Microseconds()
	for _, c := range []struct {
		took time.Duration
		want engine.Pace
	}{
		{10 * time.Second, engine.Pace{Count: 1, Mean: 10 * second}},
		{20 * time.Second, engine.Pace{Count: 2, Mean: 15 * second, Deviation: 10 * second}},
		{15 * time.Second, engine.Pace{Count: 3, Mean: 15 * second, Deviation: 5 * second}},
		{19 * time.Second, engine.Pace{Count: 4, Mean: 16 * second, Deviation: 4_666_667}},
	} {
		w.take(c.took)
		c.want.Flow, c.want.Task = "f", "a"
		if got := w.m.Pace("f", "a"); got != c.want {
			t.Fatalf("pace %+v, want %+v", got, c.want)
		}
		w.crash()
	}
	// Failures teach nothing, and the newest durations weigh most.
	w.do(StartRun{By: "ann", Flow: "f"})
	w.sleep(time.Hour)
	before := w.m.Pace("f", "a")
	agent := w.fleet["one"]
	w.end("one", sortedKeys(agent)[0], engine.Failed)
	if got := w.m.Pace("f", "a"); got != before {
		t.Fatalf("pace %+v, was %+v", got, before)
	}
	for range 60 {
		w.take(time.Minute)
	}
	if p := w.m.Pace("f", "a"); p.Mean < 59*second || p.Mean > 60*second || p.Deviation > second {
		t.Fatalf("pace %+v after 60 attempts of a minute", p)
	}
}

// TestEachSuccessIsLearntOnce: that of the attempt alone, and not again when its run goes on and settles once more.
func TestEachSuccessIsLearntOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 4)
	w.activate("flow: f\nteam: data\ntasks:\n  a: {run: 'true', retry: {limit: 1, delay: 1h}}\n  b: {run: 'true', needs: [a]}\n  c: {run: 'true', needs: [b]}\n")
	id := w.do(StartRun{By: "ann", Flow: "f"}).(engine.RunID)
	w.end("one", 1, engine.Failed)
	w.sleep(time.Hour)
	w.begin()
	w.sleep(time.Minute)
	w.end("one", 2, engine.Succeeded)
	want := engine.Pace{Flow: "f", Task: "a"}
	if got := w.m.Pace("f", "a"); got != want {
		t.Fatalf("pace %+v before the run settles", got)
	}
	w.end("one", 3, engine.Failed)
	want.Count, want.Mean = 1, time.Minute.Microseconds()
	if got := w.m.Pace("f", "a"); got != want {
		t.Fatalf("pace %+v, want %+v", got, want)
	}
	w.do(Succeed{By: "ann", Run: id, Task: "b", Rows: w.load([]engine.RunID{id})})
	w.drain()
	if r := w.rows.Runs[id]; r.State != engine.RunSucceeded {
		t.Fatalf("run %+v", r)
	}
	if got := w.m.Pace("f", "a"); got != want {
		t.Fatalf("pace %+v, want %+v", got, want)
	}
	if n := w.m.Pace("f", "b").Count + w.m.Pace("f", "c").Count; n != 1 {
		t.Fatalf("%d successes of b, which was forced, and c", n)
	}
}

func TestAttemptsThatTakeTooLongAreToldOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		usual time.Duration
		after time.Duration
		kind  flow.Event
	}{
		{0, longRunning, flow.LongRunning}, // nothing is known
		{time.Minute, longRunning, flow.LongRunning},
		{4 * time.Hour, 4 * time.Hour, flow.Deviating},
	} {
		w := newWorld(t, "2026-11-20T12:00:00Z")
		w.join("one", 4)
		w.activate(paced)
		for range paceSamples {
			if c.usual > 0 {
				w.take(c.usual)
			}
		}
		w.sleep(24 * time.Hour) // until the daily report
		clear(w.rows.Events)    // the first attempts of hours were long ones
		w.do(StartRun{By: "ann", Flow: "f"})
		w.begin()
		w.sleep(c.after - time.Second)
		w.crash()
		w.wantEvents()
		w.sleep(time.Second)
		w.sleep(24 * time.Hour)
		w.crash()
		w.sleep(24 * time.Hour)
		if len(w.rows.Events) != 1 {
			t.Fatalf("usually %v: events %v", c.usual, w.rows.Events)
		}
		for _, e := range w.rows.Events {
			if e.Kind != c.kind || e.Task != "a" || e.Attempt == 0 || e.Agent != "one" {
				t.Fatalf("usually %v: event %+v", c.usual, e)
			}
		}
		w.drain()
	}
}

// TestShortAttemptsLeaveNoTimers: what looks for attempts that take too long is one timer, however many run.
func TestShortAttemptsLeaveNoTimers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 1)
	w.activate("flow: f\nteam: data\nexpire_after: 1h\ntasks:\n  a: {run: 'true'}\n")
	for range 100 {
		w.take(0)
	}
	patrols := 0
	for _, x := range w.m.timers.heap {
		if x.patrol {
			patrols++
		}
	}
	if patrols != 1 {
		t.Fatalf("%d timers", patrols)
	}
}
