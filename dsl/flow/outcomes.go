package flow

import (
	"path"
	"time"

	"flowctl/dsl/period"
)

// Outcomes says how the world behaves in a simulation. The zero value is a world in which every task takes DefaultDuration, or its timeout
// when that is shorter, and succeeds; every path exists, all that came before went well, and one agent can do everything.
type Outcomes struct {
	Duration    *Span         // of tasks of which nothing else is known; nil = DefaultDuration
	MissingPast bool          // periods before the simulation have no runs; otherwise all of them succeeded
	Tasks       []Outcome     // later ones override earlier ones, field by field
	Paths       []Arrival     // the last one that matches counts; paths that none matches exist
	Gates       []GateOutcome // the last one that matches counts; gates that none matches release at once
	Agents      []Host        // none: one agent with every label
	Runs        []Request
}

// DefaultDuration is how long a simulated attempt takes when nothing is known of its task.
const DefaultDuration = time.Minute

// Outcome says how attempts of some tasks end.
type Outcome struct {
	Task     string            // flow/task, where * stands for any characters but /
	Periods  []Range           // empty: all
	Duration *Span             // nil: as said elsewhere
	Fail     *Failure          // nil: as said elsewhere
	Outputs  map[string]string // nil: as said elsewhere
}

// Matches tells whether the outcome is about a task, named flow/task.
func (o *Outcome) Matches(task string) bool { return matches(o.Task, task) }

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// Range is a range of periods, both ends inclusive: labels, or dates, which mean every period that begins on them.
type Range struct{ From, To string }

// Span is a range of durations: each attempt takes one of them, which follows from the seed. Min and Max may be equal.
type Span struct{ Min, Max time.Duration }

// Failure says which attempts of a task run fail. Its fields are alternatives; the zero value means none.
type Failure struct {
	First  int     // so many of the first attempts
	Always bool    // all of them
	Chance float64 // each with this probability, from 0 to 1; which ones follows from the seed
}

// Arrival says when paths appear.
type Arrival struct {
	Path  string // where * stands for any characters but /
	Never bool
	At    period.Instant
}

// Matches tells whether the arrival is about a path.
func (a *Arrival) Matches(name string) bool { return matches(a.Path, name) }

// GateOutcome says what the gates of some tasks answer.
type GateOutcome struct {
	Task   string         // flow/task, where * stands for any characters but /
	Never  bool           // nothing
	Refuse bool           // no, at once
	At     period.Instant // yes, at this instant or, when they are asked later, at once
}

// Matches tells whether the outcome is about the gate of a task, named flow/task.
func (o *GateOutcome) Matches(task string) bool { return matches(o.Task, task) }

// Host is a simulated agent.
type Host struct {
	Name   string
	Slots  int
	Labels []string
	Away   []Absence
}

// Absence is when an agent is not connected. What it executes goes on meanwhile.
type Absence struct {
	From period.Instant // 0: since before the simulation
	To   period.Instant // 0: for good
}

// Request is a run that somebody asks for.
type Request struct {
	At     period.Instant
	Flow   string
	Task   string         // empty: all
	Period *period.Period // nil: the last ended one, or for flows without schedule the instant of the request
	Params map[string]string
	Force  bool
	Pos    Pos
}
