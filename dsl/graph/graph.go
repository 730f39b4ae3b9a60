package graph

import (
	"cmp"
	"slices"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// Graph is a graph of tasks or of flows.
type Graph struct {
	Nodes []Node `json:"nodes"` // of one flow together, in the order of the project
	Edges []Edge `json:"edges"` // by From, To, Kind, Periods, Path
}

// Node is a task, or a flow.
type Node struct {
	ID       string `json:"id"` // flow/task, or flow
	Flow     string `json:"flow"`
	Task     string `json:"task,omitempty"`
	Group    string `json:"group,omitempty"`
	Team     string `json:"team"`
	Runner   string `json:"runner,omitempty"` // of a task
	Every    string `json:"every"`            // the kind of its periods: hour, day, week, month, cron, once, demand
	Schedule string `json:"schedule"`
	Tasks    int    `json:"tasks,omitempty"` // of a flow: how many it has
	Disabled bool   `json:"disabled,omitempty"`
}

// Edge says that To needs From, or reads what it writes.
type Edge struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Kind    Kind   `json:"kind"`
	Periods string `json:"periods,omitempty"` // of From that a run of To needs, in words; empty for the same period
	Earlier bool   `json:"earlier,omitempty"` // only periods before the run's own, so it may close a circle
	Path    string `json:"path,omitempty"`    // of data between tasks, as To writes it

	data bool // a logical edge, and data flows along it too; set by drawn
}

// Kind tells where an edge comes from.
type Kind string

// The kinds of edges.
const (
	Logical Kind = "logical" // the needs of tasks
	Data    Kind = "data"    // an input of one task is an output of another
)

// Tasks returns the graph of all tasks of a project.
func Tasks(p *flow.Project) *Graph {
	g := &Graph{Nodes: []Node{}, Edges: []Edge{}}
	for _, f := range p.Flows {
		for _, t := range f.Tasks {
			n := node(f)
			n.ID, n.Task, n.Runner = f.ID(t), t.Name, t.Runner
			g.Nodes = append(g.Nodes, n)
			for _, need := range t.Needs {
				e := Edge{From: need.Flow + "/" + need.Task, To: n.ID, Kind: Logical, Earlier: need.Rule.Kind == period.Offset}
				if need.Local < 0 {
					e.Periods = periods(need.Rule, p.Flow(need.Flow).Schedule, f.Schedule)
				}
				g.Edges = append(g.Edges, e)
			}
		}
	}
	for _, d := range p.Data {
		g.Edges = append(g.Edges, Edge{From: d.From.Flow + "/" + d.From.Task, To: d.To.Flow + "/" + d.To.Task, Kind: Data, Path: d.Path})
	}
	g.sort()
	return g
}

// Flows returns the graph of all flows of a project: an edge for each way in which some task of one needs, or reads from, a task of another,
// or an earlier period of its own flow.
func Flows(p *flow.Project) *Graph {
	g := &Graph{Nodes: []Node{}, Edges: []Edge{}}
	flowOf := make(map[string]string)
	for _, f := range p.Flows {
		n := node(f)
		n.ID, n.Tasks = f.Name, len(f.Tasks)
		g.Nodes = append(g.Nodes, n)
		for _, t := range f.Tasks {
			flowOf[f.ID(t)] = f.Name
		}
	}
	for _, e := range Tasks(p).Edges {
		e.From, e.To, e.Path = flowOf[e.From], flowOf[e.To], ""
		if e.From != e.To || e.Periods != "" {
			g.Edges = append(g.Edges, e)
		}
	}
	g.sort()
	return g
}

func node(f *flow.Flow) Node {
	return Node{Flow: f.Name, Group: f.Group, Team: f.Team, Every: f.Schedule.Kind().String(), Schedule: f.Schedule.String(), Disabled: !f.Enabled}
}

func (g *Graph) sort() {
	slices.SortFunc(g.Edges, func(a, b Edge) int {
		return cmp.Or(
			cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Periods, b.Periods),
			cmp.Compare(a.Path, b.Path))
	})
	g.Edges = slices.Compact(g.Edges)
}

// drawn returns the graph as pictures show it: data along a need is a mark on its edge, and other data between two nodes is one edge.
func (g *Graph) drawn() *Graph {
	type pair struct{ from, to string }
	data, needs := make(map[pair]bool), make(map[pair]bool)
	for _, e := range g.Edges {
		if e.Kind == Data {
			data[pair{e.From, e.To}] = true
		} else {
			needs[pair{e.From, e.To}] = true
		}
	}
	picture := &Graph{Nodes: g.Nodes}
	for _, e := range g.Edges {
		ends := pair{e.From, e.To}
		switch {
		case e.Kind == Data && needs[ends]:
			continue
		case e.Kind == Data:
			e.Path = ""
		default:
			e.data = data[ends]
		}
		picture.Edges = append(picture.Edges, e)
	}
	picture.Edges = slices.Compact(picture.Edges)
	return picture
}

// All is the distance that limits nothing.
const All = -1

// Around returns the part of the graph that the targets, ids of nodes, reach in at most so many steps against and along the edges.
func (g *Graph) Around(targets []string, upstream, downstream int) *Graph {
	keep := make(map[string]bool)
	g.walk(keep, targets, upstream, func(e Edge) (from, to string) { return e.To, e.From })
	g.walk(keep, targets, downstream, func(e Edge) (from, to string) { return e.From, e.To })
	part := &Graph{Nodes: []Node{}, Edges: []Edge{}}
	for _, n := range g.Nodes {
		if keep[n.ID] {
			part.Nodes = append(part.Nodes, n)
		}
	}
	for _, e := range g.Edges {
		if keep[e.From] && keep[e.To] {
			part.Edges = append(part.Edges, e)
		}
	}
	return part
}

// walk marks what is reached in the direction that ends gives to an edge.
func (g *Graph) walk(keep map[string]bool, targets []string, steps int, ends func(Edge) (from, to string)) {
	next := make(map[string][]string)
	for _, e := range g.Edges {
		from, to := ends(e)
		next[from] = append(next[from], to)
	}
	seen := make(map[string]bool)
	front := targets
	for ; len(front) > 0; steps-- {
		var beyond []string
		for _, id := range front {
			if seen[id] {
				continue
			}
			seen[id], keep[id] = true, true
			if steps != 0 {
				beyond = append(beyond, next[id]...)
			}
		}
		front = beyond
	}
}
