package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

// Events implements engine.Service. A target without period means all runs of the flow.
func (s *Service) Events(ctx context.Context, q engine.EventsQuery) (*engine.List[engine.EventView], error) {
	if err := checkKind(q.Kind); err != nil {
		return nil, err
	}
	query := engine.EventQuery{Kind: q.Kind, Cursor: q.Cursor, Limit: limit(q.Page)}
	if q.Target != "" {
		t, err := engine.ParseTarget(q.Target)
		if err != nil {
			return nil, err
		}
		query.Flow, query.Task = t.Flow, t.Task
		if t.From != "" || t.Version != 0 {
			_, runs, err := s.resolve(ctx, q.Target)
			if err != nil {
				return nil, err
			}
			if len(runs) > 1 {
				return nil, engine.Errorf(engine.Invalid, "%s names %d runs: name one of them", q.Target, len(runs))
			}
			query.Run = runs[0].ID
		}
	}
	rows, next, err := s.Store.Events(ctx, query)
	if err != nil {
		return nil, err
	}
	l := &engine.List[engine.EventView]{Items: []engine.EventView{}, Next: next}
	known := map[engine.RunID]*engine.Run{}
	for i := range rows {
		id := rows[i].Run
		if id != 0 && known[id] == nil {
			if known[id], err = s.Store.Run(ctx, id); err != nil {
				return nil, err
			}
		}
		l.Items = append(l.Items, eventView(&rows[i], known[id]))
	}
	return l, nil
}

func checkKind(k flow.Event) error {
	var kinds []string
	for _, e := range flow.Events() {
		kinds = append(kinds, string(e.Event))
	}
	if k != "" && !slices.Contains(kinds, string(k)) {
		return &engine.Error{Code: engine.Invalid, Field: "kind", Message: fmt.Sprintf("%q is no kind of event: there are %s", k, strings.Join(kinds, ", "))}
	}
	return nil
}

func eventView(e *engine.Event, r *engine.Run) engine.EventView {
	v := engine.EventView{
		ID: e.ID, At: e.At.Time(), Kind: e.Kind, Subject: e.Flow, Flow: e.Flow, Task: e.Task, Run: e.Run, Attempt: e.Attempt,
		Backfill: e.Backfill, Agent: e.Agent, Owner: e.Owner, Key: e.Key, Detail: e.Detail,
	}
	switch {
	case r != nil:
		v.Subject = r.Name(e.Task)
	case e.Backfill != 0:
		v.Subject = fmt.Sprintf("backfill %d", e.Backfill)
	case e.Owner != "":
		v.Subject = e.Owner
	case e.Agent != "":
		v.Subject = "agent " + e.Agent
	}
	return v
}
