package core

import (
	"container/heap"
	"slices"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// timer is something that is due at an instant. Exactly one of its fields says what.
type timer struct {
	flow    *flowState   // generate its next period
	watch   *watch       // look at a path again
	agent   *agent       // tell that it is lost
	patrol  bool         // look for attempts that take too long
	recall  bool         // look for attempts that do not start
	run     engine.RunID // wake a task run, or expire a run
	task    int          // index within run; -1 = the run expires
	gate    bool         // fail the task run unless its quality gate has answered
	report  bool         // make the daily reports that are due
	settled bool         // the run has left memory, and a task run of it is late
	late    lateness     // what the task run is late with by then; 0 = wake it
}

type dueTimer struct {
	at  period.Instant
	seq uint64 // timers of one instant fire in the order they were set
	timer
}

// timers is a heap by instant.
type timers struct {
	heap timerHeap
	seq  uint64
	most int // how many there may be before those of runs that are gone are looked for
}

// fewTimers is how many are kept without a look at what they are for.
const fewTimers = 1024

type timerHeap []dueTimer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is for container/heap.
func (h *timerHeap) Push(x any) { *h = append(*h, x.(dueTimer)) }

// Pop is for container/heap.
func (h *timerHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = dueTimer{}
	*h = old[:len(old)-1]
	return last
}

func (ts *timers) set(at period.Instant, t timer) {
	ts.seq++
	heap.Push(&ts.heap, dueTimer{at, ts.seq, t})
}

func (ts *timers) next() (period.Instant, bool) {
	if len(ts.heap) == 0 {
		return 0, false
	}
	return ts.heap[0].at, true
}

// dropTimers forgets the timers of runs that have left memory, which would stay until they are due: each run has one for its expiry, and a
// backfill makes millions of runs in less time than that. It looks only when there are twice as many timers as after the last look.
func (m *Machine) dropTimers() {
	ts := &m.timers
	if len(ts.heap) <= max(fewTimers, ts.most) {
		return
	}
	ts.heap = slices.DeleteFunc(ts.heap, func(t dueTimer) bool { return t.run != 0 && m.runs[t.run] == nil })
	heap.Init(&ts.heap)
	ts.most = 2 * len(ts.heap)
}

// elapse lets everything happen that is due by now. A timer whose reason is gone does nothing.
func (m *Machine) elapse() {
	m.dropTimers()
	for {
		at, ok := m.timers.next()
		if !ok || at > m.now {
			return
		}
		t := heap.Pop(&m.timers.heap).(dueTimer)
		switch {
		case t.flow != nil:
			m.generate(t.flow, at)
		case t.watch != nil:
			if t.watch.next == at && len(t.watch.tasks) > 0 {
				m.look(t.watch)
			}
		case t.agent != nil:
			m.missing(t.agent, at)
		case t.patrol:
			m.inspect(at)
		case t.report:
			m.report(at)
		case t.recall:
			m.recall()
		default:
			m.ring(t)
		}
	}
}

// ring wakes a task run or expires a run.
func (m *Machine) ring(t dueTimer) {
	r := m.runs[t.run]
	if t.settled {
		if m.lates[t.run] == t.at {
			m.lates[t.run] = asked
			m.out.Overdue = append(m.out.Overdue, t.run)
		}
		return
	}
	if r == nil {
		return
	}
	if t.task < 0 {
		m.expire(r)
		return
	}
	if t.task >= len(r.tasks) {
		return
	}
	if t.late != 0 {
		m.late(&r.tasks[t.task], t.late)
		return
	}
	if t.gate {
		m.stir(&r.tasks[t.task])
		return
	}
	if r.tasks[t.task].wake != t.at {
		return
	}
	tr := &r.tasks[t.task]
	tr.wake = 0
	switch tr.row.State {
	case engine.Retrying:
		m.retry(tr)
	case engine.Waiting:
		m.stir(tr)
	}
}

// sleep wakes a task run at an instant.
func (m *Machine) sleep(t *taskRun, at period.Instant) {
	if t.wake == at {
		return
	}
	t.wake = at
	m.timers.set(at, timer{run: t.run.row.ID, task: t.def.Index})
}

// expire ends what has not started in a run by the time it should have.
func (m *Machine) expire(r *run) {
	at, ok := r.expiry()
	if !ok || at > m.now {
		return
	}
	for i := range r.tasks {
		t := &r.tasks[i]
		s := t.row.State
		if t.member && t.row.Attempts == 0 && (s == engine.Waiting || s == engine.Ready || s == engine.UpstreamFailed) {
			m.dequeue(t)
			t.row.Code, t.row.Message = engine.CodeExpired, "did not start within "+r.flow.ExpireAfter.String()
			m.move(t, engine.Expired)
		}
	}
}
