package graph

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text writes the graph as trees: below each node what needs it. A node that several others lead to is written out once; ^ marks it in the
// other places, and where an edge closes a circle.
func (g *Graph) Text() string {
	g = g.drawn()
	t := &tree{Graph: g, links: g.links(), shown: make([]bool, len(g.Nodes))}
	for _, i := range t.order {
		if t.isRoot(i) {
			t.node("", "", i, "", true)
		}
	}
	for _, i := range t.order { // what lies too deep
		if !t.shown[i] {
			t.node("", "", i, "", true)
		}
	}
	if t.marked {
		t.WriteString("\n^ written out elsewhere\n")
	}
	return t.String()
}

// deepest is how many levels a tree has; what is below begins another one.
const deepest = 30

type tree struct {
	strings.Builder
	*Graph
	*links
	shown  []bool
	marked bool // some node is
}

// isRoot tells whether no edge that follows the order leads to a node.
func (t *tree) isRoot(i int) bool {
	for _, e := range t.up[i] {
		if _, _, forward := t.ends(t.Edges[e]); forward {
			return false
		}
	}
	return true
}

// node writes a node and, unless it is only mentioned, what is below it; lead stands before it, indent before what is below.
func (t *tree) node(lead, indent string, i int, label string, whole bool) {
	n := t.Nodes[i]
	t.WriteString(lead + n.ID)
	if facts := n.facts(); len(facts) > 0 {
		t.WriteString(" (" + strings.Join(facts, ", ") + ")")
	}
	if label != "" {
		t.WriteString(" [" + label + "]")
	}
	deep := utf8.RuneCountInString(indent) >= 3*deepest && len(t.down[i]) > 0
	if !whole || deep || t.shown[i] {
		if len(t.down[i]) > 0 {
			t.WriteString(" ^")
			t.marked = true
		}
		t.WriteByte('\n')
		return
	}
	t.WriteByte('\n')
	t.shown[i] = true
	for k, e := range t.down[i] {
		branch, below := "├─ ", "│  "
		if k == len(t.down[i])-1 {
			branch, below = "└─ ", "   "
		}
		_, to, forward := t.ends(t.Edges[e])
		t.node(indent+branch, indent+below, to, t.Edges[e].label(), forward)
	}
}

// facts say how often a flow runs and how large it is, and of both flows and tasks whether they are disabled.
func (n Node) facts() []string {
	var facts []string
	if n.Task == "" {
		facts = append(facts, n.Every, plural(n.Tasks, "task"))
	}
	if n.Disabled {
		facts = append(facts, "disabled")
	}
	return facts
}

// label says what is special about an edge; nothing for a need on the same period.
func (e Edge) label() string {
	if e.Kind == Data {
		return "data"
	}
	return e.Periods
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
