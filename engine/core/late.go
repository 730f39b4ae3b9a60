package core

import (
	"fmt"
	"strings"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// punctual is how long after its time a scheduled run may be created and still be on time. The lateness of a run that is not on time, as after
// an outage, and of all others counts from their creation.
const punctual = time.Minute

// lateness is what a task run can be late with.
type lateness uint8

const (
	dependencies lateness = iota + 1
	output
)

// since returns the instant from which lateness counts.
func (r *run) since() period.Instant {
	if r.row.Kind == engine.Scheduled && r.row.Created <= r.row.Due.Add(punctual) {
		return r.row.Due
	}
	return r.row.Created
}

// lateAt returns when a task run is late with something; 0 = never, or it is on record.
func (t *taskRun) lateAt(what lateness) period.Instant {
	allowed, mark := t.def.DependencyTimeout, t.row.DependencyLate
	if what == output {
		allowed, mark = t.def.OutputTimeout, t.row.OutputLate
	}
	if allowed == 0 || mark != 0 {
		return 0
	}
	return t.run.since().Add(allowed)
}

// timeLateness sets the timers of a task run.
func (m *Machine) timeLateness(t *taskRun) {
	for _, what := range [...]lateness{dependencies, output} {
		if at := t.lateAt(what); at != 0 {
			m.timers.set(at, timer{run: t.run.row.ID, task: t.def.Index, late: what})
		}
	}
}

// late looks at a task run at the instant at which it is late with something, if it still is.
func (m *Machine) late(t *taskRun, what lateness, at period.Instant) {
	switch {
	case t.lateAt(what) != at:
	case what == dependencies:
		m.stir(t)
	case m.marks(t):
		t.row.OutputLate = m.now
		m.mark(t, flow.OutputLate, fmt.Sprintf("%s after %s it is %s", t.def.OutputTimeout, t.run.since().Time().Format(time.RFC3339), t.row.State))
	}
}

// marks tells whether lateness of a task run matters. What has ended tells of its end.
func (m *Machine) marks(t *taskRun) bool {
	return t.member && (t.run.stands || t.run.row.Extra) && !t.row.State.Final()
}

func (m *Machine) mark(t *taskRun, kind flow.Event, detail string) {
	t.row.Alerted = true
	m.touchTask(t)
	m.tellOf(t, kind, detail)
}

// overdue tells whether a task run whose dependencies are unmet now is late with them.
func (t *taskRun) overdue(now period.Instant) bool {
	at := t.lateAt(dependencies)
	return at != 0 && at <= now
}

// unmet notes that the dependencies of a task run are not met, and marks it when it is late with them. It looks at the state of now and not
// at what happened at the instant, so that it comes to the same after a restart.
func (m *Machine) unmet(t *taskRun) {
	if !t.overdue(m.now) || !m.marks(t) || t.checking() {
		return
	}
	t.row.DependencyLate = m.now
	m.mark(t, flow.DependencyLate, fmt.Sprintf("%s after %s: %s", t.def.DependencyTimeout, t.run.since().Time().Format(time.RFC3339),
		strings.Join(m.unmetDependencies(t), "; ")))
}

// patience is how long an input that nobody has looked at yet does not count as missing.
const patience = time.Minute

// lacking is unmet for a task run whose needs are met and whose inputs are not.
func (m *Machine) lacking(t *taskRun) {
	if t.row.State != engine.Waiting || !t.overdue(m.now) {
		return
	}
	var look period.Instant
	for _, path := range t.paths {
		w := m.watches[watchKey{selectorOf(t.def), path}]
		if w == nil {
			continue
		}
		if w.looked || w.made.Add(patience) <= m.now {
			m.unmet(t)
			return
		}
		look = max(look, w.made.Add(patience))
	}
	m.sleep(t, look)
}

// checking tells whether the ledger is being asked about a need.
func (t *taskRun) checking() bool {
	for i := range t.needs {
		for _, rf := range t.needs[i].refs {
			if rf.point.status == checking {
				return true
			}
		}
	}
	return false
}

// unmetDependencies says which needs and inputs keep a task run waiting. Limits, pauses and earliest starts are none.
func (m *Machine) unmetDependencies(t *taskRun) []string {
	bs := m.blockers(t)
	messages := make([]string, 0, min(len(bs), namesTold))
	for _, b := range bs[:min(len(bs), namesTold)] {
		messages = append(messages, b.Message)
	}
	return messages
}
