package control

import (
	"testing"

	"flowctl/engine"
)

// History under the name that a flow had counts in previews and explanations too.
func TestRenamedFlow(t *testing.T) {
	t.Parallel()
	f := startFixture(t)
	ctx, s := t.Context(), f.service
	for _, day := range []string{"2026-11-10", "2026-11-11"} {
		_, err := s.StartRun(ctx, engine.StartRun{Target: "shop@" + day})
		f.must(err)
	}
	f.finish("shop/a@2026-11-10", engine.Succeeded)
	f.finish("shop/b@2026-11-10", engine.Succeeded)
	f.finish("shop/a@2026-11-11", engine.Failed)

	f.write("shop.yaml", "flow: store\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks:\n"+
		"  c: {run: 'true', formerly: [shop/a]}\n  d: {run: 'true', needs: [c], formerly: [shop/b]}\n")
	f.write("report.yaml", "flow: report\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks: {x: {run: 'true', needs: [shop/a]}}\n")
	f.sync("active")
	p, err := s.PreviewBackfill(ctx, engine.BackfillRequest{Flows: []string{"store"}, From: "2026-11-09", To: "2026-11-11"})
	f.must(err)
	if d := p.Items; p.Total != 1 || d[0].Reason != "missing" || d[1].Reason != "succeeded" || d[2].Reason != "failed" {
		t.Errorf("preview: %+v", p)
	}
	p, err = s.PreviewBackfill(ctx, engine.BackfillRequest{Flows: []string{"report"}, From: "2026-11-09", To: "2026-11-10"})
	f.must(err)
	if len(p.Missing) != 1 || p.Missing[0] != "store/c@2026-11-09" {
		t.Errorf("missing: %v", p.Missing)
	}

	_, err = s.StartRun(ctx, engine.StartRun{Target: "report@2026-11-11"})
	f.must(err)
	x, err := s.Explain(ctx, "report/x@2026-11-11")
	f.must(err)
	if b := x.Tasks[0].Blockers; x.Tasks[0].State != engine.UpstreamFailed || len(b) != 1 || b[0].Ref != "shop/a@2026-11-11" {
		t.Errorf("explanation: %+v", x.Tasks[0])
	}
}

// A rerun of what ran under a former id reaches who needs, or reads, the task under its present one.
func TestACascadeFollowsFormerIds(t *testing.T) {
	t.Parallel()
	for cascade, want := range map[string]string{
		"logical": "report@2026-11-10#2 shop@2026-11-10#2", "data": "copy@2026-11-10#2 shop@2026-11-10#2",
		"both": "copy@2026-11-10#2 report@2026-11-10#2 shop@2026-11-10#2",
	} {
		f := startFixture(t)
		f.fleet.paths = true
		const day = "team: data\nschedule: {every: day, start: 2026-11-01}\ntasks:\n"
		f.write("shop.yaml", "flow: shop\n"+day+"  a: {run: 'true', outputs: [/p]}\n")
		f.sync("active")
		_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-10"})
		f.must(err)
		f.drain()
		f.write("shop.yaml", "flow: store\n"+day+"  c: {run: 'true', outputs: [/p], formerly: [shop/a]}\n")
		f.write("others.yaml", "flow: report\n"+day+"  x: {run: 'true', needs: [store/c]}\n---\nflow: copy\n"+day+"  y: {run: 'true', inputs: [/p]}\n")
		f.sync("active")
		for _, name := range []string{"report", "copy"} {
			_, err = f.service.StartRun(t.Context(), engine.StartRun{Target: name + "@2026-11-10"})
			f.must(err)
		}
		f.drain()
		if got := f.rerun(engine.RerunRequest{Target: "shop@2026-11-10", Cascade: cascade, At: "original"}); got != want {
			t.Errorf("%s reaches %s, want %s", cascade, got, want)
		}
	}
}
