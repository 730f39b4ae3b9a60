//go:build linux

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flowctl/dsl"
	"flowctl/dsl/period"
	"flowctl/dsl/workload"
	"flowctl/engine"
)

// day is a Monday and the first of a month, so periods of every kind begin on it.
const day = "2026-06-01"

// bqetl makes the repository of a real data warehouse from the facts that are recorded of it.
func bqetl(t testing.TB, o workload.Options) workload.Repository {
	t.Helper()
	folder := os.Getenv("FLOWCTL_WORKLOADS")
	if folder == "" {
		t.Skip("FLOWCTL_WORKLOADS is not set: it names the folder of the recorded workloads")
	}
	r, err := workload.BQETL(folder, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestKnotsOfRealWarehouse has the binary validate the warehouse as it is.
func TestKnotsOfRealWarehouse(t *testing.T) {
	t.Parallel()
	s := newSite(t, bqetl(t, workload.Options{}))
	out, problems, code := s.flowctl(t.Context(), "validate", s.repo)
	if code != 1 {
		t.Errorf("validate ends with %d, want 1: %s", code, problems)
	}
	if cycles, all := strings.Count(out, "[cycle]"), strings.Count(out, ": error: ")+strings.Count(out, ": warning: "); cycles != 2 || all != 2 {
		t.Errorf("validate finds %d cycles among %d problems, want 2 among 2:\n%s", cycles, all, out)
	}
}

// TestRealWarehouse runs every flow of the warehouse: those on demand, then all periods that begin on one day.
func TestRealWarehouse(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it runs some thousand tasks")
	}
	repository := bqetl(t, workload.Options{CutKnots: true, NoOp: true})
	demand, periods := planned(t, repository)
	s := newSite(t, repository)
	server := s.startServer()
	s.awaitReady(server)
	ctx, svc := t.Context(), s.client()

	began := time.Now()
	for _, name := range demand {
		r, err := svc.StartRun(ctx, engine.StartRun{Target: name})
		if err != nil {
			t.Fatalf("run %s: %v", name, err)
		}
		err = svc.WatchRun(ctx, r.ID, func(d engine.RunDetail) error {
			r = &d.RunView
			return nil
		})
		if err != nil || r.State != engine.RunSucceeded {
			t.Errorf("%s is %s (%v)", r.Name, r.State, err)
		}
	}
	onDemand := time.Since(began)

	began = time.Now()
	out, problems, code := s.flowctl(ctx, "backfill", "--all", "--from", day, "--to", day,
		"--missing-upstream", "ignore", "--wait", "--wait-timeout", "5m", "--yes")
	if code != 0 {
		t.Errorf("the backfill ends with %d: %s%s", code, out, problems)
		explainActive(t, s)
	}
	took := time.Since(began)

	runs := every(t, func(p engine.Page) (*engine.List[engine.RunView], error) {
		return svc.Runs(ctx, engine.RunsQuery{Page: p, Kind: engine.Backfill})
	})
	found := map[string]int{}
	for _, r := range runs {
		found[r.Flow]++
		if r.State != engine.RunSucceeded {
			t.Errorf("%s is %s", r.Name, r.State)
		}
	}
	want, tasks := 0, 0
	for name, n := range periods {
		want += n
		if found[name] != n {
			t.Errorf("%s has %d runs, its schedule has %d periods that begin on %s", name, found[name], n, day)
		}
	}
	if len(runs) != want {
		t.Errorf("%d runs, want %d", len(runs), want)
	}
	for range every(t, func(p engine.Page) (*engine.List[engine.AttemptView], error) {
		return svc.Attempts(ctx, engine.AttemptsQuery{Page: p, State: engine.Succeeded})
	}) {
		tasks++
	}
	t.Logf("%d flows on demand in %v; %d runs of %d scheduled flows in %v; %d tasks in all",
		len(demand), onDemand.Round(time.Millisecond), len(runs), len(periods), took.Round(time.Millisecond), tasks)
	server.terminate(t)
	s.awaitNoProcess(20 * time.Second)
}

// planned compiles the repository and returns its flows without schedule, and how many periods of the others begin on the day.
func planned(t testing.TB, r workload.Repository) (demand []string, periods map[string]int) {
	t.Helper()
	var files []dsl.File
	for name, text := range r {
		files = append(files, dsl.File{Path: filepath.ToSlash(name), Mode: 0o644, Data: text})
	}
	project, findings := dsl.New().Compile(files)
	if project == nil {
		t.Fatalf("the warehouse does not compile: %v", findings)
	}
	periods = map[string]int{}
	for _, f := range project.Flows {
		if f.Schedule.Kind() == period.Demand {
			demand = append(demand, f.Name)
			continue
		}
		from, to, err := f.Schedule.Range(day, day)
		if err != nil {
			t.Fatal(err)
		}
		for range f.Schedule.StartingIn(from, to) {
			periods[f.Name]++
		}
	}
	return demand, periods
}

// explainActive shows why some of the runs that have not ended stand where they stand.
func explainActive(t testing.TB, s *site) {
	t.Helper()
	active, err := s.client().Runs(t.Context(), engine.RunsQuery{State: engine.RunActive, Page: engine.Page{Limit: 5}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range active.Items {
		out, _, _ := s.flowctl(t.Context(), "explain", r.Name)
		t.Log(out)
	}
}
