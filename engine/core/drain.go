package core

import "flowctl/engine"

// Drain is the operator's `agents drain` and, with Lift, `agents undrain`.
type Drain struct {
	By, Agent string
	Lift      bool
}

func (Drain) event() {}

// drain keeps an agent from being given work, or lifts that. What it executes goes on.
func (m *Machine) drain(ev Drain) {
	a := m.agent(ev.Agent)
	if drained := a.drain.Agent != ""; drained != ev.Lift { // it is so already
		return
	}
	row := engine.Drain{Agent: ev.Agent, At: m.now, By: ev.By, Lifted: ev.Lift}
	verb := "drain"
	if a.drain = row; ev.Lift {
		a.drain, verb = engine.Drain{}, "undrain"
	}
	m.out.Changes.Drains = append(m.out.Changes.Drains, row)
	m.log(ev.By, verb, "agent "+ev.Agent, "")
}
