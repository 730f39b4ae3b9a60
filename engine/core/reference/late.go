package reference

import (
	"time"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// onTime is how long after its time a scheduled run may be made and be on time, and within is how long after its instant lateness may be told.
const (
	onTime = time.Minute
	within = time.Second
)

// countsFrom returns when the lateness of a run's tasks starts to count: the scheduled time, but the creation for all but on-time runs.
func countsFrom(r *Run) period.Instant {
	if r.Kind == engine.Scheduled && r.Created.Sub(r.Due) <= onTime {
		return r.Due
	}
	return r.Created
}

// lacks tells whether a task run waits for needs, signals or inputs. Pauses, limits and earliest starts are no such thing.
func (w *World) lacks(r *Run, t *engine.TaskRun) bool {
	if t.State != engine.Waiting && t.State != engine.UpstreamFailed {
		return false
	}
	if w.verdict(r, t.Task) != Pass {
		return true
	}
	missing := false
	for _, b := range w.gates(r, t) {
		switch b.Kind {
		case engine.BlockGate: // which is asked when they are there
		case engine.BlockPath:
			missing = missing || !b.May
		default: // before that is over, nobody looks for them
			return false
		}
	}
	return missing && len(w.pauses(r, t.Task)) == 0 && len(w.eligible(w.flow(r).Task(t.Task))) > 0
}

// late compares the marks of a task run with its timeouts. A mark has to be there once what it is about has held for a second beyond its
// instant, and can never come before.
func (w *World) late(r *Run, t *engine.TaskRun, m *Memory, c *complaints) {
	def := w.flow(r).Task(t.Task)
	matters := !t.State.Final() && !w.replaced(r)
	for _, x := range []struct {
		name    string
		allowed time.Duration
		mark    period.Instant
		since   period.Instant // it has held; 0 = it does not hold
	}{
		{"dependency_late", def.DependencyTimeout, t.DependencyLate, m.lackingSince(r, t)},
		{"output_late", def.OutputTimeout, t.OutputLate, m.openSince(r, t)},
	} {
		at := countsFrom(r).Add(x.allowed)
		switch {
		case x.mark == w.Now && t.From == 0 && x.allowed > 0 && x.mark < at: // what is taken from an older version keeps its mark
			c.add("%s is marked as %s, which it will be at %s", r.Name(t.Task), x.name, at.Time())
		case x.allowed > 0 && matters && x.mark == 0 && x.since != 0 && max(at, x.since).Add(within) <= w.Now:
			c.add("%s has no mark %s: it was due at %s, and has been so since %s", r.Name(t.Task), x.name, at.Time(), x.since.Time())
		}
	}
}
