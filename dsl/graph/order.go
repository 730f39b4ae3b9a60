package graph

// links is a graph by index, as layouts and trees walk it.
type links struct {
	index map[string]int // by id
	order []int          // all nodes, what is needed for the same period before what needs it, otherwise in the order of the graph
	rank  []int          // the place of each node in order
	up    [][]int        // edges that end at a node
	down  [][]int        // edges that begin at it
}

func (g *Graph) links() *links {
	n := len(g.Nodes)
	l := &links{index: make(map[string]int, n), rank: make([]int, n), up: make([][]int, n), down: make([][]int, n)}
	for i, node := range g.Nodes {
		l.index[node.ID] = i
	}
	for i, e := range g.Edges {
		from, to := l.index[e.From], l.index[e.To]
		l.up[to] = append(l.up[to], i)
		l.down[from] = append(l.down[from], i)
	}
	seen := make([]bool, n)
	var visit func(i int)
	visit = func(i int) {
		seen[i] = true
		for _, e := range l.up[i] {
			edge := g.Edges[e]
			if from := l.index[edge.From]; !seen[from] && !edge.Earlier && edge.Kind == Logical {
				visit(from)
			}
		}
		l.rank[i] = len(l.order)
		l.order = append(l.order, i)
	}
	for i := range g.Nodes {
		if !seen[i] {
			visit(i)
		}
	}
	return l
}

// ends returns the indexes of an edge's nodes, and whether it follows the order: an edge that closes a circle does not.
func (l *links) ends(e Edge) (from, to int, forward bool) {
	from, to = l.index[e.From], l.index[e.To]
	return from, to, l.rank[from] < l.rank[to]
}
