package core

import (
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// PendingKind is what is waited for.
type PendingKind string

// The kinds of what is waited for.
const (
	PendingCheck PendingKind = "check" // of a path
	PendingStart PendingKind = "start" // of an attempt
)

// Pending is something that the machine waits for and that should not take long.
type Pending struct {
	Kind    PendingKind
	Name    string // of the path, or of the task run
	Agent   string // who is to do it
	Since   period.Instant
	Failure string // the check has failed since then, and an event told of it; empty = there is no answer
}

// Pendings returns what is waited for longest, for each agent: a check that fails, one of a path without answer, and an attempt that was given
// to it and has not started.
func (m *Machine) Pendings() []Pending {
	type place struct {
		agent   string
		kind    PendingKind
		failing bool
	}
	worst := map[place]Pending{}
	keep := func(p Pending) {
		k := place{p.Agent, p.Kind, p.Failure != ""}
		if old, known := worst[k]; !known || p.Since < old.Since || p.Since == old.Since && p.Name < old.Name {
			worst[k] = p
		}
	}
	for _, w := range m.watches {
		switch {
		case w.failed > checkRetries:
			keep(Pending{Kind: PendingCheck, Name: w.key.path, Agent: w.agent, Since: w.since, Failure: w.failure})
		case w.asked:
			keep(Pending{Kind: PendingCheck, Name: w.key.path, Agent: w.agent, Since: w.askedAt})
		}
	}
	for _, t := range m.attempts {
		if t.attempt.Started == 0 && t.agent.connected {
			keep(Pending{Kind: PendingStart, Name: m.name(t), Agent: t.agent.name, Since: t.attempt.Assigned})
		}
	}
	all := make([]Pending, 0, len(worst))
	for _, a := range m.fleet {
		for _, k := range [...]place{{a.name, PendingCheck, true}, {a.name, PendingCheck, false}, {a.name, PendingStart, false}} {
			if p, ok := worst[k]; ok {
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
