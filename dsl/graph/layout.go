package graph

import (
	"cmp"
	"slices"
)

// The measures of a drawing, in pixels.
const (
	boxHeight = 40.0
	boxGap    = 14.0 // between boxes of a column
	laneGap   = 10.0 // between an edge that passes a column and what is above and below it
	columnGap = 52.0 // at least, between columns
	partGap   = 36.0 // between unconnected parts
	textWidth = 7.8  // of a character of a title, on average
	noteWidth = 5.8  // of a character of a note
	sweeps    = 24
)

// maxLanes is how many columns edges may pass between boxes, all together. From there on they run behind the boxes: nobody could follow them,
// and there may be as many as edges times columns.
const maxLanes = 20_000

// point is a place in a drawing.
type point struct{ x, y float64 }

// drawing is a graph with places: layers from left to right, in the manner of Sugiyama. Nodes that need nothing stand at the left, all others
// to the right of what they need.
type drawing struct {
	boxes         []box    // one for each node
	routes        [][]span // one for each edge, from left to right
	width, height float64
}

// box is where a node stands.
type box struct{ x, y, width float64 }

// span is a stretch that a route crosses horizontally: a box at its ends, a column that it passes between.
type span struct{ left, right, y float64 }

// draw finds a place for everything.
func (g *Graph) draw() *drawing {
	l := g.links()
	d := &drawing{boxes: make([]box, len(g.Nodes)), routes: make([][]span, len(g.Edges))}
	parts := g.parts(l)
	layouts := make([]*layout, len(parts))
	for i, nodes := range parts {
		layouts[i] = g.arrange(l, nodes)
		d.width = max(d.width, layouts[i].size.x)
	}
	// Parts are put side by side as long as they fit, the high ones first.
	slices.SortStableFunc(layouts, func(a, b *layout) int { return cmp.Compare(b.size.y, a.size.y) })
	area := 0.0
	for _, part := range layouts {
		area += (part.size.x + partGap) * (part.size.y + partGap)
	}
	for d.width*d.width < 1.6*area {
		d.width += partGap
	}
	var at point
	row := 0.0 // its height
	widest := 0.0
	for _, part := range layouts {
		if at.x > 0 && at.x+part.size.x > d.width {
			at = point{0, at.y + row + partGap}
			row = 0
		}
		d.place(part, at)
		at.x += part.size.x + partGap
		row = max(row, part.size.y)
		widest = max(widest, at.x-partGap)
	}
	d.width, d.height = widest, at.y+row
	d.fan(g, l)
	return d
}

// fan spreads the edges at each side of a box over it, in the order of where they come from.
func (d *drawing) fan(g *Graph, l *links) {
	type port struct {
		at    *float64
		other float64
	}
	left, right := make([][]port, len(g.Nodes)), make([][]port, len(g.Nodes))
	for e, route := range d.routes {
		n := len(route)
		if n == 0 {
			continue
		}
		from, to, forward := l.ends(g.Edges[e])
		if !forward {
			from, to = to, from
		}
		right[from] = append(right[from], port{&route[0].y, route[1].y})
		left[to] = append(left[to], port{&route[n-1].y, route[n-2].y})
	}
	for _, ports := range slices.Concat(left, right) {
		slices.SortStableFunc(ports, func(a, b port) int { return cmp.Compare(a.other, b.other) })
		gap := min(8, (boxHeight-16)/float64(max(len(ports)-1, 1)))
		for i, p := range ports {
			*p.at += (float64(i) - float64(len(ports)-1)/2) * gap
		}
	}
}

// parts returns the connected parts of the graph, their nodes in order.
func (g *Graph) parts(l *links) [][]int {
	root := make([]int, len(g.Nodes))
	for i := range root {
		root[i] = i
	}
	find := func(i int) int {
		for root[i] != i {
			root[i] = root[root[i]]
			i = root[i]
		}
		return i
	}
	for _, e := range g.Edges {
		root[find(l.index[e.From])] = find(l.index[e.To])
	}
	var parts [][]int
	number := make(map[int]int)
	for _, i := range l.order {
		r := find(i)
		n, ok := number[r]
		if !ok {
			n = len(parts)
			number[r] = n
			parts = append(parts, nil)
		}
		parts[n] = append(parts[n], i)
	}
	return parts
}

// place moves a part to where it belongs in the drawing.
func (d *drawing) place(l *layout, at point) {
	for c, column := range l.columns {
		for _, s := range column {
			if s.node >= 0 {
				d.boxes[s.node] = box{at.x + l.left[c], at.y + s.y - boxHeight/2, l.width[c]}
			}
		}
	}
	for e, route := range l.routes {
		for _, s := range route {
			left := at.x + l.left[s.column]
			d.routes[e] = append(d.routes[e], span{left, left + l.width[s.column], at.y + s.y})
		}
	}
}
