package graph

import (
	"fmt"
	"strings"
)

// Dot writes the graph in the language of Graphviz; the tasks of a flow form a cluster, and edges along which data flows are green.
func (g *Graph) Dot() string {
	g = g.drawn()
	var b strings.Builder
	b.WriteString("digraph flows {\n  rankdir=LR\n  node [shape=box, style=rounded, fontname=\"sans-serif\"]\n  edge [fontname=\"sans-serif\", fontsize=10]\n")
	for i, n := range g.Nodes {
		if n.Task == "" {
			fmt.Fprintf(&b, "  %s [label=%s]\n", dotText(n.ID), dotText(n.ID+"\n"+strings.Join(n.facts(), " · ")))
			continue
		}
		if i == 0 || g.Nodes[i-1].Flow != n.Flow {
			fmt.Fprintf(&b, "  subgraph %s {\n    label=%s\n", dotText("cluster "+n.Flow), dotText(n.Flow))
		}
		fmt.Fprintf(&b, "    %s [label=%s]\n", dotText(n.ID), dotText(n.Task))
		if i+1 == len(g.Nodes) || g.Nodes[i+1].Flow != n.Flow {
			b.WriteString("  }\n")
		}
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s -> %s", dotText(e.From), dotText(e.To))
		var attributes []string
		if label := e.label(); label != "" {
			attributes = append(attributes, "label="+dotText(label))
		}
		if e.dashed() {
			attributes = append(attributes, "style=dashed")
		}
		if e.carriesData() {
			attributes = append(attributes, `color="#1b8a7a"`)
		}
		if e.Earlier {
			attributes = append(attributes, "constraint=false")
		}
		if len(attributes) > 0 {
			fmt.Fprintf(&b, " [%s]", strings.Join(attributes, ", "))
		}
		b.WriteByte('\n')
	}
	b.WriteString("}\n")
	return b.String()
}

// dashed tells whether an edge reaches other periods than the run's own, or is no need at all.
func (e Edge) dashed() bool { return e.label() != "" }

// carriesData tells whether data flows along an edge.
func (e Edge) carriesData() bool { return e.data || e.Kind == Data }

// dotText writes a quoted string: quotes and backslashes are escaped, and a line break is one of the label.
func dotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
