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
