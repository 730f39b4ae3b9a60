package graph

import (
	"cmp"
	"math"
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

// order sorts the columns so that few edges cross: each in turn by the middle of its neighbours, back and forth. The best order wins.
func (l *layout) order() {
	l.number()
	best, fewest := l.snapshot(), l.crossings()
	for i := range sweeps {
		if fewest == 0 {
			break
		}
		forward := i%2 == 0
		for k := range l.columns {
			c := k
			if !forward {
				c = len(l.columns) - 1 - k
			}
			middles := make(map[*spot]float64, len(l.columns[c]))
			for _, s := range l.columns[c] {
				middles[s] = s.middle(forward)
			}
			slices.SortStableFunc(l.columns[c], func(a, b *spot) int { return cmp.Compare(middles[a], middles[b]) })
			for at, s := range l.columns[c] {
				s.at = at
			}
		}
		if n := l.crossings(); n < fewest {
			best, fewest = l.snapshot(), n
		}
	}
	l.columns = best
	l.number()
}

func (l *layout) number() {
	for _, column := range l.columns {
		for at, s := range column {
			s.at = at
		}
	}
}

func (l *layout) snapshot() [][]*spot {
	copied := make([][]*spot, len(l.columns))
	for i, c := range l.columns {
		copied[i] = slices.Clone(c)
	}
	return copied
}

// middle is the median place of the neighbours on one side; a spot without any stays where it is.
func (s *spot) middle(left bool) float64 {
	near := s.right
	if left {
		near = s.left
	}
	if len(near) == 0 {
		return float64(s.at)
	}
	at := make([]int, len(near))
	for i, n := range near {
		at[i] = n.at
	}
	slices.Sort(at)
	half := len(at) / 2
	if len(at)%2 == 1 {
		return float64(at[half])
	}
	return float64(at[half-1]+at[half]) / 2
}

// crossings counts the pairs of edges that cross, with a tree of sums over each column.
func (l *layout) crossings() int {
	total := 0
	for c, column := range l.columns {
		if c == 0 {
			continue
		}
		sums := make([]int, len(l.columns[c-1])+1)
		seen := 0
		for _, s := range column {
			for _, n := range s.left {
				upTo := 0
				for i := n.at + 1; i > 0; i -= i & -i {
					upTo += sums[i]
				}
				total += seen - upTo
			}
			for _, n := range s.left {
				for i := n.at + 1; i < len(sums); i += i & -i {
					sums[i]++
				}
			}
			seen += len(s.left)
		}
	}
	return total
}

// align moves spots to the height of their neighbours, as far as those of their column leave room.
func (l *layout) align() {
	for _, column := range l.columns {
		spread(column, make([]float64, len(column)))
	}
	for i := range sweeps {
		forward := i%2 == 0
		for k := range l.columns {
			c := k
			if !forward {
				c = len(l.columns) - 1 - k
			}
			wanted := make([]float64, len(l.columns[c]))
			for at, s := range l.columns[c] {
				wanted[at] = s.wants(forward)
			}
			spread(l.columns[c], wanted)
		}
	}
}

// wants is the mean height of the neighbours; those on the side that was placed before count more.
func (s *spot) wants(left bool) float64 {
	sum, weight := 0.0, 0.0
	add := func(near []*spot, w float64) {
		for _, n := range near {
			sum += w * n.y
			weight += w
		}
	}
	const near, far = 1, 0.2
	if left {
		add(s.left, near)
		add(s.right, far)
	} else {
		add(s.left, far)
		add(s.right, near)
	}
	if weight == 0 {
		return s.y
	}
	return sum / weight
}

// spread places the spots of a column as near to where they are wanted as their distances allow, in the least squares: neighbours that
// would overlap form a block, which stands at the mean of what its members want.
func spread(column []*spot, wanted []float64) {
	type block struct {
		first, n int
		sum      float64 // of what is wanted of the first
	}
	offset := make([]float64, len(column))
	for i := 1; i < len(column); i++ {
		gap := boxGap
		if column[i].node < 0 || column[i-1].node < 0 {
			gap = laneGap
		}
		offset[i] = offset[i-1] + column[i-1].half() + column[i].half() + gap
	}
	var blocks []block
	for i := range column {
		b := block{i, 1, wanted[i] - offset[i]}
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			if last.sum/float64(last.n) <= b.sum/float64(b.n) {
				break
			}
			b = block{last.first, last.n + b.n, last.sum + b.sum}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		for i := b.first; i < b.first+b.n; i++ {
			column[i].y = b.sum/float64(b.n) + offset[i]
		}
	}
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
