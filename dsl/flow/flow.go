package flow

import (
	"strings"
	"time"

	"flowctl/dsl/period"
)

// Pos is a place in a file of the repository. Lines and columns count from 1; the zero Pos is nowhere.
type Pos struct {
	File string `json:"file,omitempty"` // slash-separated, relative to the flows root
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
}

// Project is one compiled commit of a flows repository. It is immutable: share it freely between goroutines.
type Project struct {
	Timezone string             `json:"timezone"` // default of every schedule; "UTC" when absent
	Admins   []string           `json:"admins,omitempty"`
	People   map[string]*Person `json:"people,omitempty"`
	Teams    map[string]*Team   `json:"teams,omitempty"`

	Channels    map[string]*Channel    `json:"channels,omitempty"`
	Accounts    map[string]*Account    `json:"accounts,omitempty"`
	Secrets     map[string]*Secret     `json:"secrets,omitempty"`
	Pools       map[string]*Pool       `json:"pools,omitempty"`
	Connections map[string]*Connection `json:"connections,omitempty"`
	Signals     map[string]*Signal     `json:"signals,omitempty"`
	Plugins     map[string]*Plugin     `json:"plugins,omitempty"` // of third parties
	Monitors    Monitors               `json:"monitors,omitzero"`
	Watchdog    *Watchdog              `json:"watchdog,omitempty"`

	Flows []*Flow    `json:"flows"`          // sorted by name
	Data  []DataEdge `json:"data,omitempty"` // sorted by reader, then writer
	Hash  string     `json:"hash"`           // SHA-256 over everything that can change what a run does, or who hears of it
	Tests []*Test    `json:"-"`              // in the order of their places; no part of what runs, so not of the hash

	byName  map[string]*Flow
	readers map[TaskRef][]DataEdge
	writers map[TaskRef][]DataEdge
}

// Flow is a named set of tasks with one schedule and one owning team.
type Flow struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Team        string            `json:"team"`
	Owner       string            `json:"owner,omitempty"`
	Group       string            `json:"group,omitempty"`
	Folder      string            `json:"folder"` // of its file, relative to the flows root; "." at the root
	Labels      map[string]string `json:"labels,omitempty"`
	Priority    int               `json:"priority"` // 0 highest … 9
	Enabled     bool              `json:"enabled"`
	Schedule    *period.Schedule  `json:"-"` // never nil: on-demand flows have one of kind Demand
	Spec        period.Spec       `json:"schedule"`
	Missed      Missed            `json:"missed,omitempty"`
	MaxRuns     int               `json:"max_runs,omitempty"` // active runs at once; 0 = unlimited
	Newest      bool              `json:"newest,omitempty"`   // concurrency.order: newest
	ExpireAfter time.Duration     `json:"expire_after"`
	Params      []Param           `json:"params,omitempty"` // in the order written
	Alerts      *Alerts           `json:"alerts"`           // never nil; also what its tasks take that say nothing
	Tasks       []*Task           `json:"tasks"`            // in an order in which needs within the flow come first; Tasks[i].Index == i
	Hash        string            `json:"hash"`
	Pos         Pos               `json:"pos"`

	byName map[string]*Task
}

// Missed says what becomes of periods that ended while no server ran.
type Missed string

// The values of schedule.missed; empty means MissedAll.
const (
	MissedAll    Missed = "all"
	MissedLatest Missed = "latest"
	MissedNone   Missed = "none"
)

// Param is a parameter with its default value.
type Param struct {
	Name    string `json:"name"`
	Default string `json:"default"`
	Pos     Pos    `json:"pos"`
}

// Task is one node of the graph.
type Task struct {
	Name   string `json:"name"`
	Index  int    `json:"index"` // in its flow's Tasks
	Runner string `json:"runner"`

	Run  *Template      `json:"run,omitempty"`  // the inline text; nil when File is set
	File string         `json:"file,omitempty"` // relative to the flows root
	Args []Arg          `json:"args,omitempty"`
	With map[string]any `json:"with,omitempty"` // JSON values, where a string with expressions is a *Template
	Env  []Env          `json:"env,omitempty"`  // in the order written

	Needs   []Need      `json:"needs,omitempty"`
	Inputs  []*Template `json:"inputs,omitempty"`
	Outputs []*Template `json:"outputs,omitempty"`

	StartAfter  time.Duration `json:"start_after,omitempty"` // from the period's end
	Timeout     time.Duration `json:"timeout,omitempty"`     // of each attempt; 0 = none
	Retry       Retry         `json:"retry"`
	When        *Template     `json:"when,omitempty"` // one expression, boolean; nil = always
	TriggerRule TriggerRule   `json:"trigger_rule"`
	Concurrency int           `json:"concurrency,omitempty"` // active task runs over all runs; 0 = unlimited
	Agents      []string      `json:"agents,omitempty"`      // label selector: "hadoop" or "zone=a"; all must match

	*Options // what few tasks say

	Matrix map[string]string `json:"matrix,omitempty"` // the values of this expansion
	Base   string            `json:"base,omitempty"`   // the name before matrix expansion; empty when not expanded

	Downstream []int  `json:"-"` // indexes of tasks of the same flow that need this one under the default rule
	Hash       string `json:"hash"`
	Pos        Pos    `json:"pos"`
}

// Arg is one runner argument: positional when Name is empty.
type Arg struct {
	Name  string    `json:"name,omitempty"`
	Value *Template `json:"value"`
}

// Env is one environment variable.
type Env struct {
	Name  string    `json:"name"`
	Value *Template `json:"value"`
}

// Need is one dependency on a task. A need on a flow is expanded by the compiler to one Need for each of its tasks.
type Need struct {
	Flow string      `json:"flow"` // always set, also for needs within the flow
	Task string      `json:"task"`
	Rule period.Rule `json:"rule"`
	// Local is the index of the task within the same flow when the need is on the same run (default rule, same
	// flow); -1 otherwise.
	Local int `json:"local"`
	Pos   Pos `json:"pos"`
}

// Retry says how often and when a failed attempt is repeated.
type Retry struct {
	Limit    int           `json:"limit"` // counts retries, not attempts
	Delay    time.Duration `json:"delay"`
	Backoff  float64       `json:"backoff"` // each delay is the former one times Backoff
	MaxDelay time.Duration `json:"max_delay"`
}

// TriggerRule says when a task starts, given the states of its needs.
type TriggerRule string

// The trigger rules.
const (
	AllSuccess TriggerRule = "all_success"
	AllDone    TriggerRule = "all_done"
	OneSuccess TriggerRule = "one_success"
	OneFailed  TriggerRule = "one_failed"
)

// Template is text with ${{ expressions }}. A Template without Parts of kind Expr is constant.
type Template struct {
	Parts []Part `json:"parts"`
	Pos   Pos    `json:"pos"`
}

// Part is a literal or an expression of a Template.
type Part struct {
	Lit  string `json:"lit,omitempty"`
	Expr string `json:"expr,omitempty"` // source without ${{ }}
	Pos  Pos    `json:"pos"`            // of the expression's first character
	// Jumps tell where the expression goes on elsewhere than one column further: on another line, behind a quote that is written twice.
	Jumps []Jump `json:"-"`
}

// Jump is the place of one character of an expression.
type Jump struct {
	At  int // characters before it
	Pos Pos
}

// Const returns the text of a template without expressions.
func (t *Template) Const() (string, bool) {
	switch {
	case t == nil || len(t.Parts) == 0:
		return "", true
	case len(t.Parts) == 1 && t.Parts[0].Expr == "":
		return t.Parts[0].Lit, true
	}
	return "", false
}

// Source returns the template as it would be written, with ${{ }} around expressions.
func (t *Template) Source() string {
	var b strings.Builder
	for _, p := range t.Parts {
		if p.Expr != "" {
			b.WriteString("${{ " + p.Expr + " }}")
		} else {
			b.WriteString(strings.ReplaceAll(p.Lit, "${{", "$${{"))
		}
	}
	return b.String()
}

// Index builds the lookup tables. The compiler calls it once, before the project is shared.
func (p *Project) Index() {
	p.byName = make(map[string]*Flow, len(p.Flows))
	for _, f := range p.Flows {
		p.byName[f.Name] = f
		if f.byName != nil { // of an earlier project, which others may be reading
			continue
		}
		f.byName = make(map[string]*Task, len(f.Tasks))
		for _, t := range f.Tasks {
			f.byName[t.Name] = t
		}
	}
	p.readers, p.writers = make(map[TaskRef][]DataEdge, len(p.Data)), make(map[TaskRef][]DataEdge, len(p.Data))
	for _, e := range p.Data {
		p.readers[e.From] = append(p.readers[e.From], e)
		p.writers[e.To] = append(p.writers[e.To], e)
	}
}

// Readers returns the data edges that lead from a task: who reads what it writes.
func (p *Project) Readers(t TaskRef) []DataEdge { return p.readers[t] }

// Writers returns the data edges that lead to a task: who writes what it reads.
func (p *Project) Writers(t TaskRef) []DataEdge { return p.writers[t] }

// Flow returns the flow of that name, nil when there is none.
func (p *Project) Flow(name string) *Flow { return p.byName[name] }

// Task returns the task of that name, nil when there is none.
func (f *Flow) Task(name string) *Task { return f.byName[name] }

// ID returns flow/task.
func (f *Flow) ID(t *Task) string { return f.Name + "/" + t.Name }
