package core

import (
	"fmt"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// signalID names a signal among the tasks. No flow has a name with a colon.
func signalID(name string) string { return "signal:" + name }

// awaitSignal makes a task run wait until all periods of a signal are set that the one rule joins to the period of its run.
func (m *Machine) awaitSignal(n *need, t *taskRun, signal *flow.Signal) {
	*n = need{task: t, signal: signal, each: 1}
	for _, p := range n.signalPeriods() {
		n.attach(m.signalPoint(signal.Name, p.Start))
	}
	n.recount()
	n.count(n.class, 1)
}

// signalPeriods returns the periods of the need's signal, one for each ref.
func (n *need) signalPeriods() []period.Period {
	r := n.task.run
	return period.Join(n.signal.Schedule, r.flow.Schedule, r.row.Period, period.Rule{})
}

func (m *Machine) signalPoint(name string, start period.Instant) *point {
	key := pointKey{m.intern(signalID(name)), start}
	p := m.points[key]
	if p == nil {
		p = &point{key: key, signal: name}
		m.points[key] = p
		m.check(p)
	}
	return p
}

// setSignal sets or unsets periods of a signal and replies with how many were not so before.
func (m *Machine) setSignal(ev SetSignal) (any, error) {
	if m.active == nil {
		return nil, engine.Errorf(engine.Unavailable, "no revision is active yet: see flowctl revisions")
	}
	signal := m.active.Project.Signals[ev.Signal]
	if signal == nil {
		return nil, engine.Errorf(engine.NotFound, "no signal %s in the active revision: see flowctl get signals", ev.Signal)
	}
	changed, id := 0, m.intern(signalID(ev.Signal))
	for i, p := range ev.Periods {
		if ev.IsSet[i] != ev.Unset {
			continue
		}
		changed++
		m.out.Changes.Signals = append(m.out.Changes.Signals, engine.SignalRow{
			Signal: ev.Signal, Start: p.Start, End: p.End, Label: signal.Schedule.Label(p), At: m.now, By: ev.By, Unset: ev.Unset,
		})
		if point := m.points[pointKey{id, p.Start}]; point != nil {
			m.update(point, func() { point.announce(!ev.Unset) })
		}
	}
	if changed > 0 {
		verb := "signal set"
		if ev.Unset {
			verb = "signal unset"
		}
		m.log(ev.By, verb, ev.Signal+"@"+labels(signal.Schedule, ev.Periods), "")
	}
	return changed, nil
}

// announce notes whether a period of a signal is set.
func (p *point) announce(set bool) {
	p.status = absent
	if set {
		p.status, p.state = present, engine.Succeeded
	}
}

// signalBlockers tells of the periods of a signal that are not set.
func (n *need) signalBlockers() []engine.Blocker {
	var missing []period.Period
	for i, p := range n.signalPeriods() {
		switch point := n.refs[i].point; {
		case point.status == checking:
			return []engine.Blocker{{Kind: engine.BlockChecking, Ref: n.signal.Name, Message: "looking up signal " + n.signal.Name}}
		case point.classFor(n.task) != good:
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	which := labels(n.signal.Schedule, missing)
	b := engine.Blocker{
		Kind: engine.BlockSignal, Ref: n.signal.Name + "@" + which, Message: fmt.Sprintf("signal %s is not set for %s", n.signal.Name, which),
		Hint: "flowctl signal set " + n.signal.Name + " " + which,
	}
	if len(missing) > 1 {
		b.Message = fmt.Sprintf("signal %s is not set for %d periods: %s", n.signal.Name, len(missing), which)
	}
	return []engine.Blocker{b}
}

// labels names periods, which are in order, as operators write them.
func labels(s *period.Schedule, ps []period.Period) string {
	first, last := s.Label(ps[0]), s.Label(ps[len(ps)-1])
	if first == last {
		return first
	}
	return first + ".." + last
}
