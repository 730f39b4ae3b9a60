package sqlite

import (
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// The columns of each kind of row, in the order in which its scan function takes them.
const (
	runColumns = `r.id, r.flow, r.period_kind, r.period_start, r.period_end, r.zone, r.label, r.version, r.kind, r.state, r.revision, r.pinned,
	r.params, r.backfill, r.partial, r.extra, r.force, r.created, r.due, r.started, r.finished`
	taskRunColumns = `t.run, t.task, t.state, t.attempts, t.attempt, t.from_run, t.next_at, t.code, t.message, t.outputs, t.started, t.finished,
	t.dependency_late, t.output_late, t.alerted, t.gate_asked, t.gate_taken, t.gate_released`
	attemptColumns = `a.id, a.run, a.task, a.no, a.agent, a.boot, a.state, a.code, a.message, a.exit_code, a.assigned, a.started, a.finished, a.max_rss, a.cpu,
	a.read_bytes, a.written_bytes`
	eventColumns    = `id, at, kind, flow, task, run, attempt, backfill, agent, key, detail, owner`
	backfillColumns = `id, revision, flows, from_period, to_period, max_active, missing_upstream, reprocess, state, total, created, skipped,
	succeeded, failed, cursor, by_whom, created_at, finished_at, unfinished`
)

func scanRun(r *row) (v engine.Run, err error) {
	v.ID, v.Flow = engine.RunID(r.int()), r.text()
	v.Period = period.Period{Kind: period.Kind(r.int()), Start: period.Instant(r.int()), End: period.Instant(r.int())}
	v.Zone, v.Label, v.Version = r.text(), r.text(), int(r.int())
	v.Kind, v.State = engine.RunKind(r.text()), engine.RunState(r.text())
	v.Revision, v.Pinned = engine.RevisionID(r.int()), r.bool()
	err = parse(r.text(), &v.Params)
	v.Backfill, v.Partial, v.Extra, v.Force = engine.BackfillID(r.int()), r.bool(), r.bool(), r.bool()
	v.Created, v.Due = period.Instant(r.int()), period.Instant(r.int())
	v.Started, v.Finished = period.Instant(r.int()), period.Instant(r.int())
	return v, err
}

func scanTaskRun(r *row) (v engine.TaskRun, err error) {
	v.Run, v.Task, v.State = engine.RunID(r.int()), r.text(), engine.State(r.text())
	v.Attempts, v.Attempt, v.From = int(r.int()), engine.AttemptID(r.int()), engine.RunID(r.int())
	v.NextAt, v.Code, v.Message = period.Instant(r.int()), engine.ErrorCode(r.text()), r.text()
	err = parse(r.text(), &v.Outputs)
	v.Started, v.Finished = period.Instant(r.int()), period.Instant(r.int())
	v.DependencyLate, v.OutputLate, v.Alerted = period.Instant(r.int()), period.Instant(r.int()), r.bool()
	v.GateAsked, v.GateTaken, v.GateReleased = period.Instant(r.int()), period.Instant(r.int()), period.Instant(r.int())
	return v, err
}

func scanAttempt(r *row) (v engine.Attempt, _ error) {
	v.ID, v.Run, v.Task, v.No = engine.AttemptID(r.int()), engine.RunID(r.int()), r.text(), int(r.int())
	v.Agent, v.Boot, v.State, v.Code, v.Message = r.text(), r.text(), engine.State(r.text()), engine.ErrorCode(r.text()), r.text()
	v.ExitCode = int(r.int())
	v.Assigned, v.Started, v.Finished = period.Instant(r.int()), period.Instant(r.int()), period.Instant(r.int())
	v.MaxRSS, v.CPU, v.Read, v.Written = r.int(), r.int(), r.int(), r.int()
	return v, nil
}

func scanBackfill(r *row) (v engine.BackfillRow, err error) {
	v.ID, v.Revision = engine.BackfillID(r.int()), engine.RevisionID(r.int())
	err = parse(r.text(), &v.Flows)
	v.From, v.To, v.MaxActive = r.text(), r.text(), int(r.int())
	v.MissingUpstream, v.Reprocess, v.State = r.text(), r.text(), engine.BackfillState(r.text())
	v.Total, v.Created, v.Skipped = int(r.int()), int(r.int()), int(r.int())
	v.Succeeded, v.Failed = int(r.int()), int(r.int())
	v.Cursor, v.By = r.text(), r.text()
	v.CreatedAt, v.FinishedAt = period.Instant(r.int()), period.Instant(r.int())
	v.Unfinished = int(r.int())
	return v, err
}

func scanFlow(r *row) (v engine.FlowState, _ error) {
	v.Flow, v.Era, v.Schedule = r.text(), period.Instant(r.int()), r.text()
	v.Cursor, v.Removed = period.Instant(r.int()), r.bool()
	return v, nil
}

const allPauses = `SELECT flow, task, period_start, label, at, by_whom FROM pauses ORDER BY flow, task, period_start`

func scanPause(r *row) (v engine.Pause, _ error) {
	v.PauseKey = engine.PauseKey{Flow: r.text(), Task: r.text(), Start: period.Instant(r.int())}
	v.Label, v.At, v.By = r.text(), period.Instant(r.int()), r.text()
	return v, nil
}

func scanEvent(r *row) (v engine.Event, _ error) {
	v.ID, v.At, v.Kind = r.int(), period.Instant(r.int()), flow.Event(r.text())
	v.Flow, v.Task, v.Run, v.Attempt = r.text(), r.text(), engine.RunID(r.int()), engine.AttemptID(r.int())
	v.Backfill, v.Agent, v.Key, v.Detail, v.Owner = engine.BackfillID(r.int()), r.text(), r.text(), r.text(), r.text()
	return v, nil
}

func scanDrain(r *row) (v engine.Drain, _ error) {
	v.Agent, v.At, v.By = r.text(), period.Instant(r.int()), r.text()
	return v, nil
}

func scanPresence(r *row) (v engine.Presence, _ error) {
	v.Agent, v.Lost, v.Told = r.text(), period.Instant(r.int()), r.bool()
	return v, nil
}

func scanPace(r *row) (v engine.Pace, _ error) {
	v.Flow, v.Task, v.Count, v.Mean, v.Deviation = r.text(), r.text(), r.int(), r.int(), r.int()
	return v, nil
}

func scanOverdue(r *row) (engine.Overdue, error) {
	return engine.Overdue{Run: engine.RunID(r.int()), At: period.Instant(r.int())}, nil
}

func scanAnomaly(r *row) (v engine.Anomaly, _ error) {
	v.Attempt, v.Name, v.Owner, v.At = engine.AttemptID(r.int()), r.text(), r.text(), period.Instant(r.int())
	v.Took, v.State, v.Count, v.Mean, v.Deviation = r.int(), engine.State(r.text()), r.int(), r.int(), r.int()
	return v, nil
}

// into appends each row of a result to a list.
func into[T any](list *[]T, scan func(*row) (T, error)) func(*row) error {
	return func(r *row) error {
		v, err := scan(r)
		if err != nil {
			return err
		}
		*list = append(*list, v)
		return nil
	}
}
