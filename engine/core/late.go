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

// late marks a task run that is late, once, and tells of it. What has ended tells of its end.
func (m *Machine) late(t *taskRun, what lateness, at period.Instant) {
	current := t.run.stands || t.run.row.Extra
	if !t.member || !current || t.lateAt(what) != at || t.row.State.Final() {
		return
	}
	if what == output {
		t.row.OutputLate, t.row.Alerted = m.now, true
		m.touchTask(t)
		m.tellOf(t, flow.OutputLate, fmt.Sprintf("%s after %s it is %s", t.def.OutputTimeout, t.run.since().Time().Format(time.RFC3339), t.row.State))
		return
	}
	unmet := m.unmetDependencies(t)
	if len(unmet) == 0 {
		return
	}
	t.row.DependencyLate, t.row.Alerted = m.now, true
	m.touchTask(t)
	m.tellOf(t, flow.DependencyLate, fmt.Sprintf("%s after %s: %s", t.def.DependencyTimeout, t.run.since().Time().Format(time.RFC3339),
		strings.Join(unmet, "; ")))
}

// unmetDependencies says which needs and inputs keep a task run waiting. Limits, pauses and earliest starts are none.
func (m *Machine) unmetDependencies(t *taskRun) []string {
	if s := t.row.State; s != engine.Waiting && s != engine.UpstreamFailed {
		return nil
	}
	bs := m.blockers(t)
	if t.judge() == pass {
		bs = m.missingInputs(t)
	}
	messages := make([]string, 0, min(len(bs), namesTold))
	for _, b := range bs[:min(len(bs), namesTold)] {
		messages = append(messages, b.Message)
	}
	return messages
}
