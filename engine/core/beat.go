package core

import (
	"flowctl/dsl/period"
	"flowctl/engine"
)

// AgentBeat says how an agent's machine is doing.
type AgentBeat struct {
	Agent string
	Beat  engine.Beat
}

func (AgentBeat) event() {}

// beat notes how an agent's machine is doing. It changes no row.
func (m *Machine) beat(ev AgentBeat) {
	if a := m.agents[ev.Agent]; a != nil && a.connected {
		a.beat, a.beatAt, a.full = ev.Beat, m.now, ev.Beat.Full
	}
}

// use tells how busy an agent is, in millionths: the larger of the taken part of its slots and of its load per core at the last beat.
// Slots are known at once, the load follows, and shows what else the machine does.
func (a *agent) use() int64 {
	taken := int64(len(a.live)) * 1e6 / int64(max(a.slots, 1))
	if a.cpu > 0 {
		return max(taken, a.beat.Load*1e6/a.cpu)
	}
	return taken
}

// AgentState is how an agent stands.
type AgentState struct {
	Connected bool
	Live      []engine.AttemptID // that it holds, in order
	Drain     engine.Drain       // no agent = it is not drained
	Beat      engine.Beat        // the last one
	BeatAt    period.Instant     // 0 = none since the server was started
	Full      string             // why it takes no attempt; empty = it does
}

// AgentState tells how an agent stands; one that was never seen is not connected.
func (m *Machine) AgentState(name string) AgentState {
	a := m.agents[name]
	if a == nil {
		return AgentState{}
	}
	return AgentState{Connected: a.connected, Live: sortedKeys(a.live), Drain: a.drain, Beat: a.beat, BeatAt: a.beatAt, Full: a.full}
}
