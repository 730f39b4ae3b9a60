package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flowctl/dsl"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/dsl/workload"
	"flowctl/engine"
)

const teams = "teams:\n  data: {members: [ann]}\npeople:\n  ann: {name: Ann}\n"

func compile(t testing.TB, docs string) *flow.Project {
	t.Helper()
	return compileFiles(t, workload.Repository{
		"flowctl.yaml": []byte("version: 1\n"), "teams.yaml": []byte(teams), "flows.yaml": []byte(docs),
	})
}

func compileFiles(t testing.TB, r workload.Repository) *flow.Project {
	t.Helper()
	var files []dsl.File
	for name, text := range r {
		files = append(files, dsl.File{Path: name, Mode: 0o644, Data: text})
	}
	p, found := dsl.New().Compile(files)
	if p == nil {
		t.Fatalf("it does not compile: %v", found)
	}
	return p
}

func outcomes(t testing.TB, p *flow.Project, text string) *flow.Outcomes {
	t.Helper()
	o, found := dsl.Outcomes("outcomes.yaml", []byte(text), p)
	if o == nil {
		t.Fatalf("the outcomes are wrong: %v", found)
	}
	return o
}

func at(t testing.TB, s string) period.Instant {
	t.Helper()
	i, err := dsl.ParseInstant(s, time.UTC, false)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// result simulates without a deadline.
func result(t testing.TB, in Input) *Result {
	t.Helper()
	r, err := Play(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// play simulates documents for 19 November.
func play(t testing.TB, docs, given string) *Result {
	t.Helper()
	p := compile(t, docs)
	return result(t, Input{Project: p, From: at(t, "2026-11-19"), To: at(t, "2026-11-20"), Outcomes: outcomes(t, p, given)})
}

func (r *Result) run(t testing.TB, name string) *Run {
	t.Helper()
	i := slices.IndexFunc(r.Runs, func(run Run) bool { return run.Name == name })
	if i < 0 {
		t.Fatalf("no run %s among %d", name, len(r.Runs))
	}
	return &r.Runs[i]
}

func (r *Result) task(t testing.TB, name string) *TaskRun {
	t.Helper()
	for i := range r.Runs {
		for k := range r.Runs[i].Tasks {
			if r.Runs[i].Tasks[k].Name == name {
				return &r.Runs[i].Tasks[k]
			}
		}
	}
	t.Fatalf("no task run %s", name)
	return nil
}

func clock(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Format("15:04:05")
}

const shop = `flow: shop
team: data
schedule: {every: hour, at: ":05", start: 2026-11-01}
tasks:
  fetch: {run: "true"}
  clean: {run: "true", needs: [fetch], retry: {limit: 2, delay: 10m}}
---
flow: mart
team: data
schedule: {every: day, at: "00:30", start: 2026-11-01}
tasks:
  load: {run: "true", needs: [shop/clean, {task: load, periods: previous}]}
`

func TestDay(t *testing.T) {
	t.Parallel()
	r := play(t, shop, "duration: 10m\n")
	if len(r.Runs) != 25 || r.Totals.Succeeded != 25 {
		t.Fatalf("%+v, want 24 hours and one day", r.Totals)
	}
	// The hour that ended with the day before is due at 00:05, the day itself at 00:30. What was before is taken to be done.
	if got := clock(r.task(t, "shop/clean@2026-11-18T23").FinishedAt); got != "00:25:00" {
		t.Errorf("clean ended at %s", got)
	}
	if got := clock(r.run(t, "mart@2026-11-18").FinishedAt); got != "00:40:00" {
		t.Errorf("the day ended at %s", got)
	}
	if late := r.run(t, "mart@2026-11-18").LateS; late != 600 {
		t.Errorf("late by %v s", late)
	}
}

func TestMissingPast(t *testing.T) {
	t.Parallel()
	r := play(t, shop, "past: missing\n")
	load := r.task(t, "mart/load@2026-11-18")
	if load.State != engine.Waiting || len(load.Blockers) != 2 || load.Blockers[0].Kind != engine.BlockAbsent {
		t.Errorf("load is %s, blocked by %+v", load.State, load.Blockers)
	}
}

func TestFailuresAndRetries(t *testing.T) {
	t.Parallel()
	r := play(t, shop, `
tasks:
  - {task: shop/*, duration: 1m}
  - {task: shop/clean, periods: [2026-11-19T01], fail: 1}
  - {task: shop/clean, periods: [2026-11-19T02..2026-11-19T03], fail: always}
`)
	clean := r.task(t, "shop/clean@2026-11-19T01")
	if len(clean.Attempts) != 2 || clean.State != engine.Succeeded || clock(clean.FinishedAt) != "02:18:00" {
		t.Errorf("%+v", clean)
	}
	if by := clean.Attempts[1].ReadyBy; by.Kind != ByTime {
		t.Errorf("the retry waited for %+v", by)
	}
	for _, hour := range []string{"02", "03"} {
		if clean := r.task(t, "shop/clean@2026-11-19T"+hour); clean.State != engine.Failed || len(clean.Attempts) != 3 {
			t.Errorf("hour %s: %s after %d attempts", hour, clean.State, len(clean.Attempts))
		}
	}
	if r.Totals.Failed != 2 {
		t.Errorf("%+v", r.Totals)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	r := play(t, "flow: f\nteam: data\nschedule: {every: day}\ntasks:\n  t: {run: x, timeout: 1h}\n", "duration: 2h\n")
	x := r.task(t, "f/t@2026-11-18")
	if x.State != engine.Failed || x.Attempts[0].Reason != engine.CodeTimeout || clock(x.FinishedAt) != "01:01:00" {
		t.Errorf("%+v", x)
	}
}

func TestPathsArrive(t *testing.T) {
	t.Parallel()
	docs := "flow: f\nteam: data\nschedule: {every: day}\ntasks:\n  early: {run: x, inputs: ['/in/${{ ds }}/a']}\n  never: {run: x, inputs: ['/in/${{ ds }}/b']}\n"
	r := play(t, docs, "paths: {/in/*/*: 2026-11-19T06:00, /in/*/b: never}\n")
	early := r.task(t, "f/early@2026-11-18")
	if by := early.Attempts[0].ReadyBy; by != (Cause{Kind: ByPath, Ref: "/in/2026-11-18/a"}) {
		t.Errorf("early waited for %+v", by)
	}
	if got := clock(early.Attempts[0].StartedAt); got != "06:00:00" {
		t.Errorf("early started at %s", got)
	}
	if never := r.task(t, "f/never@2026-11-18"); len(never.Blockers) != 1 || never.Blockers[0].Ref != "/in/2026-11-18/b" {
		t.Errorf("never is blocked by %+v", never.Blockers)
	}
}

func TestGatesAnswer(t *testing.T) {
	t.Parallel()
	docs := "flow: f\nteam: data\nschedule: {every: day}\ntasks:\n"
	for _, name := range []string{"at_once", "later", "no", "never", "late"} {
		docs += "  " + name + ": {run: x, gate: {url: 'http://dq/check?t=" + name + "', timeout: 8h}}\n"
	}
	r := play(t, docs, "gates: {f/*: refuse, f/at_once: 2026-11-18T06:00, f/later: 2026-11-19T06:00, f/never: never, f/late: 2026-11-19T12:00}\n")
	if a := r.task(t, "f/at_once@2026-11-18").Attempts; len(a) != 1 || clock(a[0].StartedAt) != "00:01:00" {
		t.Errorf("at once: %+v", a)
	}
	later := r.task(t, "f/later@2026-11-18").Attempts
	if len(later) != 1 || clock(later[0].StartedAt) != "06:00:00" || later[0].ReadyBy != (Cause{Kind: ByGate, Ref: "http://dq/check"}) {
		t.Errorf("later: %+v", later)
	}
	if no := r.task(t, "f/no@2026-11-18"); no.State != engine.Failed || clock(no.FinishedAt) != "00:01:00" || no.Reason != "refused by gate" {
		t.Errorf("no: %+v", no)
	}
	for _, name := range []string{"never", "late"} {
		x := r.task(t, "f/"+name+"@2026-11-18")
		if x.State != engine.Failed || clock(x.FinishedAt) != "08:01:00" || !strings.Contains(x.Reason, "did not answer within 8h") {
			t.Errorf("%s: %+v", name, x)
		}
	}
}

func TestSlots(t *testing.T) {
	t.Parallel()
	docs := "flow: f\nteam: data\nschedule: {every: day, at: '00:00'}\ntasks:\n"
	for i := range 4 {
		docs += fmt.Sprintf("  t%d: {run: x}\n", i)
	}
	p := compile(t, docs)
	r := result(t, Input{
		Project: p, From: at(t, "2026-11-19"), To: at(t, "2026-11-20"), Slots: 1, Outcomes: outcomes(t, p, "duration: 1h\n"),
	})
	run := r.run(t, "f@2026-11-18")
	if got := clock(run.FinishedAt); got != "04:00:00" {
		t.Errorf("four tasks of an hour on one slot end at %s", got)
	}
	var names []string
	for _, l := range run.CriticalPath {
		names = append(names, l.Name)
	}
	if got := strings.Join(names, " "); got != "f/t0@2026-11-18 f/t1@2026-11-18 f/t2@2026-11-18 f/t3@2026-11-18" || !run.CriticalPath[3].Slot {
		t.Errorf("the critical path is %s", got)
	}
	use := r.Agents[0]
	if use.Peak != 1 || use.FullS != 4*3600 || r.Totals.QueuedS != (1+2+3)*3600 || r.Totals.BusyS != 4*3600 {
		t.Errorf("%+v, %+v", use, r.Totals)
	}
}

// TestSlotOfAFailedAttempt gives the slot of an attempt that failed to another task run before the retry.
func TestSlotOfAFailedAttempt(t *testing.T) {
	t.Parallel()
	docs := "flow: a\nteam: data\npriority: 1\nschedule: {every: day, at: '00:00'}\ntasks: {t: {run: x, retry: {limit: 1, delay: 1h}}}\n---\n" +
		"flow: b\nteam: data\nschedule: {every: day, at: '00:00'}\ntasks: {t: {run: x}}\n"
	p := compile(t, docs)
	r := result(t, Input{
		Project: p, From: at(t, "2026-11-19"), To: at(t, "2026-11-20"), Slots: 1, Outcomes: outcomes(t, p, "duration: 10m\ntasks: [{task: a/t, fail: 1}]\n"),
	})
	path := r.run(t, "b@2026-11-18").CriticalPath
	if len(path) != 2 || path[0].Name != "a/t@2026-11-18" || clock(&path[0].FinishedAt) != "00:10:00" || clock(&path[1].FinishedAt) != "00:20:00" {
		t.Errorf("%+v", path)
	}
	if got := clock(r.run(t, "a@2026-11-18").FinishedAt); got != "01:20:00" {
		t.Errorf("the retry ended at %s", got)
	}
}

func TestAgentsComeAndGo(t *testing.T) {
	t.Parallel()
	docs := "flow: f\nteam: data\nschedule: {every: day, at: '00:00'}\ntasks:\n  any: {run: x}\n  big: {run: x, agents: {labels: [big]}}\n"
	r := play(t, docs, `
duration: 2h
agents:
  small: {slots: 1, away: [{from: 2026-11-19T01:00, to: 2026-11-19T03:00}]}
  large: {slots: 1, labels: [big], away: [{to: 2026-11-19T04:00}]}
`)
	// The small agent's attempt goes on while nobody hears of it, and its end is known when it is back.
	if got := clock(r.task(t, "f/any@2026-11-18").FinishedAt); got != "03:00:00" {
		t.Errorf("any ended at %s", got)
	}
	big := r.task(t, "f/big@2026-11-18").Attempts[0]
	if got := clock(big.StartedAt); got != "04:00:00" || big.AssignedBy != (Cause{Kind: ByAgent, Ref: "large"}) {
		t.Errorf("big started at %s by %+v", got, big.AssignedBy)
	}
}

// TestLeasesEndWithTheirAgents loses an agent for long: what is not to wait for it starts on another, once its lease is over, or failed.
func TestLeasesEndWithTheirAgents(t *testing.T) {
	t.Parallel()
	docs := "flow: f\nteam: data\nschedule: {every: day, at: '00:00'}\ntasks:\n  w: {run: x}\n  r: {run: x, on_agent_lost: restart, lost_after: 20m}\n  x: {run: x, on_agent_lost: fail}\n"
	r := play(t, docs, `
duration: 2h
agents:
  one: {slots: 3, away: [{from: 2026-11-19T01:00, to: 2026-11-19T03:00}]}
  two: {slots: 3, away: [{to: 2026-11-19T00:30}]}
`)
	if got := clock(r.task(t, "f/w@2026-11-18").FinishedAt); got != "03:00:00" {
		t.Errorf("what waits ended at %s", got)
	}
	again := r.task(t, "f/r@2026-11-18").Attempts
	if len(again) != 2 || again[0].Reason != engine.CodeAgentLost || again[1].Agent != "two" || clock(again[1].StartedAt) != "01:20:17" {
		t.Errorf("what is restarted: %+v", again)
	}
	x := r.task(t, "f/x@2026-11-18")
	if x.State != engine.Failed || x.Attempts[0].Reason != engine.CodeAgentLost || len(x.Attempts) != 1 || clock(x.FinishedAt) != "01:10:11" {
		t.Errorf("what is not: %+v", x)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	docs := shop + "---\nflow: ask\nteam: data\nparams: {who: ann}\ntasks:\n  t: {run: x, when: params.who == 'bob'}\n"
	r := play(t, docs, `
actions:
  - {at: 2026-11-19T06:00, run: ask, params: {who: bob}}
  - {at: 2026-11-19T07:00, run: ask}
  - {at: 2026-11-19T08:00, run: mart@2026-11-25}
`)
	if s := r.task(t, "ask/t@2026-11-19T06:00:00.000000").State; s != engine.Succeeded {
		t.Errorf("the run for bob is %s", s)
	}
	if s := r.task(t, "ask/t@2026-11-19T07:00:00.000000").State; s != engine.Skipped {
		t.Errorf("the run for ann is %s", s)
	}
	if len(r.Refusals) != 1 || !strings.Contains(r.Refusals[0].Message, "only an extra run is possible") {
		t.Errorf("refused: %+v", r.Refusals)
	}
}

func TestLearntDurations(t *testing.T) {
	t.Parallel()
	p := compile(t, shop)
	r := result(t, Input{
		Project: p, From: at(t, "2026-11-19"), To: at(t, "2026-11-20"), Outcomes: outcomes(t, p, "tasks: [{task: shop/fetch, duration: 1m}]\n"),
		Learnt: map[string]time.Duration{"shop/fetch": time.Hour, "shop/clean": 3 * time.Minute},
	})
	if got := clock(r.task(t, "shop/clean@2026-11-19T01").FinishedAt); got != "02:09:00" {
		t.Errorf("clean ended at %s", got)
	}
}

// TestSeed draws durations and failures: a seed gives the same, another one something else, and a task's luck is its own.
func TestSeed(t *testing.T) {
	t.Parallel()
	ends := func(seed uint64, docs string) (all []string) {
		p := compile(t, docs)
		r := result(t, Input{
			Project: p, From: at(t, "2026-11-19"), To: at(t, "2026-11-20"), Seed: seed,
			Outcomes: outcomes(t, p, "tasks: [{task: shop/*, duration: 1m..9m, fail: 30%}]\n"),
		})
		for _, run := range r.Runs {
			if run.Flow == "shop" {
				all = append(all, run.Name+" "+clock(run.FinishedAt)+string(run.State))
			}
		}
		return all
	}
	alone, _, _ := strings.Cut(shop, "---\n")
	if !slices.Equal(ends(1, shop), ends(1, alone)) {
		t.Error("another flow changed what happens")
	}
	if slices.Equal(ends(1, shop), ends(2, shop)) {
		t.Error("two seeds give the same")
	}
}

// TestDueAtTheBeginning starts at the instant at which a period is due, for flows that skip what was missed: nothing was.
func TestDueAtTheBeginning(t *testing.T) {
	t.Parallel()
	for _, missed := range []string{"all", "latest", "none"} {
		r := play(t, "flow: f\nteam: data\nschedule: {every: day, at: '00:00', missed: "+missed+"}\ntasks: {t: {run: x}}\n", "")
		if len(r.Runs) != 1 || r.Runs[0].Name != "f@2026-11-18" {
			t.Errorf("missed: %s: %+v", missed, r.Totals)
		}
	}
}

// TestNothingIsIgnored gives what has no effect: the result says so.
func TestNothingIsIgnored(t *testing.T) {
	t.Parallel()
	docs := "flow: f\nteam: data\nschedule: {every: day}\ntasks:\n  t: {run: x, inputs: [/in/a]}\n  u: {run: 'echo ${{ needs.t.outputs.rows }}', needs: [t]}\n"
	r := play(t, docs, "paths: {/in/*: 2026-11-19T01:00, /inn/*: never}\nactions: [{at: 2026-11-20T01:00, run: f}]\n")
	if !slices.Equal(r.Idle, []string{"/inn/*"}) || !slices.Equal(r.Assumed, []string{"f/t.rows"}) || len(r.Refusals) != 1 {
		t.Errorf("%v, %v, %v", r.Idle, r.Assumed, r.Refusals)
	}
	if s := r.task(t, "f/u@2026-11-18").State; s != engine.Succeeded {
		t.Errorf("what reads an assumed output is %s", s)
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := compile(t, shop)
	if _, err := Play(ctx, Input{Project: p, From: at(t, "2026-11-19"), To: at(t, "2026-11-20")}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestSettledBlockers asks why a task run waits whose run has settled and left the machine.
func TestSettledBlockers(t *testing.T) {
	t.Parallel()
	r := play(t, shop, "tasks: [{task: shop/fetch, periods: [2026-11-18T05], fail: always}]\npast: succeeded\n")
	if s := r.run(t, "mart@2026-11-18").State; s != engine.RunSucceeded {
		t.Errorf("hours before the simulation succeeded, but the day is %s", s)
	}
	r = play(t, shop, "tasks: [{task: shop/fetch, periods: [2026-11-18T23], fail: always}]\n")
	load := r.task(t, "mart/load@2026-11-18")
	if load.State != engine.UpstreamFailed || len(load.Blockers) != 1 || load.Blockers[0].Ref != "shop/clean@2026-11-18T23" {
		t.Errorf("load is %s, blocked by %+v", load.State, load.Blockers)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	p := compile(t, shop+`---
flow: ask
team: data
tasks: {t: {run: x}}
---
test: all of it
from: 2026-11-19
to: 2026-11-19T03:00
given:
  tasks: [{task: ask/t, outputs: {rows: "12", file: a}}, {task: shop/fetch, periods: [2026-11-19T01], duration: 2h}]
  actions: [{at: 2026-11-19T01:00, run: ask}]
expect:
  - {run: ask, state: succeeded, started: 2026-11-19T01:00, ended: 2026-11-19T01:01}
  - {task: ask/t, outputs: {file: a, rows: 12}, blockers: [], events: []}
  - {run: ask, at: 2026-11-19T00:59, state: absent}
  - {run: mart@2026-11-18, at: 2026-11-19T00:30, state: active}
  - {run: shop@2026-11-18, state: absent} # of its hours only the last has a run
`)
	v, err := Check(t.Context(), p, p.Tests[0])
	if err != nil {
		t.Fatal(err)
	}
	if v.Checks != 8+24 || len(v.Mismatches) != 1 {
		t.Fatalf("%d checks, %+v", v.Checks, v.Mismatches)
	}
	if m := v.Mismatches[0]; m.Subject != "shop@2026-11-18T23" || m.Want != "absent" || m.Got != "succeeded" || m.Pos.Line != 29 {
		t.Errorf("%+v", m)
	}
}

// TestLateness tells of a task run whose input comes too late, at the instant at which it is late.
func TestLateness(t *testing.T) {
	t.Parallel()
	r := play(t, "flow: f\nteam: data\nschedule: {every: day, at: '00:30'}\ntasks: {t: {run: x, inputs: [/in], dependency_timeout: 2h}}\n",
		"paths: {/in: 2026-11-19T03:00}\n")
	late := slices.IndexFunc(r.Events, func(e Event) bool { return e.Kind == flow.DependencyLate })
	if late < 0 || r.Events[late].Subject != "f/t@2026-11-18" || clock(&r.Events[late].At) != "02:30:00" {
		t.Errorf("the events are %+v", r.Events)
	}
	if got := clock(r.task(t, "f/t@2026-11-18").FinishedAt); got != "03:01:00" {
		t.Errorf("it ended at %s", got)
	}
}

func TestSignalsAreSet(t *testing.T) {
	t.Parallel()
	r := play(t, "signals: {crm: {every: day, teams: [data]}}\n---\nflow: f\nteam: data\nschedule: {every: hour, start: 2026-11-01}\n"+
		"tasks: {t: {run: x, signals: [crm]}}\n", "")
	if s := r.task(t, "f/t@2026-11-19T05").State; s != engine.Succeeded {
		t.Errorf("it is %s", s)
	}
}

// TestSaturation puts three task runs of an hour on a pool of one slot and an agent of two, beside one that wants only the agent.
func TestSaturation(t *testing.T) {
	t.Parallel()
	docs := "pools: {hive: {slots: 1}, idle: {slots: 9}}\n---\nflow: f\nteam: data\nschedule: {every: day, at: '00:00', start: 2026-11-01}\ntasks:\n" +
		"  a: {run: x, pool: hive}\n  b: {run: x, pool: hive}\n  c: {run: x, pool: hive}\n" +
		"  d: {run: x}\n  e: {run: x}\n  l: {run: x, start_after: 10h, concurrency: 1, matrix: {n: [1]}}\n"
	r := play(t, docs, "duration: 1h\nagents: {one: {slots: 2}, other: {slots: 5, labels: [big], away: [{from: 2026-11-19T00:00}]}}\n")
	// At 0:00 a and d start, at 1:00 b and e, at 2:00 c: b waited 1 h for the pool, c 2 h; e waited 1 h for a slot.
	if len(r.Pools) != 1 {
		t.Fatalf("%+v", r.Pools)
	}
	want := Use{Name: "hive", Slots: 1, Peak: 1, Mean: 3. / 24, FullS: 3 * 3600, Full: 3. / 24, WaitedS: 3 * 3600, Levels: r.Pools[0].Levels}
	if fmt.Sprintf("%+v", r.Pools[0]) != fmt.Sprintf("%+v", want) {
		t.Errorf("the pool: %+v, want %+v", r.Pools[0], want)
	}
	if one := r.Agents[0]; one.Peak != 2 || one.FullS != 2*3600 || one.WaitedS != 3600 {
		t.Errorf("the agent: %+v", one)
	}
	r = play(t, docs, "duration: 20h\nagents: {one: {slots: 2}}\n")
	// a and d hold both slots until 20:00, b and e then; c waits for the pool to the end, l from 10:00 for a slot.
	if r.Pools[0].WaitedS != (20+24)*3600 || r.Agents[0].WaitedS != (20+14)*3600 || r.Totals.QueuedS != (20+24+20+14)*3600 {
		t.Errorf("%+v\n%+v\n%+v", r.Pools[0], r.Agents[0], r.Totals)
	}
}

// TestTold expects who is told of a failure, by the rules of the task, at the time of the failure.
func TestTold(t *testing.T) {
	t.Parallel()
	files := []dsl.File{
		{Path: "flowctl.yaml", Data: []byte("version: 1\n")},
		{Path: "plugins.lock", Data: []byte("version: 1\nplugins: {post: {kind: channel, version: '1', sha256: " + strings.Repeat("0", 64) + "}}\n")},
		{Path: "f.yaml", Data: []byte(`people: {ann: {email: ann@example.com, sms: "+1"}, bob: {email: bob@example.com, sms: "+2"}}
---
teams: {data: {members: [ann, bob], oncall: {rotate: daily, handoff: "09:00"}}}
---
channels: {mail: {plugin: post, kind: email}, texts: {plugin: post, kind: sms}, pages: {plugin: post}}
---
flow: f
team: data
priority: 1
schedule: {every: day}
tasks:
  t: {run: x, alerts: {rules: [{events: [failed], when: run.kind == 'scheduled', severity: minor, notify: [channel:pages]}]}}
---
test: who is told
from: 2026-11-19
to: 2026-11-21
given: {tasks: [{task: f/t, fail: 1}]}
expect:
  - {task: f/t@2026-11-18, told: [pages, mail ann, mail bob, texts bob]}
  - {task: f/t@2026-11-19, told: []}
`)},
	}
	p, found := dsl.New().Compile(files)
	if p == nil {
		t.Fatal(found)
	}
	v, err := Check(t.Context(), p, p.Tests[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Mismatches) != 1 || v.Mismatches[0].Want != "nothing" || !strings.HasPrefix(v.Mismatches[0].Got, "mail ann, mail bob, pages, texts ") {
		t.Errorf("%+v", v.Mismatches)
	}
}
