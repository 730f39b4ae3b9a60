package core

import (
	"fmt"
	"strings"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

const (
	// lostAfter is how long an agent's stream is broken before an event tells of it: streams break and come back.
	lostAfter = time.Minute
	// namesTold and detailBytes bound the detail of an event.
	namesTold   = 20
	detailBytes = 500
)

// tell stores an event with the changes that cause it. Its key begins with its kind.
func (m *Machine) tell(e engine.Event) {
	e.At, e.Key = m.now, string(e.Kind)+"/"+e.Key
	most := detailBytes
	if e.Kind == flow.DailyReport {
		most = reportBytes
	}
	if len(e.Detail) > most {
		e.Detail = strings.ToValidUTF8(e.Detail[:most], "") + "…"
	}
	m.out.Changes.Events = append(m.out.Changes.Events, e)
}

// tellOf tells of a task run what happens to it once.
func (m *Machine) tellOf(t *taskRun, kind flow.Event, detail string) {
	e := t.event(kind, detail)
	if kind != flow.Recovered {
		e.Causes = m.causes(t)
	}
	m.tell(e)
}

// tellOfAttempt tells of a task run what can happen to each of its attempts.
func (m *Machine) tellOfAttempt(t *taskRun, kind flow.Event, detail string) {
	e := t.event(kind, detail)
	e.Key += fmt.Sprintf("/%d", e.Attempt)
	m.tell(e)
}

func (t *taskRun) event(kind flow.Event, detail string) engine.Event {
	r := &t.run.row
	e := engine.Event{
		Kind: kind, Flow: r.Flow, Task: t.row.Task, Run: r.ID, Attempt: t.row.Attempt, Backfill: r.Backfill,
		Key: fmt.Sprintf("%d/%s", r.ID, t.row.Task), Detail: detail, Revision: r.Revision,
	}
	if t.run.bf != nil {
		e.By = t.run.bf.row.By
	}
	if t.row.Attempt == t.attempt.ID { // else its newest attempt ended before a restart
		e.Agent = t.attempt.Agent
	}
	return e
}

// tellEnd tells of the end of a task run. An ordinary success is no event, nor is a skip.
func (m *Machine) tellEnd(t *taskRun) {
	current := t.run.current()
	switch t.row.State {
	case engine.Succeeded, engine.Skipped:
		if t.row.Alerted && current {
			t.row.Alerted = false
			m.tellOf(t, flow.Recovered, t.row.Message)
		}
	case engine.Failed:
		t.row.Alerted = true
		m.tellOf(t, flow.Failed, t.row.Message)
	case engine.Expired:
		t.row.Alerted = true
		m.tellOf(t, flow.Expired, t.row.Message)
	case engine.Killed:
		// What a newer version replaces goes on there; a backfill that is cancelled tells of its end itself.
		cancelled := t.run.bf != nil && t.run.bf.row.State == engine.BackfillCancelled
		if current && (t.row.Attempts > 0 || !cancelled) {
			m.tellOf(t, flow.Killed, t.row.Message)
		}
	}
}

// tellSkipped tells which periods a backfill left alone because their runs have not ended. Each batch of periods tells of its own.
func (m *Machine) tellSkipped(b *backfill, unfinished []string) {
	if len(unfinished) == 0 {
		return
	}
	detail := strings.Join(unfinished[:min(len(unfinished), namesTold)], ", ")
	if more := len(unfinished) - namesTold; more > 0 {
		detail += fmt.Sprintf(" and %d more", more)
	}
	e := b.event(flow.BackfillSkipped, detail)
	e.Key += "/" + b.row.Cursor
	m.tell(e)
}

// tellLate tells of the first task run of a backfill that is late. It is told again after a restart, and a store keeps the first.
func (m *Machine) tellLate(t *taskRun, kind flow.Event, detail string) {
	r := &t.run.row
	e := engine.Event{
		Kind: flow.BackfillLate, Flow: r.Flow, Backfill: r.Backfill, Key: fmt.Sprint(r.Backfill), Revision: r.Revision,
		Detail: fmt.Sprintf("%s of %s, the first of it: %s", kind, m.name(t), detail),
	}
	if b := t.run.bf; b != nil { // it has not ended
		if b.late {
			return
		}
		b.late, e.By = true, b.row.By
	}
	m.tell(e)
}

func (b *backfill) event(kind flow.Event, detail string) engine.Event {
	e := engine.Event{Kind: kind, Backfill: b.row.ID, Key: fmt.Sprint(b.row.ID), Detail: detail, Revision: b.row.Revision, By: b.row.By}
	if len(b.row.Flows) == 1 {
		e.Flow = b.row.Flows[0]
	}
	return e
}

// present notes that an agent's stream is open.
func (m *Machine) present(a *agent) {
	if a.seen.Agent == "" || a.seen.Lost != 0 {
		m.see(a, engine.Presence{Agent: a.name})
	}
}

// away notes that an agent's stream is broken. When it stays so, an event tells of it.
func (m *Machine) away(a *agent) {
	m.see(a, engine.Presence{Agent: a.name, Lost: m.now})
	m.timers.set(m.now.Add(lostAfter), timer{agent: a})
}

func (m *Machine) see(a *agent, p engine.Presence) {
	a.seen = p
	m.out.Changes.Presences = append(m.out.Changes.Presences, p)
}

// missing tells of an agent whose stream has been broken since long before an instant.
func (m *Machine) missing(a *agent, at period.Instant) {
	if a.seen.Lost == 0 || a.seen.Told || a.seen.Lost.Add(lostAfter) != at {
		return
	}
	since := a.seen.Lost
	m.see(a, engine.Presence{Agent: a.name, Lost: since, Told: true})
	m.tell(engine.Event{
		Kind: flow.AgentLost, Agent: a.name, Key: fmt.Sprintf("%s/%d", a.name, since),
		Detail: fmt.Sprintf("no connection since %s; it holds %d attempts", since.Time().Format(time.RFC3339), len(a.live)),
	})
}
