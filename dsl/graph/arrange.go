package graph

import (
	"math"
	"slices"
)

// spot is a node, or the place where an edge passes a column.
type spot struct {
	node   int // -1 for an edge
	column int
	y      float64
	left   []*spot // neighbours in the column before
	right  []*spot // and after
	at     int     // in its column
}

func (s *spot) half() float64 {
	if s.node < 0 {
		return 0
	}
	return boxHeight / 2
}

// layout is a connected part of a graph while places are found for it.
type layout struct {
	columns [][]*spot
	routes  map[int][]*spot // by edge: its spots from left to right
	left    []float64       // of each column
	width   []float64       // of the boxes of each column
	size    point
}

// arrange lays out a connected part.
func (g *Graph) arrange(l *links, nodes []int) *layout {
	part := &layout{routes: make(map[int][]*spot)}
	column := g.columnsOf(l, nodes)
	spots := make(map[int]*spot, len(nodes))
	add := func(node, column int) *spot {
		for len(part.columns) <= column {
			part.columns = append(part.columns, nil)
		}
		s := &spot{node: node, column: column}
		part.columns[column] = append(part.columns[column], s)
		return s
	}
	for _, i := range nodes {
		spots[i] = add(i, column[i])
	}
	lanes := 0
	for _, i := range nodes {
		for _, e := range l.down[i] {
			from, to, forward := l.ends(g.Edges[e])
			if from == to {
				continue
			}
			if !forward {
				from, to = to, from
			}
			route := []*spot{spots[from]}
			if lanes += column[to] - column[from] - 1; lanes > maxLanes && column[to]-column[from] > 1 {
				part.routes[e] = append(route, spots[to])
				continue
			}
			for c := column[from] + 1; c <= column[to]; c++ {
				next := spots[to]
				if c < column[to] {
					next = add(-1, c)
				}
				last := route[len(route)-1]
				last.right, next.left = append(last.right, next), append(next.left, last)
				route = append(route, next)
			}
			part.routes[e] = route
		}
	}
	part.order()
	part.align()
	part.measure(g, l)
	return part
}

// columnsOf puts each node to the right of what it needs, and as near to what needs it as that allows.
func (g *Graph) columnsOf(l *links, nodes []int) map[int]int {
	column := make(map[int]int, len(nodes))
	before := make(map[int][]int, len(nodes))
	after := make(map[int][]int, len(nodes))
	for _, i := range nodes {
		for _, e := range l.down[i] {
			from, to, forward := l.ends(g.Edges[e])
			if !forward {
				from, to = to, from
			}
			if from != to {
				before[to], after[from] = append(before[to], from), append(after[from], to)
			}
		}
	}
	for _, i := range nodes {
		for _, b := range before[i] {
			column[i] = max(column[i], column[b]+1)
		}
	}
	for _, i := range slices.Backward(nodes) {
		if len(after[i]) == 0 {
			continue
		}
		nearest := column[after[i][0]]
		for _, a := range after[i] {
			nearest = min(nearest, column[a])
		}
		if len(before[i]) == 0 || len(after[i]) > len(before[i]) {
			column[i] = max(column[i], nearest-1)
		}
	}
	return column
}

// measure sets the widths of columns and of the gaps between them, and moves all to where the part begins.
func (l *layout) measure(g *Graph, links *links) {
	top, bottom := math.Inf(1), math.Inf(-1)
	l.left, l.width = make([]float64, len(l.columns)), make([]float64, len(l.columns))
	gaps := make([]float64, len(l.columns)+1) // what labels need before each column
	for c, column := range l.columns {
		for _, s := range column {
			top, bottom = min(top, s.y-s.half()), max(bottom, s.y+s.half())
			if s.node < 0 {
				continue
			}
			l.width[c] = max(l.width[c], g.boxWidth(links, s.node))
			for _, e := range links.up[s.node] {
				gap := &gaps[c]
				if _, _, forward := links.ends(g.Edges[e]); !forward {
					gap = &gaps[c+1]
				}
				*gap = max(*gap, noteWidth*float64(len(g.Edges[e].label())))
			}
		}
	}
	for c, column := range l.columns {
		if c > 0 {
			l.left[c] = l.left[c-1] + l.width[c-1] + columnGap + gaps[c]
		}
		for _, s := range column {
			s.y -= top
		}
	}
	last := len(l.columns) - 1
	l.size = point{l.left[last] + l.width[last], bottom - top}
}
