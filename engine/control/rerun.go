package control

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/engine/core"
)

// Rerun implements engine.Service.
func (s *Service) Rerun(ctx context.Context, r engine.RerunRequest) ([]engine.RunView, error) {
	l, t, runs, err := s.operate(ctx, r.Target)
	switch {
	case err != nil:
		return nil, err
	case r.Failed && r.FromTask != "" || t.Task != "" && (r.Failed || r.FromTask != ""):
		return nil, engine.Errorf(engine.Invalid, "a task in the target, failed and from_task choose tasks in different ways: give one of them")
	}
	rev, err := s.project(ctx)
	if err != nil {
		return nil, err
	}
	c := &cascade{service: s, ctx: ctx, project: rev.Project, members: map[engine.RunID]*member{}, now: s.Now()}
	choice := core.Rerun{Task: t.Task, Failed: r.Failed, FromTask: r.FromTask}
	for i := range runs {
		if err := c.root(l, &runs[i], choice); err != nil {
			return nil, err
		}
	}
	if err := c.spread(r); err != nil {
		return nil, err
	}
	all := c.inOrder()
	if r.DryRun {
		rows := make([]engine.Run, len(all))
		for i, m := range all {
			rows[i] = m.run
		}
		return s.runViews(ctx, rows)
	}
	ids, err := l.prepare(ctx, func() (core.Event, error) { return s.prepareReruns(ctx, l, r, choice, all) })
	if err != nil {
		return nil, err
	}
	views := []engine.RunView{}
	for _, id := range ids.([]engine.RunID) {
		v, err := s.runView(ctx, id)
		if err != nil {
			return nil, err
		}
		views = append(views, *v)
	}
	return views, nil
}

// prepareReruns makes the event, and sees to it that the runs are still the newest of their periods.
func (s *Service) prepareReruns(ctx context.Context, l *Loop, r engine.RerunRequest, choice core.Rerun, all []*member) (core.Event, error) {
	keys, ids := make([]engine.RunKey, len(all)), make([]engine.RunID, len(all))
	for i, m := range all {
		keys[i], ids[i] = engine.RunKey{Flow: m.run.Flow, Start: m.run.Period.Start}, m.run.ID
	}
	found, err := s.Store.Existing(ctx, keys)
	if err != nil {
		return nil, err
	}
	ev := core.Reruns{Items: make([]core.Rerun, len(all))}
	for i, m := range all {
		if !m.run.Extra && found[i].Run != m.run.ID { // another operator was faster
			return nil, s.newest(ctx, []engine.Run{m.run})
		}
		item := core.Rerun{Only: true, Because: m.because}
		if m.root {
			item = choice
		}
		item.By, item.Run, item.Version, item.Kill = s.Caller(ctx), m.run.ID, found[i].Version, r.Kill
		item.Also = slices.Sorted(maps.Keys(m.also))
		if item.Revision, err = s.revisionAt(ctx, l, r.At, &m.run); err != nil {
			return nil, err
		}
		ev.Items[i] = item
	}
	ev.Rows, err = l.load(ctx, ids)
	return ev, err
}

// inOrder returns the runs that are to be made anew, upstreams first.
func (c *cascade) inOrder() []*member {
	depths := core.Depths(c.project)
	var all []*member
	for _, m := range c.members {
		if m.root || len(m.also) > 0 {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *member) int {
		return cmp.Or(cmp.Compare(a.run.Period.End, b.run.Period.End), cmp.Compare(depths[a.run.Flow], depths[b.run.Flow]),
			cmp.Compare(a.run.Flow, b.run.Flow), cmp.Compare(a.run.ID, b.run.ID))
	})
	return all
}

// flowAt returns the flow of a run as the active revision has it, else as the run's own has.
func (s *Service) flowAt(ctx context.Context, l *Loop, p *flow.Project, r *engine.Run) (*flow.Flow, error) {
	if f := p.Flow(r.Flow); f != nil {
		return f, nil
	}
	rev, err := s.revision(ctx, l, r.Revision)
	if err != nil {
		return nil, err
	}
	return rev.Project.Flow(r.Flow), nil
}
