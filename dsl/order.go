package dsl

import (
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// sort orders the tasks so that needs within the flow come first, otherwise as written, and connects them. It tells
// whether some of them wait for each other.
func (b *builder) sort() (knotted bool) {
	tasks := b.flow.Tasks
	waiting := make([]int, len(tasks))
	dependents := make([][]int, len(tasks))
	for i, t := range tasks {
		for _, n := range t.Needs {
			if n.Flow == b.flow.Name && n.Rule.Kind != period.Offset {
				from := b.draft.names[n.Task]
				dependents[from] = append(dependents[from], i)
				waiting[i]++
			}
		}
	}
	order := make([]int, 0, len(tasks))
	place := make([]int, len(tasks))
	var free intHeap
	for i := range tasks {
		if waiting[i] == 0 {
			free.push(i)
		}
	}
	for len(free) > 0 {
		i := free.pop()
		place[i] = len(order)
		order = append(order, i)
		for _, j := range dependents[i] {
			if waiting[j]--; waiting[j] == 0 {
				free.push(j)
			}
		}
	}
	if len(order) < len(tasks) {
		return true
	}
	sorted := make([]*flow.Task, len(tasks))
	for at, i := range order {
		sorted[at] = tasks[i]
	}
	b.flow.Tasks = sorted
	b.connect(place)
	return false
}

// connect sets the indexes by which tasks of the same run find each other.
func (b *builder) connect(place []int) {
	for i, t := range b.flow.Tasks {
		t.Index = i
		for k := range t.Needs {
			n := &t.Needs[k]
			if n.Flow == b.flow.Name && n.Rule.Kind == period.Joined {
				n.Local = place[b.draft.names[n.Task]]
				up := b.flow.Tasks[n.Local]
				up.Downstream = append(up.Downstream, i)
			}
		}
	}
}

// intHeap is a heap of ints, least first.
type intHeap []int

func (h *intHeap) push(v int) {
	*h = append(*h, v)
	a := *h
	for i := len(a) - 1; i > 0 && a[(i-1)/2] > a[i]; i = (i - 1) / 2 {
		a[i], a[(i-1)/2] = a[(i-1)/2], a[i]
	}
}

func (h *intHeap) pop() int {
	a := *h
	least, last := a[0], len(a)-1
	a[0] = a[last]
	a = a[:last]
	for i := 0; 2*i+1 < last; {
		child := 2*i + 1
		if child+1 < last && a[child+1] < a[child] {
			child++
		}
		if a[i] <= a[child] {
			break
		}
		a[i], a[child] = a[child], a[i]
		i = child
	}
	*h = a
	return least
}
