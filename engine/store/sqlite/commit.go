package sqlite

import (
	"context"
	"fmt"

	"flowctl/engine"
)

// Commit applies all changes in one durable transaction, or none.
func (s *Store) Commit(ctx context.Context, term int64, c *engine.Changes) error {
	err := s.fenced(ctx, term, func(w *writer) error { return w.apply(c) })
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// apply writes the rows in the order that doc.go promises.
func (w *writer) apply(c *engine.Changes) error {
	for _, step := range []func(*engine.Changes) error{
		w.putBackfills, w.putRuns, w.deleteRuns, w.deleteTaskRuns, w.putTaskRuns, w.putAttempts, w.deleteWaits, w.putWaits, w.putOverdue, w.putOutcomes, w.putFlows,
		w.addOperations, w.deletePauses, w.putPauses, w.addEvents, w.putPresences, w.putDrains, w.putPaces, w.putAnomalies, w.putSignals,
		w.putAlerts, w.putDeliveries, w.putSilences, w.putSubscriptions, w.putOverrides,
	} {
		if err := step(c); err != nil {
			return err
		}
	}
	return nil
}

const putBackfill = `INSERT INTO backfills (id, revision, flows, from_period, to_period, max_active, missing_upstream, reprocess, state,
	total, created, skipped, succeeded, failed, cursor, by_whom, created_at, finished_at, unfinished)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
ON CONFLICT (id) DO UPDATE SET revision = ?2, flows = ?3, from_period = ?4, to_period = ?5, max_active = ?6, missing_upstream = ?7,
	reprocess = ?8, state = ?9, total = ?10, created = ?11, skipped = ?12, succeeded = ?13, failed = ?14, cursor = ?15, finished_at = ?18, unfinished = ?19`

func (w *writer) putBackfills(c *engine.Changes) error {
	for i := range c.Backfills {
		b := &c.Backfills[i]
		flows, err := listText(b.Flows)
		if err != nil {
			return err
		}
		_, err = w.exec(putBackfill, int64(b.ID), int64(b.Revision), flows, b.From, b.To, int64(b.MaxActive), b.MissingUpstream, b.Reprocess,
			string(b.State), int64(b.Total), int64(b.Created), int64(b.Skipped), int64(b.Succeeded), int64(b.Failed), b.Cursor, b.By,
			int64(b.CreatedAt), int64(b.FinishedAt), int64(b.Unfinished))
		if err != nil {
			return fmt.Errorf("backfill %d: %w", b.ID, err)
		}
	}
	return nil
}

const putRun = `INSERT INTO runs (id, flow, period_kind, period_start, period_end, zone, label, version, kind, state, revision, pinned, params,
	backfill, partial, extra, force, created, due, started, finished)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
ON CONFLICT (id) DO UPDATE SET zone = ?6, label = ?7, kind = ?9, state = ?10, revision = ?11, pinned = ?12, params = ?13, partial = ?15,
	extra = ?16, force = ?17, created = ?18, due = ?19, started = ?20, finished = ?21`

func (w *writer) putRuns(c *engine.Changes) error {
	for i := range c.Runs {
		r := &c.Runs[i]
		params, err := mapText(r.Params)
		if err != nil {
			return err
		}
		var backfill any
		if r.Backfill != 0 {
			backfill = int64(r.Backfill)
		}
		_, err = w.exec(putRun, int64(r.ID), r.Flow, int64(r.Period.Kind), int64(r.Period.Start), int64(r.Period.End), r.Zone, r.Label,
			int64(r.Version), string(r.Kind), string(r.State), int64(r.Revision), r.Pinned, params, backfill, r.Partial, r.Extra, r.Force,
			int64(r.Created), int64(r.Due), int64(r.Started), int64(r.Finished))
		if err != nil {
			return fmt.Errorf("run %d (%s@%s#%d): %w", r.ID, r.Flow, r.Label, r.Version, err)
		}
	}
	return nil
}

// deleteRuns removes runs without attempts. Their numbers are not given out again.
func (w *writer) deleteRuns(c *engine.Changes) error {
	for _, id := range c.NoRuns {
		for _, text := range [...]string{
			`DELETE FROM outcomes WHERE (task, period_start, version) IN (SELECT t.id, r.period_start, r.version
	FROM runs r JOIN tasks t ON t.flow = r.flow WHERE r.id = ?1)`,
			`DELETE FROM waits WHERE run = ?1`,
			`DELETE FROM overdue WHERE run = ?1`,
			`DELETE FROM task_runs WHERE run = ?1`,
			`DELETE FROM runs WHERE id = ?1`,
			`UPDATE server SET last_run = max(last_run, ?1)`,
		} {
			if _, err := w.exec(text, int64(id)); err != nil {
				return fmt.Errorf("remove run %d: %w", id, err)
			}
		}
	}
	return nil
}

func (w *writer) deleteTaskRuns(c *engine.Changes) error {
	for _, k := range c.NoTaskRuns {
		for _, text := range [...]string{
			`DELETE FROM outcomes WHERE (task, period_start, version) IN (SELECT t.id, r.period_start, r.version
	FROM runs r JOIN tasks t ON t.flow = r.flow AND t.task = ?2 WHERE r.id = ?1)`,
			`DELETE FROM task_runs WHERE run = ?1 AND task = ?2`,
		} {
			if _, err := w.exec(text, int64(k.Run), k.Task); err != nil {
				return fmt.Errorf("remove task run %d/%s: %w", k.Run, k.Task, err)
			}
		}
	}
	return nil
}

const putTaskRun = `INSERT INTO task_runs (run, task, state, attempts, attempt, from_run, next_at, code, message, outputs, started, finished,
	dependency_late, output_late, alerted, gate_asked, gate_taken, gate_released)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
ON CONFLICT (run, task) DO UPDATE SET state = ?3, attempts = ?4, attempt = ?5, from_run = ?6, next_at = ?7, code = ?8, message = ?9,
	outputs = ?10, started = ?11, finished = ?12, dependency_late = ?13, output_late = ?14, alerted = ?15,
	gate_asked = ?16, gate_taken = ?17, gate_released = ?18`

func (w *writer) putTaskRuns(c *engine.Changes) error {
	for i := range c.TaskRuns {
		t := &c.TaskRuns[i]
		outputs, err := mapText(t.Outputs)
		if err != nil {
			return err
		}
		_, err = w.exec(putTaskRun, int64(t.Run), t.Task, string(t.State), int64(t.Attempts), int64(t.Attempt), int64(t.From), int64(t.NextAt),
			string(t.Code), t.Message, outputs, int64(t.Started), int64(t.Finished),
			int64(t.DependencyLate), int64(t.OutputLate), t.Alerted, int64(t.GateAsked), int64(t.GateTaken), int64(t.GateReleased))
		if err != nil {
			return fmt.Errorf("task run %d/%s: %w", t.Run, t.Task, err)
		}
	}
	return nil
}

const putAttempt = `INSERT INTO attempts (id, run, task, no, agent, boot, state, code, message, exit_code, assigned, started, finished, max_rss, cpu,
read_bytes, written_bytes)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
ON CONFLICT (id) DO UPDATE SET agent = ?5, boot = ?6, state = ?7, code = ?8, message = ?9, exit_code = ?10, assigned = ?11, started = ?12,
	finished = ?13, max_rss = ?14, cpu = ?15, read_bytes = ?16, written_bytes = ?17`

func (w *writer) putAttempts(c *engine.Changes) error {
	for i := range c.Attempts {
		a := &c.Attempts[i]
		_, err := w.exec(putAttempt, int64(a.ID), int64(a.Run), a.Task, int64(a.No), a.Agent, a.Boot, string(a.State), string(a.Code), a.Message,
			int64(a.ExitCode), int64(a.Assigned), int64(a.Started), int64(a.Finished), a.MaxRSS, a.CPU,
			a.Read, a.Written)
		if err != nil {
			return fmt.Errorf("attempt %d of %d/%s: %w", a.ID, a.Run, a.Task, err)
		}
	}
	return nil
}

const putFlow = `INSERT INTO flows (flow, era, schedule, cursor, removed) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (flow) DO UPDATE SET era = ?2, schedule = ?3, cursor = ?4, removed = ?5`

func (w *writer) putFlows(c *engine.Changes) error {
	for i := range c.Flows {
		f := &c.Flows[i]
		if _, err := w.exec(putFlow, f.Flow, int64(f.Era), f.Schedule, int64(f.Cursor), f.Removed); err != nil {
			return fmt.Errorf("flow %s: %w", f.Flow, err)
		}
	}
	return nil
}

func (w *writer) addOperations(c *engine.Changes) error {
	for i := range c.Operations {
		o := &c.Operations[i]
		_, err := w.exec(`INSERT INTO operations (at, by_whom, verb, target, detail) VALUES (?1, ?2, ?3, ?4, ?5)`,
			int64(o.At), o.By, o.Verb, o.Target, o.Detail)
		if err != nil {
			return fmt.Errorf("operation %s %s: %w", o.Verb, o.Target, err)
		}
	}
	return nil
}

func (w *writer) deletePauses(c *engine.Changes) error {
	for _, k := range c.NoPauses {
		_, err := w.exec(`DELETE FROM pauses WHERE flow = ?1 AND task = ?2 AND period_start = ?3`, k.Flow, k.Task, int64(k.Start))
		if err != nil {
			return fmt.Errorf("remove the pause of %s/%s: %w", k.Flow, k.Task, err)
		}
	}
	return nil
}

const addEvent = `INSERT INTO events (at, kind, flow, task, run, attempt, backfill, agent, key, detail, owner)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (key) DO NOTHING`

func (w *writer) addEvents(c *engine.Changes) error {
	for i := range c.Events {
		e := &c.Events[i]
		_, err := w.exec(addEvent, int64(e.At), string(e.Kind), e.Flow, e.Task, int64(e.Run), int64(e.Attempt), int64(e.Backfill), e.Agent, e.Key,
			e.Detail, e.Owner)
		if err != nil {
			return fmt.Errorf("event %s: %w", e.Key, err)
		}
	}
	return nil
}

func (w *writer) putPauses(c *engine.Changes) error {
	for i := range c.Pauses {
		p := &c.Pauses[i]
		_, err := w.exec(`INSERT OR REPLACE INTO pauses (flow, task, period_start, label, at, by_whom) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
			p.Flow, p.Task, int64(p.Start), p.Label, int64(p.At), p.By)
		if err != nil {
			return fmt.Errorf("pause %s: %w", p.Target(), err)
		}
	}
	return nil
}

func (w *writer) putPresences(c *engine.Changes) error {
	for _, p := range c.Presences {
		_, err := w.exec(`INSERT INTO presences (agent, lost, told) VALUES (?1, ?2, ?3) ON CONFLICT (agent) DO UPDATE SET lost = ?2, told = ?3`,
			p.Agent, int64(p.Lost), p.Told)
		if err != nil {
			return fmt.Errorf("presence of %s: %w", p.Agent, err)
		}
	}
	return nil
}

func (w *writer) putDrains(c *engine.Changes) error {
	for _, d := range c.Drains {
		var err error
		if d.Lifted {
			_, err = w.exec(`DELETE FROM drains WHERE agent = ?1`, d.Agent)
		} else {
			_, err = w.exec(`INSERT OR REPLACE INTO drains (agent, at, by_whom) VALUES (?1, ?2, ?3)`, d.Agent, int64(d.At), d.By)
		}
		if err != nil {
			return fmt.Errorf("drain of %s: %w", d.Agent, err)
		}
	}
	return nil
}

const putPace = `INSERT INTO paces (flow, task, count, mean, deviation) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (flow, task) DO UPDATE SET count = ?3, mean = ?4, deviation = ?5`

func (w *writer) putPaces(c *engine.Changes) error {
	for i := range c.Paces {
		p := &c.Paces[i]
		if _, err := w.exec(putPace, p.Flow, p.Task, p.Count, p.Mean, p.Deviation); err != nil {
			return fmt.Errorf("pace of %s/%s: %w", p.Flow, p.Task, err)
		}
	}
	return nil
}

const putAnomaly = `INSERT INTO anomalies (attempt, name, owner, at, took, state, count, mean, deviation)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (attempt) DO NOTHING`

func (w *writer) putAnomalies(c *engine.Changes) error {
	for i := range c.Anomalies {
		a := &c.Anomalies[i]
		_, err := w.exec(putAnomaly, int64(a.Attempt), a.Name, a.Owner, int64(a.At), a.Took, string(a.State), a.Count, a.Mean, a.Deviation)
		if err != nil {
			return fmt.Errorf("anomaly of attempt %d: %w", a.Attempt, err)
		}
	}
	for _, id := range c.NoAnomalies {
		if _, err := w.exec(`DELETE FROM anomalies WHERE attempt = ?1`, int64(id)); err != nil {
			return fmt.Errorf("remove the anomaly of attempt %d: %w", id, err)
		}
	}
	return nil
}

const putSignal = `INSERT INTO signals (signal, period_start, period_end, label, at, by_whom) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (signal, period_start) DO UPDATE SET period_end = ?3, label = ?4, at = ?5, by_whom = ?6`

func (w *writer) putSignals(c *engine.Changes) error {
	for i := range c.Signals {
		s := &c.Signals[i]
		var err error
		if s.Unset {
			_, err = w.exec(`DELETE FROM signals WHERE signal = ?1 AND period_start = ?2`, s.Signal, int64(s.Start))
		} else {
			_, err = w.exec(putSignal, s.Signal, int64(s.Start), int64(s.End), s.Label, int64(s.At), s.By)
		}
		if err != nil {
			return fmt.Errorf("signal %s for %s: %w", s.Signal, s.Label, err)
		}
	}
	return nil
}
