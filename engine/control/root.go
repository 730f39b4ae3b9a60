package control

import (
	"context"
	"errors"

	"flowctl/engine"
	"flowctl/engine/core"
)

// tracedMost is how many task runs of settled runs one explanation looks up.
const tracedMost = 200

// tracer follows failed needs through runs that have left memory, for one explanation.
type tracer struct {
	service *Service
	loop    *Loop
	above   map[string][]engine.Root // one step up, by the name of the task run
}

// trace replaces the roots at which the memory of the machine ended by what failed further up.
func (t *tracer) trace(ctx context.Context, roots []engine.Root) ([]engine.Root, error) {
	var found []engine.Root
	seen := map[string]bool{}
	for len(roots) > 0 {
		r := roots[len(roots)-1]
		roots = roots[:len(roots)-1]
		if r.Kind != engine.BlockNeed || r.State != engine.UpstreamFailed {
			found = append(found, r)
			continue
		}
		if seen[r.Ref] {
			continue
		}
		seen[r.Ref] = true
		up, looked := t.above[r.Ref]
		if !looked && len(t.above) < tracedMost {
			var err error
			if up, err = t.look(ctx, r.Ref); err != nil {
				return nil, err
			}
			t.above[r.Ref] = up
		}
		if len(up) == 0 { // its hint goes on from there
			found = append(found, r)
		}
		roots = append(roots, up...)
	}
	return engine.FirstRoots(found), nil
}

// look goes one step up from a task run that is upstream_failed: as far as memory reaches when its run is there. It finds nothing when
// that run or its state is another one by now.
func (t *tracer) look(ctx context.Context, name string) ([]engine.Root, error) {
	target, runs, err := t.service.resolve(ctx, name)
	var e *engine.Error
	switch {
	case errors.As(err, &e) && e.Code == engine.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	}
	run := &runs[0]
	var held map[string][]engine.Root
	if err := t.loop.Query(ctx, func(m *core.Machine) { held = m.Roots(run.ID) }); err != nil {
		return nil, err
	}
	if held != nil {
		return held[target.Task], nil
	}
	d, err := t.service.detail(ctx, run)
	if err != nil {
		return nil, err
	}
	for _, v := range d.Tasks {
		if v.Task == target.Task && v.State == engine.UpstreamFailed {
			bs, err := t.service.settledBlockers(ctx, t.loop, run, d.Tasks, v)
			return rootsOf(v.Name, bs), err
		}
	}
	return nil, nil
}

// rootsOf takes the needs that hold a task run of a settled run for its roots, for trace to follow.
func rootsOf(name string, bs []engine.Blocker) []engine.Root {
	var found []engine.Root
	for _, b := range bs {
		if b.Ref == "" {
			found = append(found, engine.Root{TaskRun: name, Blocker: b})
			continue
		}
		found = append(found, engine.EndOfChain(b.Ref, b.State))
	}
	return found
}
