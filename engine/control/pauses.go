package control

import (
	"cmp"
	"context"
	"slices"

	"flowctl/dsl"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
)

// mostPaused is how many periods one target can pause: each is a row that is kept until it is resumed.
const mostPaused = 1000

// Pause implements engine.Service.
func (s *Service) Pause(ctx context.Context, r engine.PauseRequest) ([]engine.PauseView, error) {
	ev := core.Pause{By: s.Caller(ctx), Target: r.Target}
	switch err := checkPause(r); {
	case err != nil:
		return nil, err
	case r.All && r.ScheduledAfter == nil:
		return nil, &engine.Error{Code: engine.Invalid, Field: "scheduled_after",
			Message: "say after which instant nothing is dispatched: --all --scheduled-after INSTANT"}
	case r.All:
		ev.Pauses = []engine.Pause{{PauseKey: engine.PauseKey{Start: period.At(*r.ScheduledAfter)}}}
	case r.ScheduledAfter != nil:
		return nil, &engine.Error{Code: engine.Invalid, Field: "scheduled_after", Message: "an instant goes with --all, not with a target"}
	case r.Group != "":
		flows, err := s.flowsOf(ctx, r.Group)
		if err != nil {
			return nil, err
		}
		ev.Target = "--group " + r.Group
		for _, name := range flows {
			ev.Pauses = append(ev.Pauses, engine.Pause{PauseKey: engine.PauseKey{Flow: name, Start: engine.AllPeriods}})
		}
	default:
		if ev.Pauses, err = s.pausesOf(ctx, r.Target); err != nil {
			return nil, err
		}
	}
	return s.changePauses(ctx, ev)
}

// Resume implements engine.Service.
func (s *Service) Resume(ctx context.Context, r engine.PauseRequest) ([]engine.PauseView, error) {
	ev := core.Resume{By: s.Caller(ctx), Target: r.Target}
	if err := checkPause(r); err != nil {
		return nil, err
	}
	switch {
	case r.All:
		return s.changePauses(ctx, ev)
	case r.Group != "":
		flows, err := s.flowsOf(ctx, r.Group)
		if err != nil {
			return nil, err
		}
		ev.Target, ev.Flows, ev.From, ev.To = "--group "+r.Group, flows, engine.AllPeriods, engine.AllPeriods
		return s.changePauses(ctx, ev)
	}
	t, err := pausable(r.Target)
	if err != nil {
		return nil, err
	}
	ev.Flow, ev.Task = t.Flow, t.Task
	if ev.From, ev.To, err = s.pausedRange(ctx, t); err != nil {
		return nil, err
	}
	return s.changePauses(ctx, ev)
}

func checkPause(r engine.PauseRequest) error {
	ways := 0
	for _, way := range []bool{r.Target != "", r.Group != "", r.All} {
		if way {
			ways++
		}
	}
	if ways != 1 {
		return engine.Errorf(engine.Invalid, "name a target, or give --group for the flows of a group, or --all for everything")
	}
	return nil
}

// flowsOf returns the flows that are in a group now.
func (s *Service) flowsOf(ctx context.Context, group string) ([]string, error) {
	rev, err := s.project(ctx)
	if err != nil {
		return nil, err
	}
	var names, groups []string
	for _, f := range rev.Project.Flows {
		groups = append(groups, f.Group)
		if f.Group == group {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 {
		slices.Sort(groups)
		return nil, engine.Errorf(engine.NotFound, "no flow is in the group %s: %s", group,
			cmp.Or(dsl.Suggest(group, slices.Compact(groups)), "see flowctl get flows -o json"))
	}
	return names, nil
}

// pausable reads a target that can be paused.
func pausable(text string) (engine.Target, error) {
	t, err := engine.ParseTarget(text)
	if err == nil && t.Version != 0 {
		err = engine.Errorf(engine.Invalid, "a pause holds all versions of a period: leave #%d out", t.Version)
	}
	return t, err
}

// pausesOf returns a pause for what a target names: a flow or task as a whole, or each period.
func (s *Service) pausesOf(ctx context.Context, text string) ([]engine.Pause, error) {
	t, err := pausable(text)
	if err != nil {
		return nil, err
	}
	schedule, err := s.schedule(ctx, t.Flow)
	if err != nil {
		return nil, err
	}
	if f, err := s.flow(ctx, t.Flow); err == nil && t.Task != "" && f.Task(t.Task) == nil {
		return nil, engine.Errorf(engine.NotFound, "flow %s has no task %s: see flowctl get tasks %s", t.Flow, t.Task, t.Flow)
	}
	key := engine.PauseKey{Flow: t.Flow, Task: t.Task, Start: engine.AllPeriods}
	if t.From == "" {
		return []engine.Pause{{PauseKey: key}}, nil
	}
	from, to, ok, err := bounds(schedule, t)
	if err != nil {
		return nil, err
	}
	var all []engine.Pause
	if ok && schedule.Kind() != period.Demand {
		for p := range schedule.StartingIn(from, to+1) {
			key.Start = p.Start
			if all = append(all, engine.Pause{PauseKey: key, Label: schedule.Label(p)}); len(all) > mostPaused {
				return nil, engine.Errorf(engine.Invalid, "%s names more than %d periods: pause the flow, or fewer of them", text, mostPaused)
			}
		}
		return all, nil
	}
	// Runs off the schedule have labels that it does not know.
	_, runs, err := s.resolve(ctx, text)
	for i := range runs {
		key.Start = runs[i].Period.Start
		all = append(all, engine.Pause{PauseKey: key, Label: runs[i].Label})
	}
	return all, err
}

// pausedRange returns the first and last start of the periods whose pauses a target names.
func (s *Service) pausedRange(ctx context.Context, t engine.Target) (from, to period.Instant, err error) {
	if t.From == "" {
		return engine.AllPeriods, engine.AllPeriods, nil
	}
	all, err := s.Store.Pauses(ctx)
	if err != nil {
		return 0, 0, err
	}
	for i := range all {
		if all[i].Target() == t.String() { // also when the schedule has changed since
			return all[i].Start, all[i].Start, nil
		}
	}
	schedule, err := s.schedule(ctx, t.Flow)
	if err != nil {
		return 0, 0, err
	}
	from, to, ok, err := bounds(schedule, t)
	if err == nil && !ok {
		err = engine.Errorf(engine.Conflict, "%s is not paused: see flowctl get pauses", t)
	}
	return from, to, err
}

// Pauses implements engine.Service.
func (s *Service) Pauses(ctx context.Context, p engine.Page) (*engine.List[engine.PauseView], error) {
	all, err := s.Store.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	views := pauseViews(all)
	name := func(v engine.PauseView) string { return cmp.Or(v.Target, "*") } // the horizon comes first
	slices.SortFunc(views, func(a, b engine.PauseView) int { return cmp.Compare(name(a), name(b)) })
	return page(views, name, p), nil
}

// changePauses does what an operator asked for and returns the pauses that it made or ended.
func (s *Service) changePauses(ctx context.Context, ev core.Event) ([]engine.PauseView, error) {
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	changed, err := l.Do(ctx, ev)
	if err != nil {
		return nil, err
	}
	return pauseViews(changed.([]engine.Pause)), nil
}

func pauseViews(all []engine.Pause) []engine.PauseView {
	views := make([]engine.PauseView, len(all))
	for i, p := range all {
		views[i] = pauseView(p)
	}
	return views
}

func pauseView(p engine.Pause) engine.PauseView {
	v := engine.PauseView{At: p.At.Time(), By: p.By}
	if p.Horizon() {
		v.ScheduledAfter = instant(p.Start)
	} else {
		v.Target = p.Target()
	}
	return v
}

// pausedRun tells whether an active run is held as a whole.
func pausedRun(all []engine.Pause, r *engine.Run) bool {
	return r.State == engine.RunActive && slices.ContainsFunc(all, func(p engine.Pause) bool { return p.Holds(r, "") })
}

// pausedTask tells whether a task is paused for all periods, alone or with its flow; without a task, whether the flow is.
func pausedTask(all []engine.Pause, f *flow.Flow, task string) bool {
	return slices.ContainsFunc(all, func(p engine.Pause) bool {
		return p.Flow == f.Name && p.Start == engine.AllPeriods && (p.Task == "" || p.Task == task)
	})
}
