package sqlite

import (
	"context"
	"fmt"
	"slices"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// ledgerStates are the states that an outcome can have. Their indexes are stored: append only.
func ledgerStates() [7]engine.State {
	return [...]engine.State{engine.Waiting, engine.Succeeded, engine.Skipped, engine.Failed, engine.Killed, engine.Expired, engine.UpstreamFailed}
}

func ledgerCode(s engine.State) (int64, error) {
	for i, state := range ledgerStates() {
		if s == state {
			return int64(i), nil
		}
	}
	return 0, fmt.Errorf("the ledger does not take the state %q", s)
}

func ledgerState(code int64) engine.State { return ledgerStates()[code] }

type taskName struct{ flow, task string }

// number returns the number of a task in table tasks, where it is added when it is new.
func (w *writer) number(flow, task string) (int64, error) {
	name := taskName{flow, task}
	if n, ok := w.tasks[name]; ok {
		return n, nil
	}
	var n int64
	take := func(r *row) error { n = r.int(); return nil }
	ctx := context.Background()
	err := w.query(ctx, `SELECT id FROM tasks WHERE flow = ?1 AND task = ?2`, take, flow, task)
	if err == nil && n == 0 {
		err = w.query(ctx, `INSERT INTO tasks (flow, task) VALUES (?1, ?2) RETURNING id`, take, flow, task)
		w.fresh = append(w.fresh, name)
	}
	if err != nil {
		return 0, err
	}
	w.tasks[name] = n
	return n, nil
}

const putOutcome = `INSERT INTO outcomes (task, period_start, version, period_end, run, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (task, period_start, version) DO UPDATE SET period_end = ?4, run = ?5, state = ?6`

func (w *writer) putOutcomes(c *engine.Changes) error {
	for i := range c.Outcomes {
		o := &c.Outcomes[i]
		n, err := w.number(o.Flow, o.Task)
		if err != nil {
			return err
		}
		code, err := ledgerCode(o.State)
		if err == nil {
			_, err = w.exec(putOutcome, n, int64(o.Start), int64(o.Version), int64(o.End), int64(o.Run), code)
		}
		if err != nil {
			return fmt.Errorf("outcome of %s/%s in run %d: %w", o.Flow, o.Task, o.Run, err)
		}
	}
	return nil
}

func (w *writer) deleteWaits(c *engine.Changes) error {
	for _, run := range c.NoWaits {
		if _, err := w.exec(`DELETE FROM waits WHERE run = ?1`, int64(run)); err != nil {
			return fmt.Errorf("remove the waits of run %d: %w", run, err)
		}
	}
	return nil
}

func (w *writer) putWaits(c *engine.Changes) error {
	for i := range c.Waits {
		x := &c.Waits[i]
		n, err := w.number(x.Flow, x.Task)
		if err == nil {
			_, err = w.exec(`INSERT INTO waits (task, period_start, run) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING`, n, int64(x.Start), int64(x.Run))
		}
		if err != nil {
			return fmt.Errorf("wait of run %d for %s/%s: %w", x.Run, x.Flow, x.Task, err)
		}
	}
	return nil
}

func (w *writer) putOverdue(c *engine.Changes) error {
	for _, o := range c.Overdue {
		text, args := `INSERT INTO overdue (run, at) VALUES (?1, ?2) ON CONFLICT (run) DO UPDATE SET at = ?2`, []any{int64(o.Run), int64(o.At)}
		if o.At == 0 {
			text, args = `DELETE FROM overdue WHERE run = ?1`, args[:1]
		}
		if _, err := w.exec(text, args...); err != nil {
			return fmt.Errorf("lateness of run %d: %w", o.Run, err)
		}
	}
	return nil
}

// Extra runs have no say in the ledger, should one have been written there. The codes of ledgerStates: 1 succeeded, 2 skipped.
const (
	// What an older version made of a task does not count once a newer one exists, which may not have the task any more.
	outcomeOf = `SELECT o.period_start, o.period_end, o.version, o.run, o.state FROM tasks t JOIN outcomes o ON o.task = t.id
WHERE t.flow = ?1 AND t.task = ?2 AND o.period_start = ?3 AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = o.run AND r.extra)
AND NOT EXISTS (SELECT 1 FROM runs n WHERE n.flow = ?1 AND n.period_start = ?3 AND n.version > o.version AND NOT n.extra)
ORDER BY o.version DESC LIMIT 1`

	// Only the highest version of a period speaks for it.
	latestSuccess = `SELECT o.period_start, o.period_end, o.version, o.run, o.state FROM tasks t JOIN outcomes o ON o.task = t.id
WHERE t.flow = ?1 AND t.task = ?2 AND o.period_start <= ?3 AND o.period_end <= ?3 AND o.state IN (1, 2)
AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = o.run AND r.extra)
AND NOT EXISTS (SELECT 1 FROM runs n WHERE n.flow = ?1 AND n.period_start = o.period_start AND n.version > o.version AND NOT n.extra)
AND NOT EXISTS (SELECT 1 FROM outcomes h WHERE h.task = o.task AND h.period_start = o.period_start AND h.version > o.version
	AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = h.run AND r.extra))
ORDER BY o.period_start DESC LIMIT 1`

	badTasks = `SELECT task FROM task_runs WHERE run = ?1 AND state IN ('failed', 'killed', 'expired', 'upstream_failed') ORDER BY task`
	// A partial run says nothing of the tasks that it lacks.
	lacks = `SELECT NOT r.partial AND NOT EXISTS (SELECT 1 FROM task_runs x WHERE x.run = r.id AND x.task = ?2)
FROM runs r WHERE r.flow = ?1 AND r.period_start = ?3 AND NOT r.extra ORDER BY r.version DESC LIMIT 1`

	// A task run that stands for another run's has that one's outputs, unless it has its own.
	outputsOf = `SELECT coalesce(t.outputs, f.outputs) FROM task_runs t LEFT JOIN task_runs f ON f.run = t.from_run AND f.task = t.task
WHERE t.run = ?1 AND t.task = ?2`

	isSet = `SELECT 1 FROM signals WHERE signal = ?1 AND period_start = ?2`
)

// Outcomes answers ledger look-ups, all from the same state.
func (s *Store) Outcomes(ctx context.Context, keys []engine.LedgerKey) ([]engine.LedgerAnswer, error) {
	answers := make([]engine.LedgerAnswer, len(keys))
	err := s.read(ctx, func(c *conn) error {
		for i, k := range keys {
			if err := c.lookUp(ctx, k, &answers[i]); err != nil {
				return fmt.Errorf("look up %s%s/%s: %w", k.Signal, k.Flow, k.Task, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

func (c *conn) lookUp(ctx context.Context, k engine.LedgerKey, a *engine.LedgerAnswer) error {
	if k.Signal != "" {
		return c.query(ctx, isSet, func(*row) error {
			a.Found, a.Outcome = true, engine.Outcome{Start: k.Start, State: engine.Succeeded}
			return nil
		}, k.Signal, int64(k.Start))
	}
	text := outcomeOf
	if k.Latest {
		text = latestSuccess
	}
	err := c.query(ctx, text, func(r *row) error {
		a.Found = true
		a.Outcome = engine.Outcome{
			Flow: k.Flow, Task: k.Task, Start: period.Instant(r.int()), End: period.Instant(r.int()), Version: int(r.int()),
			Run: engine.RunID(r.int()), State: ledgerState(r.int()),
		}
		return nil
	}, k.Flow, k.Task, int64(k.Start))
	switch {
	case err != nil:
		return err
	case a.Found:
		return c.query(ctx, outputsOf, func(r *row) error { return parse(r.text(), &a.Outputs) }, int64(a.Outcome.Run), k.Task)
	case !k.Latest:
		return c.query(ctx, lacks, func(r *row) error { a.NoTask = r.bool(); return nil }, k.Flow, k.Task, int64(k.Start))
	}
	return nil
}

// Existing tells which runs there are for each key.
func (s *Store) Existing(ctx context.Context, keys []engine.RunKey) ([]engine.Existing, error) {
	answers := make([]engine.Existing, len(keys))
	err := s.read(ctx, func(c *conn) (err error) {
		for i, k := range keys {
			if answers[i], err = c.existing(ctx, k); err != nil {
				return fmt.Errorf("look up the runs of %s: %w", k.Flow, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

func (c *conn) existing(ctx context.Context, k engine.RunKey) (e engine.Existing, err error) {
	err = c.query(ctx, `SELECT version, id, state, extra FROM runs WHERE flow = ?1 AND period_start = ?2 ORDER BY version DESC`, func(r *row) error {
		version, id, state, extra := int(r.int()), engine.RunID(r.int()), engine.RunState(r.text()), r.bool()
		e.Version = max(e.Version, version)
		if e.Run == 0 && !extra {
			e.Run, e.State = id, state
		}
		return nil
	}, k.Flow, int64(k.Start))
	if err != nil || e.State != engine.RunFailed {
		return e, err
	}
	return e, c.query(ctx, badTasks, func(r *row) error { e.Bad = append(e.Bad, r.text()); return nil }, int64(e.Run))
}

// Waiting returns the settled runs that wait for one of the keys.
func (s *Store) Waiting(ctx context.Context, keys []engine.LedgerKey) ([]engine.RunID, error) {
	var runs []engine.RunID
	err := s.read(ctx, func(c *conn) error {
		for _, k := range keys {
			err := c.query(ctx, `SELECT w.run FROM tasks t JOIN waits w ON w.task = t.id WHERE t.flow = ?1 AND t.task = ?2 AND w.period_start = ?3`,
				func(r *row) error { runs = append(runs, engine.RunID(r.int())); return nil }, k.Flow, k.Task, int64(k.Start))
			if err != nil {
				return fmt.Errorf("look up who waits for %s/%s: %w", k.Flow, k.Task, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(runs)
	return slices.Compact(runs), nil
}
