package simulate

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

// kept is how many slots of an agent backfills leave alone, as ADR 0018 says.
func kept(slots int) int { return min(max(1, slots/4), slots-1) }

// schedules draws a repository of flows that run all day, with needs between and within them, and one flow whose past is to be filled.
func schedules(t *rapid.T) string {
	var b strings.Builder
	flows := rapid.IntRange(3, 8).Draw(t, "flows")
	for i := range flows {
		every := rapid.SampledFrom([]string{"every: hour", `every: hour, at: ":20"`, `cron: "*/20 * * * *"`, `every: day, at: "03:00"`}).Draw(t, "schedule")
		fmt.Fprintf(&b, "flow: f%d\nteam: data\npriority: %d\nschedule: {%s}\ntasks:\n", i, rapid.IntRange(0, 9).Draw(t, "priority"), every)
		for k := range rapid.IntRange(1, 3).Draw(t, "tasks") {
			fmt.Fprintf(&b, "  t%d: {run: x", k)
			switch {
			case k > 0 && rapid.Bool().Draw(t, "needs"):
				fmt.Fprintf(&b, ", needs: [t%d]", k-1)
			case i > 0 && rapid.Bool().Draw(t, "needs another"):
				fmt.Fprintf(&b, ", needs: [f%d/t0]", rapid.IntRange(0, i-1).Draw(t, "flow"))
			}
			fmt.Fprintf(&b, ", retry: {limit: %d, delay: 5m}}\n", rapid.IntRange(0, 2).Draw(t, "retries"))
		}
		b.WriteString("---\n")
	}
	b.WriteString("flow: past\nteam: data\npriority: 0\nschedule: {every: hour, start: 2025-01-01, end: 2026-11-01}\n" +
		"tasks: {a: {run: x}, b: {run: x}, c: {run: x, needs: [a, b]}}\n")
	return b.String()
}

// starts returns when the attempts of scheduled runs started, by name and number, and how many others there were.
func (r *Result) starts() (scheduled map[string]time.Time, others int) {
	scheduled = map[string]time.Time{}
	for i := range r.Runs {
		for _, x := range r.Runs[i].Tasks {
			for _, a := range x.Attempts {
				if r.Runs[i].Kind == engine.Backfill {
					others++
				} else if a.StartedAt != nil {
					scheduled[fmt.Sprintf("%s, attempt %d", x.Name, a.No)] = *a.StartedAt
				}
			}
		}
	}
	return scheduled, others
}

// TestABackfillDelaysNoSchedule is what ADR 0018 promises, on random repositories, durations and failures, with an operator who asks for more
// than a year of hours in the midst of the day: as long as scheduled work fits into the slots that backfills leave alone, each of its
// attempts starts in the very instant in which it starts without the backfill.
func TestABackfillDelaysNoSchedule(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := compile(t, schedules(rt))
		in := Input{
			Project: p, From: at(t, "2026-11-19"), To: at(t, "2026-11-19T14:00"), Seed: rapid.Uint64().Draw(rt, "seed"),
			Outcomes: outcomes(t, p, "tasks: [{task: '*/*', duration: 1m..50m, fail: 20%}, {task: past/*, duration: 1m..3h, fail: 5%}]\n"),
		}
		peak := result(t, in).Agents[0].Peak // of the schedule alone, when nothing is in its way
		for in.Slots = max(2, peak); kept(in.Slots) < peak; {
			in.Slots++
		}
		alone, _ := result(t, in).starts()
		in.Outcomes.Actions = []flow.Action{{
			At: in.From.Add(time.Duration(rapid.IntRange(0, 8*60).Draw(rt, "minute")) * time.Minute), Verb: flow.VerbBackfill, Flows: []string{"past"},
			From: "2025-01-01", To: "2026-10-31", MaxActive: 1000,
		}}
		with := result(t, in)
		if len(with.Refusals) > 0 {
			rt.Fatalf("%+v", with.Refusals)
		}
		scheduled, others := with.starts()
		if !maps.EqualFunc(alone, scheduled, time.Time.Equal) {
			for name, want := range alone {
				if got := scheduled[name]; !got.Equal(want) {
					rt.Errorf("%s started at %s, without the backfill at %s", name, got, want)
				}
			}
			rt.Fatalf("%d attempts of the schedule, %d without the backfill", len(scheduled), len(alone))
		}
		if room := in.Slots - kept(in.Slots); others < room {
			rt.Fatalf("the backfill started %d attempts on %d slots", others, room)
		}
	})
}

// TestABackfillDelaysABurstByItsAttemptsOnly is the other half: scheduled work that is larger than the slots kept for it waits for
// attempts which the backfill has begun, and for nothing that the backfill begins later.
func TestABackfillDelaysABurstByItsAttemptsOnly(t *testing.T) {
	t.Parallel()
	docs := "flow: burst\nteam: data\npriority: 9\nschedule: {every: day, at: '06:00'}\ntasks:\n"
	for i := range 16 {
		docs += fmt.Sprintf("  t%02d: {run: x}\n", i)
	}
	docs += "---\nflow: past\nteam: data\npriority: 0\nschedule: {every: hour, start: 2026-01-01, end: 2026-11-01}\ntasks: {x: {run: x}}\n"
	p := compile(t, docs)
	const longest = 40 * time.Minute
	for seed := range uint64(20) {
		r := result(t, Input{
			Project: p, From: at(t, "2026-11-19"), To: at(t, "2026-11-20"), Seed: seed, Slots: 16, Outcomes: outcomes(t, p,
				"tasks: [{task: burst/*, duration: 10h}, {task: past/*, duration: 1m..40m}]\n"+
					"actions: [{at: 2026-11-19T01:00, backfill: [past], from: 2026-01-01, to: 2026-10-31}]\n"),
		})
		due, began := at(t, "2026-11-19T06:00").Time(), 0
		for _, x := range r.run(t, "burst@2026-11-18").Tasks {
			if wait := x.Attempts[0].StartedAt.Sub(due); wait > longest {
				t.Errorf("seed %d: %s waited %s, and no attempt takes longer than %s", seed, x.Name, wait, longest)
			} else if wait == 0 {
				began++
			}
		}
		if began < kept(16) {
			t.Errorf("seed %d: %d attempts of the burst started at once, want at least %d", seed, began, kept(16))
		}
		for i := range r.Runs {
			for _, a := range r.Runs[i].Tasks[0].Attempts {
				if r.Runs[i].Flow == "past" && a.AssignedAt.After(due) && a.AssignedAt.Before(due.Add(10*time.Hour)) {
					t.Fatalf("seed %d: %s got a slot at %s, before the burst was done", seed, r.Runs[i].Name, a.AssignedAt)
				}
			}
		}
	}
}
