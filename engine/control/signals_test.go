package control

import (
	"context"
	"slices"
	"testing"
	"time"

	"flowctl/engine"
)

func TestSignals(t *testing.T) {
	t.Parallel()
	f := startFixture(t)
	ctx, s := t.Context(), f.service
	f.write("signals.yaml", "signals: {crm.export: {every: day, teams: [data]}, erp: {every: hour, teams: [data]}}\n")
	f.write("buyers.yaml", "flow: buyers\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks: {t: {run: 'true', signals: [crm.export]}}\n")
	f.sync("active")
	set := func(r engine.SignalRequest) []string {
		t.Helper()
		v, err := s.SetSignal(ctx, r)
		f.must(err)
		var labels []string
		for _, p := range v.Set {
			labels = append(labels, p.Period)
		}
		return labels
	}

	_, err := s.StartRun(ctx, engine.StartRun{Target: "buyers@2026-11-10"})
	f.must(err)
	x, err := s.Explain(ctx, "buyers/t@2026-11-10")
	f.must(err)
	if b := x.Tasks[0].Blockers; len(b) != 1 || b[0].Kind != engine.BlockSignal || b[0].Hint != "flowctl signal set crm.export 2026-11-10" {
		t.Errorf("blockers: %+v", b)
	}
	if got := set(engine.SignalRequest{Signal: "crm.export", Period: "2026-11-10"}); !slices.Equal(got, []string{"2026-11-10"}) {
		t.Errorf("set: %v", got)
	}
	if got := f.executed(); !slices.Equal(got, []string{"buyers/t@2026-11-10"}) {
		t.Errorf("executed: %v", got)
	}

	// What is set stays as it is: when, and by whom.
	first, err := s.Signals(ctx, "crm.export", engine.Page{})
	f.must(err)
	if p := first.Items[0].Set[0]; p.By != "ann" || !p.At.Equal(f.clock()) || p.PeriodStart != time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC) {
		t.Errorf("set: %+v", p)
	}
	f.pass(time.Minute)
	s.Caller = func(context.Context) string { return "bob" }
	set(engine.SignalRequest{Signal: "crm.export", Period: "2026-11-10"})
	again, err := s.Signals(ctx, "", engine.Page{})
	f.must(err)
	if len(again.Items) != 2 || again.Items[0].Set[0] != first.Items[0].Set[0] {
		t.Errorf("set again: %+v", again.Items)
	}
	ops, err := s.Operations(ctx, engine.OperationsQuery{})
	f.must(err)
	if o := ops.Items[0]; o.Verb != "signal set" || o.Target != "crm.export@2026-11-10" || o.By != "ann" {
		t.Errorf("operations: %+v", ops.Items)
	}

	// A preview names what is not set. A date means its hours, and there are ranges.
	p, err := s.PreviewBackfill(ctx, engine.BackfillRequest{Flows: []string{"buyers"}, From: "2026-11-11", To: "2026-11-12"})
	f.must(err)
	if want := []string{"signal crm.export@2026-11-11", "signal crm.export@2026-11-12"}; !slices.Equal(p.Missing, want) {
		t.Errorf("missing: %v", p.Missing)
	}
	if got := set(engine.SignalRequest{Signal: "crm.export", Period: "2026-11-08..2026-11-12"}); len(got) != 5 || got[0] != "2026-11-12" {
		t.Errorf("range: %v", got)
	}
	if got := set(engine.SignalRequest{Signal: "crm.export", Period: "2026-11-12", Unset: true}); len(got) != 4 || got[0] != "2026-11-11" {
		t.Errorf("unset: %v", got)
	}
	if got := set(engine.SignalRequest{Signal: "erp", Period: "2026-11-10"}); len(got) != 10 || got[0] != "2026-11-10T23" {
		t.Errorf("hours: %v", got)
	}

	_, err = s.SetSignal(ctx, engine.SignalRequest{Signal: "crm", Period: "2026-11-10"})
	f.wantError(err, engine.NotFound, "no signal crm")
	_, err = s.Signals(ctx, "crm", engine.Page{})
	f.wantError(err, engine.NotFound, "no signal crm")
	for text, want := range map[string]string{
		"yesterday": "yesterday", "2026-11-12..2026-11-10": "is before", "1990-01-01..2026-11-12": "10000 periods", "": "period",
	} {
		_, err = s.SetSignal(ctx, engine.SignalRequest{Signal: "erp", Period: text})
		f.wantError(err, engine.Invalid, want)
	}
}

// A signal that was acknowledged is set after any restart.
func TestSignalsSurviveRestarts(t *testing.T) {
	t.Parallel()
	f := startFixture(t)
	f.write("signals.yaml", "signals: {s: {every: day, teams: [data]}}\n")
	f.write("buyers.yaml", "flow: buyers\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks: {t: {run: 'true', signals: [s]}}\n")
	f.sync("active")
	_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "buyers@2026-11-10"})
	f.must(err)
	f.end()
	f.start()
	f.join()
	if got := f.executed(); len(got) != 0 {
		t.Fatalf("executed: %v", got)
	}
	_, err = f.service.SetSignal(t.Context(), engine.SignalRequest{Signal: "s", Period: "2026-11-10"})
	f.must(err)
	f.end()
	f.start()
	f.join()
	if got := f.executed(); !slices.Equal(got, []string{"buyers/t@2026-11-10"}) {
		t.Fatalf("executed: %v", got)
	}
	f.finish("buyers/t@2026-11-10", engine.Succeeded)
	_, err = f.service.SetSignal(t.Context(), engine.SignalRequest{Signal: "s", Period: "2026-11-11"})
	f.must(err)
	f.end()
	f.start()
	f.join()
	_, err = f.service.StartRun(t.Context(), engine.StartRun{Target: "buyers@2026-11-11"})
	f.must(err)
	if got := f.executed(); !slices.Equal(got, []string{"buyers/t@2026-11-11"}) {
		t.Fatalf("executed: %v", got)
	}
}
