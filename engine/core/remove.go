package core

import (
	"fmt"
	"slices"

	"flowctl/engine"
)

// remove deletes runs that have not started, as if they had never been made, and replies with Deleted.
func (m *Machine) remove(ev Delete) (any, error) {
	var done Deleted
	for _, id := range ev.Runs {
		r := m.runs[id]
		if reason := kept(r); reason != "" {
			done.Left = append(done.Left, Left{id, reason})
			continue
		}
		done.Runs = append(done.Runs, id)
		if !ev.DryRun {
			m.erase(r)
		}
	}
	switch {
	case len(done.Runs) == 0 && len(done.Left) == 1:
		return nil, engine.Errorf(engine.Conflict, "%s cannot be deleted: %s", ev.Target, done.Left[0].Reason)
	case len(done.Runs) == 0:
		return nil, engine.Errorf(engine.Conflict, "%s has no run that could be deleted: all have started or ended, or are reruns, extra runs or a backfill's", ev.Target)
	case !ev.DryRun:
		m.log(ev.By, "delete", ev.Target, fmt.Sprintf("%d runs", len(done.Runs)))
	}
	return done, nil
}

// kept says why a run cannot be deleted; empty = it can. Only the first run of a period can: when a later version goes, what the one
// before has left behind would have to be taken up again.
func kept(r *run) string {
	if r == nil {
		return "it has ended"
	}
	kill := fmt.Sprintf(": end it with flowctl kill '%s'", r.row.Name(""))
	switch {
	case r.bf != nil:
		return fmt.Sprintf("it belongs to backfill %d: end that with flowctl backfill cancel %d", r.bf.row.ID, r.bf.row.ID)
	case r.row.Extra:
		return "it is an extra run" + kill
	case r.row.Version > 1:
		return "it replaced another run" + kill
	case r.started() || slices.ContainsFunc(r.tasks, func(t taskRun) bool { return t.member && t.row.State.Final() }):
		return "it has started" + kill
	}
	return ""
}

// erase takes a run out of memory and out of the store.
func (m *Machine) erase(r *run) {
	for i := range r.tasks {
		m.stepBack(&r.tasks[i])
	}
	m.leave(r)
	m.forget(r)
	m.dirtyRuns = slices.DeleteFunc(m.dirtyRuns, func(o *run) bool { return o == r })
	m.out.Changes.NoRuns = append(m.out.Changes.NoRuns, r.row.ID)

	key := engine.RunKey{Flow: r.row.Flow, Start: r.row.Period.Start}
	delete(m.made, key)
	if a, ok := r.state.ahead[key.Start]; ok && a.Version > r.row.Version { // there are extra runs
		a.Made = false
		r.state.ahead[key.Start] = a
	} else {
		delete(r.state.ahead, key.Start)
	}
	for _, id := range r.state.awaited {
		if p := m.points[pointKey{id, key.Start}]; p != nil && p.status != checking {
			m.update(p, func() { p.status = absent })
		}
	}
	for _, t := range r.flow.Tasks { // settled runs that this one had failed once wait for another run now
		m.out.Wake = append(m.out.Wake, engine.LedgerKey{Flow: key.Flow, Task: t.Name, Start: key.Start})
	}
}
