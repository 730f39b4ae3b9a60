package sqlite

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// all returns every row of a result.
func all[T any](ctx context.Context, s *Store, scan func(*row) (T, error), text string, args ...any) ([]T, error) {
	var list []T
	err := s.read(ctx, func(c *conn) error { return c.query(ctx, text, into(&list, scan), args...) })
	if err != nil {
		return nil, fmt.Errorf("read the store: %w", err)
	}
	return list, nil
}

// one returns the only row of a result, *engine.Error NotFound that speaks of what when there is none.
func one[T any](ctx context.Context, s *Store, scan func(*row) (T, error), what, text string, args ...any) (*T, error) {
	list, err := all(ctx, s, scan, text, args...)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, engine.Errorf(engine.NotFound, "there is no %s", what)
	}
	return &list[0], nil
}

func pageSize(limit int) int64 {
	if limit <= 0 {
		return 100
	}
	return int64(limit)
}

// list builds the statement of a list. Statements are kept by their text, so values that vary are arguments.
type list struct {
	where []string
	args  []any
}

// and adds a condition, in which each ? stands for the next argument, as in the statement as a whole.
func (l *list) and(condition string, args ...any) {
	l.where = append(l.where, condition)
	l.args = append(l.args, args...)
}

func (l *list) text(columns, from, order string, limit int64) (string, []any) {
	where := ""
	if len(l.where) > 0 {
		where = " WHERE " + strings.Join(l.where, " AND ")
	}
	args := append(l.args, limit)
	return fmt.Sprintf("SELECT %s FROM %s%s ORDER BY %s LIMIT ?", columns, from, where, order), args
}

// Runs lists runs newest first: those of one flow by period and version, others by number.
func (s *Store) Runs(ctx context.Context, q engine.RunQuery) ([]engine.Run, string, error) {
	var l list
	if err := l.selectRuns(q); err != nil {
		return nil, "", err
	}
	if q.Flow != "" {
		if err := l.after(q.Cursor, "(r.period_start, r.version) < (?, ?)", 2); err != nil {
			return nil, "", err
		}
		return page(ctx, s, &l, scanRun, runColumns, "runs r", "r.period_start DESC, r.version DESC", q.Limit,
			func(r engine.Run) string { return formatCursor(int64(r.Period.Start), int64(r.Version)) })
	}
	if err := l.after(q.Cursor, "r.id < ?", 1); err != nil {
		return nil, "", err
	}
	from := "runs r"
	switch {
	case q.Backfill != 0:
		from += " INDEXED BY runs_backfill"
	case q.State == engine.RunActive:
		from += " INDEXED BY runs_active"
	case q.State == engine.RunFailed:
		from += " INDEXED BY runs_failed"
	}
	return page(ctx, s, &l, scanRun, runColumns, from, "r.id DESC", q.Limit, func(r engine.Run) string { return formatCursor(int64(r.ID)) })
}

// selectRuns adds the conditions of a query.
func (l *list) selectRuns(q engine.RunQuery) error {
	switch q.State {
	case "":
	case engine.RunActive, engine.RunSucceeded, engine.RunFailed:
		// Literal, because a partial index is only used for a condition that is known when the statement is prepared.
		l.and("r.state = '" + string(q.State) + "'")
	default:
		return engine.Errorf(engine.Invalid, "%q is no state of a run", q.State)
	}
	if q.Flow != "" {
		l.and("r.flow = ?", q.Flow)
	}
	if q.Backfill != 0 {
		l.and("r.backfill = ?", int64(q.Backfill))
	}
	if q.Kind != "" {
		l.and("r.kind = ?", string(q.Kind))
	}
	if q.From != 0 {
		l.and("r.period_start >= ?", int64(q.From))
	}
	if q.To != 0 {
		l.and("r.period_start <= ?", int64(q.To))
	}
	return nil
}

// Attempts lists attempts by number, newest first.
func (s *Store) Attempts(ctx context.Context, q engine.AttemptQuery) ([]engine.Attempt, string, error) {
	var l list
	order := "a.id DESC"
	if q.Run != 0 {
		l.and("a.run = ?", int64(q.Run))
		order = "+a.id DESC" // the few attempts of the run are found by its index, then sorted
	}
	if q.Task != "" {
		l.and("a.task = ?", q.Task)
	}
	if q.Agent != "" {
		l.and("a.agent = ?", q.Agent)
	}
	if q.State != "" {
		l.and("a.state = ?", string(q.State))
	}
	if err := l.after(q.Cursor, strings.TrimSuffix(order, " DESC")+" < ?", 1); err != nil {
		return nil, "", err
	}
	return page(ctx, s, &l, scanAttempt, attemptColumns, "attempts a", order, q.Limit, func(a engine.Attempt) string { return formatCursor(int64(a.ID)) })
}

// page runs a list and returns the cursor of what follows, empty at the end.
func page[T any](ctx context.Context, s *Store, l *list, scan func(*row) (T, error), columns, from, order string, limit int,
	at func(T) string,
) ([]T, string, error) {
	n := pageSize(limit)
	text, args := l.text(columns, from, order, n+1)
	rows, err := all(ctx, s, scan, text, args...)
	if err != nil {
		return nil, "", err
	}
	if int64(len(rows)) <= n {
		return rows, "", nil
	}
	rows = rows[:n]
	return rows, at(rows[n-1]), nil
}

// A cursor is the place of the last row of a page: its sort keys.
func formatCursor(keys ...int64) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = strconv.FormatInt(k, 36)
	}
	return strings.Join(parts, ".")
}

// after adds the condition that a row follows the page that ended with a cursor of n keys; none when the cursor is empty.
func (l *list) after(cursor, condition string, n int) error {
	if cursor == "" {
		return nil
	}
	parts := strings.Split(cursor, ".")
	keys := make([]any, len(parts))
	for i, p := range parts {
		k, err := strconv.ParseInt(p, 36, 64)
		if err != nil || len(parts) != n {
			return engine.Errorf(engine.Invalid, "%q is not a cursor of this list: take the one that the page before returned", cursor)
		}
		keys[i] = k
	}
	l.and(condition, keys...)
	return nil
}

// Run returns one run, *engine.Error NotFound when there is none of that number.
func (s *Store) Run(ctx context.Context, id engine.RunID) (*engine.Run, error) {
	return one(ctx, s, scanRun, fmt.Sprintf("run %d", id), `SELECT `+runColumns+` FROM runs r WHERE r.id = ?1`, int64(id))
}

// FindRuns returns the runs of a flow whose period starts within [from, to], by period and version.
func (s *Store) FindRuns(ctx context.Context, flow string, from, to period.Instant, version int, every bool) ([]engine.Run, error) {
	const text = `SELECT ` + runColumns + ` FROM runs r WHERE r.flow = ?1 AND r.period_start BETWEEN ?2 AND ?3 AND (CASE
	WHEN ?4 <> 0 THEN r.version = ?4
	WHEN ?5 THEN 1
	ELSE NOT EXISTS (SELECT 1 FROM runs h WHERE h.flow = r.flow AND h.period_start = r.period_start AND h.version > r.version) END)
ORDER BY r.period_start, r.version`
	return all(ctx, s, scanRun, text, flow, int64(from), int64(to), int64(version), every)
}

// TaskRuns returns the task runs of a run by name.
func (s *Store) TaskRuns(ctx context.Context, run engine.RunID) ([]engine.TaskRun, error) {
	return all(ctx, s, scanTaskRun, `SELECT `+taskRunColumns+` FROM task_runs t WHERE t.run = ?1 ORDER BY t.task`, int64(run))
}

// Attempt returns one attempt, *engine.Error NotFound when there is none of that number.
func (s *Store) Attempt(ctx context.Context, id engine.AttemptID) (*engine.Attempt, error) {
	return one(ctx, s, scanAttempt, fmt.Sprintf("attempt %d", id), `SELECT `+attemptColumns+` FROM attempts a WHERE a.id = ?1`, int64(id))
}

// Backfills returns all backfills, newest first.
func (s *Store) Backfills(ctx context.Context) ([]engine.BackfillRow, error) {
	return all(ctx, s, scanBackfill, `SELECT `+backfillColumns+` FROM backfills ORDER BY id DESC`)
}

// Operations returns the operation log newest first.
func (s *Store) Operations(ctx context.Context, q engine.OperationQuery) ([]engine.Operation, error) {
	scan := func(r *row) (o engine.Operation, _ error) {
		o.ID, o.At = r.int(), period.Instant(r.int())
		o.By, o.Verb, o.Target, o.Detail = r.text(), r.text(), r.text(), r.text()
		return o, nil
	}
	var l list
	if q.Before != 0 {
		l.and("id < ?", q.Before)
	}
	if q.By != "" {
		l.and("by_whom = ?", q.By)
	}
	if q.Verb != "" {
		l.and("verb = ?", q.Verb)
	}
	if q.Target != "" { // what follows it in a longer target is a task, a period or a version
		l.and(`(target = ? OR substr(target, 1, length(?)) = ? AND substr(target, length(?) + 1, 1) IN ('/', '@', '#')
	OR instr(' ' || target || ' ', ' ' || ? || ' ') > 0)`, q.Target, q.Target, q.Target, q.Target, q.Target)
	}
	if q.From != 0 {
		l.and("at >= ?", int64(q.From))
	}
	if q.To != 0 {
		l.and("at <= ?", int64(q.To))
	}
	text, args := l.text("id, at, by_whom, verb, target, detail", "operations", "id DESC", pageSize(q.Limit))
	return all(ctx, s, scan, text, args...)
}

// Pauses returns what is paused, by flow, task and period.
func (s *Store) Pauses(ctx context.Context) ([]engine.Pause, error) {
	return all(ctx, s, scanPause, allPauses)
}

// Events lists events newest first.
func (s *Store) Events(ctx context.Context, q engine.EventQuery) ([]engine.Event, string, error) {
	var l list
	if q.Run != 0 {
		l.and("run = ?", int64(q.Run))
	}
	if q.Flow != "" {
		l.and("flow = ?", q.Flow)
	}
	if q.Task != "" {
		l.and("task = ?", q.Task)
	}
	if q.Kind != "" {
		l.and("kind = ?", string(q.Kind))
	}
	from := "events"
	switch { // the most selective index first
	case q.Run != 0:
		from += " INDEXED BY events_run"
	case q.Flow != "":
		from += " INDEXED BY events_flow"
	case q.Kind != "":
		from += " INDEXED BY events_kind"
	}
	if err := l.after(q.Cursor, "id < ?", 1); err != nil {
		return nil, "", err
	}
	return page(ctx, s, &l, scanEvent, eventColumns, from, "id DESC", q.Limit, func(e engine.Event) string { return formatCursor(e.ID) })
}

const setPeriods = `SELECT period_start, period_end, label, at, by_whom FROM signals WHERE signal = ?1 ORDER BY period_start DESC LIMIT ?2`

// Signals returns the periods of a signal that are set, newest period first.
func (s *Store) Signals(ctx context.Context, signal string, limit int) ([]engine.SignalRow, error) {
	scan := func(r *row) (engine.SignalRow, error) {
		return engine.SignalRow{
			Signal: signal, Start: period.Instant(r.int()), End: period.Instant(r.int()), Label: r.text(), At: period.Instant(r.int()), By: r.text(),
		}, nil
	}
	return all(ctx, s, scan, setPeriods, signal, pageSize(limit))
}
