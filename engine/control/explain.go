package control

import (
	"context"
	"strings"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
)

// Explain implements engine.Service.
func (s *Service) Explain(ctx context.Context, target string) (*engine.Explanation, error) {
	t, runs, err := s.resolve(ctx, target)
	if err != nil {
		return nil, err
	}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	up := tracer{service: s, loop: l, above: map[string][]engine.Root{}}
	e := &engine.Explanation{Target: target, Tasks: []engine.ExplainedTask{}}
	for i := range runs {
		d, err := s.detail(ctx, &runs[i])
		if err != nil {
			return nil, err
		}
		var blockers map[string][]engine.Blocker
		var roots map[string][]engine.Root
		var uncounted map[string][]string
		var starts map[string]period.Instant
		if err := l.Query(ctx, func(m *core.Machine) {
			id := runs[i].ID
			blockers, roots, starts = m.Blockers(id), m.Roots(id), m.EarliestStarts(id, period.At(s.Now()))
			uncounted = m.Uncounted(id)
		}); err != nil {
			return nil, err
		}
		for _, v := range d.Tasks {
			if t.Task != "" && v.Task != t.Task {
				continue
			}
			x := engine.ExplainedTask{
				TaskRunView: v, Blockers: append([]engine.Blocker{}, blockers[v.Task]...), Uncounted: uncounted[v.Task], EarliestStartAt: instant(starts[v.Task]),
			}
			held := roots[v.Task]
			if blockers == nil && v.State == engine.UpstreamFailed {
				if x.Blockers, err = s.settledBlockers(ctx, l, &runs[i], d.Tasks, v); err != nil {
					return nil, err
				}
				held = rootsOf(v.Name, x.Blockers)
			}
			if x.Roots, err = up.trace(ctx, held); err != nil {
				return nil, err
			}
			if v.State.Live() {
				if a, err := s.Store.Attempt(ctx, v.Attempt); err == nil {
					x.Agent = a.Agent
				}
			}
			e.Tasks = append(e.Tasks, x)
		}
	}
	if len(e.Tasks) == 0 {
		return nil, engine.Errorf(engine.NotFound, "%s has no task %s", runs[0].Name(""), t.Task)
	}
	return e, nil
}

// settledBlockers explains a task run that waits in a run which has left memory: it names what failed of its needs.
func (s *Service) settledBlockers(
	ctx context.Context, l *Loop, r *engine.Run, all []engine.TaskRunView, v engine.TaskRunView,
) ([]engine.Blocker, error) {
	rev, err := s.revision(ctx, l, r.Revision)
	if err != nil {
		return nil, err
	}
	bs := []engine.Blocker{}
	f := rev.Project.Flow(r.Flow)
	var needs []flow.Need
	if t := f.Task(v.Task); t != nil {
		needs = t.Needs
	}
	for i := range needs {
		n := &needs[i]
		if n.Local < 0 {
			outer, err := s.failedOutside(ctx, rev.Project.Flow(n.Flow), f, n, r)
			if err != nil {
				return nil, err
			}
			bs = append(bs, outer...)
			continue
		}
		for _, up := range all {
			if up.Task == n.Task && up.State.Bad() {
				bs = append(bs, failedNeed(up.Name, up.State))
			}
		}
	}
	if len(bs) == 0 { // the ledger has changed since, or the need is on a success whatever its period
		bs = append(bs, engine.Blocker{Kind: engine.BlockNeed, Message: "a task of another run that it needs has failed"})
	}
	return bs, nil
}

// failedOutside names the task runs of another run, or of other periods, which one need of a run is on and which ended badly.
func (s *Service) failedOutside(ctx context.Context, up, down *flow.Flow, n *flow.Need, r *engine.Run) ([]engine.Blocker, error) {
	var keys []engine.LedgerKey
	var names []string
	ids := append([]string{n.Flow + "/" + n.Task}, up.Task(n.Task).Formerly...)
	for _, p := range period.Join(up.Schedule, down.Schedule, r.Period, n.Rule) {
		for _, id := range ids {
			name, task, _ := strings.Cut(id, "/")
			keys = append(keys, engine.LedgerKey{Flow: name, Task: task, Start: p.Start})
			names = append(names, id+"@"+up.Schedule.Label(p))
		}
	}
	found, err := s.Store.Outcomes(ctx, keys)
	if err != nil {
		return nil, err
	}
	var bs []engine.Blocker
	for i := 0; i < len(found); i += len(ids) {
		for k, a := range found[i : i+len(ids)] {
			if !a.Found { // the ids that it had speak for it
				continue
			}
			if a.Outcome.State.Bad() {
				bs = append(bs, failedNeed(names[i+k], a.Outcome.State))
			}
			break
		}
	}
	return bs, nil
}

func failedNeed(name string, state engine.State) engine.Blocker {
	b := engine.Blocker{Kind: engine.BlockNeed, Ref: name, State: state, Message: name + " is " + string(state)}
	b.Hint = "flowctl rerun '" + name + "'"
	if state == engine.UpstreamFailed {
		b.Hint = "flowctl explain '" + name + "'"
	}
	return b
}

// revision returns a stored revision, compiled again when the machine does not hold it.
func (s *Service) revision(ctx context.Context, l *Loop, id engine.RevisionID) (*core.Revision, error) {
	var rev *core.Revision
	if err := l.Query(ctx, func(m *core.Machine) { rev = m.Revision(id) }); err != nil || rev != nil {
		return rev, err
	}
	return s.Follower.Revision(ctx, id)
}
