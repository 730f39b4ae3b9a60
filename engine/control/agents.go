package control

import (
	"context"

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
	row, err := s.agent(ctx, name)
	if err != nil {
		return nil, err
	}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	switch verb {
	case "drain", "undrain":
		_, err = l.Do(ctx, core.Drain{By: s.Caller(ctx), Agent: name, Lift: verb == "undrain"})
	default:
		err = engine.Errorf(engine.Invalid, "%q cannot be done to an agent: drain and undrain can", verb)
	}
	if err != nil {
		return nil, err
	}
	views, err := s.agentViews(ctx, []engine.Agent{*row})
	if err != nil {
		return nil, err
	}
	return &views[0], nil
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
