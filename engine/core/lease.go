package core

import (
	"fmt"
	"slices"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

// defaultLease is how long an attempt goes on without word from the server when on_agent_lost says that it does not wait and lost_after
// does not say for how long.
const defaultLease = 10 * time.Minute

// patienceFor is how long a lost agent is silent before what it executed under a lease has surely ended. The lease itself began before the
// stream was lost, and the rest is for the holder to end the tree, and for clocks that do not run at the same speed: a hundredth is far
// more than they differ.
func patienceFor(lease time.Duration) time.Duration { return lease + lease/100 + 5*time.Second }

// lease is how long an attempt of the task goes on without word from the server; 0 = as long as it takes.
func (t *taskRun) lease() time.Duration {
	switch o := t.def.Options; {
	case o.OnAgentLost == flow.OnLostWait:
		return 0
	case o.LostAfter > 0:
		return o.LostAfter
	}
	return defaultLease
}

// awaitSilence asks to be told when the leases of what a lost agent executes have surely ended.
func (m *Machine) awaitSilence(a *agent) {
	a.absence++
	var all []time.Duration
	for _, t := range a.live {
		if lease := t.lease(); lease > 0 {
			all = append(all, patienceFor(lease))
		}
	}
	slices.Sort(all)
	for _, after := range slices.Compact(all) {
		m.out.Silences = append(m.out.Silences, Silent{Agent: a.name, Absence: a.absence, After: after})
	}
}

// silent gives up what a lost agent executed under leases that have surely ended.
func (m *Machine) silent(ev Silent) {
	a := m.agents[ev.Agent]
	if a == nil || a.connected || a.absence != ev.Absence {
		return
	}
	for _, id := range sortedKeys(a.live) {
		t := a.live[id]
		if lease := t.lease(); lease > 0 && patienceFor(lease) <= ev.After {
			m.giveUp(t, fmt.Sprintf("agent %s was lost, and the lease of %v has ended", a.name, lease))
		}
	}
}

// giveUp ends a live attempt that has surely ended with its agent: on_agent_lost says what follows.
func (m *Machine) giveUp(t *taskRun, why string) {
	m.finish(t, engine.Result{State: engine.Failed, Code: engine.CodeAgentLost, ExitCode: -1, Message: why})
}
