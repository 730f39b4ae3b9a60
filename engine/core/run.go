package core

import (
	"fmt"
	"slices"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// run is one active run.
type run struct {
	row   engine.Run
	flow  *flow.Flow // of the revision it follows
	plan  *plan
	rev   *Revision
	state *flowState
	bf    *backfill // nil = none, or it is over
	tasks []taskRun // by index in flow.Tasks

	open     int  // task runs that can still move without an operator
	spoiled  int  // settled task runs that satisfy nothing
	admitted bool // within the flow's concurrency
	queued   int  // position in the flow's admission queue plus one; 0 = not in it
	stands   bool // the highest version of its period, and no extra run: needs read it
	again    bool // it was read from the store: others may wait there for what succeeds now
	ignores  bool // upstreams that are missing do not count
	idle     bool // it had settled and nothing has moved since it was taken up again
	dirty    bool
	emptied  bool
	gone     bool
}

// taskRun is one task within an active run.
type taskRun struct {
	row     engine.TaskRun
	run     *run
	def     *flow.Task
	id      int32 // interned flow/task
	attempt engine.Attempt
	agent   *agent // of the live attempt

	unmet, bad, good int    // needs by class
	unset            int    // signals of which a period is not set, and writers of its inputs that have not ended
	needs            []need // those on other runs, and on signals
	asked            bool   // the condition was evaluated, and true
	gateAsked        bool   // this machine had its quality gate asked
	gateFault        string // why that failed
	paths            []string
	missing          int            // paths not there, or not looked at yet
	rank             int            // position in its queue plus one; 0 = not in one
	queue            *queue         // the newest that it was in
	taken            Demand         // of its live attempt
	parked           *taskHeap      // of the limit that holds it back; nil = none does
	pool             *pool          // whose slots its live attempt holds; nil = none
	pooled           int            // how many of them
	armed            bool           // a timer looks whether it is late with its dependencies
	took             period.Instant // by the attempt that made it succeed; 0 = that was learnt, or is not known
	since            period.Instant // ready since; 0 = it is not, or was executed since
	wake             period.Instant // of the timer it waits for
	notBefore        period.Instant // an agent gave it back; it is not offered again before
	shunned          string         // that agent, when it was not for an input; it gets the task run only if no other has room
	offered          period.Instant // the live attempt was sent to its agent, or the agent asked for its start

	member       bool // takes part in the run
	behind       bool // waits for the live attempt of another version
	overlong     bool // an event told that its attempt takes too long
	soured       bool // was once in a bad state: others may wait in the store for its success
	dirty        bool
	attemptDirty bool
	stirred      bool
}

// plan is what a machine derives from a flow once.
type plan struct {
	ids        []int32   // interned task ids by index
	downstream [][]int32 // indexes of the tasks that need this one in the same run, once for each need
	pathed     []int     // indexes of the tasks with paths that are not constant
	grid       string    // fingerprint of how the schedule cuts time, `at` aside
}

// class is how a state counts for a need.
type class uint8

const (
	unmet class = iota
	good
	bad
)

func classOf(s engine.State) class {
	switch {
	case s.Satisfies():
		return good
	case s.Bad():
		return bad
	}
	return unmet
}

// open tells whether a task run in this state can still move without an operator.
func open(s engine.State) bool { return !s.Final() && s != engine.UpstreamFailed }

func (m *Machine) planOf(f *flow.Flow) *plan {
	if p, ok := m.plans[f]; ok {
		return p
	}
	p := &plan{ids: make([]int32, len(f.Tasks)), downstream: make([][]int32, len(f.Tasks))}
	for i, t := range f.Tasks {
		p.ids[i] = m.intern(f.ID(t))
		if slices.ContainsFunc(slices.Concat(t.Inputs, t.Outputs), func(path *flow.Template) bool { _, fixed := path.Const(); return !fixed }) {
			p.pathed = append(p.pathed, i)
		}
		for _, n := range t.Needs {
			if n.Local >= 0 {
				p.downstream[n.Local] = append(p.downstream[n.Local], int32(i))
			}
		}
	}
	spec := f.Spec
	spec.At = ""
	p.grid = fmt.Sprintf("%s|%s|%s|%s", spec.Every, spec.Cron, spec.Once, f.Schedule.Zone())
	m.plans[f] = p
	return p
}

// newRun is what create needs to know.
type newRun struct {
	flow    *flow.Flow
	rev     *Revision
	period  period.Period
	version int
	kind    engine.RunKind
	params  map[string]string
	bf      *backfill
	due     period.Instant
	extra   bool
	force   bool
	task    string // of a partial run; empty = all tasks
	pinned  bool
	setup   func(*run) // called before the tasks are linked
}

// create makes a run with all its task runs waiting.
func (m *Machine) create(n newRun) *run {
	m.lastRun++
	r := &run{
		row: engine.Run{
			ID: m.lastRun, Flow: n.flow.Name, Period: n.period, Zone: n.flow.Schedule.Zone().String(),
			Label: n.flow.Schedule.Label(n.period), Version: n.version, Kind: n.kind, State: engine.RunActive,
			Revision: n.rev.ID, Pinned: n.pinned, Params: n.params, Partial: n.task != "", Extra: n.extra, Force: n.force,
			Created: m.now, Due: n.due,
		},
		flow: n.flow, rev: n.rev, plan: m.planOf(n.flow), state: m.flowState(n.flow.Name), bf: n.bf,
	}
	if n.bf != nil {
		r.row.Backfill, r.ignores = n.bf.row.ID, n.bf.ignores()
	}
	r.tasks = make([]taskRun, len(n.flow.Tasks))
	for i := range r.tasks {
		t := m.initTask(r, i)
		if n.task == "" || t.def.Name == n.task {
			m.include(t)
		}
	}
	if n.setup != nil {
		n.setup(r)
	}
	m.hang(r)
	m.touchRun(r)
	if m.inquiries > 0 {
		m.made[engine.RunKey{Flow: r.row.Flow, Start: r.row.Period.Start}] = r
	}
	if !n.extra {
		m.stand(r)
	}
	if n.period.End > r.state.row.Cursor && n.period.Kind != period.Demand {
		made := r.state.ahead[n.period.Start].Made || !n.extra
		r.state.ahead[n.period.Start] = engine.Ahead{Version: n.version, Made: made}
	}
	m.enter(r)
	return r
}

// hang puts a run into memory.
func (m *Machine) hang(r *run) {
	m.runs[r.row.ID] = r
	if !r.row.Pinned {
		m.loose[r.row.ID] = r
	}
}

func (m *Machine) initTask(r *run, i int) *taskRun {
	t := &r.tasks[i]
	t.run, t.def, t.id = r, r.flow.Tasks[i], r.plan.ids[i]
	t.row = engine.TaskRun{Run: r.row.ID, Task: t.def.Name, State: engine.Waiting}
	return t
}

// include makes a task run take part in its run.
func (m *Machine) include(t *taskRun) {
	t.member = true
	m.touchTask(t)
}

// enter links a run whose rows are set into the machine and lets it move.
func (m *Machine) enter(r *run) {
	r.open, r.spoiled = 0, 0
	for i := range r.tasks {
		t := &r.tasks[i]
		if !t.member {
			continue
		}
		switch {
		case open(t.row.State):
			r.open++
		case classOf(t.row.State) != good:
			r.spoiled++
		}
	}
	for i := range r.tasks {
		if t := &r.tasks[i]; t.member && !t.row.State.Final() {
			m.link(t)
			m.timeLateness(t)
			m.timeGate(t)
		}
	}
	if at, ok := r.expiry(); ok {
		m.timers.set(at, timer{run: r.row.ID, task: -1})
	}
	if r.bf != nil {
		r.bf.live[r] = true
		r.bf.tasks += len(r.tasks)
	}
	m.seekAdmission(r)
	m.checkEmpty(r)
}

// expiry returns when what has not started in the run expires.
func (r *run) expiry() (period.Instant, bool) {
	return r.row.Due.Add(r.flow.ExpireAfter), r.flow.ExpireAfter > 0
}

// link counts the needs of a task run, subscribes to the ones on other runs and on signals, and asks for its evaluation.
func (m *Machine) link(t *taskRun) {
	t.unmet, t.bad, t.good, t.unset = 0, 0, 0, 0
	t.needs = t.needs[:0]
	outer := len(t.def.Signals)
	for i := range t.def.Needs {
		n := &t.def.Needs[i]
		if n.Local >= 0 && t.run.tasks[n.Local].member {
			t.count(classOf(t.run.tasks[n.Local].row.State), 1)
		} else {
			outer++
		}
	}
	writers := t.run.writers(t.run.rev, t.def.Name)
	if outer+len(writers) > 0 {
		t.needs = make([]need, outer+len(writers)) // never grows: points hold pointers into it
		k := 0
		for i := range t.def.Needs {
			n := &t.def.Needs[i]
			if n.Local >= 0 && t.run.tasks[n.Local].member {
				continue
			}
			m.subscribe(&t.needs[k], t, n, false)
			k++
		}
		for _, n := range writers {
			m.subscribe(&t.needs[k], t, n, true)
			k++
		}
		for _, name := range t.def.Signals {
			m.awaitSignal(&t.needs[k], t, t.run.rev.Project.Signals[name])
			k++
		}
	}
	m.stir(t)
}

// count moves n needs into a class; n may be negative.
func (t *taskRun) count(c class, n int) {
	switch c {
	case good:
		t.good += n
	case bad:
		t.bad += n
	default:
		t.unmet += n
	}
}

// move changes the state of a task run, by the table, and tells all who depend on it.
func (m *Machine) move(t *taskRun, to engine.State) {
	from := t.row.State
	if !engine.Allowed(from, to) {
		panic(fmt.Sprintf("core: %s: no transition from %s to %s", m.name(t), from, to))
	}
	r := t.run
	m.revive(r)
	t.row.State = to
	t.soured = t.soured || to.Bad()
	if to.Final() {
		t.row.Finished = m.now
		m.tellEnd(t)
		m.unsubscribe(t)
		m.unwatch(t)
	}
	if to == engine.Succeeded {
		m.produced(t)
	}
	m.touchTask(t)
	r.tally(from, -1)
	r.tally(to, 1)
	if before, after := classOf(from), classOf(to); before != after {
		for _, i := range r.plan.downstream[t.def.Index] {
			d := &r.tasks[i]
			if d.member && !d.row.State.Final() {
				d.count(before, -1)
				d.count(after, 1)
				m.stir(d)
			}
		}
		m.publish(t)
	}
	m.checkEmpty(r)
}

// revive makes a settled run active again, because something in it moves.
func (m *Machine) revive(r *run) {
	if !r.idle {
		return
	}
	r.idle = false
	if r.bf != nil {
		m.count(r.bf, r.row.State, -1)
	}
	r.row.State, r.row.Finished = engine.RunActive, 0
	m.touchRun(r)
	m.unwait(r.row.ID)
}

// unwait drops what a settled run waits for, and when it will be late: it is active again, or another version takes its place.
func (m *Machine) unwait(id engine.RunID) {
	m.out.Changes.NoWaits = append(m.out.Changes.NoWaits, id)
	if _, foreseen := m.lates[id]; foreseen {
		delete(m.lates, id)
		m.out.Changes.Overdue = append(m.out.Changes.Overdue, engine.Overdue{Run: id})
	}
}

func (r *run) tally(s engine.State, n int) {
	switch {
	case open(s):
		r.open += n
	case classOf(s) != good:
		r.spoiled += n
	}
}

func (m *Machine) checkEmpty(r *run) {
	if r.open == 0 && !r.emptied {
		r.emptied = true
		m.emptied = append(m.emptied, r)
	}
}

// settle ends a run in which nothing can move without an operator: its outcomes go to the ledger, it frees its slot and leaves memory.
func (m *Machine) settle(r *run) {
	if r.open > 0 || r.gone {
		return
	}
	if r.idle {
		m.leave(r)
		if r.bf != nil {
			m.refill(r.bf)
		}
		return
	}
	r.row.State, r.row.Finished = engine.RunSucceeded, m.now
	if r.spoiled > 0 {
		r.row.State = engine.RunFailed
	}
	m.touchRun(r)
	m.record(r)
	m.leave(r)
	if r.bf != nil {
		m.ended(r.bf, r)
	}
}

// record writes the outcomes of a run to the ledger, how long its tasks took, and what its unfinished task runs wait for.
func (m *Machine) record(r *run) {
	c := &m.out.Changes
	if r.row.Partial && r.stands && r.row.Period.End > r.state.row.Cursor { // generation will complete it
		c.Waits = append(c.Waits, engine.Wait{Run: r.row.ID, Flow: r.row.Flow, Start: r.row.Period.Start})
	}
	for i := range r.tasks {
		t := &r.tasks[i]
		if !t.member {
			continue
		}
		m.learn(t)
		if !r.row.Extra {
			c.Outcomes = append(c.Outcomes, engine.Outcome{
				Flow: r.row.Flow, Task: t.row.Task, Start: r.row.Period.Start, End: r.row.Period.End,
				Version: r.row.Version, Run: r.row.ID, State: t.row.State,
			})
		}
		if t.row.State != engine.UpstreamFailed || !r.current() {
			continue
		}
		for k := range t.needs {
			c.Waits = t.needs[k].waits(c.Waits)
		}
	}
	m.foresee(r)
}

// waits adds what of a need failed, and under which other ids a run may yet come that takes its place.
func (n *need) waits(all []engine.Wait) []engine.Wait {
	for i := 0; i < len(n.refs); i += n.each {
		if n.data || n.decisive(i).class() != bad {
			continue
		}
		for _, rf := range n.refs[i : i+n.each] {
			if p := rf.point; p.class() == bad || p.status == absent {
				all = append(all, engine.Wait{Run: n.task.run.row.ID, Flow: p.flow, Task: p.task, Start: p.key.start})
			}
		}
	}
	return all
}

// leave takes a run out of memory.
func (m *Machine) leave(r *run) {
	r.gone = true
	for i := range r.tasks {
		t := &r.tasks[i]
		m.unsubscribe(t)
		m.unwatch(t)
		m.dequeue(t)
	}
	delete(m.runs, r.row.ID)
	delete(m.loose, r.row.ID)
	if r.state.standing[r.row.Period.Start] == r {
		delete(r.state.standing, r.row.Period.Start)
	}
	if r.bf != nil {
		delete(r.bf.live, r)
		r.bf.tasks -= len(r.tasks)
	}
	m.releaseAdmission(r)
}

// bad names the tasks of a run that ended badly.
func (r *run) bad() []string {
	var names []string
	for i := range r.tasks {
		if t := &r.tasks[i]; t.member && t.row.State.Bad() {
			names = append(names, t.def.Name)
		}
	}
	return names
}

// stand makes a run the one that needs on its period read, in place of an older version. A newer one stays.
func (m *Machine) stand(r *run) {
	if old := r.state.standing[r.row.Period.Start]; old != nil {
		if old.row.Version > r.row.Version {
			return
		}
		old.stands = false
		m.drop(r, old.flow)
	}
	r.stands = true
	r.state.standing[r.row.Period.Start] = r
	for i := range r.tasks {
		if t := &r.tasks[i]; t.member {
			m.publish(t)
		}
	}
	m.unlisted(r)
}

// unlisted tells those who wait for tasks that a run does not have, maybe any more: they do not count.
func (m *Machine) unlisted(r *run) {
	for _, id := range r.state.awaited {
		m.outdo(r, id)
		p := m.points[pointKey{id, r.row.Period.Start}]
		if p != nil && r.flow.Task(p.task) == nil {
			m.update(p, func() { p.read(r) })
		}
	}
}

// drop wakes the settled runs that wait for tasks which the newest version of a run does not have any more.
func (m *Machine) drop(r *run, before *flow.Flow) {
	for _, t := range before.Tasks {
		if r.flow.Task(t.Name) == nil {
			m.out.Wake = append(m.out.Wake, engine.LedgerKey{Flow: r.row.Flow, Task: t.Name, Start: r.row.Period.Start})
		}
	}
}

// follow moves a run that has not started to another revision of its flow.
func (m *Machine) follow(r *run, rev *Revision, f *flow.Flow) {
	m.revive(r)
	former := map[string]*taskRun{}
	for i := range r.tasks {
		t := &r.tasks[i]
		m.unsubscribe(t)
		m.unwatch(t)
		m.dequeue(t)
		m.stepBack(t)
		if !t.member {
			continue
		}
		former[t.def.Name] = t
		if f.Task(t.def.Name) == nil {
			m.out.Changes.NoTaskRuns = append(m.out.Changes.NoTaskRuns, engine.TaskRunKey{Run: r.row.ID, Task: t.def.Name})
		}
	}
	m.forget(r)
	if r.admitted {
		r.cede() // the limit may be another one now
	}
	before := r.flow
	r.flow, r.rev, r.plan = f, rev, m.planOf(f)
	r.row.Revision = rev.ID
	m.touchRun(r)
	r.tasks = make([]taskRun, len(f.Tasks))
	for i := range r.tasks {
		t := m.initTask(r, i)
		old, is := former[t.def.Name]
		if !r.row.Partial || is {
			m.include(t)
		}
		if !is {
			continue
		}
		t.keepGate(old)
		was := old.row
		t.row.DependencyLate, t.row.OutputLate, t.row.Alerted = was.DependencyLate, was.OutputLate, was.Alerted
		if was.State.Final() { // forced, killed, skipped, or taken from an older version: it stays what it is
			t.row, t.soured = was, true
		}
	}
	if r.stands {
		m.stand(r)
		m.drop(r, before)
	}
	m.enter(r)
}

// forget drops a run's task runs from the work that is left: they are about to be replaced.
func (m *Machine) forget(r *run) {
	others := func(t *taskRun) bool { return t.run == r }
	m.dirtyTasks = slices.DeleteFunc(m.dirtyTasks, others)
	m.stirred = slices.DeleteFunc(m.stirred, others)
}

// fills tells whether the run is of a backfill, which may be over: such a run is behind all others.
func (r *run) fills() bool { return r.row.Backfill != 0 }

// current tells whether the run was not replaced by a newer version. An extra run never is.
func (r *run) current() bool { return r.stands || r.row.Extra }

func (m *Machine) name(t *taskRun) string { return t.run.row.Name(t.row.Task) }
