package core

import (
	"container/heap"
	"fmt"
	"slices"

	"flowctl/engine"
)

// dispatch gives the best ready task run to an agent and tells whether it could. Of several selectors the better head goes
// first.
func (m *Machine) dispatch() bool {
	for {
		var best *queue
		var to *agent
		for _, q := range m.queueList {
			if len(q.tasks) == 0 || best != nil && before(best.tasks[0], q.tasks[0]) {
				continue
			}
			if a := m.pick(&q.demand, q.tasks[0].run.fills(), q.tasks[0].shunned); a != nil {
				best, to = q, a
			}
		}
		if best == nil {
			return false
		}
		t := heap.Pop(&best.tasks).(*taskRun)
		if m.busy(t) {
			m.settleIn(t, engine.Waiting)
			m.unpark(t)
			continue
		}
		if m.limited(t) {
			continue
		}
		m.assign(t, to)
		return true
	}
}

// assign makes the next attempt of a ready task run on an agent.
func (m *Machine) assign(t *taskRun, a *agent) {
	m.pin(t.run)
	if reason := m.refusal(t); reason != "" {
		m.reject(t, engine.CodeAccount, reason)
		m.unpark(t)
		return
	}
	as, err := m.assignment(t)
	if err != nil {
		m.spoil(t, err)
		m.unpark(t)
		return
	}
	if t.attemptDirty { // the row of the former attempt has not been taken yet
		m.out.Changes.Attempts = append(m.out.Changes.Attempts, t.attempt)
	}
	m.lastAttempt++
	as.Attempt, as.No = m.lastAttempt, t.row.Attempts+1
	t.row.Attempts++
	t.row.Attempt, t.row.Code, t.row.Message = m.lastAttempt, "", ""
	t.attempt = engine.Attempt{
		ID: m.lastAttempt, Run: t.run.row.ID, Task: t.row.Task, No: t.row.Attempts,
		Agent: a.name, Boot: a.boot, State: engine.Assigned, ExitCode: -1, Assigned: m.now,
	}
	t.overlong = false
	m.touchAttempt(t)
	m.attempts[t.attempt.ID] = t
	m.live[t.place()] = t
	a.hand(t)
	m.hold(t)
	m.move(t, engine.Assigned)
	m.send(t, as)
}

// refusal says why the team of a task run's flow may not run as the account that the task names; empty = it may. What the active revision
// says of the account counts, whatever revision the run follows: who may do what is not pinned.
func (m *Machine) refusal(t *taskRun) string {
	name, team := t.def.RunAs, t.run.flow.Team
	if name == "" {
		return ""
	}
	switch account := m.active.Project.Accounts[name]; {
	case account == nil:
		return fmt.Sprintf("team %s may not run as account %s: the account is no longer declared", team, name)
	case !slices.Contains(account.Teams, team):
		return fmt.Sprintf("team %s may not run as account %s: add the team to its `teams`, or change `run_as` and rerun", team, name)
	}
	return ""
}

// pin fixes a run to the revision it follows, because its first attempt is about to be given away.
func (m *Machine) pin(r *run) {
	if r.row.Started == 0 {
		r.row.Started = m.now
		m.touchRun(r)
	}
	if !r.row.Pinned {
		r.row.Pinned, r.row.Revision = true, r.rev.ID
		delete(m.loose, r.row.ID)
		m.touchRun(r)
	}
}

// assignment renders what the agent needs. It is a pure function of the rows, so an assignment can be sent again.
func (m *Machine) assignment(t *taskRun) (*engine.Assignment, error) {
	r, d := t.run, t.def
	as := &engine.Assignment{
		Attempt: t.attempt.ID, No: t.row.Attempts,
		Run: r.row.ID, Flow: r.row.Flow, Task: d.Name, RunName: r.row.Name(""), Version: r.row.Version,
		Runner: d.Runner, Revision: r.rev.ID, Tree: r.rev.Tree, Folder: r.flow.Folder, File: d.File,
		Timeout: d.Timeout.Microseconds(), Lease: t.lease().Microseconds(), Inputs: t.paths,
		RunAs:       userOf(r.rev.Project, d),
		PeriodStart: r.row.Period.Start, PeriodEnd: r.row.Period.End, PeriodLabel: r.row.Label,
	}
	return as, m.render(as, t)
}
