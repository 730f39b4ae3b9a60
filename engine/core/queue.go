package core

import (
	"container/heap"
	"slices"
	"strings"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// queue holds the ready task runs that ask the same of an agent, best first.
type queue struct {
	demand Demand
	tasks  taskHeap
}

// limit is the concurrency of one task over all runs.
type limit struct {
	live   []*taskRun
	parked parking // by agent selector and pool, which can differ between revisions
}

// taskHeap orders task runs for dispatch. Each knows its position, so that it can leave from the middle.
type taskHeap []*taskRun

func (h taskHeap) Len() int           { return len(h) }
func (h taskHeap) Less(i, j int) bool { return before(h[i], h[j]) }
func (h taskHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].rank, h[j].rank = i+1, j+1
}

// Push is for container/heap.
func (h *taskHeap) Push(x any) {
	t := x.(*taskRun)
	*h = append(*h, t)
	t.rank = len(*h)
}

// Pop is for container/heap.
func (h *taskHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	last.rank = 0
	return last
}

// ageing is how long a ready task run waits to gain one level of priority, so that nothing starves.
const ageing = 30 * time.Minute

// turn orders ready task runs by priority and by how long they have waited. All gain at the same pace, so what one has
// gained over another never changes, and the order of a queue stays what it is while time passes.
func (t *taskRun) turn() period.Instant {
	return t.since.Add(time.Duration(t.run.flow.Priority) * ageing)
}

// before is the order of dispatch: backfills behind all else, then turn, due instant, run, and place in the flow.
func before(a, b *taskRun) bool {
	ra, rb := a.run, b.run
	if x, y := ra.fills(), rb.fills(); x != y {
		return y
	}
	if x, y := a.turn(), b.turn(); x != y {
		return x < y
	}
	if ra.row.Due != rb.row.Due {
		return ra.row.Due < rb.row.Due
	}
	if ra.row.ID != rb.row.ID {
		return ra.row.ID < rb.row.ID
	}
	return a.def.Index < b.def.Index
}

// selectorOf returns the key of a task's agent labels.
func selectorOf(t *flow.Task) string {
	switch len(t.Agents) {
	case 0:
		return ""
	case 1:
		return t.Agents[0]
	}
	s := slices.Clone(t.Agents)
	slices.Sort(s)
	return strings.Join(s, ",")
}

// enqueue puts a ready task run where dispatch finds it.
func (m *Machine) enqueue(t *taskRun) {
	d := DemandOf(t.run.rev.Project, t.def)
	key := d.key(t.def)
	q := m.queues[key]
	if q == nil {
		q = &queue{demand: d}
		m.queues[key] = q
		m.queueList = append(m.queueList, q)
	}
	if t.since == 0 {
		t.since = m.now
	}
	t.queue = q
	heap.Push(&q.tasks, t)
}

// dequeue takes a task run out of the queue or the limit it waits in.
func (m *Machine) dequeue(t *taskRun) {
	if t.rank == 0 {
		return
	}
	if t.parked != nil { // those behind it may have waited because of it
		heap.Remove(t.parked, t.rank-1)
		t.parked = nil
	} else {
		heap.Remove(&t.queue.tasks, t.rank-1)
	}
	m.unpark(t)
}

// unpark lets the next task runs try that the limits of this one hold back. It follows whatever frees a place, and whenever one that tried
// gave up without taking its place.
func (m *Machine) unpark(t *taskRun) {
	if l := m.limits[t.id]; l != nil {
		for _, key := range sortedKeys(l.parked) {
			if h := l.parked[key]; len(*h) > 0 && !l.full((*h)[0]) {
				m.leavePark(h)
			}
		}
	}
	if use := t.def.Pool; use != nil {
		m.fill(m.pools[use.Name])
	}
}

// limited tells whether the task's own concurrency or its pool keeps a task run from being dispatched, and parks it if so.
func (m *Machine) limited(t *taskRun) bool {
	if t.def.Concurrency > 0 {
		if l := m.limit(t.id); l.full(t) {
			key := selectorOf(t.def)
			if t.def.Pool != nil {
				key += "|" + t.def.Pool.Name
			}
			l.parked.park(key, t)
			if t.def.Pool != nil { // which may have let it try in place of others
				m.fill(m.pool(t))
			}
			return true
		}
	}
	if t.def.Pool == nil {
		return false
	}
	p := m.pool(t)
	if !p.holdsBack(t) {
		return false
	}
	p.parked.park(selectorOf(t.def), t)
	return true
}

// hold takes a place of the task's concurrency and its slots of a pool for a live attempt.
func (m *Machine) hold(t *taskRun) {
	if t.def.Concurrency > 0 {
		m.limit(t.id)
	}
	if l := m.limits[t.id]; l != nil && !slices.Contains(l.live, t) {
		l.live = append(l.live, t)
	}
	if t.def.Pool != nil && t.pool == nil {
		m.pool(t).take(t)
		m.fill(t.pool)
	}
}

// full tells whether as many are live as the revision of a task run allows.
func (l *limit) full(t *taskRun) bool { return len(l.live) >= t.def.Concurrency }

// limit returns the limit of a task. It counts the live attempts of revisions that had none, too.
func (m *Machine) limit(id int32) *limit {
	l := m.limits[id]
	if l == nil {
		l = &limit{parked: parking{}}
		m.limits[id] = l
		for _, attempt := range sortedKeys(m.attempts) {
			if t := m.attempts[attempt]; t.id == id {
				l.live = append(l.live, t)
			}
		}
	}
	return l
}

// release gives back what hold took and lets the next ones try.
func (m *Machine) release(t *taskRun) {
	if l := m.limits[t.id]; l != nil {
		if i := slices.Index(l.live, t); i >= 0 {
			l.live = slices.Delete(l.live, i, i+1)
		}
	}
	if t.pool != nil {
		t.pool.give(t)
	}
	m.unpark(t)
}

// seekAdmission admits a run to its flow's concurrency, or queues it: it stands behind those that are before it, also where its own revision
// has a higher limit than theirs. One that had settled and goes on is like a new one.
func (m *Machine) seekAdmission(r *run) {
	f := r.state
	switch {
	case r.admitted:
	case r.queued > 0 && r.flow.MaxRuns == 0: // the limit was lifted, and those before it may be pinned to one
		heap.Remove(&f.waiting, r.queued-1)
		m.admit(r)
	case r.queued > 0:
		f.order(r.flow.Newest)
	case r.started() && !r.idle || r.flow.MaxRuns == 0:
		m.admit(r)
	default:
		f.order(r.flow.Newest)
		heap.Push(&f.waiting, r)
		if !m.restoring {
			m.admitNext(f)
		}
	}
}

// order sets which of the runs that wait for a place in their flow comes first.
func (f *flowState) order(newest bool) {
	if f.waiting.newest != newest {
		f.waiting.newest = newest
		heap.Init(&f.waiting)
	}
}

// started tells whether an attempt of the run was ever assigned: such a run holds its place.
func (r *run) started() bool { return r.row.Started != 0 }

func (m *Machine) admit(r *run) {
	r.admitted = true
	r.state.admitted++
	if r.flow.MaxRuns > 0 {
		r.state.holders = append(r.state.holders, r)
	}
	for i := range r.tasks {
		if t := &r.tasks[i]; t.member && !t.row.State.Final() {
			m.stir(t)
		}
	}
}

// releaseAdmission gives a run's place in its flow to the next.
func (m *Machine) releaseAdmission(r *run) {
	f := r.state
	switch {
	case r.queued > 0: // those behind it may be pinned to a higher limit
		heap.Remove(&f.waiting, r.queued-1)
	case r.admitted:
		r.cede()
	}
	m.admitNext(f)
}

// cede gives up a run's place in its flow.
func (r *run) cede() {
	f := r.state
	r.admitted = false
	f.admitted--
	if i := slices.Index(f.holders, r); i >= 0 {
		f.holders = slices.Delete(f.holders, i, i+1)
	}
}

func (m *Machine) admitNext(f *flowState) {
	for len(f.waiting.runs) > 0 {
		next := f.waiting.runs[0]
		if next.flow.MaxRuns > 0 && f.admitted >= next.flow.MaxRuns {
			return
		}
		heap.Pop(&f.waiting)
		m.admit(next)
	}
}

// runHeap orders the runs that wait for a place in their flow.
type runHeap struct {
	runs   []*run
	newest bool
}

func (h *runHeap) Len() int { return len(h.runs) }

// Less puts scheduled runs before those of backfills, then by period, then by number.
func (h *runHeap) Less(i, j int) bool {
	a, b := h.runs[i], h.runs[j]
	if x, y := a.fills(), b.fills(); x != y {
		return y
	}
	if a.row.Period.Start != b.row.Period.Start {
		return a.row.Period.Start < b.row.Period.Start != h.newest
	}
	return a.row.ID < b.row.ID
}

func (h *runHeap) Swap(i, j int) {
	h.runs[i], h.runs[j] = h.runs[j], h.runs[i]
	h.runs[i].queued, h.runs[j].queued = i+1, j+1
}

// Push is for container/heap.
func (h *runHeap) Push(x any) {
	r := x.(*run)
	h.runs = append(h.runs, r)
	r.queued = len(h.runs)
}

// Pop is for container/heap.
func (h *runHeap) Pop() any {
	last := h.runs[len(h.runs)-1]
	h.runs[len(h.runs)-1] = nil
	h.runs = h.runs[:len(h.runs)-1]
	last.queued = 0
	return last
}

// flowState is what the machine knows of a flow over all its runs.
type flowState struct {
	row      engine.FlowState
	flow     *flow.Flow // of the active revision; nil = removed
	standing map[period.Instant]*run
	admitted int
	holders  []*run
	waiting  runHeap
	ahead    map[period.Instant]engine.Ahead // periods that were given runs before their time
	awaited  []int32                         // its tasks that ever had a point
	known    map[int32]bool                  // the same
	// unsure says that the first period of the era has not been generated: a run of the era before may begin with it, and has
	// the first version then.
	unsure bool
	// replaced is what that run was, until the period is generated.
	replaced engine.Existing
	due      period.Instant // of the timer that generates the next period
	rung     bool           // that timer has fired
	tried    *flow.Flow     // as which the generation of the next period has failed
	tries    int            // how often it was tried again
	last     period.Instant // of the newest on-demand run, so that two never share an instant
	dirty    bool
}

func (m *Machine) flowState(name string) *flowState {
	f := m.flows[name]
	if f == nil {
		f = &flowState{
			row: engine.FlowState{Flow: name}, standing: map[period.Instant]*run{}, ahead: map[period.Instant]engine.Ahead{},
			known: map[int32]bool{},
		}
		m.flows[name] = f
	}
	return f
}

// await notes that somebody waits for a task of the flow.
func (f *flowState) await(task int32) {
	if !f.known[task] {
		f.known[task] = true
		f.awaited = append(f.awaited, task)
	}
}

func (m *Machine) touchFlow(f *flowState) {
	if !f.dirty {
		f.dirty = true
		m.dirtyFlows = append(m.dirtyFlows, f)
	}
}
