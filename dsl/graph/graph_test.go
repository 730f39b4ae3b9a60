package graph_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowctl/dsl"
	"flowctl/dsl/flow"
	"flowctl/dsl/graph"
)

var update = flag.Bool("update", false, "write the golden files")

const people = "people: {alice: {}}\nteams: {data: {members: [alice]}}\n"

func compile(t *testing.T, text string) *flow.Project {
	t.Helper()
	p, found := dsl.New().Compile([]dsl.File{
		{Path: "flowctl.yaml", Data: []byte("version: 1\n")}, {Path: "teams.yaml", Data: []byte(people)}, {Path: "f/f.yaml", Data: []byte(text)},
	})
	if p == nil {
		t.Fatalf("%+v", found)
	}
	return p
}

func example(t *testing.T) *flow.Project {
	t.Helper()
	text, err := os.ReadFile("testdata/flows.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, string(text))
}

func TestGolden(t *testing.T) {
	t.Parallel()
	p := example(t)
	for level, g := range map[string]*graph.Graph{"flows": graph.Flows(p), "tasks": graph.Tasks(p)} {
		data, err := json.MarshalIndent(g, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		for form, got := range map[string]string{"txt": g.Text(), "dot": g.Dot(), "mermaid": g.Mermaid(), "svg": g.SVG(), "json": string(data) + "\n"} {
			file := filepath.Join("testdata", level+"."+form)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
			}
		}
	}
}

// hostile has everything in its names that a form could take for its own.
func hostile() *graph.Graph {
	names := []string{`a"b`, `c\`, "<d>&'", "end", "e\n]|", "#35; `x`", "日本"}
	g := &graph.Graph{}
	for i, n := range names {
		g.Nodes = append(g.Nodes, graph.Node{ID: n, Flow: n, Task: n, Team: n, Schedule: n, Group: n, Every: n})
		g.Edges = append(g.Edges, graph.Edge{From: names[(i+1)%len(names)], To: n, Kind: graph.Logical, Periods: n})
	}
	return g
}

func TestSVGIsXML(t *testing.T) {
	t.Parallel()
	p := example(t)
	for _, g := range []*graph.Graph{graph.Flows(p), graph.Tasks(p), hostile(), {}} {
		texts := 0
		d := xml.NewDecoder(strings.NewReader(g.SVG()))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in\n%s", err, g.SVG())
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "g" {
				texts++
			}
		}
		if texts != len(g.Nodes) {
			t.Errorf("%d nodes drawn, there are %d", texts, len(g.Nodes))
		}
	}
}

// TestDotIsRead has Graphviz read what is written, and say which nodes and edges it found.
func TestDotIsRead(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("dot"); err != nil {
		t.Skip("needs Graphviz (apt-get install graphviz)")
	}
	p := example(t)
	for _, g := range []*graph.Graph{graph.Flows(p), graph.Tasks(p), hostile(), {}} {
		cmd := exec.CommandContext(t.Context(), "dot", "-Tjson")
		cmd.Stdin = strings.NewReader(g.Dot())
		var problems strings.Builder
		cmd.Stderr = &problems
		out, err := cmd.Output()
		if err != nil || problems.Len() > 0 {
			t.Fatalf("%v: %s\n%s", err, problems.String(), g.Dot())
		}
		var read struct {
			Objects []struct{ Name string }
			Edges   []struct{ Tail, Head int }
		}
		if err := json.Unmarshal(out, &read); err != nil {
			t.Fatal(err)
		}
		for _, n := range g.Nodes {
			name := strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(n.ID) // Graphviz leaves escapes in names
			if !slices.ContainsFunc(read.Objects, func(o struct{ Name string }) bool { return o.Name == name }) {
				t.Errorf("Graphviz read no node %q of\n%s", n.ID, g.Dot())
			}
		}
		if drawn := strings.Count(g.Dot(), " -> "); len(read.Edges) != drawn {
			t.Errorf("Graphviz read %d edges, there are %d", len(read.Edges), drawn)
		}
	}
}

func TestMermaidIsEscaped(t *testing.T) {
	t.Parallel()
	text := hostile().Mermaid()
	for line := range strings.Lines(text) {
		if n := strings.Count(line, `"`); n != 0 && n != 2 {
			t.Errorf("%d quotes in %q", n, line)
		}
	}
	if lines := strings.Count(text, "\n"); lines != 1+3*7+7 {
		t.Errorf("%d lines:\n%s", lines, text)
	}
	if strings.Contains(text, "<d>") {
		t.Error("a tag is not escaped")
	}
}

func ids(g *graph.Graph) string {
	var all []string
	for _, n := range g.Nodes {
		all = append(all, n.ID)
	}
	return strings.Join(all, " ")
}

func TestAround(t *testing.T) {
	t.Parallel()
	g := graph.Tasks(compile(t, `
flow: f
team: data
tasks:
  a: {run: x}
  b: {run: x, needs: [a]}
  c: {run: x, needs: [b]}
  d: {run: x, needs: [c]}
  e: {run: x, needs: [d]}
  other: {run: x, needs: [a]}
`))
	for _, c := range []struct {
		up, down int
		want     string
	}{
		{graph.All, graph.All, "f/a f/b f/c f/d f/e"},
		{0, 0, "f/c"},
		{1, 0, "f/b f/c"},
		{0, 1, "f/c f/d"},
		{2, 1, "f/a f/b f/c f/d"},
		{graph.All, 0, "f/a f/b f/c"},
	} {
		part := g.Around([]string{"f/c"}, c.up, c.down)
		if ids(part) != c.want {
			t.Errorf("%d up, %d down: %s, want %s", c.up, c.down, ids(part), c.want)
		}
		if len(part.Edges) != len(part.Nodes)-1 {
			t.Errorf("%d up, %d down: %d edges between %d nodes", c.up, c.down, len(part.Edges), len(part.Nodes))
		}
	}
}

func TestPeriodsAreNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ up, down, need, want string }{
		{"{every: day}", "{every: day, at: \"05:00\"}", "up/t", ""},
		{"{every: day}", "{every: day, start: 2026-01-01}", "up/t", ""},
		{"{every: hour}", "{every: day}", "up/t", "hours of the day"},
		{"{every: day}", "{every: month}", "up/t", "days of the month"},
		{"{every: day}", "{every: hour}", "up/t", "last day"},
		{"{every: month}", "{every: week}", "up/t", "last month"},
		{"{every: day, timezone: Asia/Shanghai}", "{every: day}", "up/t", "days that end in the day"},
		{"{cron: \"0 3 * * *\"}", "{cron: \"0 3 * * *\"}", "up/t", ""},
		{"{cron: \"0 3 * * *\"}", "{cron: \"0 4 * * *\"}", "up/t", "fires since its last"},
		{"{cron: \"0 3 * * *\"}", "{every: day}", "up/t", "fires of the day"},
		{"{every: hour}", "{cron: \"0 4 * * *\"}", "up/t", "hours since the last fire"},
		{"{once: 2026-11-20T10:00}", "{every: day}", "up/t", "once"},
		{"", "{every: day}", "up/t", "latest"},
		{"{every: day}", "", "{task: up/t, periods: latest}", "latest"},
		{"{every: day}", "{every: day, start: 2026-01-01}", "{task: up/t, periods: previous}", "previous"},
		{"{every: day}", "{every: day, start: 2026-01-01}", "{task: up/t, periods: {offset: -3}}", "3 before"},
		{"{every: day}", "{every: day}", "{task: up/t, periods: {last: 7}}", "last 7"},
	} {
		schedule := func(s string) string {
			if s == "" {
				return ""
			}
			return "schedule: " + s + "\n"
		}
		p := compile(t, "flow: up\nteam: data\n"+schedule(c.up)+"tasks: {t: {run: x}}\n---\nflow: down\nteam: data\n"+schedule(c.down)+
			"tasks: {t: {run: x, needs: ["+c.need+"]}}\n")
		g := graph.Tasks(p)
		if len(g.Edges) != 1 || g.Edges[0].Periods != c.want {
			t.Errorf("%s needs %s of %s: %+v, want %q", c.down, c.need, c.up, g.Edges, c.want)
		}
	}
}
