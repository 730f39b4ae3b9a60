package flow

import (
	"path"
	"strings"
	"time"

	"flowctl/dsl/period"
)

// Outcomes says how the world behaves in a simulation. The zero value is a world in which every task takes DefaultDuration, or its timeout
// when that is shorter, and succeeds; every path exists, all that came before went well, and one agent can do everything.
type Outcomes struct {
	Duration    *Span          // of tasks of which nothing else is known; nil = DefaultDuration
	MissingPast bool           // periods before the simulation have no runs; otherwise all of them succeeded
	Tasks       []Outcome      // later ones override earlier ones, field by field
	Paths       []Arrival      // the last one that matches counts; paths that none matches exist
	Gates       []GateOutcome  // the last one that matches counts; gates that none matches release at once
	Signals     []Announcement // the last one that matches counts; periods of signals that none matches are set
	Agents      []Host         // none: one agent with every label
	Actions     []Action
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

// Announcement says when periods of signals are set.
type Announcement struct {
	Signal  string  // where * stands for any characters
	Periods []Range // empty: all
	Never   bool    // it is not set at any time; Set and Unset are 0
	// Set and Unset are instants, 0 when there is none. With Unset alone, or before Set, it is set until then.
	Set, Unset period.Instant
}

// Matches tells whether the announcement is about a signal.
func (a *Announcement) Matches(signal string) bool { return matches(a.Signal, signal) }

// IsSet tells whether what the announcement is about is set at an instant.
func (a *Announcement) IsSet(at period.Instant) bool {
	switch {
	case a.Never:
		return false
	case a.Unset == 0:
		return a.Set <= at
	case a.Set == 0:
		return at < a.Unset
	case a.Set < a.Unset:
		return a.Set <= at && at < a.Unset
	}
	return at < a.Unset || a.Set <= at
}

// Verb says what an operator does.
type Verb string

// The verbs of the command line that a simulation knows.
const (
	VerbRun      Verb = "run"
	VerbRerun    Verb = "rerun"
	VerbBackfill Verb = "backfill"
	VerbKill     Verb = "kill"
	VerbSucceed  Verb = "succeed"
	VerbSkip     Verb = "skip"
	VerbPause    Verb = "pause"
	VerbResume   Verb = "resume"
)

// Action is what an operator does at an instant, in the words of the command line. Fields that the verb does not have are zero.
type Action struct {
	At     period.Instant
	Verb   Verb
	Target string // flow[/task][@period[..period]][#version]; empty: All, or the Flows of a backfill
	All    bool
	Pos    Pos

	Params map[string]string // of a run
	Extra  bool
	Force  bool

	Outputs map[string]string // of what succeeds

	FromTask string // of a rerun
	Failed   bool
	Upstream bool
	Kill     bool
	Cascade  string // of a backfill too; empty = none

	Flows           []string // of a backfill
	Group           string   // of a pause too
	Every           string
	From, To        string // labels or dates
	MaxActive       int
	MissingUpstream string
	Reprocess       string

	ScheduledAfter period.Instant // of the pause of all
}

// String writes the action as on the command line, without its options.
func (a *Action) String() string {
	words := []string{string(a.Verb)}
	if a.Target != "" {
		words = append(words, a.Target)
	}
	if a.All {
		words = append(words, "--all")
	}
	if a.Group != "" {
		words = append(words, "--group "+a.Group)
	}
	return strings.Join(append(words, a.Flows...), " ")
}
