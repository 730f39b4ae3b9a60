package control

import (
	"context"
	"io"
	"slices"
	"strings"

	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
)

// Runs implements engine.Service.
func (s *Service) Runs(ctx context.Context, q engine.RunsQuery) (*engine.List[engine.RunView], error) {
	query := engine.RunQuery{State: q.State, Kind: q.Kind, Backfill: q.Backfill, Cursor: q.Cursor, Limit: limit(q.Page)}
	if q.Target != "" {
		t, err := engine.ParseTarget(q.Target)
		if err != nil {
			return nil, err
		}
		query.Flow = t.Flow
		if t.From != "" {
			schedule, err := s.schedule(ctx, t.Flow)
			if err != nil {
				return nil, err
			}
			from, to, ok, err := bounds(schedule, t)
			if err != nil {
				return nil, err
			}
			if !ok {
				return &engine.List[engine.RunView]{Items: []engine.RunView{}}, nil
			}
			query.From, query.To = from, to
		}
	}
	rows, next, err := s.Store.Runs(ctx, query)
	if err != nil {
		return nil, err
	}
	views, err := s.runViews(ctx, rows)
	if err != nil {
		return nil, err
	}
	return &engine.List[engine.RunView]{Items: views, Next: next}, nil
}

func (s *Service) runViews(ctx context.Context, rows []engine.Run) ([]engine.RunView, error) {
	paused, err := s.Store.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]engine.RunView, len(rows))
	for i := range rows {
		views[i] = runView(&rows[i], s.commit(ctx, rows[i].Revision), paused)
	}
	return views, nil
}

// runView returns a stored run.
func (s *Service) runView(ctx context.Context, id engine.RunID) (*engine.RunView, error) {
	row, err := s.Store.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	views, err := s.runViews(ctx, []engine.Run{*row})
	if err != nil {
		return nil, err
	}
	return &views[0], nil
}

// FindRuns implements engine.Service.
func (s *Service) FindRuns(ctx context.Context, target string) ([]engine.RunView, error) {
	_, rows, err := s.resolve(ctx, target)
	if err != nil {
		return nil, err
	}
	return s.runViews(ctx, rows)
}

// Run implements engine.Service.
func (s *Service) Run(ctx context.Context, id engine.RunID) (*engine.RunDetail, error) {
	r, err := s.Store.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.detail(ctx, r)
}

// Attempts implements engine.Service.
func (s *Service) Attempts(ctx context.Context, q engine.AttemptsQuery) (*engine.List[engine.AttemptView], error) {
	query := engine.AttemptQuery{State: q.State, Agent: q.Agent, Cursor: q.Cursor, Limit: limit(q.Page)}
	if q.Target != "" {
		t, runs, err := s.resolve(ctx, q.Target)
		if err != nil {
			return nil, err
		}
		if len(runs) > 1 {
			return nil, engine.Errorf(engine.Invalid, "%s names %d runs: name one of them", q.Target, len(runs))
		}
		query.Run, query.Task = runs[0].ID, t.Task
	}
	rows, next, err := s.Store.Attempts(ctx, query)
	if err != nil {
		return nil, err
	}
	l := &engine.List[engine.AttemptView]{Items: []engine.AttemptView{}, Next: next}
	known := map[engine.RunID]*engine.Run{}
	for i := range rows {
		r := known[rows[i].Run]
		if r == nil {
			if r, err = s.Store.Run(ctx, rows[i].Run); err != nil {
				return nil, err
			}
			known[rows[i].Run] = r
		}
		l.Items = append(l.Items, attemptView(r, &rows[i]))
	}
	return l, nil
}

// Logs implements engine.Service.
func (s *Service) Logs(ctx context.Context, id engine.AttemptID, offset int64, follow bool, w io.Writer) error {
	a, err := s.Store.Attempt(ctx, id)
	if err != nil {
		return err
	}
	if s.KeepLogs > 0 && a.Finished != 0 && a.Finished.Add(s.KeepLogs) < period.At(s.Now()) {
		switch size, err := s.Output.Size(id); {
		case err != nil:
			return err
		case size == 0:
			return engine.Errorf(engine.NotFound, "its log was removed, if it wrote one: logs are kept for %d days", int(s.KeepLogs.Hours()/24))
		}
	}
	if !follow {
		_, err := s.Output.Copy(id, offset, w)
		return err
	}
	ended := func(ctx context.Context) (bool, error) {
		a, err := s.Store.Attempt(ctx, id)
		return err == nil && a.Finished != 0, err
	}
	return s.Output.Follow(ctx, id, offset, ended, w)
}

// LogTimes implements engine.Service.
func (s *Service) LogTimes(ctx context.Context, id engine.AttemptID) (*engine.LogTimes, error) {
	if _, err := s.Store.Attempt(ctx, id); err != nil {
		return nil, err
	}
	size, err := s.Output.Size(id) // before the times: what arrives in between has one later
	if err != nil {
		return nil, err
	}
	times, err := s.Output.Times(id)
	if err != nil {
		return nil, err
	}
	return &engine.LogTimes{SizeBytes: size, Items: times}, nil
}

// WatchRun implements engine.Service.
func (s *Service) WatchRun(ctx context.Context, id engine.RunID, f func(engine.RunDetail) error) error {
	l, err := s.lead()
	if err != nil {
		return err
	}
	changed, stop := l.watchers.run(id)
	defer stop()
	return s.follow(ctx, l, changed, func() (bool, error) {
		d, err := s.Run(ctx, id)
		if err != nil {
			return false, err
		}
		return d.State != engine.RunActive, f(*d)
	})
}

// StartRun implements engine.Service.
func (s *Service) StartRun(ctx context.Context, r engine.StartRun) (*engine.RunView, error) {
	t, err := engine.ParseTarget(r.Target)
	if err != nil {
		return nil, err
	}
	if t.To != "" || t.Version != 0 {
		return nil, engine.Errorf(engine.Invalid, "a run is for one period: use backfill for a range, rerun for another version")
	}
	f, err := s.flow(ctx, t.Flow)
	if err != nil {
		return nil, err
	}
	ev := core.StartRun{By: s.Caller(ctx), Flow: t.Flow, Task: t.Task, Params: r.Params, Extra: r.Extra, Force: r.Force}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	var id any
	if f.Schedule.Kind() == period.Demand {
		if t.From != "" {
			return nil, engine.Errorf(engine.Invalid, "flow %s runs on demand: its period is the instant of the request, so name none", t.Flow)
		}
		id, err = l.Do(ctx, ev)
	} else {
		id, err = l.prepare(ctx, func() (core.Event, error) { return s.prepareRun(ctx, l, ev, t) })
	}
	if err != nil {
		return nil, err
	}
	return s.runView(ctx, id.(engine.RunID))
}

// prepareRun fills in the period of a run and what runs it has.
func (s *Service) prepareRun(ctx context.Context, l *Loop, ev core.StartRun, t engine.Target) (core.Event, error) {
	rev := l.machine.Active()
	if rev == nil || rev.Project.Flow(ev.Flow) == nil {
		return ev, nil // the machine says what is wrong
	}
	schedule := rev.Project.Flow(ev.Flow).Schedule
	if t.From == "" {
		last, ok := schedule.LastEnded(period.At(s.Now()))
		if !ok {
			return ev, nil
		}
		ev.Period = &last
	} else {
		ps, err := schedule.Parse(t.From)
		if off := offSchedule(schedule, t.From); err != nil && len(off) > 0 {
			ps, err = off, nil // the machine says what can be done
		}
		if err != nil {
			return nil, &engine.Error{Code: engine.Invalid, Field: "target", Message: err.Error()}
		}
		if len(ps) > 1 {
			return nil, engine.Errorf(engine.Invalid, "%s names %d periods: name one, such as %s, or use backfill", t.From, len(ps), schedule.Label(ps[0]))
		}
		ev.Period = &ps[0]
	}
	found, err := s.Store.Existing(ctx, []engine.RunKey{{Flow: ev.Flow, Start: ev.Period.Start}})
	if err != nil {
		return nil, err
	}
	ev.Existing = found[0]
	if ev.Task != "" && !ev.Extra && found[0].Run != 0 {
		ev.Rows, err = l.load(ctx, []engine.RunID{found[0].Run})
	}
	return ev, err
}

// offSchedule returns the periods that a label names when neither a calendar nor start and end limit a schedule.
func offSchedule(s *period.Schedule, label string) []period.Period {
	spec := s.Spec()
	spec.Calendar, spec.Start, spec.End = nil, "", ""
	unlimited, err := period.New(spec)
	if err != nil {
		return nil
	}
	ps, err := unlimited.Parse(label)
	if err != nil {
		return nil
	}
	return ps
}

// revisionAt returns the revision that a rerun names; nil = the active one.
func (s *Service) revisionAt(ctx context.Context, l *Loop, at string, r *engine.Run) (*core.Revision, error) {
	switch at {
	case "", "latest":
		return nil, nil
	case "original":
		return l.hold(ctx, r.Revision)
	}
	var before engine.RevisionID
	for {
		rows, err := s.Store.Revisions(ctx, before, 100)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			before = row.ID
			if !row.Rejected && len(at) >= 4 && strings.HasPrefix(row.Commit, at) {
				return l.hold(ctx, row.ID)
			}
		}
		if len(rows) == 0 {
			return nil, engine.Errorf(engine.NotFound, "no usable revision of commit %s: see flowctl revisions", at)
		}
	}
}

// operate resolves a target that an operator acts on.
func (s *Service) operate(ctx context.Context, target string) (*Loop, engine.Target, []engine.Run, error) {
	t, runs, err := s.resolve(ctx, target)
	if err != nil {
		return nil, t, nil, err
	}
	if err := s.newest(ctx, runs); err != nil {
		return nil, t, nil, err
	}
	l, err := s.lead()
	return l, t, runs, err
}

// Kill implements engine.Service.
func (s *Service) Kill(ctx context.Context, target string) ([]engine.TaskRunView, error) {
	return s.act(ctx, target, func(r *engine.Run, task string, rows *engine.Snapshot) core.Event {
		return core.Kill{By: s.Caller(ctx), Run: r.ID, Task: task, Rows: rows}
	})
}

// Succeed implements engine.Service.
func (s *Service) Succeed(ctx context.Context, r engine.SucceedRequest) ([]engine.TaskRunView, error) {
	return s.act(ctx, r.Target, func(run *engine.Run, task string, rows *engine.Snapshot) core.Event {
		return core.Succeed{By: s.Caller(ctx), Run: run.ID, Task: task, Outputs: r.Outputs, Rows: rows}
	})
}

// act does something to each run of a target and returns the task runs it changed.
func (s *Service) act(ctx context.Context, target string, event func(*engine.Run, string, *engine.Snapshot) core.Event) ([]engine.TaskRunView, error) {
	l, t, runs, err := s.operate(ctx, target)
	if err != nil {
		return nil, err
	}
	views := []engine.TaskRunView{}
	for i := range runs {
		changed, err := l.prepare(ctx, func() (core.Event, error) {
			if err := s.newest(ctx, runs[i:i+1]); err != nil { // another operator may have been faster
				return nil, err
			}
			rows, err := l.load(ctx, []engine.RunID{runs[i].ID})
			if err != nil {
				return nil, err
			}
			return event(&runs[i], t.Task, rows), nil
		})
		if err != nil {
			return views, err
		}
		d, err := s.Run(ctx, runs[i].ID)
		if err != nil {
			return views, err
		}
		for _, v := range d.Tasks {
			if slices.Contains(changed.([]string), v.Task) {
				views = append(views, v)
			}
		}
	}
	return views, nil
}
