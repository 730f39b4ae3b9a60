package control

import (
	"context"

	"flowctl/engine"
	"flowctl/engine/core"
)

// AnswerGate implements engine.Service.
func (s *Service) AnswerGate(ctx context.Context, token string, a engine.GateAnswer) (*engine.TaskRunView, error) {
	k, ok := s.Gates.Open(token)
	if !ok {
		return nil, engine.Errorf(engine.NotFound, "no question to a gate has this token: call callback_url as it was given")
	}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	_, err = l.prepare(ctx, func() (core.Event, error) {
		r, err := s.Store.Run(ctx, k.Run)
		if err != nil {
			return nil, err
		}
		if err := s.newest(ctx, []engine.Run{*r}); err != nil {
			return nil, err
		}
		rows, err := l.load(ctx, []engine.RunID{k.Run})
		return core.AnswerGate{By: core.GateCaller, Run: k.Run, Task: k.Task, Asked: k.Asked, Answer: a, Rows: rows}, err
	})
	if err != nil {
		return nil, err
	}
	d, err := s.Run(ctx, k.Run)
	if err != nil {
		return nil, err
	}
	for i := range d.Tasks {
		if d.Tasks[i].Task == k.Task {
			return &d.Tasks[i], nil
		}
	}
	return nil, engine.Errorf(engine.NotFound, "%s has no task %s any more", d.Name, k.Task)
}

// AnswerGates implements engine.Service.
func (s *Service) AnswerGates(ctx context.Context, r engine.GateRequest) ([]engine.TaskRunView, error) {
	return s.act(ctx, r.Target, func(run *engine.Run, task string, rows *engine.Snapshot) core.Event {
		return core.AnswerGate{By: s.Caller(ctx), Run: run.ID, Task: task, Answer: r.GateAnswer, Rows: rows}
	})
}
