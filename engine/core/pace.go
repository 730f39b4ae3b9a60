package core

import (
	"fmt"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

const (
	// longRunning is how long an attempt may run without an event, however short the task usually is (R22).
	longRunning = 120 * time.Minute
	// paceSamples is how many successes make a pace that is relied on.
	paceSamples = 5
	// paceWeight is how many successes a pace remembers: the newest counts for one part of so many.
	paceWeight = 8
)

// pace is how long a task takes.
type pace struct {
	row   engine.Pace
	dirty bool
}

// clock notes how long the attempt took that made a task run succeed.
func (m *Machine) clock(t *taskRun) {
	began := t.attempt.Started
	if began == 0 { // it ended before its start was told
		began = t.attempt.Assigned
	}
	t.took = max(1, m.now-began)
}

// learn takes how long a task run took into its task's pace: an exponentially weighted mean, and the mean of how far durations were off it.
// It happens when the run settles, because one more row in each commit would slow down a chain of small tasks; what a restart
// finds in between is not learnt.
func (m *Machine) learn(t *taskRun) {
	if t.took == 0 {
		return
	}
	p := m.paces[t.id]
	if p == nil {
		p = &pace{row: engine.Pace{Flow: t.run.row.Flow, Task: t.row.Task}}
		m.paces[t.id] = p
	}
	off := int64(t.took) - p.row.Mean
	t.took = 0
	if n := p.row.Count; n > 0 {
		p.row.Deviation += (max(off, -off) - p.row.Deviation) / min(n, paceWeight)
	}
	p.row.Count++
	p.row.Mean += off / min(p.row.Count, paceWeight)
	if !p.dirty {
		p.dirty = true
		m.dirtyPaces = append(m.dirtyPaces, p)
	}
}

// Pace returns how long the attempts of a task take; its Count is 0 when none has succeeded yet.
func (m *Machine) Pace(f, task string) engine.Pace {
	if id, known := m.ids[f+"/"+task]; known && m.paces[id] != nil {
		return m.paces[id].row
	}
	return engine.Pace{Flow: f, Task: task}
}

// overlong returns the instant from which a running attempt takes too long, and what that is called.
func (m *Machine) overlong(t *taskRun) (period.Instant, flow.Event) {
	at, kind := t.attempt.Started.Add(longRunning), flow.LongRunning
	if p := m.paces[t.id]; p != nil && p.row.Count >= paceSamples {
		if usual := t.attempt.Started + period.Instant(p.row.Mean+3*p.row.Deviation); usual > at {
			return usual, flow.Deviating
		}
	}
	return at, kind
}

// patrol sets the one timer that looks for attempts that take too long. None does before longRunning has passed, so that short attempts
// cost nothing.
func (m *Machine) patrol(at period.Instant) {
	if m.patrolAt == 0 || at < m.patrolAt {
		m.patrolAt = at
		m.timers.set(at, timer{patrol: true})
	}
}

// inspect tells of each running attempt that takes too long, once.
func (m *Machine) inspect(at period.Instant) {
	if at != m.patrolAt {
		return
	}
	m.patrolAt = 0
	for _, id := range sortedKeys(m.attempts) {
		t := m.attempts[id]
		if t.attempt.Started == 0 || t.overlong {
			continue
		}
		when, kind := m.overlong(t)
		if when > m.now {
			m.patrol(when)
			continue
		}
		t.overlong = true
		detail := fmt.Sprintf("runs since %s", t.attempt.Started.Time().Format(time.RFC3339))
		if p := m.paces[t.id]; p != nil {
			detail += fmt.Sprintf("; it usually takes %v, give or take %v", span(p.row.Mean), span(p.row.Deviation))
		}
		m.tellOfAttempt(t, kind, detail)
	}
}

// span is a number of microseconds for people.
func span(us int64) time.Duration {
	return (time.Duration(us) * time.Microsecond).Round(time.Second)
}
