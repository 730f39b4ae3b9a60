package control

import (
	"context"
	"errors"

	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/engine/core"
)

// Agents implements engine.Service.
func (s *Service) Agents(ctx context.Context, p engine.Page) (*engine.List[engine.AgentView], error) {
	rows, err := s.Store.Agents(ctx)
	if err != nil {
		return nil, err
	}
	views, err := s.agentViews(ctx, rows)
	if err != nil {
		return nil, err
	}
	return page(views, func(a engine.AgentView) string { return a.Name }, p), nil
}

// ControlAgent implements engine.Service.
func (s *Service) ControlAgent(ctx context.Context, name, verb string) (*engine.AgentView, error) {
	if _, err := s.agent(ctx, name); err != nil {
		return nil, err
	}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	switch verb {
	case "drain", "undrain":
		_, err = l.Do(ctx, core.Drain{By: s.Caller(ctx), Agent: name, Lift: verb == "undrain"})
	case "revoke":
		err = s.revoke(ctx, l, name)
	default:
		err = engine.Errorf(engine.Invalid, "%q cannot be done to an agent: drain, undrain and revoke can", verb)
	}
	if err != nil {
		return nil, err
	}
	row, err := s.agent(ctx, name)
	if err != nil {
		return nil, err
	}
	views, err := s.agentViews(ctx, []engine.Agent{*row})
	if err != nil {
		return nil, err
	}
	return &views[0], nil
}

// revoke takes an agent's certificate back.
func (s *Service) revoke(ctx context.Context, l *Loop, name string) error {
	if name == s.Local {
		return engine.Errorf(engine.Conflict, "agent %s is a part of this server: start it with --no-local-agent, or drain the agent", name)
	}
	if err := s.Trust.Revoke(ctx, name); err != nil {
		return err
	}
	_, err := l.Do(ctx, core.Noted{By: s.Caller(ctx), Verb: "revoke", Target: "agent " + name})
	return err
}

// agent returns what is known of an agent.
func (s *Service) agent(ctx context.Context, name string) (*engine.Agent, error) {
	rows, err := s.Store.Agents(ctx)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if rows[i].Name == name {
			return &rows[i], nil
		}
	}
	return nil, engine.Errorf(engine.NotFound, "no agent %s: see flowctl get agents", name)
}

// agentViews adds to what the store knows of agents how they stand.
func (s *Service) agentViews(ctx context.Context, rows []engine.Agent) ([]engine.AgentView, error) {
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	views := make([]engine.AgentView, len(rows))
	err = l.Query(ctx, func(m *core.Machine) {
		for i := range rows {
			views[i] = agentView(&rows[i], m.AgentState(rows[i].Name), s.Now())
		}
	})
	return views, err
}

// Agent implements engine.Service.
func (s *Service) Agent(ctx context.Context, name string) (*engine.AgentDetail, error) {
	row, err := s.agent(ctx, name)
	if err != nil {
		return nil, err
	}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	var state core.AgentState
	var active *core.Revision
	if err := l.Query(ctx, func(m *core.Machine) { state, active = m.AgentState(name), m.Active() }); err != nil {
		return nil, err
	}
	d := &engine.AgentDetail{
		AgentView: agentView(row, state, s.Now()), Plugins: append([]engine.Plugin{}, row.Host.Plugins...),
		Mismatches: []engine.AgentMismatch{},
	}
	if d.Attempts, err = s.attemptViews(ctx, state.Live); err != nil {
		return nil, err
	}
	if active != nil {
		d.Mismatches = mismatches(core.OfferOf(row.Labels, &row.Host), active.Project)
	}
	return d, nil
}

// tasksNamed is how many tasks a mismatch names.
const tasksNamed = 10

// mismatches gathers, by the reason, the tasks that an agent cannot be given.
func mismatches(o core.Offer, p *flow.Project) []engine.AgentMismatch {
	found := []engine.AgentMismatch{}
	place := map[string]int{}
	for _, f := range p.Flows {
		for _, t := range f.Tasks {
			reason := o.Mismatch(core.DemandOf(p, t))
			if reason == "" {
				continue
			}
			i, known := place[reason]
			if !known {
				i = len(found)
				place[reason] = i
				found = append(found, engine.AgentMismatch{Reason: reason})
			}
			if found[i].Count++; found[i].Count <= tasksNamed {
				found[i].Tasks = append(found[i].Tasks, f.ID(t))
			}
		}
	}
	return found
}

// attemptViews reads attempts by their numbers.
func (s *Service) attemptViews(ctx context.Context, ids []engine.AttemptID) ([]engine.AttemptView, error) {
	views := []engine.AttemptView{}
	for _, id := range ids {
		a, err := s.Store.Attempt(ctx, id)
		if gone := (*engine.Error)(nil); errors.As(err, &gone) && gone.Code == engine.NotFound {
			continue // assigned a moment ago: its row is on its way to the store
		}
		if err != nil {
			return nil, err
		}
		r, err := s.Store.Run(ctx, a.Run)
		if err != nil {
			return nil, err
		}
		views = append(views, attemptView(r, a))
	}
	return views, nil
}
