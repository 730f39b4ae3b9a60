package simulate

import (
	"slices"
	"strings"
	"testing"

	"flowctl/engine"
)

// pair is a flow that another one needs.
const pair = `flow: up
team: data
group: early
schedule: {every: day, at: "00:10", start: 2026-11-01}
tasks:
  a: {run: x, outputs: [/out]}
  b: {run: x, needs: [a]}
---
flow: down
team: data
schedule: {every: day, at: "00:20", start: 2026-11-01}
tasks: {c: {run: x, needs: [up/b]}}
`

// acted plays a day of the pair with actions.
func acted(t *testing.T, given string) *Result {
	t.Helper()
	r := play(t, pair, given)
	if len(r.Refusals) > 0 {
		t.Fatalf("refused: %+v", r.Refusals)
	}
	return r
}

// start tells when the first attempt of a task run started.
func (r *Result) start(t *testing.T, name string) string {
	t.Helper()
	x := r.task(t, name)
	if len(x.Attempts) == 0 {
		return "never"
	}
	return clock(x.Attempts[0].StartedAt)
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"actions: [{at: 2026-11-19T00:00, pause: down}, {at: 2026-11-19T06:00, resume: down}]":                                               "06:00:00",
		"actions: [{at: 2026-11-19T00:00, pause: up/b}, {at: 2026-11-19T07:00, resume: up/b}]":                                               "07:01:00",
		"actions: [{at: 2026-11-19T00:00, pause: up@2026-11-18}, {at: 2026-11-19T08:00, resume: up@2026-11-18}]":                             "08:02:00",
		"actions: [{at: 2026-11-19T00:00, pause: all, scheduled_after: 2026-11-19T00:15}, {at: 2026-11-19T09:00, resume: all}]":              "09:00:00",
		"actions: [{at: 2026-11-19T00:00, pause: all, group: early}, {at: 2026-11-19T11:00, resume: all, group: early}]":                     "11:02:00",
		"actions: [{at: 2026-11-19T00:00, pause: down}]":                                                                                     "never",
		"actions: [{at: 2026-11-19T00:00, pause: down@2026-11-01..2026-11-18}, {at: 2026-11-19T10:00, resume: down@2026-11-10..2026-11-18}]": "10:00:00",
	} {
		r := acted(t, given)
		if got := r.start(t, "down/c@2026-11-18"); got != want {
			t.Errorf("%s: started at %s, want %s", given, got, want)
		}
	}
	r := acted(t, "actions: [{at: 2026-11-19T00:00, pause: down}, {at: 2026-11-19T06:00, resume: down}]")
	if by := r.task(t, "down/c@2026-11-18").Attempts[0].ReadyBy; by.Kind != ByRequest {
		t.Errorf("it waited for %+v", by)
	}
}

func TestForcedEnds(t *testing.T) {
	t.Parallel()
	fails := "tasks: [{task: up/a, fail: always}]\n"
	r := acted(t, fails+"actions: [{at: 2026-11-19T05:00, succeed: up/a@2026-11-18, outputs: {rows: 7}}]\n")
	if got := r.start(t, "up/b@2026-11-18"); got != "05:00:00" {
		t.Errorf("what follows a forced success started at %s", got)
	}
	r = acted(t, fails+"actions: [{at: 2026-11-19T05:00, skip: up/a}]\n") // without a period, of the newest run
	if x := r.task(t, "up/a@2026-11-18"); x.State != engine.Skipped || r.start(t, "down/c@2026-11-18") != "05:01:00" {
		t.Errorf("%s, and what follows started at %s", x.State, r.start(t, "down/c@2026-11-18"))
	}
	r = acted(t, "tasks: [{task: up/a, duration: 2h}]\nactions: [{at: 2026-11-19T01:00, kill: up@2026-11-18}]\n")
	if x := r.task(t, "up/a@2026-11-18"); x.State != engine.Killed || clock(x.FinishedAt) != "01:00:00" {
		t.Errorf("%s at %s", x.State, clock(x.FinishedAt))
	}
}

func TestReruns(t *testing.T) {
	t.Parallel()
	r := acted(t, "actions: [{at: 2026-11-19T05:00, rerun: up@2026-11-18, from_task: b, cascade: logical}]\n")
	if a := r.task(t, "up/a@2026-11-18#2"); len(a.Attempts) != 0 || a.State != engine.Succeeded {
		t.Errorf("what stands before the task ran anew: %+v", a)
	}
	if got := r.start(t, "down/c@2026-11-18#2"); got != "05:01:00" {
		t.Errorf("what the rerun cascades to started at %s", got)
	}
	r = acted(t, "tasks: [{task: up/b, fail: 1}]\nactions: [{at: 2026-11-19T05:00, rerun: up@2026-11-18, failed: true}]\n")
	if got := r.start(t, "up/b@2026-11-18#2"); got != "05:00:00" || r.task(t, "up/b@2026-11-18#2").State != engine.Failed {
		t.Errorf("what failed started again at %s", got) // and failed again: each task run fails once
	}
	r = acted(t, "tasks: [{task: up/a, duration: 1h}]\nactions: [{at: 2026-11-19T00:30, rerun: up@2026-11-18, kill: true}]\n")
	if x := r.task(t, "up/a@2026-11-18"); x.State != engine.Killed || r.start(t, "up/a@2026-11-18#2") != "00:30:00" {
		t.Errorf("%s, and anew at %s", x.State, r.start(t, "up/a@2026-11-18#2"))
	}
	r = play(t, pair, "tasks: [{task: up/a, duration: 1h}]\nactions: [{at: 2026-11-19T00:30, rerun: up@2026-11-18}]\n")
	if len(r.Refusals) != 1 || !strings.Contains(r.Refusals[0].Message, "rerun with --kill") || r.Refusals[0].Action != "rerun up@2026-11-18" {
		t.Errorf("refused: %+v", r.Refusals)
	}
}

func TestBackfills(t *testing.T) {
	t.Parallel()
	r := acted(t, "past: missing\nactions: [{at: 2026-11-19T05:00, backfill: all, from: 2026-11-15, to: 2026-11-18, max_active: 2}]\n")
	var names []string
	for _, run := range r.Runs {
		if run.Kind == engine.Backfill && run.State == engine.RunSucceeded {
			names = append(names, run.Name)
		}
	}
	want := []string{"up@2026-11-15", "down@2026-11-15", "up@2026-11-16", "down@2026-11-16", "up@2026-11-17", "down@2026-11-17"}
	if !slices.Equal(names, want) { // those of the 18th were there
		t.Errorf("it made %v", names)
	}
	r = acted(t, "actions: [{at: 2026-11-19T05:00, backfill: all, group: early, cascade: logical, from: 2026-11-17, to: 2026-11-17}]\n")
	if r.start(t, "up/a@2026-11-17") != "05:00:00" || r.start(t, "down/c@2026-11-17") != "05:02:00" {
		t.Errorf("%s, %s", r.start(t, "up/a@2026-11-17"), r.start(t, "down/c@2026-11-17"))
	}
	r = play(t, pair, "actions: [{at: 2026-11-19T05:00, backfill: [up], from: 2026-11-18, to: 2026-11-25}]\n")
	if len(r.Refusals) != 1 || !strings.Contains(r.Refusals[0].Message, "has not ended yet") {
		t.Errorf("refused: %+v", r.Refusals)
	}
}

// TestSignals announces third-party data at instants.
func TestSignals(t *testing.T) {
	t.Parallel()
	const docs = "signals: {crm: {every: day, teams: [data]}, erp: {every: day, teams: [data]}}\n---\n" +
		"flow: f\nteam: data\nschedule: {every: day, at: '00:10', start: 2026-11-01}\ntasks:\n" +
		"  t: {run: x, signals: [crm]}\n  u: {run: x, needs: [t], signals: [erp]}\n"
	for given, want := range map[string]string{
		"":                                     "00:10:00",
		"signals: [{signal: crm, set: never}]": "never",
		"signals: [{signal: crm, set: 2026-11-19T06:00}]":                                                               "06:00:00",
		"signals: [{signal: crm, set: 2026-11-19T00:05, unset: 2026-11-19T00:07}]":                                      "never",
		"signals: [{signal: crm, unset: 2026-11-19T00:05, set: 2026-11-19T07:00}]":                                      "07:00:00",
		"signals: [{signal: 'c*', set: never}, {signal: crm, periods: [2026-11-18], set: 2026-11-19T08:00}]":            "08:00:00",
		"signals: [{signal: crm, periods: [2026-11-01..2026-11-17], set: never}]":                                       "00:10:00",
		"signals: [{signal: crm, unset: 2026-11-19T00:15}]":                                                             "00:10:00", // too late
		"signals: [{signal: crm, unset: 2026-11-19T00:10, set: 2026-11-19T00:20}]\ntasks: [{task: f/t, duration: 1m}]":  "00:20:00",
		"signals: [{signal: '*', set: never}, {signal: '*', periods: [2026-11-18..2026-11-19], set: 2026-11-19T09:00}]": "09:00:00",
	} {
		r := play(t, docs, given)
		if got := r.start(t, "f/t@2026-11-18"); got != want {
			t.Errorf("%s: started at %s, want %s", given, got, want)
		}
	}
	r := play(t, docs, "signals: [{signal: crm, set: 2026-11-19T06:00}, {signal: erp, set: never}]")
	if by := r.task(t, "f/t@2026-11-18").Attempts[0].ReadyBy; by != (Cause{Kind: BySignal, Ref: "crm@2026-11-18"}) {
		t.Errorf("it waited for %+v", by)
	}
	if bs := r.task(t, "f/u@2026-11-18").Blockers; len(bs) != 1 || bs[0].Kind != engine.BlockSignal || bs[0].Ref != "erp@2026-11-18" {
		t.Errorf("blocked by %+v", bs)
	}
	r = play(t, "signals: {crm: {every: day, teams: [data]}}\n---\n"+pair, "signals: [{signal: crm, set: never}]")
	if !slices.Equal(r.IdleSignals, []string{"crm"}) {
		t.Errorf("idle: %v", r.IdleSignals)
	}
}

// TestRefusedActions asks for what cannot be done, as operators do: each is refused as the server refuses it.
func TestRefusedActions(t *testing.T) {
	t.Parallel()
	docs := pair + "---\nflow: ask\nteam: data\nparams: {who: ann}\ntasks: {t: {run: x}}\n"
	for action, want := range map[string]string{
		"resume: down":              "down is not paused: see flowctl get pauses",
		"resume: down@2026-11-18":   "is not paused",
		"resume: all":               "there is no horizon",
		"resume: all, group: early": "--group early is not paused",
		"pause: ask@2026-11-18":     "no run of ask@2026-11-18",
		"pause: up#2":               "a pause holds all versions of a period",
		"kill: ask":                 "no run of ask",
		"kill: up@2026-11-18#7":     "no run of up@2026-11-18#7",
		"kill: up":                  "nothing",
		"succeed: up":               "nothing to succeed: up@2026-11-18 has succeeded or was skipped already",
		"skip: up/a":                "nothing to skip",
		"rerun: ask@2026-11-18":     "no run of ask@2026-11-18",
		"rerun: up, failed: true":   "nothing in up@2026-11-18 failed",
		"rerun: up/a, failed: true": "choose tasks in different ways",
		"run: up@2026-11-19":        "before that only an extra run is possible (--extra)",
		"run: up@2026-10-01, extra: true, force: true":                 "", // off the schedule, so beside it
		"run: ask@2026-11-18":                                          "name none",
		"backfill: all, from: 2026-12-01, to: 2026-11-01":              "before",
		"backfill: all, from: 2026-10-01, to: 2026-10-02":              "no period begins in",
		"backfill: all, every: hour, from: 2026-11-01, to: 2026-11-02": "no enabled flow with a schedule matches",
	} {
		r := play(t, docs, "actions: [{at: 2026-11-19T05:00, "+action+"}]\n")
		switch {
		case want == "" && len(r.Refusals) == 0:
		case want == "" || len(r.Refusals) != 1 || !strings.Contains(r.Refusals[0].Message, want):
			t.Errorf("%s: refused: %+v, want %q", action, r.Refusals, want)
		}
	}
}
