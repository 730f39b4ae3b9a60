package core

import (
	"cmp"
	"slices"
	"strings"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// walkMost is how many task runs beyond those already seen one walk along needs looks at.
const walkMost = 4096

// walk follows needs upwards, from one task run of a run after the other.
type walk struct {
	m      *Machine
	now    period.Instant
	left   int // task runs to look at before it gives up
	roots  map[*taskRun][]engine.Root
	starts map[*taskRun]period.Instant // 0 = not known
}

// Roots says, for each task run of an active run that waits for others, which task runs really hold it: those at the ends of its
// unmet needs, or of its failed ones once it is upstream_failed. Where memory ends, a root is itself upstream_failed. It returns nil when the
// run is not in memory.
func (m *Machine) Roots(id engine.RunID) map[string][]engine.Root {
	r := m.runs[id]
	if r == nil {
		return nil
	}
	w := walk{m: m, roots: map[*taskRun][]engine.Root{}}
	found := map[string][]engine.Root{}
	for i := range r.tasks {
		if t := &r.tasks[i]; t.member && t.needy() {
			w.left = walkMost
			rs := w.rootsOf(t)
			if slices.ContainsFunc(rs, func(r engine.Root) bool { return r.TaskRun != m.name(t) }) {
				found[t.def.Name] = rs
			}
		}
	}
	return found
}

// needy tells whether it is needs that a task run waits for.
func (t *taskRun) needy() bool {
	return t.row.State == engine.UpstreamFailed || t.row.State == engine.Waiting && t.judge() != pass
}

// rootsOf returns the first roots of a task run. The first of a union are among the first of its parts, so that each task run is
// looked at once.
func (w *walk) rootsOf(t *taskRun) []engine.Root {
	if found, walked := w.roots[t]; walked {
		return found
	}
	if w.left == 0 {
		return []engine.Root{engine.EndOfChain(w.m.name(t), t.row.State)}
	}
	w.left--
	w.roots[t] = nil
	var found []engine.Root
	add := func(bs []engine.Blocker) {
		for _, b := range bs {
			found = append(found, engine.Root{TaskRun: w.m.name(t), Blocker: b})
		}
	}
	if t.needy() {
		add(w.m.pauseBlocker(t))
		if t.row.State == engine.Waiting {
			add(slices.DeleteFunc(w.m.outerNeeds(t), func(b engine.Blocker) bool { return b.Kind == engine.BlockNeed }))
		}
		for _, up := range w.m.upstreams(t) {
			if up.task != nil {
				found = append(found, w.rootsOf(up.task)...)
			} else if up.point.status == present {
				found = append(found, engine.EndOfChain(w.m.pointName(t, up), up.point.state))
			}
		}
	} else if add(w.m.blockers(t)); len(found) == 0 {
		found = []engine.Root{engine.EndOfChain(w.m.name(t), t.row.State)}
	}
	w.roots[t] = engine.FirstRoots(found)
	return w.roots[t]
}

// upstream is what a task run waits for: a task run in memory, or else what is known of one.
type upstream struct {
	task  *taskRun
	point *point
	need  *flow.Need // that the point is of
}

// upstreams returns what holds a task run that waits for needs: the failed ones once it is upstream_failed, else those not done.
func (m *Machine) upstreams(t *taskRun) []upstream {
	if t.row.State == engine.UpstreamFailed {
		return m.upstreamsThat(bad, t)
	}
	return m.upstreamsThat(unmet, t)
}

// upstreamsThat returns what a task run needs and that stands so.
func (m *Machine) upstreamsThat(holds class, t *taskRun) []upstream {
	var ups []upstream
	for i := range t.def.Needs {
		if n := &t.def.Needs[i]; n.Local >= 0 && t.run.tasks[n.Local].member {
			if up := &t.run.tasks[n.Local]; classOf(up.row.State) == holds {
				ups = append(ups, upstream{task: up})
			}
		}
	}
	for i := range t.needs {
		n := &t.needs[i]
		for _, rf := range n.refs {
			if n.classOf(rf.point) == holds {
				ups = append(ups, upstream{task: m.taskAt(rf.point), point: rf.point, need: n.def})
			}
		}
	}
	return ups
}

// causesMost is how many task runs the look for the causes of one event looks at.
const causesMost = 200

// causes names what holds a task run, or held it when it ended, at the ends of its chains of needs: flow/task@period, whatever the version.
func (m *Machine) causes(t *taskRun) []string {
	if m.runs[t.run.row.ID] != t.run { // it has settled, and its rows alone are here: what it needs within the run
		var names []string
		for i := range t.def.Needs {
			if n := &t.def.Needs[i]; n.Local >= 0 {
				names = append(names, n.Flow+"/"+n.Task+"@"+t.run.row.Label)
			}
		}
		return names
	}
	w := walk{m: m, left: causesMost, roots: map[*taskRun][]engine.Root{}}
	var roots []engine.Root
	if t.needy() {
		roots = w.rootsOf(t)
	} else if t.row.State.Final() {
		for _, up := range append(m.upstreamsThat(bad, t), m.upstreamsThat(unmet, t)...) {
			if up.task != nil {
				roots = append(roots, w.rootsOf(up.task)...)
			} else if up.point.status == present {
				roots = append(roots, engine.EndOfChain(m.pointName(t, up), up.point.state))
			}
		}
	}
	var names []string
	for _, r := range engine.FirstRoots(roots) {
		name := r.TaskRun
		if r.Kind == engine.BlockAbsent || r.Kind == engine.BlockNeed {
			name = cmp.Or(r.Ref, name)
		}
		name, _, _ = strings.Cut(name, "#")
		if !slices.Contains(names, name) && !t.named(name) {
			names = append(names, name)
		}
	}
	return names
}

// named tells whether a name without version is the task run's own.
func (t *taskRun) named(name string) bool {
	return name == t.run.row.Flow+"/"+t.row.Task+"@"+t.run.row.Label
}

// taskAt returns the task run that a point tells of; nil = it is not in memory.
func (m *Machine) taskAt(p *point) *taskRun {
	r := m.runs[p.run]
	if p.status != present || r == nil {
		return nil
	}
	if def := r.flow.Task(p.task); def != nil && r.tasks[def.Index].member {
		return &r.tasks[def.Index]
	}
	return nil
}

// pointName names the task run that a point tells of, as a need of t has it.
func (m *Machine) pointName(t *taskRun, up upstream) string {
	s := t.run.rev.Project.Flow(up.need.Flow).Schedule
	return up.point.flow + "/" + up.point.task + "@" + labelOf(s, up.point.start)
}

// EarliestStarts says, for each task run of an active run that has not started, when it could from now on, judged by how long
// the tasks before it usually take. There is no entry where that is not known: something failed or is missing before it, a limit or a pause
// holds it, or a task before it has never succeeded.
func (m *Machine) EarliestStarts(id engine.RunID, now period.Instant) map[string]period.Instant {
	r := m.runs[id]
	if r == nil {
		return nil
	}
	w := walk{m: m, now: now, starts: map[*taskRun]period.Instant{}}
	found := map[string]period.Instant{}
	for i := range r.tasks {
		t := &r.tasks[i]
		if !t.member {
			continue
		}
		w.left = walkMost
		if at := w.start(t); at != 0 {
			found[t.def.Name] = at
		}
	}
	return found
}

// start returns when a task run that has not started could at the earliest; 0 = not known.
func (w *walk) start(t *taskRun) period.Instant {
	if at, walked := w.starts[t]; walked || w.left == 0 {
		return at
	}
	w.left--
	w.starts[t] = 0
	switch {
	case w.m.barred(t):
	case t.row.State == engine.Retrying:
		w.starts[t] = max(w.now, t.row.NextAt)
	case t.row.State == engine.Waiting:
		w.starts[t] = w.afterNeeds(t)
	}
	return w.starts[t]
}

// barred tells whether something holds a task run, beside its needs, of which nobody knows how long it lasts.
func (m *Machine) barred(t *taskRun) bool {
	r := t.run
	return !r.admitted || t.behind || m.paused(t) != nil || r.bf != nil && r.bf.row.State == engine.BackfillPaused ||
		len(m.missingInputs(t)) > 0 || t.awaitsGate()
}

// afterNeeds returns when the needs of a waiting task run could be met at the earliest, or when it may start if that is later.
func (w *walk) afterNeeds(t *taskRun) period.Instant {
	at := max(w.now, t.earliest())
	if t.judge() == pass {
		return at
	}
	var first, last period.Instant
	known := true
	for _, up := range w.m.upstreams(t) {
		end := w.end(up.task)
		switch {
		case end == 0:
			known = false
		case first == 0 || end < first:
			first = end
		}
		last = max(last, end)
	}
	switch {
	case t.def.TriggerRule == flow.OneSuccess && first != 0:
		return max(at, first)
	case t.def.TriggerRule != flow.OneFailed && known && last != 0: // whether one fails, nobody knows
		return max(at, last)
	}
	return 0
}

// end returns when a task run that is not over could succeed at the earliest; 0 = not known.
func (w *walk) end(t *taskRun) period.Instant {
	if t == nil {
		return 0
	}
	began := cmp.Or(t.attempt.Started, t.attempt.Assigned)
	if t.row.State != engine.Assigned && t.row.State != engine.Running {
		began = w.start(t)
	}
	p := w.m.paces[t.id]
	if p == nil || p.row.Count == 0 || began == 0 {
		return 0
	}
	return max(w.now, began+period.Instant(p.row.Mean))
}
