package core

import (
	"math"
	"strings"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// need is a dependency of a task run on task runs of other runs, or on periods of a signal.
type need struct {
	task   *taskRun
	def    *flow.Need   // nil = on a signal
	signal *flow.Signal // nil = on task runs
	refs   []ref
	each   int // refs for each period: on the task, then on the ids that it had
	unmet  int // periods by class
	bad    int
	class  class // of the need as a whole: bad when a period is, else unmet when a period is, else good
	// data says that the task of a rerun reads what the other one writes: it waits while that one has not ended, as it would for
	// the path if the former version had not left it there.
	data bool
}

// ref is a need's place in the list of a point.
type ref struct {
	point *point
	pos   int
}

// waiter is a point's link back to the ref of a need.
type waiter struct {
	need *need
	ref  int
}

// pointKey names a task, or a signal, for a period.
type pointKey struct {
	task  int32
	start period.Instant // newest for needs on the latest success
}

// newest is the start in the key of the point that stands for the newest success of a task, whatever its period.
const newest = period.Instant(math.MaxInt64)

// pointStatus is what is known of a point.
type pointStatus uint8

const (
	checking pointStatus = iota // the ledger is being asked
	absent                      // no run, or the signal is not set
	noTask                      // a run, whose revision does not have the task: it does not count
	present
)

// point is what is known of one task for one period, kept while somebody waits for it. A period of a signal counts as a task that succeeds when
// the period is set.
type point struct {
	key     pointKey
	flow    string
	task    string
	signal  string // in place of flow and task
	status  pointStatus
	state   engine.State
	outputs map[string]string
	run     engine.RunID
	start   period.Instant // of the period of run
	waiters []waiter
	asked   int // questions about it that the ledger has not answered; until then it stays, for what an answer may not know
}

// class is how a point counts for a need.
func (p *point) class() class {
	switch p.status {
	case noTask:
		return good
	case present:
		return classOf(p.state)
	}
	return unmet
}

// classFor is class, but for a need of a backfill that was told to ignore what is missing.
func (p *point) classFor(t *taskRun) class {
	if p.status == absent && t.run.ignores {
		return good
	}
	return p.class()
}

// classOf is how a point counts for the need.
func (n *need) classOf(p *point) class {
	c := p.classFor(n.task)
	if n.data && (c == bad || p.status == absent) {
		return good
	}
	return c
}

// subscribe resolves a need to points and counts it for its task run.
func (m *Machine) subscribe(n *need, t *taskRun, def *flow.Need, data bool) {
	up := t.run.rev.Project.Flow(def.Flow)
	former := up.Task(def.Task).Formerly
	*n = need{task: t, def: def, data: data, each: 1 + len(former)}
	latest := def.Rule.Kind == period.Latest || up.Schedule.Kind() == period.Demand
	switch {
	case latest && def.Flow == t.run.row.Flow && def.Local >= 0: // in a partial run: the same run, which does not have it
		n.each = 1
		n.attach(m.point(def.Flow, def.Task, t.run.row.Period.Start))
	case latest:
		m.attachAll(n, former, newest)
	default:
		for _, p := range period.Join(up.Schedule, t.run.flow.Schedule, t.run.row.Period, def.Rule) {
			m.attachAll(n, former, p.Start)
		}
	}
	n.recount()
	n.count(n.class, 1)
}

// attachAll lets a need wait for a period of its task, under its id and under those that it had.
func (m *Machine) attachAll(n *need, former []string, start period.Instant) {
	n.attach(m.point(n.def.Flow, n.def.Task, start))
	for _, id := range former {
		flow, task, _ := strings.Cut(id, "/")
		n.attach(m.point(flow, task, start))
	}
}

// count counts the need for its task run. Signals are no part of the trigger rule: all must be set. Nor is what writes the inputs of a rerun:
// its end is no success that the rule asks for.
func (n *need) count(c class, d int) {
	switch {
	case n.signal == nil && !n.data:
		n.task.count(c, d)
	case c != good:
		n.task.unset += d
	}
}

func (n *need) attach(p *point) {
	n.refs = append(n.refs, ref{point: p, pos: len(p.waiters)})
	p.waiters = append(p.waiters, waiter{need: n, ref: len(n.refs) - 1})
}

// decisive returns the point that speaks for a period, whose refs begin at i: the first that has a task run, or may have one.
func (n *need) decisive(i int) *point {
	for _, rf := range n.refs[i : i+n.each] {
		if s := rf.point.status; s == present || s == checking {
			return rf.point
		}
	}
	return n.refs[i].point
}

// recount counts all periods of the need.
func (n *need) recount() {
	n.unmet, n.bad = 0, 0
	for i := 0; i < len(n.refs); i += n.each {
		n.tally(n.classOf(n.decisive(i)), 1)
	}
	n.classify()
}

func (n *need) tally(c class, d int) {
	switch c {
	case unmet:
		n.unmet += d
	case bad:
		n.bad += d
	}
}

// classify derives the need's class from its periods.
func (n *need) classify() {
	switch {
	case n.bad > 0:
		n.class = bad
	case n.unmet > 0:
		n.class = unmet
	default:
		n.class = good
	}
}

// point returns what is known of a task for a period; what is not in memory is asked of the ledger.
func (m *Machine) point(flow, task string, start period.Instant) *point {
	key := pointKey{m.intern(flow + "/" + task), start}
	if p := m.points[key]; p != nil {
		return p
	}
	p := &point{key: key, flow: flow, task: task}
	m.points[key] = p
	f := m.flowState(flow)
	f.await(key.task)
	if start == newest {
		m.findNewest(p)
	} else if r := f.standing[start]; r != nil {
		p.read(r)
	}
	m.check(p)
	return p
}

// check asks the ledger about a point of which memory knows nothing.
func (m *Machine) check(p *point) {
	if p.status == checking {
		p.asked++
		start := p.key.start
		m.out.Lookups = append(m.out.Lookups, engine.LedgerKey{
			Flow: p.flow, Task: p.task, Signal: p.signal, Start: start, Latest: start == newest,
		})
	}
}

// outdo looks for another newest success of a task when the one that was known is of a period that a run stands for now, and is no
// success there: only the highest version speaks for a period.
func (m *Machine) outdo(r *run, task int32) {
	p := m.points[pointKey{task, newest}]
	if p == nil || p.status != present || p.start != r.row.Period.Start {
		return
	}
	if def := r.flow.Task(p.task); def != nil && r.tasks[def.Index].member && r.tasks[def.Index].row.State.Satisfies() {
		return
	}
	m.update(p, func() {
		p.status = checking
		m.findNewest(p)
	})
	m.check(p)
}

// read takes a point's state from a run in memory.
func (p *point) read(r *run) {
	p.status, p.run, p.start, p.outputs = noTask, r.row.ID, r.row.Period.Start, nil
	def := r.flow.Task(p.task)
	switch {
	case def != nil && r.tasks[def.Index].member:
		t := &r.tasks[def.Index]
		p.status, p.state, p.outputs = present, t.row.State, t.row.Outputs
	case r.row.Partial: // it says nothing of the tasks that it lacks, whatever its revision has
		p.status = absent
	}
}

// findNewest looks for the newest success of a task among the active runs.
func (m *Machine) findNewest(p *point) {
	f := m.flows[p.flow]
	if f == nil {
		return
	}
	var found *run
	for start, r := range f.standing {
		def := r.flow.Task(p.task)
		if def == nil || !r.tasks[def.Index].row.State.Satisfies() || !r.tasks[def.Index].member {
			continue
		}
		if found == nil || start > found.row.Period.Start {
			found = r
		}
	}
	if found != nil {
		p.read(found)
	}
}

// publish tells those who wait for a task run, in other runs, that its state changed.
func (m *Machine) publish(t *taskRun) {
	r := t.run
	if !r.stands {
		return
	}
	if p := m.points[pointKey{t.id, r.row.Period.Start}]; p != nil {
		m.update(p, func() { p.read(r) })
	}
	if !t.row.State.Satisfies() {
		return
	}
	if p := m.points[pointKey{t.id, newest}]; p != nil {
		m.update(p, func() { p.read(r) })
	}
	if t.soured || r.again || r.row.Version > 1 || len(t.def.Formerly) > 0 {
		m.out.Wake = append(m.out.Wake,
			engine.LedgerKey{Flow: r.row.Flow, Task: t.row.Task, Start: r.row.Period.Start},
			engine.LedgerKey{Flow: r.row.Flow, Task: t.row.Task, Start: newest, Latest: true})
	}
}

// update changes a point and recounts the needs that wait for it.
func (m *Machine) update(p *point, change func()) {
	was := *p
	change()
	for _, w := range p.waiters {
		n := w.need
		old := n.class
		if before, after := n.classOf(&was), n.classOf(p); n.each > 1 {
			n.recount()
		} else if before != after {
			n.tally(before, -1)
			n.tally(after, 1)
			n.classify()
		}
		if n.class != old {
			n.count(old, -1)
			n.count(n.class, 1)
			m.stir(n.task)
		}
	}
}

// answered takes what the ledger says of the points that are still being checked. An answer that is older than the last question says nothing.
func (m *Machine) answered(ev LedgerAnswered) {
	for i, k := range ev.Keys {
		start := k.Start
		if k.Latest {
			start = newest
		}
		id := k.Flow + "/" + k.Task
		if k.Signal != "" {
			id = signalID(k.Signal)
		}
		p := m.points[pointKey{m.intern(id), start}]
		if p == nil {
			continue
		}
		if p.asked--; p.asked > 0 || p.status != checking { // it was asked about again, or a run has spoken since
			m.dismiss(p)
			continue
		}
		a := ev.Answers[i]
		m.update(p, func() {
			switch {
			case a.Found:
				p.status, p.state, p.outputs, p.run, p.start = present, a.Outcome.State, a.Outputs, a.Outcome.Run, a.Outcome.Start
			case a.NoTask:
				p.status = noTask
			default:
				p.status = absent
			}
		})
		m.dismiss(p)
	}
}

// dismiss forgets a point that nobody waits for.
func (m *Machine) dismiss(p *point) {
	if len(p.waiters) == 0 && p.asked == 0 {
		delete(m.points, p.key)
	}
}

// unsubscribe ends a task run's interest in other runs. What it knows of them stays readable for expressions.
func (m *Machine) unsubscribe(t *taskRun) {
	for i := range t.needs {
		n := &t.needs[i]
		for _, rf := range n.refs {
			if rf.pos < 0 {
				continue
			}
			p, last := rf.point, len(rf.point.waiters)-1
			moved := p.waiters[last]
			p.waiters[rf.pos] = moved
			moved.need.refs[moved.ref].pos = rf.pos
			p.waiters = p.waiters[:last]
			m.dismiss(p)
		}
		for k := range n.refs {
			n.refs[k].pos = -1
		}
	}
}
