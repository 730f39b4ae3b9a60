package core

import (
	"slices"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// writers are the needs by data of a task of the run, as a revision has them. Only a rerun has them: it would find the path that the former
// version left, and read it while its writer runs anew. Periods are those of the default rule.
func (r *run) writers(rev *Revision, task string) []*flow.Need {
	if r.row.Kind != engine.Rerun || r.row.Extra || r.flow.Schedule.Kind() == period.Demand {
		return nil
	}
	var all []*flow.Need
	for _, e := range rev.Project.Writers(flow.TaskRef{Flow: r.row.Flow, Task: task}) {
		if rev.Project.Flow(e.From.Flow).Schedule.Kind() != period.Demand && !rev.circular(e) {
			all = append(all, &flow.Need{Flow: e.From.Flow, Task: e.From.Task, Local: -1})
		}
	}
	return all
}

// sameWriters tells whether the needs by data of a run reach the same periods in another revision that has the same flow.
func (r *run) sameWriters(rev *Revision) bool {
	for i := range r.tasks {
		was, is := r.writers(r.rev, r.tasks[i].def.Name), r.writers(rev, r.tasks[i].def.Name)
		if !slices.EqualFunc(was, is, func(a, b *flow.Need) bool {
			return a.Flow == b.Flow && a.Task == b.Task &&
				r.rev.Project.Flow(a.Flow).Schedule.Fingerprint() == rev.Project.Flow(b.Flow).Schedule.Fingerprint()
		}) {
			return false
		}
	}
	return true
}

// circular tells whether the writer of a data edge depends on its reader, by needs or by other data: a path that is read and then
// written again, for example. To wait for such a writer would be to wait for ever.
func (r *Revision) circular(e flow.DataEdge) bool {
	if r.knots == nil {
		r.knots = knots(r.Project)
	}
	return r.knots[e.From] == r.knots[e.To]
}

// knots numbers the strongly connected components of the tasks of a project under needs and data. Needs on earlier periods only
// connect nothing. It is Tarjan's algorithm.
func knots(p *flow.Project) map[flow.TaskRef]int {
	var stack []flow.TaskRef
	index, low, knot := map[flow.TaskRef]int{}, map[flow.TaskRef]int{}, map[flow.TaskRef]int{}
	var visit func(t flow.TaskRef)
	visit = func(t flow.TaskRef) {
		index[t] = len(index) + 1
		low[t] = index[t]
		stack = append(stack, t)
		for _, up := range sources(p, t) {
			if index[up] == 0 {
				visit(up)
				low[t] = min(low[t], low[up])
			} else if knot[up] == 0 {
				low[t] = min(low[t], index[up])
			}
		}
		if low[t] != index[t] {
			return
		}
		for {
			last := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			knot[last] = index[t]
			if last == t {
				return
			}
		}
	}
	for _, f := range p.Flows {
		for _, t := range f.Tasks {
			if ref := (flow.TaskRef{Flow: f.Name, Task: t.Name}); index[ref] == 0 {
				visit(ref)
			}
		}
	}
	return knot
}

// sources returns the tasks that a task needs or reads from.
func sources(p *flow.Project, ref flow.TaskRef) []flow.TaskRef {
	var all []flow.TaskRef
	for _, n := range p.Flow(ref.Flow).Task(ref.Task).Needs {
		if n.Rule.Kind != period.Offset {
			all = append(all, flow.TaskRef{Flow: n.Flow, Task: n.Task})
		}
	}
	for _, e := range p.Writers(ref) {
		all = append(all, e.From)
	}
	return all
}
