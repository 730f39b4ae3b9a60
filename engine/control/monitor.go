package control

import (
	"context"
	"fmt"
	"slices"
	"time"

	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
)

// MonitorEvery is how often Monitor is to look.
const MonitorEvery = 5 * time.Minute

const (
	// grace is how long after its time a period may have no run.
	grace = 5 * time.Minute
	// lookBack is how far the first round reaches.
	lookBack = 24 * time.Hour
	// lookUps is how many periods are looked up in the store at once.
	lookUps = 1000
)

// Monitor compares, in each round, the periods that should have runs with the runs that are stored, until ctx or the loop ends. It tells
// of each period that has none: in the log, and once for all times with an event. A round that fails is made up for by the next.
func Monitor(ctx context.Context, l *Loop, rounds <-chan time.Time) {
	since := period.At(l.Now()).Add(-lookBack)
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.ended:
			return
		case <-rounds:
		}
		to := period.At(l.Now()).Add(-grace)
		if err := l.monitor(ctx, since, to); err == nil {
			since = to
		} else if ctx.Err() == nil {
			l.Log.Warn("it could not be checked whether all periods have runs", "err", err)
		}
	}
}

// monitor tells of the periods without run that became due within (from, to]. Only the list of eras and the events take the loop's time.
func (l *Loop) monitor(ctx context.Context, from, to period.Instant) error {
	// What is due by now is generated, and stored once the query is answered, even when the clock has just jumped.
	if _, err := l.Do(ctx, core.Tick{}); err != nil {
		return err
	}
	var eras []core.Era
	if err := l.Query(ctx, func(m *core.Machine) { eras = m.Eras() }); err != nil {
		return err
	}
	for part := range slices.Chunk(core.Expected(eras, from, to), lookUps) {
		missing, err := l.missing(ctx, part)
		if err != nil {
			return err
		}
		for _, e := range missing {
			l.Log.Error("a period that should have a run has none", "flow", e.Flow.Name, "period", e.Label(), "due", e.Due().Time())
			if _, err := l.Do(ctx, core.Missing{Expectation: e}); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing returns the expectations that nothing in the store meets or explains.
func (l *Loop) missing(ctx context.Context, all []core.Expectation) ([]core.Expectation, error) {
	keys := make([]engine.RunKey, len(all))
	for i := range all {
		keys[i] = all[i].Key()
	}
	found, err := l.Store.Existing(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("look up existing runs: %w", err)
	}
	var missing []core.Expectation
	for _, e := range core.Unmet(all, found) {
		gone, err := l.deleted(ctx, e)
		if err != nil {
			return nil, err
		}
		if !gone {
			missing = append(missing, e)
		}
	}
	return missing, nil
}

// deleted tells whether an operator may have deleted the run of a period.
func (l *Loop) deleted(ctx context.Context, e core.Expectation) (bool, error) {
	q := engine.OperationQuery{Verb: "delete", Target: e.Flow.Name, From: e.Due(), Limit: 1000}
	for {
		rows, err := l.Store.Operations(ctx, q)
		if err != nil {
			return false, fmt.Errorf("look up what operators deleted: %w", err)
		}
		if slices.ContainsFunc(rows, func(o engine.Operation) bool { return names(o.Target, e) }) {
			return true, nil
		}
		if len(rows) < q.Limit {
			return false, nil
		}
		q.Before = rows[len(rows)-1].ID
	}
}

// names tells whether the target of an operation names a period. One that the schedule cannot read may name any.
func names(target string, e core.Expectation) bool {
	t, err := engine.ParseTarget(target)
	if err != nil || t.From == "" {
		return true
	}
	from, to, ok, err := bounds(e.Flow.Schedule, t)
	return err != nil || !ok || from <= e.Period.Start && e.Period.Start <= to
}
