package dsl_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"flowctl/dsl"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

const played = "flow: shop\nteam: data\ngroup: mart\nparams: {a: b}\nschedule: {every: day}\ntasks:\n  load: {run: x}\n  mart: {run: x}\n"

// playedProject compiles a repository in a zone that is not UTC.
func playedProject(t testing.TB, more string) *flow.Project {
	t.Helper()
	p, found := dsl.New().Compile(repository("flowctl.yaml", "version: 1\ntimezone: Asia/Shanghai\n", "shop.yaml", played+more))
	if p == nil {
		t.Fatalf("it does not compile: %v", found)
	}
	return p
}

// shanghai returns the instant of a clock time on 19 November.
func shanghai(hour int) period.Instant {
	return period.At(time.Date(2026, 11, 19, hour, 0, 0, 0, time.FixedZone("", 8*3600)))
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	p := playedProject(t, "---\nsignals: {crm.export: {every: day, teams: [data]}}\n")
	got, found := dsl.Outcomes("o.yaml", []byte(`
duration: 5m
past: missing
tasks:
  - {task: shop/*, duration: 10m..30m, fail: 5%}
  - {task: shop/load, periods: [2026-11-19, 2026-11-21..2026-11-23], fail: 2, outputs: {rows: 12}}
  - {task: shop/mart, fail: always, duration: 0s}
paths:
  hdfs://nn/*: 2026-11-19T06:00
  /in: never
gates: {shop/*: never, shop/load: 2026-11-19T06:00, shop/mart: refuse}
signals:
  - {signal: crm.*, set: never}
  - {signal: crm.export, periods: [2026-11-19], set: 2026-11-19T06:00, unset: 2026-11-19T08:00}
agents:
  big: {slots: 4, labels: [hadoop, zone=a], away: [{from: 2026-11-19T06:00+08:00, to: 2026-11-19T08:00}, {from: 2026-11-20}]}
actions:
  - {at: 2026-11-19T06:00, run: shop/load@2026-11-18, params: {a: b}, force: true}
  - {at: 2026-11-19T06:00, rerun: shop@2026-11-18#2, from_task: load, cascade: both, kill: true}
  - {at: 2026-11-19T06:00, backfill: all, group: mart, every: day, from: 2026-11-01, to: 2026-11-05, max_active: 3, reprocess: failed}
  - {at: 2026-11-19T06:00, succeed: shop/load, outputs: {rows: 12}}
  - {at: 2026-11-19T06:00, pause: all, scheduled_after: 2026-11-19T08:00}
`), p)
	if got == nil {
		t.Fatalf("%v", found)
	}
	want := &flow.Outcomes{
		Duration: &flow.Span{Min: 5 * time.Minute, Max: 5 * time.Minute}, MissingPast: true,
		Tasks: []flow.Outcome{
			{Task: "shop/*", Duration: &flow.Span{Min: 10 * time.Minute, Max: 30 * time.Minute}, Fail: &flow.Failure{Chance: 0.05}},
			{
				Task: "shop/load", Periods: []flow.Range{{From: "2026-11-19", To: "2026-11-19"}, {From: "2026-11-21", To: "2026-11-23"}},
				Fail: &flow.Failure{First: 2}, Outputs: map[string]string{"rows": "12"},
			},
			{Task: "shop/mart", Duration: &flow.Span{}, Fail: &flow.Failure{Always: true}},
		},
		Paths: []flow.Arrival{{Path: "hdfs://nn/*", At: shanghai(6)}, {Path: "/in", Never: true}},
		Gates: []flow.GateOutcome{{Task: "shop/*", Never: true}, {Task: "shop/load", At: shanghai(6)}, {Task: "shop/mart", Refuse: true}},
		Signals: []flow.Announcement{
			{Signal: "crm.*", Never: true},
			{Signal: "crm.export", Periods: []flow.Range{{From: "2026-11-19", To: "2026-11-19"}}, Set: shanghai(6), Unset: shanghai(8)},
		},
		Agents: []flow.Host{{
			Name: "big", Slots: 4, Labels: []string{"hadoop", "zone=a"}, Away: []flow.Absence{{From: shanghai(6), To: shanghai(8)}, {From: shanghai(24)}},
		}},
		Actions: []flow.Action{
			{At: shanghai(6), Verb: flow.VerbRun, Target: "shop/load@2026-11-18", Params: map[string]string{"a": "b"}, Force: true},
			{At: shanghai(6), Verb: flow.VerbRerun, Target: "shop@2026-11-18#2", FromTask: "load", Cascade: "both", Kill: true},
			{
				At: shanghai(6), Verb: flow.VerbBackfill, All: true, Group: "mart", Every: "day", From: "2026-11-01", To: "2026-11-05", MaxActive: 3,
				Reprocess: "failed",
			},
			{At: shanghai(6), Verb: flow.VerbSucceed, Target: "shop/load", Outputs: map[string]string{"rows": "12"}},
			{At: shanghai(6), Verb: flow.VerbPause, All: true, ScheduledAfter: shanghai(8)},
		},
	}
	for i := range got.Actions {
		want.Actions[i].Pos = flow.Pos{File: "o.yaml", Line: 18 + i, Col: 5}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestBadOutcomes(t *testing.T) {
	t.Parallel()
	p := playedProject(t, "")
	for text, want := range map[string]string{
		"a: [":                        "syntax",
		"a: 1":                        "unknown-field",
		"duration: 1h\n---\npast: ok": "duplicate",
		"- a":                         "type",
		"tasks: [{task: '*/lod'}]":    "unknown-task",
		"actions: [{at: 2026-11-19T06:00, run: shop@2026-11}]": "bad-period",
	} {
		o, found := dsl.Outcomes("o.yaml", []byte(text), p)
		if o != nil || len(found) == 0 || found[0].Rule != want || found[0].Line == 0 {
			t.Errorf("%q gives %v %v, want %s", text, o, found, want)
		}
	}
	if o, found := dsl.Outcomes("o.yaml", []byte("# nothing\n"), p); o == nil {
		t.Errorf("an empty file gives %v", found)
	}
}

func TestTestDocument(t *testing.T) {
	t.Parallel()
	p := playedProject(t, `---
test: it loads
from: 2026-11-18
to: 2026-11-18
expect:
  - {task: shop/load@2026-11-17, at: 2026-11-18T06:00, state: waiting, blockers: [b, a]}
  - {run: shop, started: never, ended: 2026-11-18T06:00}
`)
	if len(p.Tests) != 1 {
		t.Fatalf("%d tests", len(p.Tests))
	}
	test := p.Tests[0]
	if test.Name != "it loads" || test.From != shanghai(-24) || test.To != shanghai(0) || test.Pos != (flow.Pos{File: "shop.yaml", Line: 10, Col: 7}) {
		t.Errorf("%+v", test)
	}
	first, second := test.Expect[0], test.Expect[1]
	if first.At != shanghai(-18) || len(first.Periods) != 1 || first.Checks[1].Want != "a, b" {
		t.Errorf("%+v", first)
	}
	if !second.Newest || second.Task != "" || second.Checks[0].At != 0 || second.Checks[1].At != shanghai(-18) {
		t.Errorf("%+v", second)
	}
	if hash := playedProject(t, "").Hash; hash != p.Hash {
		t.Error("a test changes the hash of what runs")
	}
}

func FuzzOutcomes(f *testing.F) {
	p := playedProject(f, "---\nsignals: {crm.export: {every: day, teams: [data]}}\n")
	f.Add("duration: 5m\ntasks: [{task: shop/*, duration: 1m..2m, fail: 5%, periods: [2026-11-19..2026-11-20]}]\n")
	f.Add("paths: {/a: never}\nagents: {a: {slots: 1, away: [{from: 2026-11-19}]}}\nactions: [{at: 2026-11-19T06:00, run: shop@2026-11-18}]\n")
	f.Add("signals: [{signal: crm.*, periods: [2026-11-19..2026-11-20], set: 2026-11-19T06:00, unset: 2026-11-20}, {signal: crm.export, set: never}]\n")
	f.Add("actions: [{at: 2026-11-19T06:00, rerun: shop@2026-11-18#2, from_task: load, kill: true}, {at: 2026-11-19, pause: all, group: mart}]\n")
	f.Add("actions: [{at: 2026-11-19T06:00, backfill: [shop], from: 2026-11-01, to: 2026-11-05, every: day}, {at: 2026-11-19, kill: shop/load}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		o, found := dsl.Outcomes("o.yaml", []byte(text), p)
		if (o == nil) != (len(found) > 0) {
			t.Errorf("outcomes %v with %d diagnostics", o, len(found))
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, d := range found {
			if d.Line < 1 || d.Line > lines {
				t.Errorf("line %d of %d: %s", d.Line, lines, d.Message)
			}
		}
	})
}
