package control

import (
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/engine/core"
	"flowctl/engine/store/storetest"
)

func (f *fixture) events(target string, kind flow.Event) []engine.EventView {
	f.t.Helper()
	l, err := f.service.Events(f.t.Context(), engine.EventsQuery{Target: target, Kind: kind})
	f.must(err)
	return l.Items
}

// TestAFailureIsToldOnceWhateverBecomesOfItsCommit: the agent repeats the end until it is stored.
func TestAFailureIsToldOnceWhateverBecomesOfItsCommit(t *testing.T) {
	t.Parallel()
	for _, fault := range []storetest.Fault{storetest.None, storetest.FailBefore, storetest.FailAfter} {
		f := startFixture(t)
		_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-12"})
		f.must(err)
		f.executed()
		id, _ := f.fleet.find("shop/a@2026-11-12")
		end := core.Reported{Agent: "local", Reports: []engine.Report{
			{Attempt: id, Kind: engine.ReportFinished, Result: engine.Result{State: engine.Failed, Code: engine.CodeExit, Message: "exit code 3"}},
		}}
		f.store.Next(fault)
		if _, err := f.loop.Do(t.Context(), end); (err != nil) != (fault != storetest.None) {
			t.Fatalf("fault %d: %v", fault, err)
		}
		if fault != storetest.None {
			if err := <-f.ended; err == nil {
				t.Fatalf("fault %d: the loop goes on", fault)
			}
			f.start()
			f.join()
		}
		_, err = f.loop.Do(t.Context(), end)
		f.must(err)
		all := f.events("", "")
		if len(all) != 1 {
			t.Fatalf("fault %d: events %+v", fault, all)
		}
		e := all[0]
		if e.Kind != flow.Failed || e.Subject != "shop/a@2026-11-12" || e.Flow != "shop" || e.Task != "a" || e.Attempt != id || e.Detail != "exit code 3" {
			t.Fatalf("fault %d: event %+v", fault, e)
		}
	}
}

func TestEventsOfATarget(t *testing.T) {
	t.Parallel()
	f := startFixture(t)
	for _, day := range []string{"2026-11-11", "2026-11-12"} {
		_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@" + day})
		f.must(err)
		f.finish("shop/a@"+day, engine.Failed)
	}
	f.backfill(engine.BackfillRequest{Flows: []string{"shop"}, From: "2026-11-11", To: "2026-11-12"})
	f.executed()
	for _, c := range []struct {
		target string
		kind   flow.Event
		want   int
	}{
		{"", "", 3},
		{"shop", "", 3},
		{"shop", flow.Failed, 2},
		{"shop/a", "", 2},
		{"shop/b", "", 0},
		{"shop@2026-11-12", "", 1},
		{"shop/a@2026-11-12", flow.Failed, 1},
		{"shop/a@2026-11-12", flow.Retrying, 0},
		{"absent", "", 0},
		{"", flow.BackfillFinished, 1},
	} {
		if got := f.events(c.target, c.kind); len(got) != c.want {
			t.Errorf("%d events of %q %q, want %d: %+v", len(got), c.target, c.kind, c.want, got)
		}
	}
	if got := f.events("", flow.BackfillFinished)[0]; got.Subject != "backfill 1" || got.Backfill != 1 {
		t.Errorf("event %+v", got)
	}
	for _, q := range []engine.EventsQuery{{Kind: "odd"}, {Target: "@"}, {Target: "shop@2026-11-11..2026-11-12"}, {Page: engine.Page{Cursor: "?"}}} {
		_, err := f.service.Events(t.Context(), q)
		f.wantError(err, engine.Invalid, "")
	}
}

// TestASettledRunAndALongAttemptAreTold: the loop reads the run from the store when it is late, and the report waits there for ten o'clock, whatever
// becomes of the commits.
func TestASettledRunAndALongAttemptAreTold(t *testing.T) {
	t.Parallel()
	for _, fault := range []storetest.Fault{storetest.None, storetest.FailBefore, storetest.FailAfter} {
		f := startFixture(t)
		f.write("late.yaml", "flow: late\nteam: data\ntasks:\n  a: {run: 'true'}\n  b: {run: 'true', needs: [a], output_timeout: 4h}\n")
		f.sync("active")
		v, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "late"})
		f.must(err)
		id, _ := f.fleet.find("late/a@" + v.Period)
		_, err = f.loop.Do(t.Context(), core.Reported{Agent: "local", Reports: []engine.Report{{Attempt: id, Kind: engine.ReportStarted}}})
		f.must(err)
		f.pass(3 * time.Hour)
		f.finish("late/a@"+v.Period, engine.Failed)
		f.store.Next(fault)
		f.mu.Lock()
		f.now = f.now.Add(21 * time.Hour)
		f.mu.Unlock()
		if _, err := f.loop.Do(t.Context(), core.Tick{}); err != nil && fault == storetest.None {
			t.Fatal(err)
		}
		if fault != storetest.None { // which hits the commit of this round, or that of what it reads from the store
			if err := <-f.ended; err == nil {
				t.Fatalf("fault %d: the loop goes on", fault)
			}
			f.start()
			f.join()
		}
		_, err = f.loop.Do(t.Context(), core.Tick{})
		f.must(err)
		for kind, subject := range map[flow.Event]string{flow.OutputLate: "late/b@" + v.Period, flow.DailyReport: "oncall:data"} {
			if all := f.events("", kind); len(all) != 1 || all[0].Subject != subject {
				t.Errorf("fault %d: %s: %+v", fault, kind, all)
			}
		}
	}
}
