package core

import (
	"container/heap"

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

// timers is a heap by instant. It is kept in order with heap.Fix alone, which makes no object of each timer.
type timers struct {
	heap  timerHeap
	seq   uint64
	sweep int // how many timers there may be before those are dropped whose runs are gone
	left  int // how many of them are still to be looked at for that
}

type timerHeap []dueTimer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h timerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is for container/heap, which is not asked to.
func (h *timerHeap) Push(x any) { *h = append(*h, x.(dueTimer)) }

// Pop is for container/heap, which is not asked to.
func (h *timerHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (ts *timers) set(at period.Instant, t timer) {
	ts.seq++
	ts.heap = append(ts.heap, dueTimer{at, ts.seq, t})
	heap.Fix(&ts.heap, len(ts.heap)-1)
}

// take takes out the timer at a place of the heap; the one at 0 is due first.
func (ts *timers) take(i int) dueTimer {
	h := ts.heap
	t, last := h[i], len(h)-1
	h[i], h[last] = h[last], dueTimer{}
	if ts.heap = h[:last]; i < last {
		heap.Fix(&ts.heap, i)
	}
	return t
}

const (
	// sweepAtLeast is how many timers are never worth a sweep.
	sweepAtLeast = 4096
	// sweepStep is how many timers an event looks at in a sweep, which is more than it sets.
	sweepStep = 8
)

// sweep drops the timers of runs that are gone: most expire long after their runs have ended. It begins when there are twice as many as the last
// one left, and each event does a little of it, so that none has to wait for all. One that moves to a place that was looked at stays until the next.
func (m *Machine) sweep() {
	ts := &m.timers
	if ts.left == 0 {
		if len(ts.heap) < max(ts.sweep, sweepAtLeast) {
			return
		}
		ts.left = len(ts.heap)
	}
	ts.left = min(ts.left, len(ts.heap))
	for range min(ts.left, sweepStep) {
		ts.left--
		if t := &ts.heap[ts.left]; t.run != 0 && !t.settled && m.runs[t.run] == nil {
			ts.take(ts.left)
		}
	}
	if ts.left == 0 {
		ts.sweep = 2 * len(ts.heap)
	}
}

func (ts *timers) next() (period.Instant, bool) {
	if len(ts.heap) == 0 {
		return 0, false
	}
	return ts.heap[0].at, true
}

// elapse lets everything happen that is due by now. A timer whose reason is gone does nothing.
func (m *Machine) elapse() {
	m.sweep()
	for {
		at, ok := m.timers.next()
		if !ok || at > m.now {
			return
		}
		t := m.timers.take(0)
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
