//go:build linux

package main_test

import (
	"context"
	"testing"
	"time"

	"flowctl/engine"
)

// TestCrashOfAColdStart kills the server with SIGKILL while it is asked for a backfill, before the first run of it, and at random instants
// while it makes the runs. In the end each task of each period was executed exactly once.
//
// FLOWCTL_CRASH_DAYS is the length of the backfill, of 24 runs a day; FLOWCTL_CRASH_KILLS and FLOWCTL_CRASH_SEED are as for TestCrash.
func TestCrashOfAColdStart(t *testing.T) {
	kills, days := number(t, "FLOWCTL_CRASH_KILLS", 8), number(t, "FLOWCTL_CRASH_DAYS", 20)
	if testing.Short() {
		kills, days = 4, 4
	}
	seed := uint64(number(t, "FLOWCTL_CRASH_SEED", int(time.Now().UnixNano()%1_000_000)))
	t.Logf("FLOWCTL_CRASH_SEED=%d FLOWCTL_CRASH_KILLS=%d FLOWCTL_CRASH_DAYS=%d", seed, kills, days)

	c := newCrash(t, seed)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	first := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	submitted := make(chan engine.BackfillID)
	go func() {
		submitted <- c.submitBackfill(ctx, engine.BackfillRequest{
			Flows: []string{"cold"}, From: first.Format(time.DateOnly), To: first.AddDate(0, 0, days-1).Format(time.DateOnly),
		})
	}()
	strike := func(within time.Duration) {
		time.Sleep(time.Duration(c.random.Int64N(int64(within)))) // the random instant is the test
		c.kill(c.server)
		c.startAgain()
	}
	strike(10 * time.Millisecond)
	id := <-submitted
	struck := 1
	for ; struck < kills; struck++ {
		if b, err := c.svc.Backfill(ctx, id); err == nil && b.State != engine.BackfillRunning {
			break
		}
		if struck == 1 {
			strike(10 * time.Millisecond) // nothing of it has been made, or little
		} else {
			strike(1500 * time.Millisecond)
		}
	}
	c.persist(ctx, func() error { return c.svc.WatchBackfill(ctx, id, func(engine.BackfillView) error { return nil }) })
	c.awaitReady(c.server)
	c.checkCold(id, 24*days)
	t.Logf("%d kills", struck)
	c.server.terminate(t)
	c.awaitNoProcess(20 * time.Second)
	c.checkLogs()
}

// checkCold wants that a backfill made a number of runs, each of them once, and nothing else.
func (c *crash) checkCold(id engine.BackfillID, want int) {
	c.t.Helper()
	if b, err := c.svc.Backfill(c.t.Context(), id); err != nil || b.State != engine.BackfillDone || b.Succeeded != want || b.Total != want {
		c.t.Errorf("backfill %d: %+v, %v; want %d runs", id, b, err, want)
	}
	runs := every(c.t, func(p engine.Page) (*engine.List[engine.RunView], error) {
		return c.svc.Runs(c.t.Context(), engine.RunsQuery{Page: p})
	})
	if len(runs) != want {
		c.t.Errorf("%d runs, want %d", len(runs), want)
	}
	attempts := c.attempts()
	executions := c.trace.executions(c.t)
	for _, r := range runs {
		if r.State != engine.RunSucceeded || r.Version != 1 || r.Backfill != id {
			c.t.Errorf("%s is %s, of backfill %d", r.Name, r.State, r.Backfill)
		}
		c.checkRun(r, attempts[r.ID], executions)
	}
	for _, xs := range executions {
		c.t.Errorf("executed for no run: %+v", *xs[0])
	}
}
