package core

import (
	"errors"
	"slices"

	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// verdict is what a task run's needs say about it.
type verdict uint8

const (
	wait verdict = iota
	pass
	skip
	upstreamFailed
)

// judge applies the trigger rule to the needs as they are counted. What may start by it waits until all its signals are set, and its inputs
// written.
func (t *taskRun) judge() verdict {
	if t.run.row.Force {
		return pass
	}
	if v := t.ruling(); v != pass || t.unset == 0 {
		return v
	}
	return wait
}

func (t *taskRun) ruling() verdict {
	switch t.def.TriggerRule {
	case flow.AllDone:
		if t.unmet == 0 {
			return pass
		}
	case flow.OneSuccess:
		switch {
		case t.good > 0 || t.unmet+t.bad == 0:
			return pass
		case t.unmet == 0:
			return upstreamFailed
		}
	case flow.OneFailed:
		switch {
		case t.bad > 0:
			return pass
		case t.unmet == 0:
			return skip
		}
	default:
		switch {
		case t.bad > 0:
			return upstreamFailed
		case t.unmet == 0:
			return pass
		}
	}
	return wait
}

// evaluate moves a task run that has not been dispatched to where its blockers put it.
func (m *Machine) evaluate(t *taskRun) {
	s := t.row.State
	if !t.member || t.run.gone || !t.run.current() || s != engine.Waiting && s != engine.Ready && s != engine.UpstreamFailed {
		return
	}
	if m.gateOverdue(t) {
		return
	}
	switch t.judge() {
	case upstreamFailed:
		m.unwatch(t)
		m.settleIn(t, engine.UpstreamFailed)
		m.overdue(t)
	case skip:
		if m.settleIn(t, engine.Waiting) {
			m.move(t, engine.Skipped)
		}
	case wait:
		m.unwatch(t)
		m.settleIn(t, engine.Waiting)
		m.overdue(t)
	case pass:
		if s == engine.UpstreamFailed {
			m.move(t, engine.Waiting)
		}
		m.pass(t)
	}
}

// settleIn puts an undispatched task run into a state, out of its queue if need be, and tells whether it is there.
func (m *Machine) settleIn(t *taskRun, s engine.State) bool {
	if t.row.State == s {
		return true
	}
	m.dequeue(t)
	t.since = 0
	m.move(t, s)
	return true
}

// pass takes a task run whose needs hold through the rest, in the order of the package comment.
func (m *Machine) pass(t *taskRun) {
	if m.held(t) {
		m.settleIn(t, engine.Waiting)
		return
	}
	if t.row.State == engine.Ready {
		return
	}
	if t.def.When != nil && !t.asked {
		yes, err := m.programs.Bool(t.def.When, expr.When, m.values(t))
		switch {
		case err != nil:
			m.spoil(t, err)
			return
		case !yes:
			m.move(t, engine.Skipped)
			return
		}
		t.asked = true
	}
	if at := t.startAfter(); at > m.now {
		m.sleep(t, at)
		return
	}
	if !m.inputs(t) {
		m.overdue(t)
		return
	}
	if !m.gate(t) {
		return
	}
	if t.notBefore > m.now {
		m.sleep(t, t.notBefore)
		return
	}
	if reason := m.refusal(t); reason != "" { // and once more when it is assigned
		m.reject(t, engine.CodeAccount, reason)
		return
	}
	m.move(t, engine.Ready)
	m.enqueue(t)
}

// earliest returns when the task run may start at all; 0 = at once.
func (t *taskRun) earliest() period.Instant { return max(t.notBefore, t.startAfter()) }

// startAfter is what the flow says of it.
func (t *taskRun) startAfter() period.Instant {
	if t.def.StartAfter > 0 && !t.run.row.Force {
		return t.run.row.Period.End.Add(t.def.StartAfter)
	}
	return 0
}

// held tells whether something outside the task run's own needs keeps it from being looked at.
func (m *Machine) held(t *taskRun) bool {
	return !t.run.admitted || m.paused(t) != nil || t.run.bf != nil && t.run.bf.row.State == engine.BackfillPaused || m.busy(t)
}

// place names the task and period of a task run: over all versions, at most one attempt is live for it.
func (t *taskRun) place() pointKey { return pointKey{t.id, t.run.row.Period.Start} }

// busy tells whether an attempt of another version is live, and lets the task run wait for its end if so.
func (m *Machine) busy(t *taskRun) bool {
	other := m.live[t.place()]
	if other == nil || other == t {
		return false
	}
	if !t.behind {
		t.behind = true
		m.behind[t.place()] = append(m.behind[t.place()], t)
	}
	return true
}

// stepBack ends a task run's wait for the live attempt of another version.
func (m *Machine) stepBack(t *taskRun) {
	if t.behind {
		t.behind = false
		m.behind[t.place()] = slices.DeleteFunc(m.behind[t.place()], func(o *taskRun) bool { return o == t })
	}
}

// vacate notes that the live attempt of a task run is over.
func (m *Machine) vacate(t *taskRun) {
	key := t.place()
	delete(m.live, key)
	for _, next := range m.behind[key] {
		next.behind = false
		m.stir(next)
	}
	delete(m.behind, key)
}

// spoil fails a task run because an expression of it failed.
func (m *Machine) spoil(t *taskRun, err error) {
	message := err.Error()
	var where *expr.EvalError
	if errors.As(err, &where) {
		message = where.Error()
	}
	m.reject(t, engine.CodeBadExpression, message)
}

// reject fails a task run that cannot become an attempt.
func (m *Machine) reject(t *taskRun, code engine.ErrorCode, message string) {
	m.dequeue(t)
	t.row.Code, t.row.Message = code, message
	m.move(t, engine.Failed)
}
