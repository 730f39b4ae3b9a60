package core

import (
	"flowctl/engine"
)

// send gives an assignment to the agent of an attempt. When the start does not follow in time, the attempt is recalled.
func (m *Machine) send(t *taskRun, as *engine.Assignment) {
	m.out.Assign[t.agent.name] = append(m.out.Assign[t.agent.name], as)
	t.offered = m.now
	m.watchStarts()
}

// watchStarts sets the one timer that looks for attempts that do not start. Attempts that do cost nothing.
func (m *Machine) watchStarts() {
	if m.recallAt == 0 && m.RedispatchAfter > 0 {
		m.recallAt = m.now.Add(m.RedispatchAfter)
		m.timers.set(m.recallAt, timer{recall: true})
	}
}

// recall asks for the attempts back that their agents were given long ago and have not started. What comes of it the agents say: nothing is
// known of a start until then, so an agent that is not connected keeps what it has. The time of day only decides when to ask.
func (m *Machine) recall() {
	m.recallAt = 0
	waiting := false
	for _, id := range sortedKeys(m.attempts) {
		t := m.attempts[id]
		if t.attempt.Started != 0 || t.row.State == engine.Killing || !t.agent.connected {
			continue
		}
		waiting = true
		if t.offered.Add(m.RedispatchAfter) <= m.now {
			t.offered = m.now // until the agent is asked again
			m.out.Recall[t.agent.name] = append(m.out.Recall[t.agent.name], id)
		}
	}
	if waiting {
		m.recallAt = m.now.Add(max(m.RedispatchAfter/recallLooks, 1))
		m.timers.set(m.recallAt, timer{recall: true})
	}
}

// recallLooks is how often an attempt is looked at within RedispatchAfter: it is late by one part of so many at most.
const recallLooks = 10
