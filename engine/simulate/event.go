package simulate

import (
	"container/heap"

	"flowctl/dsl/period"
)

// event is something that the world does by itself at an instant.
type event struct {
	at  period.Instant
	seq int // those of one instant happen in the order in which they were planned
	do  func()
}

// events is a heap, earliest first.
type events struct {
	list    []event
	planned int
}

func (es *events) plan(at period.Instant, do func()) {
	es.planned++
	heap.Push(es, event{at, es.planned, do})
}

func (es *events) pop() event { return heap.Pop(es).(event) }

// Len is for container/heap.
func (es *events) Len() int { return len(es.list) }

// Less is for container/heap.
func (es *events) Less(i, j int) bool {
	a, b := &es.list[i], &es.list[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

// Swap is for container/heap.
func (es *events) Swap(i, j int) { es.list[i], es.list[j] = es.list[j], es.list[i] }

// Push is for container/heap.
func (es *events) Push(x any) { es.list = append(es.list, x.(event)) }

// Pop is for container/heap.
func (es *events) Pop() any {
	last := es.list[len(es.list)-1]
	es.list[len(es.list)-1] = event{}
	es.list = es.list[:len(es.list)-1]
	return last
}
