package core

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// paused returns what an operator holds a task run with; nil = nothing does.
func (m *Machine) paused(t *taskRun) *engine.Pause {
	if len(m.pauses) == 0 {
		return nil
	}
	row := &t.run.row
	if m.horizon != nil && m.horizon.Holds(row, t.def.Name) {
		return m.horizon
	}
	for _, start := range [...]period.Instant{engine.AllPeriods, row.Period.Start} {
		for _, task := range [...]string{"", t.def.Name} {
			if p := m.pauses[engine.PauseKey{Flow: row.Flow, Task: task, Start: start}]; p != nil {
				return p
			}
		}
	}
	return nil
}

// pause keeps task runs from being dispatched and replies with the pauses that were not there before.
func (m *Machine) pause(ev Pause) (any, error) {
	var made []engine.Pause
	for _, p := range ev.Pauses {
		if m.pauses[p.PauseKey] != nil {
			continue
		}
		if p.Horizon() && m.horizon != nil { // there is one at most
			m.lift(m.horizon.PauseKey)
		}
		p.At, p.By = m.now, ev.By
		m.keepPause(p)
		m.dirtyPauses = append(m.dirtyPauses, p.PauseKey)
		made = append(made, p)
	}
	if len(made) == 0 {
		return nil, engine.Errorf(engine.Conflict, "%s is paused already: see flowctl get pauses", cmp.Or(ev.Target, "all after that instant"))
	}
	m.regard(made)
	m.log(ev.By, "pause", cmp.Or(ev.Target, "--all"), horizonText(made))
	return made, nil
}

func (m *Machine) keepPause(p engine.Pause) {
	m.pauses[p.PauseKey] = &p
	if p.Horizon() {
		m.horizon = &p
	}
}

// lift takes a pause back.
func (m *Machine) lift(k engine.PauseKey) {
	delete(m.pauses, k)
	m.dirtyPauses = append(m.dirtyPauses, k)
	if k.Flow == "" {
		m.horizon = nil
	}
}

// resume takes pauses back and replies with them.
func (m *Machine) resume(ev Resume) (any, error) {
	var ended []engine.Pause
	var others string
	flows := ev.Flows
	if flows == nil {
		flows = []string{ev.Flow}
	}
	for _, p := range m.pausesInOrder() {
		switch {
		case !slices.Contains(flows, p.Flow):
		case p.Horizon() || p.Task == ev.Task && p.Start >= ev.From && p.Start <= ev.To:
			m.lift(p.PauseKey)
			ended = append(ended, *p)
		default:
			others = p.Target()
		}
	}
	switch {
	case len(ended) > 0:
	case flows[0] == "":
		return nil, engine.Errorf(engine.Conflict, "there is no horizon: see flowctl get pauses")
	case others != "":
		return nil, engine.Errorf(engine.Conflict, "%s is not paused, but %s is: resume that one", ev.Target, others)
	default:
		return nil, engine.Errorf(engine.Conflict, "%s is not paused: see flowctl get pauses", ev.Target)
	}
	m.regard(ended)
	m.log(ev.By, "resume", cmp.Or(ev.Target, "--all"), horizonText(ended))
	return ended, nil
}

// pausesInOrder returns all pauses by flow, task and period.
func (m *Machine) pausesInOrder() []*engine.Pause {
	all := make([]*engine.Pause, 0, len(m.pauses))
	for _, p := range m.pauses {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *engine.Pause) int {
		return cmp.Or(cmp.Compare(a.Flow, b.Flow), cmp.Compare(a.Task, b.Task), cmp.Compare(a.Start, b.Start))
	})
	return all
}

// regard lets all task runs that pauses are about be evaluated.
func (m *Machine) regard(ps []engine.Pause) {
	flows := map[string]bool{}
	for i := range ps {
		flows[ps[i].Flow] = true
	}
	for _, id := range sortedKeys(m.runs) {
		r := m.runs[id]
		if !flows[""] && !flows[r.row.Flow] {
			continue
		}
		for i := range r.tasks {
			if t := &r.tasks[i]; t.member && !t.row.State.Final() {
				m.stir(t)
			}
		}
	}
}

func horizonText(ps []engine.Pause) string {
	if ps[0].Horizon() {
		return "scheduled after " + horizonTime(&ps[0])
	}
	return ""
}

func horizonTime(p *engine.Pause) string { return p.Start.Time().Format(time.RFC3339) }

// pauseBlocker tells of what an operator holds a task run with.
func (m *Machine) pauseBlocker(t *taskRun) []engine.Blocker {
	p := m.paused(t)
	switch {
	case p == nil:
		return nil
	case p.Horizon():
		return []engine.Blocker{{
			Kind: engine.BlockHorizon, Hint: "flowctl resume --all",
			Message: fmt.Sprintf("nothing that is scheduled after %s is dispatched, said %s", horizonTime(p), p.By),
		}}
	}
	return []engine.Blocker{{
		Kind: engine.BlockPaused, Ref: p.Target(), Hint: "flowctl resume '" + p.Target() + "'",
		Message: fmt.Sprintf("%s was paused by %s", p.Target(), p.By),
	}}
}
