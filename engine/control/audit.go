package control

import (
	"context"
	"strconv"
	"time"

	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
)

// Operations implements engine.Service.
func (s *Service) Operations(ctx context.Context, q engine.OperationsQuery) (*engine.List[engine.OperationView], error) {
	before, err := number(q.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.Operations(ctx, engine.OperationQuery{
		By: q.By, Verb: q.Verb, Target: q.Target, From: since(q.Since), To: since(q.Until), Before: before, Limit: limit(q.Page) + 1,
	})
	if err != nil {
		return nil, err
	}
	l := &engine.List[engine.OperationView]{Items: []engine.OperationView{}}
	if len(rows) > limit(q.Page) {
		rows = rows[:limit(q.Page)]
		l.Next = strconv.FormatInt(rows[len(rows)-1].ID, 10)
	}
	for _, o := range rows {
		l.Items = append(l.Items, engine.OperationView{At: o.At.Time(), By: o.By, Verb: o.Verb, Target: o.Target, Detail: o.Detail})
	}
	return l, nil
}

func since(t time.Time) period.Instant {
	if t.IsZero() {
		return 0
	}
	return period.At(t)
}

// DeclareDead implements engine.Service.
func (s *Service) DeclareDead(ctx context.Context, agent string) ([]engine.AttemptView, error) {
	if _, err := s.agent(ctx, agent); err != nil {
		return nil, err
	}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	ids, err := l.Do(ctx, core.DeclareDead{By: s.Caller(ctx), Agent: agent})
	if err != nil {
		return nil, err
	}
	return s.attemptViews(ctx, ids.([]engine.AttemptID))
}
