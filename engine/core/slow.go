package core

import (
	"fmt"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// Pending is something that the machine waits for and that should not take long.
type Pending struct {
	What    string // for people: "the check of hdfs://…"
	Agent   string // who is to do it
	Since   period.Instant
	Failure string // the check has failed since then, and an event told of it; empty = there is no answer
}

// Pendings returns what is waited for longest, for each agent: a check of a path without answer, one that fails, and an attempt that was given
// to it and has not started.
func (m *Machine) Pendings() []Pending {
	type kind struct {
		agent string
		what  int
	}
	worst := map[kind]Pending{}
	keep := func(what int, p Pending) {
		k := kind{p.Agent, what}
		if old, known := worst[k]; !known || p.Since < old.Since || p.Since == old.Since && p.What < old.What {
			worst[k] = p
		}
	}
	for _, w := range m.watches {
		switch {
		case w.failed > checkRetries:
			keep(0, Pending{What: "the check of " + w.key.path, Agent: w.agent, Since: w.since, Failure: w.failure})
		case w.asked:
			keep(1, Pending{What: "the check of " + w.key.path, Agent: w.agent, Since: w.askedAt})
		}
	}
	for _, t := range m.attempts {
		if t.attempt.Started == 0 && t.agent.connected {
			keep(2, Pending{What: fmt.Sprintf("the start of %s", m.name(t)), Agent: t.agent.name, Since: t.attempt.Assigned})
		}
	}
	all := make([]Pending, 0, len(worst))
	for _, a := range m.fleet {
		for what := range 3 {
			if p, ok := worst[kind{a.name, what}]; ok {
				all = append(all, p)
			}
		}
	}
	return all
}

// Ungenerated returns the flow whose next run is due for longest and not made, and since when; no flow = all that is due is made.
func (m *Machine) Ungenerated(now period.Instant) (*flow.Flow, period.Instant) {
	var late *flowState
	for _, name := range sortedKeys(m.flows) {
		if f := m.flows[name]; f.flow != nil && f.due != 0 && f.due < now && (late == nil || f.due < late.due) {
			late = f
		}
	}
	if late == nil {
		return nil, 0
	}
	return late.flow, late.due
}
