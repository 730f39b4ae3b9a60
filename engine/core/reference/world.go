package reference

import (
	"maps"
	"slices"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// World is all that there is at an instant.
type World struct {
	Now       period.Instant
	Projects  map[engine.RevisionID]*flow.Project
	Runs      []Run // all that were ever made and not deleted
	Attempts  []engine.Attempt
	Backfills []engine.BackfillRow
	Pauses    []engine.Pause
	Signals   []engine.SignalRow // the periods that are set
	Agents    []Agent
	Paths     map[string]bool // what exists
	Pools     map[string]int  // slots by name
	Periods   *Periods
}

// Run is a run with its task runs.
type Run struct {
	engine.Run
	Tasks []engine.TaskRun
}

// Agent is an agent as it last presented itself.
type Agent struct {
	Name      string
	Connected bool
	Drained   bool // an operator lets it have no new work
	Slots     int
	Labels    []string
}

// newest returns the active revision.
func (w *World) newest() *flow.Project {
	return w.Projects[slices.Max(slices.Collect(maps.Keys(w.Projects)))]
}

func (w *World) project(r *Run) *flow.Project { return w.Projects[r.Revision] }

func (w *World) flow(r *Run) *flow.Flow { return w.project(r).Flow(r.Flow) }

// task returns a task run of the run; nil = the task takes no part in it.
func (r *Run) task(name string) *engine.TaskRun {
	for i := range r.Tasks {
		if r.Tasks[i].Task == name {
			return &r.Tasks[i]
		}
	}
	return nil
}

// standing returns the run that speaks for a period: the highest version, extra runs aside.
func (w *World) standing(flow string, start period.Instant) *Run {
	var found *Run
	for i := range w.Runs {
		r := &w.Runs[i]
		if r.Flow == flow && r.Period.Start == start && !r.Extra && (found == nil || r.Version > found.Version) {
			found = r
		}
	}
	return found
}

// replaced tells whether a newer version speaks for the run's period.
func (w *World) replaced(r *Run) bool {
	return !r.Extra && w.standing(r.Flow, r.Period.Start) != r
}

func (w *World) run(id engine.RunID) *Run {
	for i := range w.Runs {
		if w.Runs[i].ID == id {
			return &w.Runs[i]
		}
	}
	return nil
}

func (w *World) backfill(r *Run) *engine.BackfillRow {
	for i := range w.Backfills {
		if w.Backfills[i].ID == r.Backfill {
			return &w.Backfills[i]
		}
	}
	return nil
}

func (w *World) attempt(id engine.AttemptID) *engine.Attempt {
	for i := range w.Attempts {
		if w.Attempts[i].ID == id {
			return &w.Attempts[i]
		}
	}
	return nil
}

func (w *World) isSet(signal string, start period.Instant) bool {
	return slices.ContainsFunc(w.Signals, func(s engine.SignalRow) bool { return s.Signal == signal && s.Start == start })
}
