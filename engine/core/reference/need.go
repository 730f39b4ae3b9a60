package reference

import (
	"strings"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// Class is how much of a need is there.
type Class int

// The classes of a need, and of one period of it.
const (
	Unmet Class = iota
	Good
	Bad
)

func (c Class) String() string { return [...]string{"unmet", "good", "bad"}[c] }

// classOf is how a state counts for those who need it: an upstream_failed is as bad as a failure, a skip as good as a success.
func classOf(s engine.State) Class {
	switch s {
	case engine.Succeeded, engine.Skipped:
		return Good
	case engine.Failed, engine.Killed, engine.Expired, engine.UpstreamFailed:
		return Bad
	}
	return Unmet
}

// need is one dependency of a task run with the periods it reaches.
type need struct {
	def   *flow.Need
	ups   []upstream
	class Class
}

// upstream is one period of a need.
type upstream struct {
	name   string // flow/task@period
	label  string
	state  engine.State
	run    engine.RunID
	absent bool // no run has it
	class  Class
}

// needs returns what a task run needs of other task runs.
func (w *World) needs(r *Run, task string) []need {
	var all []need
	def := w.flow(r).Task(task)
	for i := range def.Needs {
		n := need{def: &def.Needs[i], ups: w.upstreams(r, &def.Needs[i]), class: Good}
		for _, up := range n.ups {
			switch {
			case up.class == Bad:
				n.class = Bad
			case up.class == Unmet && n.class == Good:
				n.class = Unmet
			}
		}
		all = append(all, n)
	}
	return all
}

// upstreams returns the periods that a need reaches. A task of the same run is asked in that run, as far as it takes part in it.
func (w *World) upstreams(r *Run, n *flow.Need) []upstream {
	within := n.Local >= 0
	if within && r.task(n.Task) != nil {
		t := r.task(n.Task)
		return []upstream{{name: r.Name(n.Task), state: t.State, class: classOf(t.State)}}
	}
	up := w.project(r).Flow(n.Flow)
	if n.Rule.Kind == period.Latest || up.Schedule.Kind() == period.Demand {
		if within { // a run of one task on demand: nothing but this run could have it
			return []upstream{w.upstream(r, n.Flow, n.Task, nil, r.Period.Start, r.Period.Start.Time().Format(time.RFC3339))}
		}
		return []upstream{w.latest(r, n, up)}
	}
	var all []upstream
	for _, p := range w.Periods.Needed(up.Schedule, w.flow(r).Schedule, r.Period, n.Rule) {
		all = append(all, w.upstream(r, n.Flow, n.Task, up.Task(n.Task).Formerly, p.Start, up.Schedule.Label(p)))
	}
	return all
}

// latest is the newest success of a task, whatever its period, under any of its ids; none yet blocks.
func (w *World) latest(r *Run, n *flow.Need, up *flow.Flow) upstream {
	found := upstream{name: n.Flow + "/" + n.Task, absent: true, class: w.missing(r)}
	for _, id := range append([]string{n.Flow + "/" + n.Task}, up.Task(n.Task).Formerly...) {
		name, task, _ := strings.Cut(id, "/")
		for i := range w.Runs {
			o := &w.Runs[i]
			if o.Flow != name || o.Extra || w.replaced(o) {
				continue
			}
			if t := o.task(task); t != nil && classOf(t.State) == Good {
				found.absent, found.state, found.class = false, t.State, Good
			}
		}
	}
	return found
}

// upstream is a task for one period: what the run that speaks for the period has, or else what the runs have that spoke for it under
// former ids. A task that the run's revision does not have does not count.
func (w *World) upstream(r *Run, name, task string, former []string, start period.Instant, label string) upstream {
	up := upstream{name: name + "/" + task + "@" + label, label: label}
	for _, id := range append([]string{name + "/" + task}, former...) {
		f, t, _ := strings.Cut(id, "/")
		if o := w.standing(f, start); o != nil && o.task(t) != nil {
			up.name, up.state, up.run = id+"@"+label, o.task(t).State, o.ID
			up.class = classOf(up.state)
			return up
		}
	}
	if o := w.standing(name, start); o != nil && !o.Partial {
		up.class = Good
		return up
	}
	up.absent, up.class = true, w.missing(r)
	return up
}

// missing is how something counts that no run exists for: it blocks, but not a run of a backfill that ignores it.
func (w *World) missing(r *Run) Class {
	if b := w.backfill(r); b != nil && b.MissingUpstream == "ignore" {
		return Good
	}
	return Unmet
}

// unset returns the signals of a task run with a period that is not set, each with the labels of those.
func (w *World) unset(r *Run, task string) map[string][]string {
	found := map[string][]string{}
	if w.missing(r) == Good {
		return found
	}
	for _, name := range w.flow(r).Task(task).Signals {
		s := w.project(r).Signals[name].Schedule
		for _, p := range w.Periods.Needed(s, w.flow(r).Schedule, r.Period, period.Rule{}) {
			if !w.isSet(name, p.Start) {
				found[name] = append(found[name], s.Label(p))
			}
		}
	}
	return found
}

// unwritten returns what writes the inputs of a rerun's task run and has not ended: the file is there, but it is of the former version.
func (w *World) unwritten(r *Run, task string) []upstream {
	if r.Kind != engine.Rerun || r.Extra || w.flow(r).Schedule.Kind() == period.Demand {
		return nil
	}
	var all []upstream
	p, reader := w.project(r), flow.TaskRef{Flow: r.Flow, Task: task}
	for _, e := range p.Data {
		up := p.Flow(e.From.Flow)
		if e.To != reader || up.Schedule.Kind() == period.Demand || dependsOn(p, e.From, reader, nil) {
			continue
		}
		for _, u := range w.Periods.Needed(up.Schedule, w.flow(r).Schedule, r.Period, period.Rule{}) {
			if x := w.upstream(r, up.Name, e.From.Task, up.Task(e.From.Task).Formerly, u.Start, up.Schedule.Label(u)); x.class == Unmet && !x.absent {
				all = append(all, x)
			}
		}
	}
	return all
}

// dependsOn tells whether a task needs or reads what another makes, at any distance, for the same periods.
func dependsOn(p *flow.Project, t, on flow.TaskRef, seen map[flow.TaskRef]bool) bool {
	if t == on {
		return true
	}
	if seen == nil {
		seen = map[flow.TaskRef]bool{}
	}
	if seen[t] {
		return false
	}
	seen[t] = true
	for _, n := range p.Flow(t.Flow).Task(t.Task).Needs {
		if n.Rule.Kind != period.Offset && dependsOn(p, flow.TaskRef{Flow: n.Flow, Task: n.Task}, on, seen) {
			return true
		}
	}
	for _, e := range p.Data {
		if e.To == t && dependsOn(p, e.From, on, seen) {
			return true
		}
	}
	return false
}
