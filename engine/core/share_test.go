package core

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// play lets time pass. Each attempt succeeds after as long as lasts says, and the result is when each task run started, by name.
func (w *world) play(d time.Duration, lasts func(name string) time.Duration) map[string]period.Instant {
	until := w.now.Add(d)
	starts, ends := map[string]period.Instant{}, map[engine.AttemptID]period.Instant{}
	for {
		next := until
		if at, ok := w.m.NextWake(); ok {
			next = min(next, max(at, w.now))
		}
		for _, agent := range sortedKeys(w.fleet) {
			for _, id := range sortedKeys(w.fleet[agent]) {
				as := w.fleet[agent][id]
				if _, known := ends[id]; !known {
					name := as.Flow + "/" + as.Task + "@" + as.PeriodLabel
					starts[name], ends[id] = w.now, w.now.Add(lasts(as.Flow))
				}
				next = min(next, ends[id])
			}
		}
		if next == until {
			w.now = until
			return starts
		}
		w.now = next
		ended := false
		for _, agent := range sortedKeys(w.fleet) {
			for _, id := range sortedKeys(w.fleet[agent]) {
				if ends[id] == w.now {
					ended = true
					w.end(agent, id, engine.Succeeded)
				}
			}
		}
		if !ended {
			w.do(Tick{})
		}
	}
}

// share is a day of schedules, and a flow whose past is filled.
const share = `flow: hourly
team: data
schedule: {every: hour}
tasks:
	a: {run: "true"}
	b: {run: "true", needs: [a]}
---
flow: quarter
team: data
priority: 9
schedule: {cron: "*/15 * * * *"}
tasks:
	a: {run: "true"}
---
flow: past
team: data
priority: 0
schedule: {every: hour, start: 2026-01-01, end: 2026-11-01}
tasks:
	x: {run: "true"}
	y: {run: "true"}
`

func shareLasts(flow string) time.Duration {
	return map[string]time.Duration{"hourly": 20 * time.Minute, "quarter": 10 * time.Minute, "past": 55 * time.Minute}[flow]
}

// TestABackfillNeverDelaysASchedule: with a year of history being filled, all scheduled task runs start at the instants at which they
// start without, and the backfill gets on with what is left.
func TestABackfillNeverDelaysASchedule(t *testing.T) {
	t.Parallel()
	day := func(backfill bool) (*world, map[string]period.Instant) {
		w := newWorld(t, "2026-11-20T00:00:30Z")
		w.join("one", 4)
		w.join("two", 4)
		rev := w.activate(share)
		if backfill {
			w.backfill(rev, "past", "2026-09-01", "2026-10-31")
		}
		return w, w.play(24*time.Hour, shareLasts)
	}
	_, alone := day(false)
	w, starts := day(true)
	filled := 0
	maps.DeleteFunc(starts, func(name string, _ period.Instant) bool {
		if strings.HasPrefix(name, "past/") {
			filled++
			return true
		}
		return false
	})
	if len(alone) < 140 || !maps.Equal(alone, starts) {
		for name, at := range alone {
			if starts[name] != at {
				t.Errorf("%s starts at %s, without the backfill at %s", name, starts[name].Time(), at.Time())
			}
		}
		t.Fatalf("%d scheduled task runs started, %d without the backfill", len(starts), len(alone))
	}
	if most := 6 * 24; filled < most { // six of eight slots, 55 minutes each
		t.Fatalf("the backfill started %d task runs in a day, want at least %d", filled, most)
	}
	if b := w.rows.Backfills[1]; b.Succeeded == 0 || b.Failed != 0 {
		t.Fatalf("backfill %+v", b)
	}
}

// TestABackfillGetsWhatABusyScheduleLeaves, however little that is; and nothing when nothing is left.
func TestABackfillGetsWhatABusyScheduleLeaves(t *testing.T) {
	t.Parallel()
	for flows, want := range map[int]bool{3: true, 4: false} {
		w := newWorld(t, "2026-11-20T00:00:30Z")
		w.join("one", 4)
		docs := []string{"flow: past\nteam: data\npriority: 0\nschedule: {every: day, start: 2026-01-01, end: 2026-11-01}\ntasks:\n  x: {run: 'true'}\n"}
		for i := range flows { // each takes a slot for good
			docs = append(docs, fmt.Sprintf("flow: f%d\nteam: data\nschedule: {every: hour}\ntasks:\n  a: {run: 'true'}\n", i))
		}
		rev := w.activate(strings.Join(docs, "---\n"))
		busy := func(flow string) time.Duration {
			if flow == "past" {
				return time.Minute
			}
			return time.Hour
		}
		w.play(2*time.Hour, busy)
		w.backfill(rev, "past", "2026-10-01", "2026-10-31")
		starts := w.play(24*time.Hour, busy)
		got := false
		for name := range starts {
			got = got || strings.HasPrefix(name, "past/")
		}
		if got != want {
			t.Fatalf("with %d of 4 slots taken by schedules, the backfill ran: %v", flows, got)
		}
	}
}

func TestASlotThatIsKeptFromBackfillsIsExplained(t *testing.T) {
	t.Parallel()
	for slots, most := range map[int]int{1: 1, 2: 1, 3: 2, 4: 3, 8: 6} {
		w := newWorld(t, "2026-11-20T00:00:30Z")
		w.join("one", slots)
		rev := w.activate("flow: past\nteam: data\nschedule: {every: day, start: 2026-01-01}\ntasks:\n  x: {run: 'true'}\n")
		w.backfill(rev, "past", "2026-10-01", "2026-10-31")
		if got := len(w.held()); got != most {
			t.Fatalf("a backfill takes %d of %d slots, want %d", got, slots, most)
		}
		bs := w.m.Blockers(w.run("past", "2026-10-31").ID)["x"]
		if len(bs) != 1 || bs[0].Kind != engine.BlockSlots || bs[0].Message != "all slots of the eligible agents that backfills may take are taken" {
			t.Fatalf("blockers %+v", bs)
		}
	}
}

const urgentAndLazy = `flow: urgent
team: data
priority: 0
tasks:
	x: {run: "true"}
---
flow: middle
team: data
priority: 5
tasks:
	x: {run: "true"}
---
flow: lazy
team: data
priority: 9
tasks:
	x: {run: "true"}
`

// TestNothingStarves: while more urgent work comes than there are slots, the least urgent waits until it has gained all levels, and no
// longer.
func TestNothingStarves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 1)
	w.activate(urgentAndLazy)
	w.do(StartRun{By: "ann", Flow: "urgent"})
	w.do(StartRun{By: "ann", Flow: "lazy"})
	began := w.now
	var waited time.Duration
	for waited < 24*time.Hour {
		w.do(StartRun{By: "ann", Flow: "urgent"})
		w.sleep(10 * time.Minute)
		w.finishAny(t)
		waited = w.now.Time().Sub(began.Time())
		if strings.HasPrefix(w.held()[0], "lazy/") {
			break
		}
	}
	// It overtakes what became ready after it had gained nine levels; what stood before that goes first.
	if waited < 9*ageing || waited > 9*ageing+20*time.Minute {
		t.Fatalf("the least urgent task run started after %v, want %v", waited, 9*ageing)
	}
}

func TestPriorityGoesBeforeAgeUntilTheAgeIsWorthIt(t *testing.T) {
	t.Parallel()
	for wait, first := range map[time.Duration]string{
		5*ageing - time.Minute: "urgent/",
		5*ageing + time.Minute: "middle/",
	} {
		w := newWorld(t, "2026-11-20T12:00:00Z")
		w.activate(urgentAndLazy)
		w.do(StartRun{By: "ann", Flow: "middle"})
		w.sleep(wait)
		w.do(StartRun{By: "ann", Flow: "urgent"})
		w.join("one", 1)
		if got := w.held()[0]; !strings.HasPrefix(got, first) {
			t.Fatalf("after %v the slot goes to %s, want %s", wait, got, first)
		}
	}
}

// finishAny ends the one attempt that runs.
func (w *world) finishAny(t *testing.T) {
	t.Helper()
	for _, agent := range sortedKeys(w.fleet) {
		for _, id := range sortedKeys(w.fleet[agent]) {
			w.end(agent, id, engine.Succeeded)
			return
		}
	}
	t.Fatal("nothing runs")
}
