package simulate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/control"
	"flowctl/engine/core"
)

// caller is the operator of a simulation.
const caller = "simulation"

// newOperator makes the service of a server, which acts on the simulated machine.
func (w *world) newOperator() *control.Service {
	now := func() time.Time { return w.now.Time() }
	s := &control.Service{Store: shelf{w: w}, Now: now, Caller: func(context.Context) string { return caller }}
	s.Serve(control.Direct(w.m, control.Options{Store: shelf{w: w}, Now: now}, func(ev core.Event) (any, error) {
		return w.operate(ev, Cause{Kind: ByRequest})
	}))
	return s
}

// act does what an operator does. What is refused is noted.
func (w *world) act(a *flow.Action) {
	if err := w.do(context.Background(), a); err != nil {
		w.trace.refuse(w.now, a, err.Error())
	}
}

func (w *world) do(ctx context.Context, a *flow.Action) (err error) {
	s := w.operator
	switch a.Verb {
	case flow.VerbRun:
		_, err = s.StartRun(ctx, engine.StartRun{Target: a.Target, Params: a.Params, Extra: a.Extra, Force: a.Force})
	case flow.VerbRerun:
		_, err = s.Rerun(ctx, engine.RerunRequest{
			Target: a.Target, Failed: a.Failed, FromTask: a.FromTask, Upstream: a.Upstream, Cascade: a.Cascade, Kill: a.Kill,
		})
	case flow.VerbBackfill:
		_, err = s.StartBackfill(ctx, engine.BackfillRequest{
			Flows: a.Flows, All: a.All && a.Group == "" && a.Every == "", Group: a.Group, Every: a.Every, From: a.From, To: a.To,
			MaxActive: a.MaxActive, MissingUpstream: a.MissingUpstream, Reprocess: a.Reprocess, Cascade: a.Cascade,
		})
	case flow.VerbKill:
		_, err = s.Kill(ctx, a.Target)
	case flow.VerbSucceed:
		_, err = s.Succeed(ctx, engine.SucceedRequest{Target: a.Target, Outputs: a.Outputs})
	case flow.VerbSkip:
		_, err = s.Skip(ctx, a.Target)
	case flow.VerbPause:
		_, err = s.Pause(ctx, pauseRequest(a))
	case flow.VerbResume:
		_, err = s.Resume(ctx, pauseRequest(a))
	default:
		err = fmt.Errorf("%q is no verb", a.Verb)
	}
	return err
}

func pauseRequest(a *flow.Action) engine.PauseRequest {
	return engine.PauseRequest{Target: a.Target, Group: a.Group, All: a.All && a.Group == "", ScheduledAfter: instant(a.ScheduledAfter)}
}

// shelf is the ledger as the service asks a store. The service of a simulation asks for nothing else.
type shelf struct {
	engine.Store
	w *world
}

func (s shelf) Outcomes(_ context.Context, keys []engine.LedgerKey) ([]engine.LedgerAnswer, error) {
	return s.w.lookUp(keys), nil
}

func (s shelf) Existing(_ context.Context, keys []engine.RunKey) ([]engine.Existing, error) {
	return s.w.ledger.Existing(keys), nil
}

func (s shelf) LoadRuns(_ context.Context, ids []engine.RunID) (*engine.Snapshot, error) {
	return s.w.ledger.LoadRuns(ids), nil
}

func (s shelf) Revision(context.Context, engine.RevisionID) (*engine.Revision, error) {
	return &engine.Revision{ID: revision, Active: true}, nil
}

func (s shelf) Run(_ context.Context, id engine.RunID) (*engine.Run, error) {
	r, known := s.w.ledger.Runs[id]
	if !known {
		return nil, engine.Errorf(engine.NotFound, "no run %d", id)
	}
	return &r, nil
}

// Runs returns the runs of a flow, newest period first, in one page.
func (s shelf) Runs(_ context.Context, q engine.RunQuery) ([]engine.Run, string, error) {
	all := s.runs(q.Flow, func(engine.Run) bool { return true })
	slices.Reverse(all)
	return all[:min(len(all), cmp.Or(q.Limit, len(all)))], "", nil
}

func (s shelf) FindRuns(_ context.Context, flow string, from, to period.Instant, version int, all bool) ([]engine.Run, error) {
	return s.runs(flow, func(r engine.Run) bool {
		highest, _ := s.w.ledger.Highest(flow, r.Period.Start)
		return from <= r.Period.Start && r.Period.Start <= to && (all || r.Version == cmp.Or(version, highest))
	}), nil
}

// runs returns those runs of a flow that are wanted, by period and version.
func (s shelf) runs(flow string, wanted func(engine.Run) bool) (found []engine.Run) {
	for _, t := range s.w.trace.order {
		if r := s.w.ledger.Runs[t.row.ID]; r.Flow == flow && wanted(r) {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b engine.Run) int {
		return cmp.Or(cmp.Compare(a.Period.Start, b.Period.Start), cmp.Compare(a.Version, b.Version))
	})
	return found
}

func (s shelf) TaskRuns(_ context.Context, run engine.RunID) ([]engine.TaskRun, error) {
	return s.w.ledger.LoadRuns([]engine.RunID{run}).TaskRuns, nil
}

func (s shelf) Pauses(context.Context) ([]engine.Pause, error) {
	return s.w.ledger.Snapshot().Pauses, nil
}

func (s shelf) Backfills(context.Context) ([]engine.BackfillRow, error) {
	rows := make([]engine.BackfillRow, 0, len(s.w.ledger.Backfills))
	for _, id := range sorted(s.w.ledger.Backfills) {
		rows = append(rows, s.w.ledger.Backfills[id])
	}
	return rows, nil
}
