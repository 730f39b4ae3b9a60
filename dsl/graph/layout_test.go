package graph

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func drawGraph(t *rapid.T) *Graph {
	g := &Graph{}
	n := rapid.IntRange(0, 25).Draw(t, "nodes")
	for i := range n {
		g.Nodes = append(g.Nodes, Node{ID: fmt.Sprint(i), Flow: fmt.Sprint(i % 4), Task: fmt.Sprint(i), Every: "day"})
	}
	if n > 0 {
		for range rapid.IntRange(0, 40).Draw(t, "edges") {
			e := Edge{From: fmt.Sprint(rapid.IntRange(0, n-1).Draw(t, "from")), To: fmt.Sprint(rapid.IntRange(0, n-1).Draw(t, "to")), Kind: Logical}
			if rapid.Bool().Draw(t, "earlier") {
				e.Earlier, e.Periods = true, "previous"
			}
			g.Edges = append(g.Edges, e)
		}
	}
	g.sort()
	return g
}

// Whatever the graph, circles included: boxes stand apart within the drawing, edges lead from left to right between their boxes, and the
// same graph is drawn alike.
func TestDrawingsAreSound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := drawGraph(t)
		d, l := g.draw(), g.links()
		const slack = 0.01
		for i, a := range d.boxes {
			if a.x < -slack || a.y < -slack || a.x+a.width > d.width+slack || a.y+boxHeight > d.height+slack {
				t.Fatalf("box %d at %+v is outside of %.1f x %.1f", i, a, d.width, d.height)
			}
			for j, b := range d.boxes[:i] {
				if a.x < b.x+b.width && b.x < a.x+a.width && a.y < b.y+boxHeight-slack && b.y < a.y+boxHeight-slack {
					t.Fatalf("boxes %d and %d overlap: %+v, %+v", i, j, a, b)
				}
			}
		}
		for i, e := range g.Edges {
			from, to, forward := l.ends(e)
			route := d.routes[i]
			if from == to {
				continue
			}
			if !forward {
				from, to = to, from
			}
			if first, last := route[0], route[len(route)-1]; first.left != d.boxes[from].x || last.left != d.boxes[to].x {
				t.Fatalf("edge %d leads from %+v to %+v, its boxes are %+v and %+v", i, first, last, d.boxes[from], d.boxes[to])
			}
			for k := 1; k < len(route); k++ {
				if route[k].left <= route[k-1].right {
					t.Fatalf("edge %d runs back: %+v", i, route)
				}
			}
		}
		if once, twice := g.SVG(), g.SVG(); once != twice {
			t.Fatal("drawn twice, two drawings")
		}
	})
}

// Each node is written out once, and each edge is a line below its node.
func TestTreesShowAllNodes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := drawGraph(t)
		walk := &tree{Graph: g, links: g.links(), shown: make([]bool, len(g.Nodes))}
		for _, i := range walk.order {
			if walk.isRoot(i) {
				walk.node("", "", i, "", true)
			}
		}
		roots := 0
		for i := range g.Nodes {
			if walk.isRoot(i) {
				roots++
			}
		}
		if lines := strings.Count(walk.String(), "\n"); lines != roots+len(g.Edges) {
			t.Fatalf("%d lines for %d roots and %d edges:\n%s", lines, roots, len(g.Edges), walk.String())
		}
		for i, shown := range walk.shown {
			if !shown {
				t.Fatalf("node %d of %+v is not shown:\n%s", i, g.Edges, walk.String())
			}
		}
	})
}

// A long chain whose tasks need much of what came before makes neither a tree nor a drawing that nobody could hold.
func TestLongChainsAreBounded(t *testing.T) {
	t.Parallel()
	const n = 3000
	g := &Graph{}
	for i := range n {
		g.Nodes = append(g.Nodes, Node{ID: fmt.Sprint(i), Flow: "f", Task: fmt.Sprint(i), Every: "day"})
		if i > 0 {
			g.Edges = append(g.Edges, Edge{From: fmt.Sprint(i - 1), To: fmt.Sprint(i), Kind: Logical}, Edge{From: fmt.Sprint(i / 2), To: fmt.Sprint(i), Kind: Logical})
		}
	}
	g.sort()
	text := g.Text()
	if len(text) > 400*n {
		t.Errorf("the tree has %d bytes", len(text))
	}
	for i := range n {
		if !strings.Contains(text, fmt.Sprintf("%d\n", i)) {
			t.Fatalf("the tree lacks %d", i)
		}
	}
	if svg := g.SVG(); len(svg) > 4000*n {
		t.Errorf("the drawing has %d bytes", len(svg))
	}
}
