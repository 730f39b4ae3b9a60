package simulate

import (
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// blockers says of each task run of a run what holds it back now.
func (w *world) blockers(r *traced) map[string][]engine.Blocker {
	if found := w.m.Blockers(r.row.ID); found != nil {
		return found
	}
	found := map[string][]engine.Blocker{}
	f := w.project.Flow(r.row.Flow)
	for name, t := range r.tasks { // the run has settled, and its machine has forgotten it
		if t.row.State != engine.UpstreamFailed {
			continue
		}
		for i := range f.Task(name).Needs {
			found[name] = append(found[name], w.failed(r, f, &f.Task(name).Needs[i])...)
		}
	}
	return found
}

// failed names the task runs that a need of a settled run is on and that ended badly.
func (w *world) failed(r *traced, f *flow.Flow, n *flow.Need) (bs []engine.Blocker) {
	add := func(name string, s engine.State) {
		if s.Bad() {
			bs = append(bs, engine.Blocker{Kind: engine.BlockNeed, Ref: name, State: s, Message: name + " is " + string(s)})
		}
	}
	if n.Local >= 0 {
		if up := r.tasks[n.Task]; up != nil {
			add(r.row.Name(n.Task), up.row.State)
		}
		return bs
	}
	up := w.project.Flow(n.Flow)
	for _, p := range period.Join(up.Schedule, f.Schedule, r.row.Period, n.Rule) {
		a := w.lookUp([]engine.LedgerKey{{Flow: n.Flow, Task: n.Task, Start: p.Start}})[0]
		add(n.Flow+"/"+n.Task+"@"+up.Schedule.Label(p), a.Outcome.State)
	}
	return bs
}
