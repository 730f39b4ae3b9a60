package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"flowctl/dsl/flow"
	"flowctl/dsl/graph"
)

func newGraph(g *globals) *cobra.Command {
	var output string
	var upstream, downstream int
	var tasks, flows bool
	cmd := &cobra.Command{
		Use:   "graph [PATH] [TARGET…]",
		Short: "Show what needs what, without a server",
		Long: `Show what needs what, without a server: the graph of a repository's flows, or of their tasks.

PATH is a flows root or anything inside one; without it, the current folder. Where a file and a flow have the same name, write PATH first.
TARGET is a flow or flow/task: then the graph is of tasks, and holds the targets with all that they need and all that needs
them; --upstream and --downstream limit how many steps it goes each way. --flows and --tasks choose what is shown.

In every form an edge says which periods it reaches, unless it is the run's own period: "hours of the day" and the like where two schedules
meet, "previous", "3 before", "last 7" and "latest" where the need says so. Where an input of a task is an output of another, data flows: such needs are green in
drawings, and "data" marks edges without a need. JSON lists both kinds, with the path.

The drawing of -o svg is a single file for any browser; it follows a light or dark scheme. dot is for Graphviz, mermaid for
what draws Mermaid, such as GitHub.`,
		Example: `  flowctl graph
  flowctl graph flows warehouse.sales --upstream 1 --downstream 0
  flowctl graph flows --tasks -o svg > flows.svg
  flowctl graph finance.balance/balance -o json | jq -r '.edges[] | .from + " -> " + .to'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, targets := splitPath(args)
			limited := cmd.Flags().Changed("upstream") || cmd.Flags().Changed("downstream")
			switch {
			case tasks && flows:
				return usagef("--tasks and --flows exclude each other")
			case limited && len(targets) == 0:
				return usagef("--upstream and --downstream are distances from a target; name one")
			case upstream < 0 || downstream < 0:
				return usagef("--upstream and --downstream: a distance is a number from 0")
			}
			if !cmd.Flags().Changed("upstream") {
				upstream = graph.All
			}
			if !cmd.Flags().Changed("downstream") {
				downstream = graph.All
			}
			write, err := graphForm(output, g.width)
			if err != nil {
				return err
			}
			repo, err := compileRoot(g.streams, path)
			if err != nil {
				return err
			}
			shown, err := graphOf(repo.project, targets, !flows && (tasks || len(targets) > 0), upstream, downstream)
			if err != nil {
				return err
			}
			return write(g, shown)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&output, "output", "o", "text", "form of the graph: text, dot, mermaid, svg or json")
	f.IntVar(&upstream, "upstream", 0, "how many steps to go to what the targets need; all when absent")
	f.IntVar(&downstream, "downstream", 0, "how many steps to go to what needs the targets; all when absent")
	f.BoolVar(&tasks, "tasks", false, "show tasks, also without a target")
	f.BoolVar(&flows, "flows", false, "show flows, also with a target")
	return cmd
}

// splitPath takes the first argument for the path when there is such a file.
func splitPath(args []string) (path string, targets []string) {
	if len(args) > 0 {
		if _, err := os.Stat(args[0]); !errors.Is(err, fs.ErrNotExist) {
			return args[0], args[1:]
		}
	}
	return ".", args
}

// graphForm returns what writes a graph in a form.
func graphForm(form string, width int) (func(*globals, *graph.Graph) error, error) {
	text := func(write func(*graph.Graph) string) func(*globals, *graph.Graph) error {
		return func(g *globals, shown *graph.Graph) error {
			_, err := io.WriteString(g.out, write(shown))
			return err
		}
	}
	switch form {
	case "text":
		return text(func(shown *graph.Graph) string { return cut(shown.Text(), width) }), nil
	case "dot":
		return text((*graph.Graph).Dot), nil
	case "mermaid":
		return text((*graph.Graph).Mermaid), nil
	case "svg":
		return text((*graph.Graph).SVG), nil
	case formJSON:
		return func(g *globals, shown *graph.Graph) error {
			b, err := g.encode(shown)
			if err != nil {
				return err
			}
			_, err = g.out.Write(b)
			return err
		}, nil
	}
	return nil, usagef("-o %s: the forms are text, dot, mermaid, svg and json", form)
}

// cut shortens lines to the screen; 0 = it is unlimited.
func cut(text string, width int) string {
	if width == 0 {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(runewidth.Truncate(strings.TrimSuffix(line, "\n"), width, "…"))
		b.WriteByte('\n')
	}
	return b.String()
}

// graphOf computes what is shown.
func graphOf(p *flow.Project, targets []string, tasks bool, upstream, downstream int) (*graph.Graph, error) {
	whole := graph.Flows(p)
	if tasks {
		whole = graph.Tasks(p)
	}
	if len(targets) == 0 {
		return whole, nil
	}
	var ids []string
	for _, target := range targets {
		found, err := nodesOf(p, target, tasks)
		if err != nil {
			return nil, err
		}
		ids = append(ids, found...)
	}
	return whole.Around(ids, upstream, downstream), nil
}

// nodesOf returns the ids of the nodes that a target means.
func nodesOf(p *flow.Project, target string, tasks bool) ([]string, error) {
	if strings.ContainsAny(target, "@#") {
		return nil, usagef("%s names a run; the graph is of flows and tasks, write flow or flow/task", target)
	}
	name, task, one := strings.Cut(target, "/")
	f := p.Flow(name)
	if f == nil {
		return nil, unknown("flow", name, flowNames(p))
	}
	var all, meant []string
	for _, t := range f.Tasks {
		all = append(all, t.Name)
		if !one || t.Name == task || t.Base == task {
			meant = append(meant, f.ID(t))
		}
	}
	switch {
	case len(meant) == 0:
		return nil, unknown(fmt.Sprintf("task of %s", name), task, all)
	case !tasks:
		return []string{name}, nil
	}
	return meant, nil
}
