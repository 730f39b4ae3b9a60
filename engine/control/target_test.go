package control

import (
	"testing"

	"flowctl/engine"
)

// TestAnExtraRunReplacesNothing: operators go on with the run that needs read.
func TestAnExtraRunReplacesNothing(t *testing.T) {
	t.Parallel()
	f := startFixture(t)
	first, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-18"})
	f.must(err)
	_, err = f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-18", Extra: true})
	f.must(err)
	row, err := f.store.Run(t.Context(), first.ID)
	f.must(err)
	f.must(f.service.newest(t.Context(), []engine.Run{*row}))
	_, err = f.service.Rerun(t.Context(), engine.RerunRequest{Target: "shop@2026-11-18#1", Kill: true})
	f.must(err)
	f.wantError(f.service.newest(t.Context(), []engine.Run{*row}), engine.Conflict, "was replaced by shop@2026-11-18#3")
}

// TestRunningOneTaskOfAnEndedPeriod takes the others by reference.
func TestRunningOneTaskOfAnEndedPeriod(t *testing.T) {
	t.Parallel()
	f := startFixture(t)
	_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-18"})
	f.must(err)
	f.finish("shop/a@2026-11-18", engine.Succeeded)
	f.finish("shop/b@2026-11-18", engine.Failed)
	v, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop/b@2026-11-18"})
	f.must(err)
	if v.Version != 2 || v.Kind != engine.Rerun {
		t.Fatalf("the run is %+v", v)
	}
}
