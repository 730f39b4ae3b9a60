package dsl

import (
	"slices"
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// knots reports each group of tasks that wait for each other, once. Few flows can be part of one, so flows are looked at
// first: those that wait for each other, or whose own tasks do.
func (r *compilation) knots() {
	number := make(map[string]int, len(r.built))
	for i, b := range r.built {
		number[b.draft.name.value] = i
	}
	edges := make([][]int, len(r.built))
	for i, b := range r.built {
		for _, name := range b.waits {
			if j, ok := number[name]; ok {
				edges[i] = append(edges[i], j)
			}
		}
	}
	for _, group := range components(edges) {
		if len(group) > 1 || r.built[group[0]].knotted {
			r.taskKnots(group)
		}
	}
}

// taskRef is a task with its id, for messages.
type taskRef struct {
	id   string
	task *flow.Task
}

// taskKnots reports the knots among the tasks of some flows.
func (r *compilation) taskKnots(group []int) {
	var tasks []taskRef
	number := make(map[string]int)
	for _, i := range group {
		f := r.built[i].flow
		for _, t := range f.Tasks {
			number[f.ID(t)] = len(tasks)
			tasks = append(tasks, taskRef{f.ID(t), t})
		}
	}
	edges := make([][]int, len(tasks))
	for i, t := range tasks {
		for _, n := range t.task.Needs {
			if j, ok := number[n.Flow+"/"+n.Task]; ok && n.Rule.Kind != period.Offset {
				edges[i] = append(edges[i], j)
			}
		}
	}
	for _, knot := range components(edges) {
		if len(knot) > 1 || slices.Contains(edges[knot[0]], knot[0]) {
			r.reportKnot(tasks, edges, knot)
		}
	}
}

// reportKnot gives one shortest way round a knot, beginning at its first task by id.
func (r *compilation) reportKnot(tasks []taskRef, edges [][]int, knot []int) {
	first := slices.MinFunc(knot, func(a, b int) int { return strings.Compare(tasks[a].id, tasks[b].id) })
	way := circle(edges, first)
	names := make([]string, 0, len(way)+1)
	for _, i := range way {
		names = append(names, tasks[i].id)
	}
	names = append(names, tasks[first].id)
	message := "tasks wait for each other: " + strings.Join(names, " -> ")
	if len(way) == 1 {
		message = "a task waits for itself: " + strings.Join(names, " -> ")
	}
	if len(knot) > len(way) {
		message += " (" + strconv.Itoa(len(knot)) + " tasks are part of the knot)"
	}
	next := tasks[way[1%len(way)]].id
	at := tasks[first].task.Pos
	for _, n := range tasks[first].task.Needs {
		if n.Flow+"/"+n.Task == next && n.Rule.Kind != period.Offset {
			at = n.Pos
			break
		}
	}
	d := errorAt(at, diag.Cycle, "remove one of these needs, or let it reach the period before: {task: NAME, periods: previous}", message)
	r.add(d)
}

// circle returns a shortest way from a node back to itself, without repeating it at the end.
func circle(edges [][]int, start int) []int {
	from := map[int]int{}
	queue := []int{start}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, j := range edges[i] {
			if j == start {
				way := []int{i}
				for i != start {
					i = from[i]
					way = append(way, i)
				}
				slices.Reverse(way)
				return way
			}
			if _, ok := from[j]; !ok {
				from[j] = i
				queue = append(queue, j)
			}
		}
	}
	return []int{start}
}

// components returns the strongly connected components of a graph (Tarjan's algorithm, with a stack of its own, since
// chains may be as long as the graph).
func components(edges [][]int) (out [][]int) {
	type frame struct{ node, edge int }
	n := len(edges)
	number, low := make([]int, n), make([]int, n)
	onStack := make([]bool, n)
	var stack []int
	var frames []frame
	count := 0
	enter := func(i int) {
		count++
		number[i], low[i], onStack[i] = count, count, true
		stack = append(stack, i)
		frames = append(frames, frame{node: i})
	}
	for root := range n {
		if number[root] != 0 {
			continue
		}
		enter(root)
		for len(frames) > 0 {
			top := &frames[len(frames)-1]
			i := top.node
			if top.edge < len(edges[i]) {
				j := edges[i][top.edge]
				top.edge++
				if number[j] == 0 {
					enter(j)
				} else if onStack[j] {
					low[i] = min(low[i], number[j])
				}
				continue
			}
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				parent := frames[len(frames)-1].node
				low[parent] = min(low[parent], low[i])
			}
			if low[i] == number[i] {
				at := slices.Index(stack, i)
				out = append(out, slices.Clone(stack[at:]))
				for _, j := range stack[at:] {
					onStack[j] = false
				}
				stack = stack[:at]
			}
		}
	}
	return out
}
