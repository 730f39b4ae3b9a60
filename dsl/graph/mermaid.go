package graph

import (
	"fmt"
	"strconv"
	"strings"
)

// Mermaid writes the graph as a Mermaid flowchart, which GitHub and many wikis draw; the tasks of a flow form a subgraph, and edges along which
// data flows are green.
func (g *Graph) Mermaid() string {
	g = g.drawn()
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	ids := make(map[string]string, len(g.Nodes))
	for i, n := range g.Nodes {
		id := fmt.Sprintf("n%d", i) // names may be words of the language
		ids[n.ID] = id
		if n.Task == "" {
			fmt.Fprintf(&b, "  %s[%s]\n", id, mermaidText(n.ID))
			continue
		}
		if i == 0 || g.Nodes[i-1].Flow != n.Flow {
			fmt.Fprintf(&b, "  subgraph s%d [%s]\n", i, mermaidText(n.Flow))
		}
		fmt.Fprintf(&b, "    %s[%s]\n", id, mermaidText(n.Task))
		if i+1 == len(g.Nodes) || g.Nodes[i+1].Flow != n.Flow {
			b.WriteString("  end\n")
		}
	}
	var green []string
	for i, e := range g.Edges {
		if e.carriesData() {
			green = append(green, strconv.Itoa(i))
		}
		arrow := "-->"
		if e.dashed() {
			arrow = "-.->|" + mermaidText(e.label()) + "|"
		}
		fmt.Fprintf(&b, "  %s %s %s\n", ids[e.From], arrow, ids[e.To])
	}
	if len(green) > 0 {
		fmt.Fprintf(&b, "  linkStyle %s stroke:#1b8a7a\n", strings.Join(green, ","))
	}
	return b.String()
}

// mermaidText writes a quoted string, with what Mermaid or its Markdown could take for markup as #CODE;.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(s, "\n", " ") {
		if strings.ContainsRune("\"#&<>`\\;*_~|", r) {
			fmt.Fprintf(&b, "#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return `"` + b.String() + `"`
}
