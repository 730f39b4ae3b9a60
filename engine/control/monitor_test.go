package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// monitor starts the monitor of the fixture's loop. A call of look returns when it has looked once; end returns what it logged.
func (f *fixture) monitor() (look func(), end func() string) {
	var text strings.Builder
	f.loop.Log = slog.New(slog.NewTextHandler(&text, nil))
	ctx, stop := context.WithCancel(f.t.Context())
	rounds, ended := make(chan time.Time), make(chan struct{})
	go func() {
		defer close(ended)
		Monitor(ctx, f.loop, rounds)
	}()
	return func() {
			for range 2 { // the second one is taken when the first is over
				rounds <- time.Time{}
			}
		}, func() string {
			stop()
			<-ended
			return text.String()
		}
}

// lose removes the run of a period of the flow shop from the store, as no part of the server does.
func (f *fixture) lose(label string) period.Instant {
	f.t.Helper()
	_, runs, err := f.service.resolve(f.t.Context(), "shop@"+label)
	f.must(err)
	f.must(f.store.Commit(f.t.Context(), f.loop.Term(), &engine.Changes{NoRuns: []engine.RunID{runs[0].ID}}))
	return runs[0].Period.Start
}

// idleFixture has no agent, so that no run starts.
func idleFixture(t *testing.T) *fixture {
	f := newFixture(t)
	f.start()
	t.Cleanup(func() { f.end() }) // of the loop that runs then
	f.sync("active")
	return f
}

func TestAPeriodWithoutRunIsToldOnce(t *testing.T) {
	t.Parallel()
	f := idleFixture(t)
	look, end := f.monitor()
	f.pass(12*time.Hour + 5*time.Minute) // it was due at 00:01
	start := f.lose("2026-11-19")
	look()
	if all := f.events("", flow.MissingRun); len(all) != 0 {
		t.Fatalf("told 4 minutes after its time: %+v", all)
	}
	f.pass(5 * time.Minute)
	look()
	all := f.events("", flow.MissingRun)
	if len(all) != 1 {
		t.Fatalf("events %+v", all)
	}
	e := all[0]
	if e.Key != fmt.Sprintf("missing_run/shop/%d", start) || e.Subject != "shop" || e.Run != 0 || !strings.Contains(e.Detail, "flowctl run 'shop@2026-11-19'") {
		t.Errorf("event %+v", e)
	}
	look()
	if log := end(); strings.Count(log, `msg="a period that should have a run has none" flow=shop period=2026-11-19`) != 1 {
		t.Errorf("the log has\n%s", log)
	}

	f.end()
	f.start()
	look, end = f.monitor()
	look()
	if all := f.events("", ""); len(all) != 1 {
		t.Errorf("events after a restart: %+v", all)
	}
	end()
	_, err := f.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-19"}) // as the detail says
	f.must(err)
	if _, runs, err := f.service.resolve(t.Context(), "shop@2026-11-19"); err != nil || len(runs) != 1 {
		t.Errorf("runs %v, %v", runs, err)
	}
}

func TestARunThatIsThereOrWasDeletedIsNotMissing(t *testing.T) {
	t.Parallel()
	f := idleFixture(t)
	f.pass(60 * time.Hour) // 2026-11-19, -20 and -21 have ended
	_, err := f.service.Delete(t.Context(), engine.DeleteRequest{Target: "shop@2026-11-19..2026-11-20"})
	f.must(err)
	f.pass(time.Hour)
	now := period.At(f.clock())
	f.must(f.loop.monitor(t.Context(), now.Add(-72*time.Hour), now))
	if all := f.events("", ""); len(all) != 0 {
		t.Fatalf("events %+v", all)
	}
	f.lose("2026-11-21") // the deletion does not name it
	f.must(f.loop.monitor(t.Context(), now.Add(-72*time.Hour), now))
	if all := f.events("shop", flow.MissingRun); len(all) != 1 || !strings.HasPrefix(all[0].Detail, "2026-11-21 ") {
		t.Fatalf("events %+v", all)
	}
}

// TestAClockThatJumpedIsNoAlarm: as when the host was asleep, and nothing has woken the loop yet.
func TestAClockThatJumpedIsNoAlarm(t *testing.T) {
	t.Parallel()
	f := idleFixture(t)
	f.mu.Lock()
	f.now = f.now.Add(48 * time.Hour)
	f.mu.Unlock()
	now := period.At(f.clock())
	f.must(f.loop.monitor(t.Context(), now.Add(-48*time.Hour), now))
	if all := f.events("", ""); len(all) != 0 {
		t.Fatalf("events %+v", all)
	}
}

// blind is a store that cannot say, a few times, which runs there are.
type blind struct {
	engine.Store
	fails atomic.Int32
}

func (b *blind) Existing(ctx context.Context, keys []engine.RunKey) ([]engine.Existing, error) {
	if b.fails.Add(-1) >= 0 {
		return nil, errors.New("it is dark")
	}
	return b.Store.Existing(ctx, keys)
}

func TestARoundThatFailsIsMadeUpFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	store := &blind{Store: f.store.Store}
	f.store.Store = store
	f.start()
	t.Cleanup(f.end)
	f.sync("active")
	f.pass(24 * time.Hour)
	f.lose("2026-11-19")
	store.fails.Store(1)
	look, end := f.monitor()
	look() // two rounds
	look()
	if all := f.events("", flow.MissingRun); len(all) != 1 {
		t.Errorf("events %+v", all)
	}
	if log := end(); !strings.Contains(log, "it is dark") {
		t.Errorf("the log has\n%s", log)
	}
}
