package control

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"flowctl/engine"
)

// site has flows of all kinds: hourly and daily ones that need each other, one on demand, one that the tests take away.
const site = `flow: hours
team: data
schedule: {every: hour, start: 2026-11-01}
tasks:
  x: {run: 'true'}
---
flow: days
team: data
schedule: {every: day, start: 2026-11-01}
concurrency: {runs: 2}
tasks:
  a: {needs: [hours/x], run: 'true'}
---
flow: gone
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  x: {run: 'true'}
`

// siteFixture has these flows, and "ask", which runs on demand.
func siteFixture(t *testing.T) *fixture {
	f := startFixture(t)
	f.write("site.yaml", site)
	f.write("ask.yaml", ask)
	f.sync("active")
	return f
}

// run starts a run of a target and lets it succeed.
func (f *fixture) run(target string) engine.RunView {
	f.t.Helper()
	v, err := f.service.StartRun(f.t.Context(), engine.StartRun{Target: target})
	f.must(err)
	f.drain()
	return *v
}

func (f *fixture) backfill(r engine.BackfillRequest) *engine.BackfillView {
	f.t.Helper()
	v, err := f.service.StartBackfill(f.t.Context(), r)
	f.must(err)
	return v
}

func runNames(rs []engine.RunView) []string {
	var names []string
	for _, r := range rs {
		names = append(names, r.Name)
	}
	return names
}

func TestTargetsNameRuns(t *testing.T) {
	t.Parallel()
	f := siteFixture(t)
	for _, target := range []string{"shop@2026-11-10", "shop@2026-11-11", "shop@2026-11-12", "gone@2026-11-10", "hours@2026-11-10T05"} {
		f.run(target)
	}
	f.backfill(engine.BackfillRequest{Flows: []string{"hours"}, From: "2026-11-12T22", To: "2026-11-13T01"})
	f.drain()
	_, err := f.service.Rerun(t.Context(), engine.RerunRequest{Target: "shop@2026-11-11"})
	f.must(err)
	f.drain()
	asked := f.run("ask")
	f.must(removeFlow(f, "gone"))
	f.sync("active")

	for target, want := range map[string]string{
		"shop":                         "shop@2026-11-12",
		"shop@2026-11-10":              "shop@2026-11-10",
		"shop/a@2026-11-10":            "shop@2026-11-10",
		"shop@2026-11-11":              "shop@2026-11-11#2",
		"shop@2026-11-11#1":            "shop@2026-11-11",
		"shop@2026-11-10..2026-11-12":  "shop@2026-11-10 shop@2026-11-11#2 shop@2026-11-12",
		"shop@2026-11-01..2026-11-10":  "shop@2026-11-10",
		"hours@2026-11-12":             "hours@2026-11-12T22 hours@2026-11-12T23", // a date: every period that begins on it
		"hours@2026-11-12..2026-11-13": "hours@2026-11-12T22 hours@2026-11-12T23 hours@2026-11-13T00 hours@2026-11-13T01",
		"hours@2026-11-10T05":          "hours@2026-11-10T05",
		"gone@2026-11-10":              "gone@2026-11-10", // the flow is no more, the run is
		asked.Name:                     asked.Name,
		"ask":                          asked.Name,
		"ask@2026-11-19":               asked.Name,
	} {
		runs, err := f.service.FindRuns(t.Context(), target)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		if got := strings.Join(runNames(runs), " "); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	for target, want := range map[string]struct {
		code engine.Code
		part string
	}{
		"shop@2026-11-09":             {engine.NotFound, "no run of shop@2026-11-09"},
		"shop@2026-11-11#7":           {engine.NotFound, "no run of"},
		"shop@2026-11-12..2026-11-10": {engine.Invalid, "2026-11-10"},
		"shop@rubbish":                {engine.NotFound, "no run of"},
		"shop@":                       {engine.Invalid, "period is missing"},
		"never":                       {engine.NotFound, "never"},
		"never@2026-11-10":            {engine.NotFound, "never"},
	} {
		if _, err := f.service.FindRuns(t.Context(), target); !refused(err, want.code, want.part) {
			t.Errorf("%s: %v, want %s with %q", target, err, want.code, want.part)
		}
	}
}

// removeFlow takes a flow out of the site's file.
func removeFlow(f *fixture, name string) error {
	before, after, ok := strings.Cut(site, "flow: "+name+"\n")
	if !ok {
		return fmt.Errorf("no flow %s", name)
	}
	_, after, _ = strings.Cut(after, "---\n")
	f.write("site.yaml", strings.TrimSuffix(before, "---\n")+after)
	return nil
}

func TestStartRunRefuses(t *testing.T) {
	t.Parallel()
	f := siteFixture(t)
	_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-10"}) // stays unfinished
	f.must(err)
	for _, c := range []struct {
		request engine.StartRun
		code    engine.Code
		part    string
	}{
		{engine.StartRun{Target: "shop@2026-11-10..2026-11-11"}, engine.Invalid, "use backfill for a range"},
		{engine.StartRun{Target: "shop@2026-11-10#2"}, engine.Invalid, "rerun for another version"},
		{engine.StartRun{Target: "nothing"}, engine.NotFound, "no flow nothing"},
		{engine.StartRun{Target: "shop/nothing"}, engine.NotFound, "nothing"},
		{engine.StartRun{Target: "shop@2026-11-10"}, engine.Conflict, "has not ended"},
		{engine.StartRun{Target: "shop@2026-11-19"}, engine.Conflict, "--extra"}, // it is noon of that day
		{engine.StartRun{Target: "shop@tomorrow"}, engine.Invalid, "tomorrow"},
		{engine.StartRun{Target: "hours@2026-11-10"}, engine.Invalid, "names 24 periods: name one, such as 2026-11-10T00"},
		{engine.StartRun{Target: "ask@2026-11-10"}, engine.Invalid, "runs on demand"},
		{engine.StartRun{Target: "ask", Params: map[string]string{"p": "1"}}, engine.Invalid, "no param p"},
		{engine.StartRun{Target: "a b"}, engine.Invalid, "write flow"},
	} {
		if _, err := f.service.StartRun(t.Context(), c.request); !refused(err, c.code, c.part) {
			t.Errorf("%+v: %v, want %s with %q", c.request, err, c.code, c.part)
		}
	}
	v, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-19", Extra: true})
	f.must(err)
	if v.Name != "shop@2026-11-19" || v.Kind != engine.Manual {
		t.Errorf("the extra run is %+v", v)
	}
	if v, err = f.service.StartRun(t.Context(), engine.StartRun{Target: "days"}); err != nil || v.Period != "2026-11-18" {
		t.Errorf("without period: %+v %v, want the last that ended", v, err)
	}
}

func TestExplainNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	f := siteFixture(t)
	_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "days@2026-11-10"})
	f.must(err)
	explain := func(target string) []engine.ExplainedTask {
		t.Helper()
		e, err := f.service.Explain(t.Context(), target)
		f.must(err)
		return e.Tasks
	}
	bs := explain("days@2026-11-10")[0].Blockers
	if len(bs) != 1 || bs[0].Kind != engine.BlockAbsent || bs[0].Ref != "hours/x@2026-11-10T00..2026-11-10T23" ||
		bs[0].Hint != "flowctl backfill hours --from 2026-11-10T00 --to 2026-11-10T23" {
		t.Fatalf("blockers %+v", bs)
	}
	f.backfill(engine.BackfillRequest{Flows: []string{"hours"}, From: "2026-11-10T00", To: "2026-11-10T23", MaxActive: 24})
	f.executed()
	if x := explain("hours@2026-11-10T07")[0]; x.State != engine.Assigned || x.Agent != "local" || len(x.Blockers) != 0 {
		t.Fatalf("what an agent has: %+v", x)
	}
	f.finish("hours/x@2026-11-10T07", engine.Failed)
	f.drain()
	bs = explain("days/a@2026-11-10")[0].Blockers
	if len(bs) != 1 || bs[0].Kind != engine.BlockNeed || bs[0].Ref != "hours/x@2026-11-10T07" || bs[0].State != engine.Failed ||
		bs[0].Hint != "flowctl rerun 'hours/x@2026-11-10T07'" {
		t.Fatalf("blockers %+v", bs)
	}

	_, err = f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-10"})
	f.must(err)
	f.finish("shop/a@2026-11-10", engine.Failed)
	tasks := explain("shop@2026-11-10")
	if len(tasks) != 2 || tasks[0].State != engine.Failed || tasks[1].State != engine.UpstreamFailed {
		t.Fatalf("a failed run: %+v", tasks)
	}
	if bs := tasks[1].Blockers; len(bs) != 1 || bs[0].Ref != "shop/a@2026-11-10" || !strings.Contains(bs[0].Hint, "flowctl rerun") {
		t.Fatalf("blockers of a settled run: %+v", bs)
	}
	_, err = f.service.Explain(t.Context(), "shop/z@2026-11-10")
	f.wantError(err, engine.NotFound, "no task z")
}

// TestExplainFollowsFailuresToTheirRoot: through runs that have settled, and not to what ran well.
func TestExplainFollowsFailuresToTheirRoot(t *testing.T) {
	t.Parallel()
	f := startFixture(t)
	f.write("chain.yaml", chain)
	f.sync("active")
	for _, target := range []string{"one@2026-11-10", "two@2026-11-10", "three@2026-11-10"} {
		_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: target})
		f.must(err)
	}
	f.finish("one/x@2026-11-10", engine.Succeeded)
	explain := func(target string) engine.ExplainedTask {
		t.Helper()
		e, err := f.service.Explain(t.Context(), target)
		f.must(err)
		return e.Tasks[0]
	}
	// The fixture's clock stands still, and x took no time that is known before its run has settled.
	if x := explain("three/w@2026-11-10"); len(x.Roots) != 1 || x.Roots[0].TaskRun != "one/y@2026-11-10" || x.EarliestStartAt != nil {
		t.Fatalf("waits: %+v", x)
	}
	f.finish("one/y@2026-11-10", engine.Failed)
	_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "four@2026-11-10"})
	f.must(err)
	want := engine.EndOfChain("one/y@2026-11-10", engine.Failed)
	for _, target := range []string{"three/w@2026-11-10", "four/v@2026-11-10"} { // settled, and with another task that runs
		if x := explain(target); x.State != engine.UpstreamFailed || !reflect.DeepEqual(x.Roots, []engine.Root{want}) {
			t.Errorf("%s: %+v", target, x)
		}
	}
	if x := explain("one/y@2026-11-10"); x.Roots != nil {
		t.Errorf("what failed itself: %+v", x)
	}
	f.run("one@2026-11-11")
	v, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "one@2026-11-12"})
	f.must(err)
	if x := explain("one/y@2026-11-12"); x.EarliestStartAt == nil || x.EarliestStartAt.Before(v.CreatedAt) {
		t.Errorf("waits for what is known: %+v", x)
	}
}

// TestExplainLooksUpSoManySettledRuns: it says where to go on.
func TestExplainLooksUpSoManySettledRuns(t *testing.T) {
	t.Parallel()
	f := startFixture(t)
	f.write("past.yaml", "flow: past\nteam: data\nschedule: {every: day, start: 2026-01-01}\ntasks:\n  x: {needs: [{task: x, periods: previous}], run: 'true'}\n")
	f.sync("active")
	f.backfill(engine.BackfillRequest{Flows: []string{"past"}, From: "2026-01-01", To: "2026-08-31", MaxActive: 300})
	f.finish("past/x@2026-01-01", engine.Failed)
	failed := engine.EndOfChain("past/x@2026-01-01", engine.Failed)
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for after, want := range map[int]engine.Root{
		tracedMost + 1: failed,
		tracedMost + 2: engine.EndOfChain("past/x@2026-01-02", engine.UpstreamFailed),
	} {
		e, err := f.service.Explain(t.Context(), "past/x@"+day.AddDate(0, 0, after).Format(time.DateOnly))
		f.must(err)
		if rs := e.Tasks[0].Roots; !reflect.DeepEqual(rs, []engine.Root{want}) {
			t.Errorf("%d days after: %+v", after, rs)
		}
	}
}

// chain is four flows after each other; the last has a task that needs nothing.
const chain = `flow: one
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  x: {run: 'true'}
  y: {needs: [x], run: 'true'}
---
flow: two
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  z: {needs: [one/x, one/y], run: 'true'}
---
flow: three
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  w: {needs: [two/z], run: 'true'}
---
flow: four
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  v: {needs: [three/w], run: 'true'}
  u: {run: 'true'}
`

func TestRerunAtACommit(t *testing.T) {
	t.Parallel()
	c := newCommits(t)
	c.start()
	t.Cleanup(c.end)
	first := c.sync("active")
	c.join()
	c.run("shop@2026-11-10")
	c.write("shop.yaml", shop+"  d: {run: 'true'}\n")
	c.commit("second")
	second := c.sync("active")
	for _, x := range []struct {
		at    string
		want  engine.RevisionID
		tasks int
	}{
		{"", second.ID, 3},
		{"original", second.ID, 3}, // that of the run which is run again
		{first.Commit[:10], first.ID, 2},
		{"original", first.ID, 2},
		{"latest", second.ID, 3},
	} {
		vs, err := c.service.Rerun(t.Context(), engine.RerunRequest{Target: "shop@2026-11-10", At: x.at})
		c.must(err)
		c.drain()
		d, err := c.service.Run(t.Context(), vs[0].ID)
		c.must(err)
		if d.Revision != x.want || len(d.Tasks) != x.tasks || d.State != engine.RunSucceeded || d.Kind != engine.Rerun {
			t.Fatalf("at %q: revision %d with %d tasks, %s", x.at, d.Revision, len(d.Tasks), d.State)
		}
	}
	_, err := c.service.Rerun(t.Context(), engine.RerunRequest{Target: "shop@2026-11-10", At: "abc"})
	c.wantError(err, engine.NotFound, "no usable revision")
	_, err = c.service.Rerun(t.Context(), engine.RerunRequest{Target: "shop@2026-11-10#2"})
	c.wantError(err, engine.Conflict, "was replaced by shop@2026-11-10#6")
}

func TestPreviewsSayWhatABackfillDoes(t *testing.T) {
	t.Parallel()
	f := siteFixture(t)
	f.run("gone@2026-11-11")
	preview := func(r engine.BackfillRequest) *engine.BackfillPreview {
		t.Helper()
		p, err := f.service.PreviewBackfill(t.Context(), r)
		f.must(err)
		return p
	}
	p := preview(engine.BackfillRequest{Flows: []string{"days", "gone"}, From: "2026-11-11", To: "2026-11-12"})
	if p.Total != 3 || len(p.Items) != 4 || len(p.Missing) != 48 || p.Missing[0] != "hours/x@2026-11-11T00" {
		t.Fatalf("preview %+v", p)
	}
	for _, d := range p.Items {
		want := engine.BackfillDecision{Run: d.Run, Action: "create", Reason: "missing"}
		if d.Run == "gone@2026-11-11" {
			want.Action, want.Reason = "leave", "succeeded"
		}
		if d != want {
			t.Errorf("%+v, want %+v", d, want)
		}
	}
	if p := preview(engine.BackfillRequest{All: true, From: "2026-11-11", To: "2026-11-11"}); len(p.Missing) != 0 || p.Total != 26 {
		t.Errorf("with all upstreams: %d runs, missing %v", p.Total, p.Missing)
	}
	if p := preview(engine.BackfillRequest{Flows: []string{"gone"}, From: "2026-11-11", To: "2026-11-11", Reprocess: "all"}); p.Total != 1 {
		t.Errorf("reprocess all: %+v", p)
	}
	if l, err := f.service.Runs(t.Context(), engine.RunsQuery{}); err != nil || len(l.Items) != 1 {
		t.Errorf("a preview made runs: %v %v", l, err)
	}
	for part, r := range map[string]engine.BackfillRequest{
		"needs a range":           {Flows: []string{"days"}},
		"say which flows":         {From: "2026-11-11"},
		"runs on demand":          {Flows: []string{"ask"}, From: "2026-11-11"},
		"has not ended yet":       {Flows: []string{"days"}, From: "2026-11-11", To: "2026-11-19"},
		"no enabled flow":         {Every: "week", From: "2026-11-11"},
		"2026-11-01 is before":    {Flows: []string{"days"}, From: "2026-11-11", To: "2026-11-01"},
		"no flow nothing":         {Flows: []string{"nothing"}, From: "2026-11-11"},
		"no period begins in 202": {Flows: []string{"days"}, From: "2020-11-11", To: "2020-11-12"},
	} {
		_, err := f.service.PreviewBackfill(t.Context(), r)
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%+v: %v, want %q", r, err, part)
		}
	}
}

func TestWatchersHearUntilTheEnd(t *testing.T) {
	t.Parallel()
	f := siteFixture(t)
	v, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-10"})
	f.must(err)
	states, ended := make(chan engine.RunDetail, 100), make(chan error, 1) // nobody waits for what follows the last state
	go func() {
		ended <- f.service.WatchRun(t.Context(), v.ID, func(d engine.RunDetail) error { states <- d; return nil })
	}()
	until := func(task int, s engine.State) {
		t.Helper()
		for d := range states {
			if d.Tasks[task].State == s {
				return
			}
		}
	}
	until(0, engine.Assigned)
	f.executed()
	f.finish("shop/a@2026-11-10", engine.Succeeded)
	until(1, engine.Assigned)
	f.executed()
	f.finish("shop/b@2026-11-10", engine.Succeeded)
	until(1, engine.Succeeded)
	f.must(<-ended)

	b := f.backfill(engine.BackfillRequest{Flows: []string{"gone"}, From: "2026-11-10", To: "2026-11-12", MaxActive: 1})
	views := make(chan engine.BackfillView, 100)
	go func() {
		ended <- f.service.WatchBackfill(t.Context(), b.ID, func(b engine.BackfillView) error { views <- b; return nil })
	}()
	if first := <-views; first.State != engine.BackfillRunning || first.Total != 3 {
		t.Fatalf("first %+v", first)
	}
	f.drain()
	f.must(<-ended)
	close(views)
	var last engine.BackfillView
	for last = range views { //nolint:revive // the last one counts
	}
	if last.State != engine.BackfillDone || last.Succeeded != 3 || last.FinishedAt == nil {
		t.Fatalf("last %+v", last)
	}

	f.must(f.service.WatchRun(t.Context(), v.ID, func(d engine.RunDetail) error { // over already: told once
		if d.State != engine.RunSucceeded {
			t.Errorf("a settled run is %s", d.State)
		}
		return nil
	}))
	f.wantError(f.service.WatchRun(t.Context(), 999, nil), engine.NotFound, "999")
	f.wantError(f.service.WatchBackfill(t.Context(), 999, nil), engine.NotFound, "999")
}

func TestWatchersLeaveWithTheirContext(t *testing.T) {
	t.Parallel()
	f := siteFixture(t)
	v, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-10"})
	f.must(err)
	ctx, stop := context.WithCancel(t.Context())
	err = f.service.WatchRun(ctx, v.ID, func(engine.RunDetail) error { stop(); return nil })
	if err != context.Canceled {
		t.Errorf("error %v", err)
	}
	heard := make(chan struct{}, 100)
	ended := make(chan error)
	go func() {
		ended <- f.service.WatchRun(t.Context(), v.ID, func(engine.RunDetail) error { heard <- struct{}{}; return nil })
	}()
	<-heard
	f.end()
	f.wantError(<-ended, engine.Unavailable, "try again")
}

// pages reads a list two at a time and returns what it found.
func pages[T any](f *fixture, fetch func(engine.Page) (*engine.List[T], error), name func(T) string) []string {
	f.t.Helper()
	var names []string
	for p := (engine.Page{Limit: 2}); ; {
		l, err := fetch(p)
		f.must(err)
		if len(l.Items) == 0 || len(l.Items) > 2 {
			f.t.Fatalf("a page of %d items after %v", len(l.Items), names)
		}
		for _, item := range l.Items {
			names = append(names, name(item))
		}
		if p.Cursor = l.Next; p.Cursor == "" {
			return names
		}
	}
}

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	f := siteFixture(t)
	ctx, s := t.Context(), f.service
	for i := range 3 { // a revision, a run, a backfill and two operations each
		f.write("ask.yaml", ask+strings.Repeat("# more\n", i+1)+fmt.Sprintf("  y%d: {run: 'true'}\n", i))
		f.sync("active")
		day := fmt.Sprintf("2026-11-1%d", i)
		f.run("shop@" + day)
		f.backfill(engine.BackfillRequest{Flows: []string{"gone"}, From: day})
		f.drain()
	}
	is := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	is("flows", pages(f, func(p engine.Page) (*engine.List[engine.FlowView], error) { return s.Flows(ctx, p) },
		func(v engine.FlowView) string { return v.Name }), "ask", "days", "gone", "hours", "shop")
	is("tasks", pages(f, func(p engine.Page) (*engine.List[engine.TaskView], error) { return s.Tasks(ctx, "", p) },
		func(v engine.TaskView) string { return v.ID }), "ask/x", "ask/y2", "days/a", "gone/x", "hours/x", "shop/a", "shop/b")
	is("revisions", pages(f, func(p engine.Page) (*engine.List[engine.RevisionView], error) { return s.Revisions(ctx, p) },
		func(v engine.RevisionView) string { return itoa(int(v.ID)) }), "5", "4", "3", "2", "1")
	is("runs", pages(f, func(p engine.Page) (*engine.List[engine.RunView], error) {
		return s.Runs(ctx, engine.RunsQuery{Page: p})
	},
		func(v engine.RunView) string { return v.Name }),
		"gone@2026-11-12", "shop@2026-11-12", "gone@2026-11-11", "shop@2026-11-11", "gone@2026-11-10", "shop@2026-11-10")
	is("runs of a range", pages(f, func(p engine.Page) (*engine.List[engine.RunView], error) {
		return s.Runs(ctx, engine.RunsQuery{Page: p, Target: "shop@2026-11-10..2026-11-12"})
	}, func(v engine.RunView) string { return v.Name }), "shop@2026-11-12", "shop@2026-11-11", "shop@2026-11-10")
	is("attempts of a run", pages(f, func(p engine.Page) (*engine.List[engine.AttemptView], error) {
		return s.Attempts(ctx, engine.AttemptsQuery{Page: p, Target: "shop@2026-11-10"})
	}, func(v engine.AttemptView) string { return v.TaskRun }), "shop/b@2026-11-10", "shop/a@2026-11-10")
	if all := pages(f, func(p engine.Page) (*engine.List[engine.AttemptView], error) {
		return s.Attempts(ctx, engine.AttemptsQuery{Page: p})
	}, func(v engine.AttemptView) string { return itoa(int(v.ID)) }); len(all) != 9 || len(slices.Compact(slices.Sorted(slices.Values(all)))) != 9 {
		t.Errorf("attempts: %v", all)
	}
	is("backfills", pages(f, func(p engine.Page) (*engine.List[engine.BackfillView], error) { return s.Backfills(ctx, p) },
		func(v engine.BackfillView) string { return itoa(int(v.ID)) }), "3", "2", "1")
	is("operations", pages(f, func(p engine.Page) (*engine.List[engine.OperationView], error) {
		return s.Operations(ctx, engine.OperationsQuery{Page: p})
	},
		func(v engine.OperationView) string { return v.Verb }), "backfill", "run", "backfill", "run", "backfill", "run")
	for i := range 3 {
		f.must(f.store.PutAgent(ctx, &engine.Agent{Name: fmt.Sprintf("a%d", i), JoinedAt: f.clock(), LastSeen: f.clock()}))
	}
	is("agents", pages(f, func(p engine.Page) (*engine.List[engine.AgentView], error) { return s.Agents(ctx, p) },
		func(v engine.AgentView) string { return v.Name + " " + v.State }), "a0 lost", "a1 lost", "a2 lost")
	for what, fetch := range map[string]func(engine.Page) error{
		"revisions":  func(p engine.Page) error { _, err := s.Revisions(ctx, p); return err },
		"runs":       func(p engine.Page) error { _, err := s.Runs(ctx, engine.RunsQuery{Page: p}); return err },
		"attempts":   func(p engine.Page) error { _, err := s.Attempts(ctx, engine.AttemptsQuery{Page: p}); return err },
		"backfills":  func(p engine.Page) error { _, err := s.Backfills(ctx, p); return err },
		"operations": func(p engine.Page) error { _, err := s.Operations(ctx, engine.OperationsQuery{Page: p}); return err },
	} {
		if err := fetch(engine.Page{Cursor: "not_one"}); !refused(err, engine.Invalid, "cursor") {
			t.Errorf("%s with a cursor of nobody: %v", what, err)
		}
	}
}

func TestNextRunOfFlows(t *testing.T) {
	t.Parallel()
	f := siteFixture(t)
	for name, want := range map[string]time.Time{
		"hours": time.Date(2026, 11, 19, 13, 1, 0, 0, time.UTC),
		"days":  time.Date(2026, 11, 20, 0, 1, 0, 0, time.UTC),
		"ask":   {},
	} {
		v, err := f.service.Flow(t.Context(), name)
		f.must(err)
		if want.IsZero() != (v.NextAt == nil) || v.NextAt != nil && !v.NextAt.Equal(want) {
			t.Errorf("%s runs next at %v, want %v", name, v.NextAt, want)
		}
	}
}
