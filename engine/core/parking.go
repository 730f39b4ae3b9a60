package core

import "container/heap"

// parking is where ready task runs wait that a limit holds back, best first: apart from each other by what they wait for besides, so that
// whoever waits for one agent keeps nobody from another.
type parking map[string]*taskHeap

// park lets a ready task run wait.
func (p parking) park(key string, t *taskRun) {
	if p[key] == nil {
		p[key] = &taskHeap{}
	}
	t.parked = p[key]
	heap.Push(t.parked, t)
}

// better tells whether such a task run is parked, as the first of its kind, and goes before another.
func (p parking) better(t *taskRun, such func(*taskRun) bool) bool {
	for _, h := range p {
		if len(*h) > 0 && before((*h)[0], t) && such((*h)[0]) {
			return true
		}
	}
	return false
}

// leavePark lets the first of those who are parked in h try again.
func (m *Machine) leavePark(h *taskHeap) {
	t := heap.Pop(h).(*taskRun)
	t.parked = nil
	m.enqueue(t)
}
