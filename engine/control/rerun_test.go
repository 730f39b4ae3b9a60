package control

import (
	"slices"
	"strings"
	"testing"

	"flowctl/engine"
)

// river has a chain of flows over needs, and one over data.
const river = `flow: raw
team: data
schedule: {every: hour, start: 2026-11-01}
tasks:
  x: {run: 'true'}
---
flow: days
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  a: {needs: [raw/x], run: 'true', outputs: ["/days/${{ ds }}"]}
  b: {run: 'true'}
---
flow: sums
team: data
schedule: {every: day, start: 2026-11-10}
tasks:
  s: {needs: [days/a, {task: s, periods: previous}], run: 'true'}
---
flow: copies
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  c: {inputs: ["/days/${{ ds }}"], run: 'true'}
`

// riverFixture has two days of it behind it.
func riverFixture(t *testing.T) *fixture {
	f := startFixture(t)
	f.write("river.yaml", river)
	f.sync("active")
	f.fleet.paths = true
	f.backfill(engine.BackfillRequest{
		Flows: []string{"raw", "days", "sums", "copies"}, From: "2026-11-10", To: "2026-11-11", MissingUpstream: "ignore",
	})
	f.drain()
	return f
}

func (f *fixture) rerun(r engine.RerunRequest) string {
	f.t.Helper()
	runs, err := f.service.Rerun(f.t.Context(), r)
	f.must(err)
	names := runNames(runs)
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestARerunCascadesAlongNeedsAndData(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		request engine.RerunRequest
		want    string
	}{
		{engine.RerunRequest{Target: "days/a@2026-11-10"}, "days@2026-11-10#2"},
		{engine.RerunRequest{Target: "days/a@2026-11-10", Cascade: "none"}, "days@2026-11-10#2"},
		// sums of the 11th needs that of the 10th.
		{engine.RerunRequest{Target: "days/a@2026-11-10", Cascade: "logical"}, "days@2026-11-10#2 sums@2026-11-10#2 sums@2026-11-11#2"},
		{engine.RerunRequest{Target: "days/a@2026-11-10", Cascade: "data"}, "copies@2026-11-10#2 days@2026-11-10#2"},
		{engine.RerunRequest{Target: "days/a@2026-11-11", Cascade: "both"}, "copies@2026-11-11#2 days@2026-11-11#2 sums@2026-11-11#2"},
		// Nothing needs b.
		{engine.RerunRequest{Target: "days/b@2026-11-10", Cascade: "both"}, "days@2026-11-10#2"},
		// A day has one version however many of its hours run anew.
		{
			engine.RerunRequest{Target: "raw@2026-11-11T03..2026-11-11T04", Cascade: "logical"},
			"days@2026-11-11#2 raw@2026-11-11T03#2 raw@2026-11-11T04#2 sums@2026-11-11#2",
		},
		{engine.RerunRequest{Target: "sums@2026-11-10", Upstream: true, DryRun: true}, hoursOf("2026-11-10") + " sums@2026-11-10"},
		{engine.RerunRequest{Target: "copies@2026-11-10", Upstream: true, Cascade: "data", DryRun: true}, "copies@2026-11-10 days@2026-11-10"},
	} {
		t.Run(c.request.Target+" "+c.request.Cascade, func(t *testing.T) {
			t.Parallel()
			f := riverFixture(t)
			if got := f.rerun(c.request); got != c.want {
				t.Fatalf("%+v made\n%s, want\n%s", c.request, got, c.want)
			}
			f.drain()
			rows, _, err := f.store.Runs(t.Context(), engine.RunQuery{State: engine.RunActive})
			f.must(err)
			if len(rows) > 0 {
				t.Fatalf("%s does not end", rows[0].Name(""))
			}
		})
	}
}

// TestACascadeDoesNotFollowLatestNeeds: at once after the rerun the newest success is that of another period.
func TestACascadeDoesNotFollowLatestNeeds(t *testing.T) {
	t.Parallel()
	f := startFixture(t)
	f.write("newest.yaml", "flow: days\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks:\n  a: {run: 'true'}\n---\n"+
		"flow: newest\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks:\n  n: {needs: [{task: days/a, periods: latest}], run: 'true'}\n")
	f.sync("active")
	f.backfill(engine.BackfillRequest{Flows: []string{"days", "newest"}, From: "2026-11-10", To: "2026-11-11"})
	f.drain()
	if got, want := f.rerun(engine.RerunRequest{Target: "days@2026-11-11", Cascade: "logical"}), "days@2026-11-11#2"; got != want {
		t.Fatalf("made %s, want %s", got, want)
	}
	f.rerun(engine.RerunRequest{Target: "newest@2026-11-11"})
	got := f.executed()
	slices.Sort(got)
	if want := []string{"days/a@2026-11-11", "newest/n@2026-11-11"}; !slices.Equal(got, want) {
		t.Fatalf("agents execute %v, want %v", got, want)
	}
}

// hoursOf names the runs that a day's sum comes from.
func hoursOf(day string) string {
	names := []string{"days@" + day}
	for h := range 24 {
		names = append(names, "raw@"+day+"T"+string(rune('0'+h/10))+string(rune('0'+h%10)))
	}
	return strings.Join(names, " ")
}

// TestACascadeRunsInOrder: what follows waits for the new versions, also by data alone, and over a restart.
func TestACascadeRunsInOrder(t *testing.T) {
	t.Parallel()
	f := riverFixture(t)
	f.rerun(engine.RerunRequest{Target: "days/a@2026-11-10", Cascade: "both"})
	want := func(names ...string) {
		t.Helper()
		got := f.executed()
		slices.Sort(got)
		if !slices.Equal(got, names) {
			t.Fatalf("agents execute %v, want %v", got, names)
		}
	}
	want("days/a@2026-11-10")
	f.end()
	f.start()
	f.join()
	want("days/a@2026-11-10")
	f.finish("days/a@2026-11-10", engine.Succeeded)
	want("copies/c@2026-11-10", "sums/s@2026-11-10")
	f.finish("sums/s@2026-11-10", engine.Succeeded)
	want("copies/c@2026-11-10", "sums/s@2026-11-11")
	f.drain()
	// The tasks that were not reached stand as they were.
	x, err := f.service.Explain(t.Context(), "days/b@2026-11-10")
	f.must(err)
	if x.Tasks[0].Reference != "days/b@2026-11-10" {
		t.Errorf("days/b: %+v", x.Tasks[0])
	}
}

func TestACascadeIsWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	f := riverFixture(t)
	f.rerun(engine.RerunRequest{Target: "sums@2026-11-11"}) // runs
	_, err := f.service.Rerun(t.Context(), engine.RerunRequest{Target: "days/a@2026-11-10", Cascade: "logical"})
	f.wantError(err, engine.Conflict, "sums/s@2026-11-11#2 is running: wait for it, or rerun with --kill")
	found, err := f.service.FindRuns(t.Context(), "days@2026-11-10")
	f.must(err)
	if found[0].Version != 1 {
		t.Fatalf("a refused cascade made %s", found[0].Name)
	}
	f.rerun(engine.RerunRequest{Target: "days/a@2026-11-10", Cascade: "logical", Kill: true})
	for _, r := range []engine.RerunRequest{
		{Target: "days@2026-11-10", Cascade: "sideways"},
		{Target: "days/a@2026-11-10", Failed: true},
		{Target: "days@2026-11-10", Failed: true, FromTask: "a"},
	} {
		if _, err := f.service.Rerun(t.Context(), r); !refused(err, engine.Invalid, "") {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
