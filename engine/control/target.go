package control

import (
	"context"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// resolve finds the runs that a target names: the highest version of each period unless it names one, oldest first. A target
// without period means the newest run.
func (s *Service) resolve(ctx context.Context, text string) (engine.Target, []engine.Run, error) {
	t, err := engine.ParseTarget(text)
	if err != nil {
		return t, nil, err
	}
	runs, err := s.runsOf(ctx, t)
	if err != nil {
		return t, nil, err
	}
	if len(runs) == 0 {
		return t, nil, engine.Errorf(engine.NotFound, "no run of %s: see flowctl get runs %s", text, t.Flow)
	}
	return t, runs, nil
}

func (s *Service) runsOf(ctx context.Context, t engine.Target) ([]engine.Run, error) {
	if t.From == "" {
		rows, _, err := s.Store.Runs(ctx, engine.RunQuery{Flow: t.Flow, Limit: 1})
		if err != nil || len(rows) == 0 || t.Version == 0 || rows[0].Version == t.Version {
			return rows, err
		}
		return s.Store.FindRuns(ctx, t.Flow, rows[0].Period.Start, rows[0].Period.Start, t.Version, false)
	}
	schedule, err := s.schedule(ctx, t.Flow)
	if err != nil {
		return nil, err
	}
	from, to, ok, err := bounds(schedule, t)
	if err != nil {
		return nil, err
	}
	if ok {
		rows, err := s.Store.FindRuns(ctx, t.Flow, from, to, t.Version, false)
		if err != nil || len(rows) > 0 || t.To != "" {
			return rows, err
		}
	}
	return s.byLabel(ctx, t)
}

// schedule returns the schedule of a flow, also of one that the active revision does not have any more.
func (s *Service) schedule(ctx context.Context, name string) (*period.Schedule, error) {
	f, err := s.flow(ctx, name)
	if err == nil {
		return f.Schedule, nil
	}
	rows, _, rerr := s.Store.Runs(ctx, engine.RunQuery{Flow: name, Limit: 1})
	if rerr != nil || len(rows) == 0 {
		return nil, err
	}
	rev, rerr := s.Follower.Revision(ctx, rows[0].Revision)
	if rerr != nil {
		return nil, err
	}
	return rev.Project.Flow(name).Schedule, nil
}

// bounds returns the starts of the first and the last period that a target names; false when the schedule has none there.
func bounds(s *period.Schedule, t engine.Target) (from, to period.Instant, ok bool, err error) {
	if t.To == "" {
		ps, err := s.Parse(t.From)
		if err == nil {
			return ps[0].Start, ps[len(ps)-1].Start, true, nil
		}
		if s.Kind() != period.Demand {
			return 0, 0, false, nil // a run off the schedule may have the label all the same
		}
	}
	last := t.To
	if last == "" {
		last = t.From
	}
	first, end, err := s.Range(t.From, last)
	if err != nil {
		return 0, 0, false, &engine.Error{Code: engine.Invalid, Field: "target", Message: err.Error()}
	}
	if s.Kind() == period.Demand {
		return first, end - 1, true, nil
	}
	for p := range s.StartingIn(first, end) {
		if !ok {
			from, ok = p.Start, true
		}
		to = p.Start
	}
	return from, to, ok, nil
}

// byLabel finds a run by its label alone: extra runs and runs of an older schedule have one that the schedule does not know.
func (s *Service) byLabel(ctx context.Context, t engine.Target) ([]engine.Run, error) {
	q := engine.RunQuery{Flow: t.Flow, Limit: 1000}
	for {
		rows, next, err := s.Store.Runs(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if r.Label == t.From && (t.Version == 0 || r.Version == t.Version) {
				return []engine.Run{r}, nil
			}
		}
		if next == "" {
			return nil, nil
		}
		q.Cursor = next
	}
}

// newest refuses targets that name a version which a newer one has replaced: operators act on what needs read.
func (s *Service) newest(ctx context.Context, runs []engine.Run) error {
	for _, r := range runs {
		rows, err := s.Store.FindRuns(ctx, r.Flow, r.Period.Start, r.Period.Start, 0, true)
		if err != nil {
			return err
		}
		standing := r
		for _, o := range rows {
			if !o.Extra && o.Version > standing.Version {
				standing = o
			}
		}
		if standing.ID != r.ID && !r.Extra { // extra runs replace nothing and are replaced by nothing
			return engine.Errorf(engine.Conflict, "%s was replaced by %s: act on that one", r.Name(""), standing.Name(""))
		}
	}
	return nil
}

// detail returns a run with its task runs in the order of the flow.
func (s *Service) detail(ctx context.Context, r *engine.Run) (*engine.RunDetail, error) {
	rows, err := s.Store.TaskRuns(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	views, err := s.runViews(ctx, []engine.Run{*r})
	if err != nil {
		return nil, err
	}
	d := &engine.RunDetail{RunView: views[0], Tasks: []engine.TaskRunView{}}
	for i := range rows {
		from := ""
		if rows[i].From != 0 {
			if src, err := s.Store.Run(ctx, rows[i].From); err == nil {
				from = src.Name(rows[i].Task)
			}
		}
		d.Tasks = append(d.Tasks, taskRunView(r, &rows[i], from))
	}
	inOrder(d.Tasks, s.flowOf(ctx, r))
	return d, nil
}

// flowOf returns the flow of a run as its revision or the active one has it; nil when neither is at hand.
func (s *Service) flowOf(ctx context.Context, r *engine.Run) *flow.Flow {
	rev, err := s.project(ctx)
	if err != nil {
		return nil
	}
	return rev.Project.Flow(r.Flow)
}

// follow calls read now and after every signal, until read says that it is over. It rests between two reads in proportion to what
// they cost, so that watching a large run does not slow it down.
func (s *Service) follow(ctx context.Context, l *Loop, changed <-chan struct{}, read func() (over bool, err error)) error {
	for {
		began := s.Now()
		over, err := read()
		if over || err != nil {
			return err
		}
		rest := time.NewTimer(min(10*s.Now().Sub(began), time.Second))
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-l.ended:
			return errStopping
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
