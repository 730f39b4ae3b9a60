package control

import (
	"context"

	"flowctl/engine"
	"flowctl/engine/core"
)

// Skip implements engine.Service.
func (s *Service) Skip(ctx context.Context, target string) ([]engine.TaskRunView, error) {
	return s.act(ctx, target, func(r *engine.Run, task string, rows *engine.Snapshot) core.Event {
		return core.Skip{By: s.Caller(ctx), Run: r.ID, Task: task, Rows: rows}
	})
}

// Delete implements engine.Service.
func (s *Service) Delete(ctx context.Context, r engine.DeleteRequest) (*engine.Deletion, error) {
	t, err := engine.ParseTarget(r.Target)
	if err != nil {
		return nil, err
	}
	if t.Task != "" {
		return nil, engine.Errorf(engine.Invalid, "runs can be deleted, not tasks: skip it instead (flowctl skip '%s')", r.Target)
	}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	runs, err := s.pending(ctx, t)
	if err != nil {
		return nil, err
	}
	names := map[engine.RunID]string{}
	ev := core.Delete{By: s.Caller(ctx), Target: r.Target, DryRun: r.DryRun}
	for i := range runs {
		names[runs[i].ID] = runs[i].Name("")
		ev.Runs = append(ev.Runs, runs[i].ID)
	}
	done, err := l.Do(ctx, ev) // what has started in the meantime is left alone
	if err != nil {
		return nil, err
	}
	d := &engine.Deletion{Deleted: []string{}, Left: []engine.LeftRun{}}
	for _, id := range done.(core.Deleted).Runs {
		d.Deleted = append(d.Deleted, names[id])
	}
	for _, left := range done.(core.Deleted).Left {
		d.Left = append(d.Left, engine.LeftRun{Run: names[left.Run], Reason: left.Reason})
	}
	return d, nil
}

// pending returns the runs of a target that may be deleted: those it names, or without a period all active runs of the flow.
func (s *Service) pending(ctx context.Context, t engine.Target) ([]engine.Run, error) {
	if t.From != "" || t.Version != 0 {
		_, runs, err := s.resolve(ctx, t.String())
		return runs, err
	}
	if _, err := s.schedule(ctx, t.Flow); err != nil {
		return nil, err
	}
	var all []engine.Run
	q := engine.RunQuery{Flow: t.Flow, State: engine.RunActive, Limit: 1000}
	for {
		rows, next, err := s.Store.Runs(ctx, q)
		all = append(all, rows...)
		if err != nil || next == "" {
			return all, err
		}
		q.Cursor = next
	}
}
