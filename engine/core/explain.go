package core

import (
	"fmt"
	"strings"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// holders is how many holders of a limit an explanation names.
const holdersNamed = 10

// Blockers says, for each task run of an active run, what keeps it from moving; nil when the run is not in memory.
// Task runs that nothing blocks have no entry.
func (m *Machine) Blockers(id engine.RunID) map[string][]engine.Blocker {
	r := m.runs[id]
	if r == nil {
		return nil
	}
	found := map[string][]engine.Blocker{}
	for i := range r.tasks {
		t := &r.tasks[i]
		if !t.member {
			continue
		}
		if bs := m.blockers(t); len(bs) > 0 {
			found[t.def.Name] = bs
		}
	}
	return found
}

func (m *Machine) blockers(t *taskRun) []engine.Blocker {
	switch t.row.State {
	case engine.Waiting, engine.UpstreamFailed:
		bs := m.pauseBlocker(t)
		if t.judge() != pass {
			return append(append(bs, m.localNeeds(t)...), m.outerNeeds(t)...)
		}
		return append(bs, m.beyondNeeds(t)...)
	case engine.Ready:
		if bs := m.limitBlocker(t); bs != nil {
			return bs
		}
		return m.noAgent(t)
	case engine.Retrying:
		return append(m.pauseBlocker(t), until(engine.BlockRetry, t.row.NextAt, "waits for its retry"))
	}
	return nil
}

// limitBlocker tells of the limit that holds a ready task run back; nil = it waits for an agent, as those do who are before it.
func (m *Machine) limitBlocker(t *taskRun) []engine.Blocker {
	if l := m.limits[t.id]; l != nil && t.def.Concurrency > 0 && (l.full(t) || l.parked.better(t, l.full)) {
		return []engine.Blocker{{
			Kind: engine.BlockTaskLimit, Holders: m.names(l.live),
			Message: fmt.Sprintf("task concurrency %d is taken", min(t.def.Concurrency, len(l.live))),
		}}
	}
	if t.def.Pool == nil {
		return nil
	}
	p := m.pool(t)
	if !p.holdsBack(t) {
		return nil
	}
	return []engine.Blocker{{
		Kind: engine.BlockPool, Ref: p.name, Holders: m.names(p.live),
		Message: fmt.Sprintf("%d of the %d slots of pool %s are taken, and it takes %d", p.used, p.slots, p.name, p.needs(t)),
	}}
}

func until(kind engine.BlockerKind, at period.Instant, message string) engine.Blocker {
	when := at.Time()
	return engine.Blocker{Kind: kind, Until: &when, Message: message + " at " + when.Format(time.RFC3339)}
}

func (m *Machine) localNeeds(t *taskRun) []engine.Blocker {
	var bs []engine.Blocker
	for i := range t.def.Needs {
		n := &t.def.Needs[i]
		if n.Local < 0 || !t.run.tasks[n.Local].member {
			continue
		}
		up := &t.run.tasks[n.Local]
		if classOf(up.row.State) != good {
			bs = append(bs, engine.Blocker{
				Kind: engine.BlockNeed, Ref: m.name(up), State: up.row.State, Message: m.name(up) + " is " + string(up.row.State),
			})
		}
	}
	return bs
}

// outerNeeds names what is not there or not done of the needs on other runs. Periods of one need that have no run are one
// blocker, which one backfill mends.
func (m *Machine) outerNeeds(t *taskRun) []engine.Blocker {
	var bs []engine.Blocker
	for i := range t.needs {
		n := &t.needs[i]
		if n.signal != nil {
			bs = append(bs, n.signalBlockers()...)
			continue
		}
		up := t.run.rev.Project.Flow(n.def.Flow)
		var first, last string
		missing := 0
		for i := 0; i < len(n.refs); i += n.each {
			p := n.decisive(i)
			if n.classOf(p) == good {
				continue
			}
			name, label := p.flow+"/"+p.task, ""
			if p.key.start != newest {
				label = labelOf(up.Schedule, p.key.start)
				name += "@" + label
			}
			switch p.status {
			case checking:
				bs = append(bs, engine.Blocker{Kind: engine.BlockChecking, Ref: name, Message: "looking up " + name})
			case absent:
				if missing == 0 {
					first = label
				}
				last, missing = label, missing+1
			default:
				now := *p // which has changed since it was read, if not in a way that matters
				if f := m.flows[p.flow]; f != nil && f.standing[p.key.start] != nil {
					now.read(f.standing[p.key.start])
				}
				bs = append(bs, engine.Blocker{Kind: engine.BlockNeed, Ref: name, State: now.state, Message: name + " is " + string(now.state)})
			}
		}
		if missing > 0 {
			bs = append(bs, absentBlocker(n.def, first, last, missing))
		}
	}
	return bs
}

// Uncounted names, for each task run of an active run, the task runs that it needs and that do not count: the runs that should have them
// follow a revision without the task.
func (m *Machine) Uncounted(id engine.RunID) map[string][]string {
	r := m.runs[id]
	if r == nil {
		return nil
	}
	found := map[string][]string{}
	for i := range r.tasks {
		t := &r.tasks[i]
		for k := range t.needs {
			n := &t.needs[k]
			for j := 0; n.def != nil && !n.data && j < len(n.refs); j += n.each {
				if p := n.decisive(j); p.status == noTask {
					s := r.rev.Project.Flow(n.def.Flow).Schedule
					found[t.def.Name] = append(found[t.def.Name], p.flow+"/"+p.task+"@"+labelOf(s, p.key.start))
				}
			}
		}
	}
	return found
}

// absentBlocker tells of n periods, from first to last, that have no run; no labels for a need on the latest success.
func absentBlocker(need *flow.Need, first, last string, n int) engine.Blocker {
	b := engine.Blocker{Kind: engine.BlockAbsent, Ref: need.Flow + "/" + need.Task}
	switch {
	case first == "":
		b.Message, b.Hint = "there is no success of "+b.Ref, "flowctl run "+need.Flow
		return b
	case n == 1:
		b.Ref += "@" + first
		b.Message = "there is no run of " + b.Ref
	default:
		b.Ref += "@" + first + ".." + last
		b.Message = fmt.Sprintf("%d periods have no run: %s", n, b.Ref)
	}
	b.Hint = fmt.Sprintf("flowctl backfill %s --from %s --to %s", need.Flow, first, last)
	return b
}

// labelOf returns the label of the period that starts at an instant.
func labelOf(s *period.Schedule, start period.Instant) string {
	if p, ok := s.Containing(start); ok {
		return s.Label(p)
	}
	return start.Time().Format(time.RFC3339)
}

// beyondNeeds explains what holds a task run whose needs are met.
func (m *Machine) beyondNeeds(t *taskRun) []engine.Blocker {
	r := t.run
	switch {
	case !r.admitted:
		names := make([]string, 0, min(len(r.state.holders), holdersNamed))
		for _, h := range r.state.holders[:min(len(r.state.holders), holdersNamed)] {
			names = append(names, h.row.Name(""))
		}
		return []engine.Blocker{{
			Kind: engine.BlockFlowLimit, Holders: names,
			Message: fmt.Sprintf("concurrency %d of flow %s is taken", r.flow.MaxRuns, r.row.Flow),
		}}
	case r.bf != nil && r.bf.row.State == engine.BackfillPaused:
		return []engine.Blocker{{
			Kind: engine.BlockBackfill, Message: fmt.Sprintf("backfill %d is paused", r.bf.row.ID),
			Hint: fmt.Sprintf("flowctl backfill resume %d", r.bf.row.ID),
		}}
	case t.behind:
		other := m.live[t.place()]
		return []engine.Blocker{{
			Kind: engine.BlockVersion, Ref: m.name(other), State: other.row.State, Message: m.name(other) + " is still running",
		}}
	case t.earliest() > m.now:
		return []engine.Blocker{until(engine.BlockStartAfter, t.earliest(), "may start")}
	}
	if bs := m.missingInputs(t); len(bs) > 0 {
		return bs
	}
	return m.gateBlocker(t)
}

func (m *Machine) missingInputs(t *taskRun) []engine.Blocker {
	var bs []engine.Blocker
	for _, path := range t.paths {
		w := m.watches[watchKey{selectorOf(t.def), path}]
		if w == nil {
			continue
		}
		b := engine.Blocker{Kind: engine.BlockPath, Ref: path, Message: "input " + path + " is not there"}
		switch {
		case w.failure != "":
			b.Message = "input " + path + " could not be checked: " + w.failure
		case !m.within(w.outlook.selector):
			b.Message = "input " + path + " cannot be checked: no agent is connected that could look"
		}
		bs = append(bs, b)
	}
	return bs
}

// noAgent explains why no agent takes a ready task run.
func (m *Machine) noAgent(t *taskRun) []engine.Blocker {
	var why, crowded []string
	eligible := false
	d := DemandOf(t.run.rev.Project, t.def)
	for _, a := range m.fleet {
		switch mismatch := a.offer.Mismatch(d); {
		case !a.connected:
			why = append(why, a.name+" is lost")
		case mismatch != "":
			why = append(why, a.name+" "+mismatch)
		case a.drain.Agent != "":
			why = append(why, a.name+" is drained by "+a.drain.By)
		case a.full != "":
			why = append(why, a.name+" takes nothing at present: "+a.full)
		default:
			eligible = true
			if !a.fits(&d) {
				crowded = append(crowded, a.left())
			}
		}
	}
	if eligible {
		message := "all slots of the eligible agents are taken"
		if len(crowded) > 0 {
			message += ", or too little is left there: " + strings.Join(crowded, "; ")
		}
		if t.run.fills() {
			message = "all slots of the eligible agents that backfills may take are taken"
		}
		return []engine.Blocker{{Kind: engine.BlockSlots, Message: message}}
	}
	if len(why) == 0 {
		why = []string{"no agent has joined"}
	}
	return []engine.Blocker{{
		Kind: engine.BlockAgent, Message: "no eligible agent: " + strings.Join(why, "; "),
	}}
}

func (m *Machine) names(ts []*taskRun) []string {
	names := make([]string, 0, min(len(ts), holdersNamed))
	for _, t := range ts[:min(len(ts), holdersNamed)] {
		names = append(names, m.name(t))
	}
	return names
}
