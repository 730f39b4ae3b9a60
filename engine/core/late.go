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

const (
	// lateAgain is more than enough for the ledger to answer.
	lateAgain = 100 * time.Millisecond
	// patience is how long an input that nobody has looked at yet does not count as missing.
	patience = time.Minute
)

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
			if at <= m.now { // it passed while no server ran, or the task run was looked at then
				at = m.now.Add(lateAgain)
			}
			m.timers.set(at, timer{run: t.run.row.ID, task: t.def.Index, late: what})
		}
	}
}

// late looks at a task run when it may be late with something. It is judged by how it stands now and not by what happened meanwhile, so that it
// comes to the same after a restart.
func (m *Machine) late(t *taskRun, what lateness) {
	if what == dependencies {
		t.armed = false
	}
	at := t.lateAt(what)
	if at == 0 || at > m.now || !m.marks(t) {
		return
	}
	if what == output {
		t.row.OutputLate = m.now
		m.mark(t, flow.OutputLate, fmt.Sprintf("%s after %s it is %s", t.def.OutputTimeout, t.run.since().Time().Format(time.RFC3339), t.row.State))
		return
	}
	switch unmet, look := m.unmet(t); {
	case look > m.now:
		m.armLate(t, look)
	case unmet && len(m.out.Lookups) > 0: // the answers may say otherwise
		m.armLate(t, m.now.Add(lateAgain))
	case unmet:
		t.row.DependencyLate = m.now
		m.mark(t, flow.DependencyLate, fmt.Sprintf("%s after %s: %s", t.def.DependencyTimeout, t.run.since().Time().Format(time.RFC3339),
			strings.Join(m.unmetDependencies(t), "; ")))
	}
}

// unmet tells whether needs or inputs keep a task run waiting; when that is not known, because nobody has looked at the inputs, look is
// when it counts as known.
func (m *Machine) unmet(t *taskRun) (unmet bool, look period.Instant) {
	if s := t.row.State; s != engine.Waiting && s != engine.UpstreamFailed {
		return false, 0
	}
	if t.judge() != pass {
		return true, 0
	}
	for _, path := range t.paths {
		w := m.watches[watchKey{selectorOf(t.def), path}]
		if w == nil {
			continue
		}
		if _, watches := w.places[t]; !watches {
			continue
		}
		if w.looked {
			return true, 0
		}
		look = max(look, w.made.Add(patience))
	}
	return look != 0, look
}

// marks tells whether lateness of a task run matters. What has ended tells of its end.
func (m *Machine) marks(t *taskRun) bool {
	return t.member && t.run.current() && !t.row.State.Final()
}

// mark tells of lateness. That of a backfill is told to people once for all of it.
func (m *Machine) mark(t *taskRun, kind flow.Event, detail string) {
	m.touchTask(t)
	m.tellOf(t, kind, detail)
	if t.run.row.Backfill == 0 {
		t.row.Alerted = true
		return
	}
	m.tellLate(t, kind, detail)
}

// asked stands for the instant of a run whose rows are being read.
const asked period.Instant = -1

// foresee notes when the first task run will be late that waits for a failed upstream in a run that settles. Nobody has told of it, and
// its instant may come while the run is in the store.
func (m *Machine) foresee(r *run) {
	if !r.stands && !r.row.Extra {
		return
	}
	var first period.Instant
	for i := range r.tasks {
		if t := &r.tasks[i]; t.member && t.row.State == engine.UpstreamFailed {
			first = earlier(first, t.nextLate(0))
		}
	}
	if first != 0 {
		m.out.Changes.Overdue = append(m.out.Changes.Overdue, engine.Overdue{Run: r.row.ID, At: first})
		m.watchOut(r.row.ID, first)
	}
}

func (m *Machine) watchOut(id engine.RunID, at period.Instant) {
	m.lates[id] = at
	m.timers.set(at, timer{run: id, settled: true})
}

// nextLate returns when a task run is late with something for the first time after an instant; 0 = never.
func (t *taskRun) nextLate(after period.Instant) period.Instant {
	var next period.Instant
	for _, what := range [...]lateness{dependencies, output} {
		if at := t.lateAt(what); at > after {
			next = earlier(next, at)
		}
	}
	return next
}

// earlier returns the earlier one of two instants, of which 0 is never.
func earlier(a, b period.Instant) period.Instant {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// lateAfterAll marks task runs of settled runs that are late by now. They still wait, or the run would be active again. The runs stay where
// they are.
func (m *Machine) lateAfterAll(rows *engine.Snapshot) {
	for _, row := range rows.Runs {
		if m.lates[row.ID] != asked { // it has become active since
			continue
		}
		delete(m.lates, row.ID)
		rev := m.revisions[row.Revision]
		if rev == nil || rev.Project.Flow(row.Flow) == nil {
			continue
		}
		r := &run{row: row, rev: rev, flow: rev.Project.Flow(row.Flow)}
		next := engine.Overdue{Run: row.ID}
		for _, old := range rows.TaskRuns {
			if def := r.flow.Task(old.Task); old.Run == row.ID && def != nil && old.State == engine.UpstreamFailed {
				t := &taskRun{row: old, run: r, def: def}
				m.markAfterAll(t)
				next.At = earlier(next.At, t.nextLate(m.now))
			}
		}
		m.out.Changes.Overdue = append(m.out.Changes.Overdue, next)
		if next.At != 0 {
			m.watchOut(next.Run, next.At)
		}
	}
}

// markAfterAll marks a task run of a settled run with what it is late with by now.
func (m *Machine) markAfterAll(t *taskRun) {
	since := t.run.since().Time().Format(time.RFC3339)
	if at := t.lateAt(dependencies); at != 0 && at <= m.now {
		t.row.DependencyLate = m.now
		m.mark(t, flow.DependencyLate, fmt.Sprintf("%s after %s: it waits for an upstream that failed", t.def.DependencyTimeout, since))
	}
	if at := t.lateAt(output); at != 0 && at <= m.now {
		t.row.OutputLate = m.now
		m.mark(t, flow.OutputLate, fmt.Sprintf("%s after %s it is %s", t.def.OutputTimeout, since, t.row.State))
	}
}

// overdue looks again, in a moment, at a task run whose dependencies are not met: they may have been met at its instant.
func (m *Machine) overdue(t *taskRun) {
	if at := t.lateAt(dependencies); at != 0 && at <= m.now && !t.armed && m.marks(t) {
		m.armLate(t, m.now.Add(lateAgain))
	}
}

func (m *Machine) armLate(t *taskRun, at period.Instant) {
	t.armed = true
	m.timers.set(at, timer{run: t.run.row.ID, task: t.def.Index, late: dependencies})
}

// unmetDependencies says which needs and inputs keep a task run waiting. Limits, pauses and earliest starts are none.
func (m *Machine) unmetDependencies(t *taskRun) []string {
	bs := m.missingInputs(t)
	if t.judge() != pass {
		bs = append(m.localNeeds(t), m.outerNeeds(t)...)
	}
	messages := make([]string, 0, min(len(bs), namesTold))
	for _, b := range bs[:min(len(bs), namesTold)] {
		messages = append(messages, b.Message)
	}
	return messages
}
