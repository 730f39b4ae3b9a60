package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// CROSS JOIN fixes the order of the loops: from the few active runs to their task runs.
const (
	activeRuns     = `SELECT ` + runColumns + ` FROM runs r INDEXED BY runs_active WHERE r.state = 'active' ORDER BY r.id`
	activeTaskRuns = `SELECT ` + taskRunColumns + ` FROM runs r INDEXED BY runs_active CROSS JOIN task_runs t ON t.run = r.id
WHERE r.state = 'active' ORDER BY r.id, t.task`
	// Live attempts belong to active runs, so no index of them has to be kept.
	liveAttempts = `SELECT ` + attemptColumns + ` FROM runs r INDEXED BY runs_active CROSS JOIN attempts a INDEXED BY attempts_run ON a.run = r.id
WHERE r.state = 'active' AND (a.state = 'assigned' OR a.state = 'running' OR a.state = 'killing') ORDER BY a.id`
	aheadRuns = `SELECT r.flow, r.period_start, max(r.version), min(r.extra) FROM flows f CROSS JOIN runs r INDEXED BY runs_end
ON r.flow = f.flow AND r.period_end > f.cursor WHERE r.period_kind <> 0 GROUP BY r.flow, r.period_start ORDER BY r.flow, r.period_start`
	supersededRuns = `SELECT r.id FROM runs r INDEXED BY runs_active WHERE r.state = 'active' AND NOT r.extra
AND EXISTS (SELECT 1 FROM runs n WHERE n.flow = r.flow AND n.period_start = r.period_start AND n.version > r.version AND NOT n.extra) ORDER BY r.id`
	ignoringRuns = `SELECT r.id FROM runs r INDEXED BY runs_active CROSS JOIN backfills b ON b.id = r.backfill
WHERE r.state = 'active' AND b.missing_upstream = 'ignore' ORDER BY r.id`
	// A wait is over when the newest version of the period has succeeded in the task or does not have it, or no run is left. The codes of ledgerStates:
	// 1 succeeded, 2 skipped.
	wokenRuns = `SELECT DISTINCT w.run FROM waits w JOIN tasks t ON t.id = w.task WHERE CASE t.task
WHEN '' THEN EXISTS (SELECT 1 FROM runs r JOIN flows f ON f.flow = r.flow WHERE r.id = w.run AND r.period_end <= f.cursor)
ELSE coalesce((SELECT o.state FROM outcomes o WHERE o.task = w.task AND o.period_start = w.period_start
	AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = o.run AND r.extra)
	AND NOT EXISTS (SELECT 1 FROM runs n WHERE n.flow = t.flow AND n.period_start = w.period_start AND n.version > o.version AND NOT n.extra)
	ORDER BY o.version DESC LIMIT 1) IN (1, 2),
	(SELECT NOT r.partial AND NOT EXISTS (SELECT 1 FROM task_runs x WHERE x.run = r.id AND x.task = t.task)
	FROM runs r WHERE r.flow = t.flow AND r.period_start = w.period_start AND NOT r.extra ORDER BY r.version DESC LIMIT 1), 1) END ORDER BY w.run`
	highest = `SELECT (SELECT active FROM server), (SELECT max(last_run, coalesce((SELECT max(id) FROM runs), 0)) FROM server), (SELECT max(id) FROM attempts), (SELECT max(id) FROM backfills)`

	someRuns     = `SELECT ` + runColumns + ` FROM runs r WHERE r.id IN (SELECT value FROM json_each(?1)) ORDER BY r.id`
	someIgnoring = `SELECT r.id FROM runs r CROSS JOIN backfills b ON b.id = r.backfill
WHERE r.id IN (SELECT value FROM json_each(?1)) AND b.missing_upstream = 'ignore' ORDER BY r.id`
	someTaskRuns = `SELECT ` + taskRunColumns + ` FROM task_runs t WHERE t.run IN (SELECT value FROM json_each(?1)) ORDER BY t.run, t.task`
	someAttempts = `SELECT ` + attemptColumns + ` FROM attempts a WHERE a.run IN (SELECT value FROM json_each(?1))
AND a.state IN ('assigned', 'running', 'killing') ORDER BY +a.id`
)

// Load returns all that can still move. Its cost grows with what is active, not with history.
func (s *Store) Load(ctx context.Context) (*engine.Snapshot, error) {
	var n engine.Snapshot
	err := s.read(ctx, func(c *conn) error {
		numbers := func(r *row) error {
			n.Active, n.LastRun = engine.RevisionID(r.int()), engine.RunID(r.int())
			n.LastAttempt, n.LastBackfill = engine.AttemptID(r.int()), engine.BackfillID(r.int())
			return nil
		}
		for _, q := range []struct {
			text string
			take func(*row) error
		}{
			{activeRuns, into(&n.Runs, scanRun)},
			{activeTaskRuns, into(&n.TaskRuns, scanTaskRun)},
			{liveAttempts, into(&n.Attempts, scanAttempt)},
			{`SELECT flow, era, schedule, cursor, removed FROM flows ORDER BY flow`, into(&n.Flows, scanFlow)},
			{`SELECT ` + backfillColumns + ` FROM backfills WHERE state IN ('running', 'paused') OR finished_at = 0 ORDER BY id`, into(&n.Backfills, scanBackfill)},
			{allPauses, into(&n.Pauses, scanPause)},
			{`SELECT agent, lost, told FROM presences WHERE NOT told ORDER BY agent`, into(&n.Presences, scanPresence)},
			{`SELECT agent, at, by_whom FROM drains ORDER BY agent`, into(&n.Drains, scanDrain)},
			{`SELECT flow, task, count, mean, deviation FROM paces ORDER BY flow, task`, into(&n.Paces, scanPace)},
			{`SELECT run, at FROM overdue ORDER BY run`, into(&n.Overdue, scanOverdue)},
			{`SELECT attempt, name, owner, at, took, state, count, mean, deviation FROM anomalies ORDER BY attempt`, into(&n.Anomalies, scanAnomaly)},
			{aheadRuns, into(&n.Ahead, scanAhead)},
			{supersededRuns, into(&n.Superseded, scanRunID)},
			{ignoringRuns, into(&n.Ignoring, scanRunID)},
			{wokenRuns, into(&n.Woken, scanRunID)},
			{highest, numbers},
		} {
			if err := c.query(ctx, q.text, q.take); err != nil {
				return err
			}
		}
		return loadOutbox(ctx, c, &n.Outbox)
	})
	if err != nil {
		return nil, fmt.Errorf("load the state: %w", err)
	}
	return &n, nil
}

func scanRunID(r *row) (engine.RunID, error) { return engine.RunID(r.int()), nil }

func scanAhead(r *row) (engine.Ahead, error) {
	key := engine.RunKey{Flow: r.text(), Start: period.Instant(r.int())}
	return engine.Ahead{RunKey: key, Version: int(r.int()), Made: r.int() == 0}, nil
}

// LoadRuns returns the rows of some runs; those that do not exist are left out.
func (s *Store) LoadRuns(ctx context.Context, ids []engine.RunID) (*engine.Snapshot, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	var n engine.Snapshot
	err = s.read(ctx, func(c *conn) error {
		if err := c.query(ctx, someRuns, into(&n.Runs, scanRun), string(list)); err != nil {
			return err
		}
		if err := c.query(ctx, someTaskRuns, into(&n.TaskRuns, scanTaskRun), string(list)); err != nil {
			return err
		}
		if err := c.query(ctx, someIgnoring, into(&n.Ignoring, scanRunID), string(list)); err != nil {
			return err
		}
		return c.query(ctx, someAttempts, into(&n.Attempts, scanAttempt), string(list))
	})
	if err != nil {
		return nil, fmt.Errorf("load %d runs: %w", len(ids), err)
	}
	return &n, nil
}
