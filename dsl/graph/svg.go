package graph

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"
)

// SVG draws the graph. The drawing needs nothing else: it follows the light or dark scheme of whoever looks at it, and shows details of
// nodes and edges under the pointer.
func (g *Graph) SVG() string {
	const margin = 24
	g = g.drawn()
	d := g.draw()
	w := &svgWriter{Graph: g, drawing: d, links: g.links(), colors: g.colors()}
	width, height := d.width+2*margin, d.height+2*margin
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="%.0f" height="%.0f" viewBox="%d %d %.0f %.0f">`+"\n", width, height, -margin, -margin, width, height)
	w.WriteString("<style>" + svgStyle + "</style>\n")
	w.WriteString("<defs>")
	for _, class := range []string{"head", "head data"} {
		fmt.Fprintf(w, `<marker id="%s" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">`+
			`<path class="%s" d="M0 0.5L8 4L0 7.5z"/></marker>`, strings.ReplaceAll(class, " ", "-"), class)
	}
	w.WriteString("</defs>\n")
	fmt.Fprintf(w, `<rect class="page" x="%d" y="%d" width="%.0f" height="%.0f"/>`+"\n", -margin, -margin, width, height)
	for i := range g.Edges {
		w.edge(i)
	}
	for i := range g.Nodes {
		w.node(i)
	}
	for i := range g.Nodes { // over everything else
		w.labels(i)
	}
	w.WriteString("</svg>\n")
	return w.String()
}

const svgStyle = `
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#1f2933}
.page{fill:#ffffff}
.box{fill:#f7f9fb;stroke:#c5ced8}
.off{opacity:.5}
.title{font-size:12px;font-weight:600}
.note{font-size:10px;fill:#66727f}
.edge{fill:none;stroke:#8c99a6;stroke-width:1.3}
.other{stroke-dasharray:4 3}
.head{fill:#8c99a6}
.edge.data{stroke:#2a9d8f}
.head.data{fill:#2a9d8f}
.halo{stroke:#ffffff;stroke-width:4;stroke-linejoin:round;paint-order:stroke}
.c0{fill:#3b7dd8}.c1{fill:#2a9d8f}.c2{fill:#e08e2b}.c3{fill:#9b5de5}.c4{fill:#d1495b}.c5{fill:#5b8c3e}.c6{fill:#0f8bb3}.c7{fill:#b5651d}
@media (prefers-color-scheme:dark){
text{fill:#e4e8ec}
.page{fill:#15191e}
.box{fill:#20262d;stroke:#414c57}
.note{fill:#9aa6b2}
.edge{stroke:#6f7c89}
.head{fill:#6f7c89}
.edge.data{stroke:#38b2a3}
.head.data{fill:#38b2a3}
.halo{stroke:#15191e}
}
`

// svgWriter writes a drawing.
type svgWriter struct {
	strings.Builder
	*Graph
	*drawing
	*links
	colors map[string]int
}

// colors gives each flow of a graph of tasks, each group of a graph of flows, one of the eight colours.
func (g *Graph) colors() map[string]int {
	colors := make(map[string]int)
	for _, n := range g.Nodes {
		if _, ok := colors[n.family()]; !ok {
			colors[n.family()] = len(colors) % 8
		}
	}
	return colors
}

func (n Node) family() string {
	if n.Task == "" {
		return n.Group
	}
	return n.Flow
}

// texts are the two lines in a node's box: its name, and what it is part of or made of, with the earlier periods of itself that it needs.
func (g *Graph) texts(l *links, i int) (title, note string) {
	n := g.Nodes[i]
	title, notes := n.ID, n.facts()
	if n.Task != "" {
		title, notes = n.Task, append([]string{n.Flow}, notes...)
	}
	for _, e := range l.up[i] {
		if from, to, _ := l.ends(g.Edges[e]); from == to {
			notes = append(notes, "↻ "+g.Edges[e].label())
		}
	}
	return title, strings.Join(notes, " · ")
}

// longest is how many characters of a line are shown.
const longest = 56

func short(s string) string {
	if utf8.RuneCountInString(s) <= longest {
		return s
	}
	return string([]rune(s)[:longest-1]) + "…"
}

func (w *svgWriter) node(i int) {
	n, b := w.Nodes[i], w.boxes[i]
	class := "node"
	if n.Disabled {
		class = "node off"
	}
	title, note := w.texts(w.links, i)
	fmt.Fprintf(w, `<g class="%s"><title>%s</title>`, class, escape(n.details()))
	fmt.Fprintf(w, `<rect class="box" x="%.1f" y="%.1f" width="%.1f" height="%.0f" rx="6"/>`, b.x, b.y, b.width, boxHeight)
	fmt.Fprintf(w, `<rect class="c%d" x="%.1f" y="%.1f" width="4" height="%.0f" rx="2"/>`, w.colors[n.family()], b.x+6, b.y+8, boxHeight-16)
	fmt.Fprintf(w, `<text class="title" x="%.1f" y="%.1f">%s</text>`, b.x+18, b.y+17, escape(short(title)))
	fmt.Fprintf(w, `<text class="note" x="%.1f" y="%.1f">%s</text></g>`+"\n", b.x+18, b.y+31, escape(short(note)))
}

// details is what the pointer brings up.
func (n Node) details() string {
	text := n.ID + "\n" + n.Schedule + "\nteam " + n.Team
	if n.Runner != "" {
		text += "\nrunner " + n.Runner
	}
	if n.Disabled {
		text += "\nnot enabled"
	}
	return text
}

func (w *svgWriter) edge(i int) {
	e, route := w.Edges[i], w.routes[i]
	class, head := "edge", "head"
	if e.dashed() {
		class += " other"
	}
	if e.carriesData() {
		class, head = class+" data", "head-data"
	}
	marker := "marker-end"
	from, to, forward := w.ends(e)
	switch {
	case from == to:
		return // its box says so
	case !forward: // drawn from left to right, too
		marker = "marker-start"
	}
	fmt.Fprintf(w, `<path class="%s" d="%s" %s="url(#%s)"><title>%s</title></path>`+"\n", class, curve(route), marker, head, escape(e.details()))
}

func (e Edge) details() string {
	if e.Kind == Data {
		return e.To + " reads what " + e.From + " writes, and does not need it"
	}
	text := e.To + " needs " + e.From
	if e.Periods != "" {
		text += ": " + e.Periods
	}
	if e.data {
		text += "\nand reads what it writes"
	}
	return text
}

// curve leads from box to box: straight through columns, bent between them.
func curve(route []span) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M%.1f %.1f", route[0].right, route[0].y)
	for i, s := range route[1:] {
		from := route[i]
		bend := (s.left - from.right) / 2
		fmt.Fprintf(&b, "C%.1f %.1f %.1f %.1f %.1f %.1f", from.right+bend, from.y, s.left-bend, s.y, s.left, s.y)
		if i+2 < len(route) {
			fmt.Fprintf(&b, "H%.1f", s.right)
		}
	}
	return b.String()
}

// boxWidth is how much room a node's texts take.
func (g *Graph) boxWidth(l *links, i int) float64 {
	title, note := g.texts(l, i)
	return 30 + max(textWidth*float64(utf8.RuneCountInString(short(title))), noteWidth*float64(utf8.RuneCountInString(short(note))), 40)
}

// labels writes what is special about the edges that end at a node, each text once.
func (w *svgWriter) labels(node int) {
	written := make(map[string]bool)
	for _, i := range w.up[node] {
		e, route := w.Edges[i], w.routes[i]
		label := e.label()
		if label == "" || len(route) == 0 || written[label] {
			continue
		}
		written[label] = true
		_, _, forward := w.ends(e)
		end, before, anchor := route[len(route)-1], route[len(route)-2], "end"
		x := end.left - 12
		if !forward {
			end, before, anchor = route[0], route[1], "start"
			x = end.right + 12
		}
		y := end.y - 4
		if middle := w.boxes[node].y + boxHeight/2; before.y > end.y+1 || end.y > middle+1 { // the room is below it
			y = end.y + 11
		}
		fmt.Fprintf(w, `<text class="note halo" text-anchor="%s" x="%.1f" y="%.1f">%s</text>`+"\n", anchor, x, y, escape(label))
	}
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}
