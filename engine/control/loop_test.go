package control

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flowctl/engine"
	"flowctl/engine/core"
	"flowctl/engine/store/storetest"
)

const ask = "flow: ask\nteam: data\ntasks:\n  x: {run: 'true'}\n"

func startAsk() core.StartRun { return core.StartRun{By: "ann", Flow: "ask"} }

func TestManyCallersShareFewCommits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.write("ask.yaml", ask)
	f.start()
	t.Cleanup(f.end)
	f.sync("active")
	busy, gate := make(chan struct{}), make(chan struct{})
	go func() { // the loop is busy while the callers queue
		_ = f.loop.Query(t.Context(), func(*core.Machine) { close(busy); <-gate })
	}()
	<-busy
	before := f.store.Commits()
	const callers = 200
	var all sync.WaitGroup
	ids := make([]engine.RunID, callers)
	for i := range callers {
		all.Go(func() {
			id, err := f.loop.Do(t.Context(), startAsk())
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = id.(engine.RunID)
			if _, err := f.store.Run(t.Context(), ids[i]); err != nil { // what was acknowledged is stored
				t.Errorf("run %d: %v", ids[i], err)
			}
		})
	}
	for len(f.loop.requests) < callers {
		time.Sleep(time.Millisecond)
	}
	close(gate)
	all.Wait()
	if n := f.store.Commits() - before; n > 10 {
		t.Errorf("%d calls took %d commits", callers, n)
	}
	seen := map[engine.RunID]bool{}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("run %d was given out twice", id)
		}
		seen[id] = true
	}
}

// TestACommitThatFailsEndsTheLoop: whatever became of it, callers are told to come back, and the next loop knows what is stored.
func TestACommitThatFailsEndsTheLoop(t *testing.T) {
	t.Parallel()
	for fault, want := range map[storetest.Fault]struct {
		err    error
		stored int
	}{
		storetest.FailBefore: {storetest.ErrInjected, 0},
		storetest.FailAfter:  {context.DeadlineExceeded, 1},
		storetest.Fence:      {engine.ErrFenced, 0},
	} {
		f := newFixture(t)
		f.write("ask.yaml", ask)
		f.start()
		f.sync("active")
		f.join()
		f.store.Next(fault)
		_, err := f.loop.Do(t.Context(), startAsk())
		f.wantError(err, engine.Unavailable, "try again")
		if err := <-f.ended; !errors.Is(err, want.err) {
			t.Fatalf("fault %d: the loop ended with %v, want %v", fault, err, want.err)
		}
		_, err = f.loop.Do(t.Context(), startAsk())
		f.wantError(err, engine.Unavailable, "try again")
		f.wantError(f.loop.Post(t.Context(), core.Tick{}), engine.Unavailable, "try again")
		f.wantError(f.loop.Query(t.Context(), func(*core.Machine) {}), engine.Unavailable, "try again")
		if n := len(f.fleet.names()); n != 0 {
			t.Fatalf("fault %d: an effect came before the commit was known to be stored", fault)
		}

		term := f.loop.Term()
		f.start()
		if f.loop.Term() <= term {
			t.Fatalf("term %d follows %d", f.loop.Term(), term)
		}
		f.join()
		rows, _, err := f.store.Runs(t.Context(), engine.RunQuery{})
		f.must(err)
		if len(rows) != want.stored || len(f.executed()) != want.stored {
			t.Fatalf("fault %d: %d runs and %d assignments, want %d", fault, len(rows), len(f.fleet.names()), want.stored)
		}
		_, err = f.loop.Do(t.Context(), startAsk())
		f.must(err)
		f.end()
	}
}

func TestAnotherLeaderFencesTheLoop(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.write("ask.yaml", ask)
	f.start()
	f.sync("active")
	if _, err := f.store.Lead(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := f.loop.Do(t.Context(), startAsk())
	f.wantError(err, engine.Unavailable, "try again")
	if err := <-f.ended; !errors.Is(err, engine.ErrFenced) {
		t.Fatalf("the loop ended with %v", err)
	}
	if rows, _, _ := f.store.Runs(t.Context(), engine.RunQuery{}); len(rows) != 0 {
		t.Fatal("a stale leader wrote")
	}
}

func TestARestartedLoopFindsItsWorkAgain(t *testing.T) {
	t.Parallel()
	f := startFixture(t)
	f.pass(12*time.Hour + time.Minute)
	f.finish("shop/a@2026-11-19", engine.Succeeded)
	f.end()
	f.start()
	f.join() // still executes b
	if n := len(f.executed()); n != 1 {
		t.Fatalf("executed: %v", f.fleet.names())
	}
	f.finish("shop/b@2026-11-19", engine.Succeeded)
	if s := f.state("shop/b@2026-11-19"); s != engine.Succeeded {
		t.Fatalf("b is %s", s)
	}
	attempts, _, err := f.store.Attempts(t.Context(), engine.AttemptQuery{})
	f.must(err)
	if len(attempts) != 2 {
		t.Fatalf("%d attempts, want 2", len(attempts))
	}
}

func TestAnEndedContextIsNoFailure(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start()
	f.stop()
	f.must(<-f.ended)
	f.wantError(f.loop.Post(t.Context(), core.Tick{}), engine.Unavailable, "try again")
}

// TestTheLoopWakesByItself: nobody sends ticks, and time passes on a clock of its own.
func TestTheLoopWakesByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.write("h.yaml", "flow: h\nteam: data\nschedule: {every: hour}\ntasks:\n  x: {run: 'true', retry: {limit: 1, delay: 10m}}\n")
		o := f.options()
		o.Now, o.Log = time.Now, slog.New(slog.DiscardHandler)
		f.service.Now, f.service.Follower.Now = time.Now, time.Now
		loop, err := New(t.Context(), o)
		f.must(err)
		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = loop.Run(ctx) }()
		f.loop, f.stop = loop, stop
		f.service.Serve(loop)
		f.sync("active")
		f.join()
		time.Sleep(61*time.Minute + time.Second) // the hour that was in progress, at one minute past
		synctest.Wait()
		f.finish("h/x@2000-01-01T00", engine.Failed)
		time.Sleep(10*time.Minute - time.Second)
		synctest.Wait()
		if n := len(f.fleet.names()); n != 0 {
			t.Errorf("the retry came early: %v", f.fleet.names())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		f.finish("h/x@2000-01-01T00", engine.Succeeded)
		f.end()
	})
}
