package core

import (
	"maps"
	"slices"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// activate makes a revision the one that new runs follow. Runs that have not started move to it.
func (m *Machine) activate(rev *Revision) {
	m.makePutOff(rev)
	m.active = rev
	m.revisions[rev.ID] = rev
	for _, f := range rev.Project.Flows {
		m.adoptFlow(rev, f)
	}
	for _, name := range sortedKeys(m.flows) {
		fs := m.flows[name]
		if fs.flow != nil && rev.Project.Flow(name) == nil {
			fs.flow, fs.due = nil, 0
			fs.row.Removed = true
			m.touchFlow(fs)
		}
	}
	for _, id := range sortedKeys(m.loose) {
		m.keepUp(m.loose[id])
	}
	for _, name := range sortedKeys(m.flows) {
		m.admitNext(m.flows[name]) // its limit may have been raised
	}
	m.resizePools()
	clear(m.zones)
	m.planReport() // somebody may live in another zone now
	m.dropRevisions()
}

// keepUp moves a run that has not started to the active revision.
func (m *Machine) keepUp(r *run) {
	if r.row.Pinned || r.rev == m.active || m.active == nil {
		return
	}
	f := m.active.Project.Flow(r.row.Flow)
	switch {
	case f == nil: // it stays at the last revision that has its flow
		if r.row.Revision != r.rev.ID {
			r.row.Revision = r.rev.ID
			m.touchRun(r)
		}
	case f.Hash == r.flow.Hash && sameUpstream(r.rev.Project, m.active.Project, f) && r.sameWriters(m.active):
		r.rev = m.active
	default:
		m.follow(r, m.active, f)
	}
}

// sameUpstream tells whether the needs of a flow on other flows, and on signals, reach the same periods in two revisions.
func sameUpstream(a, b *flow.Project, f *flow.Flow) bool {
	for _, t := range f.Tasks {
		for _, name := range t.Signals {
			if was := a.Signals[name]; was == nil || was.Schedule.Fingerprint() != b.Signals[name].Schedule.Fingerprint() {
				return false
			}
		}
		for i := range t.Needs {
			name := t.Needs[i].Flow
			if name == f.Name {
				continue
			}
			was, is := a.Flow(name), b.Flow(name)
			if was == nil || is == nil || was.Schedule.Fingerprint() != is.Schedule.Fingerprint() ||
				!slices.Equal(was.Task(t.Needs[i].Task).Formerly, is.Task(t.Needs[i].Task).Formerly) {
				return false
			}
		}
	}
	return true
}

// adoptFlow brings a flow's state up to a revision. A flow that is new, was removed or disabled, or cuts time in another
// way begins an era: the first period it generates is the one in progress now.
func (m *Machine) adoptFlow(rev *Revision, f *flow.Flow) {
	fs := m.flowState(f.Name)
	grid := m.gridOf(f)
	fs.flow = f
	if fs.row.Schedule != grid || fs.row.Era == 0 || fs.row.Removed {
		fs.row.Era, fs.row.Cursor, fs.row.Schedule, fs.row.Removed = m.now, m.now, grid, false
		for start, a := range fs.ahead { // no run stands for a period of this era, but versions are taken
			a.Made = false
			fs.ahead[start] = a
		}
		fs.unsure = true
		m.touchFlow(fs)
	}
	m.plan(fs)
}

// gridOf names how a flow cuts time. One that is disabled, or is not there, does not.
func (m *Machine) gridOf(f *flow.Flow) string {
	if f == nil || !f.Enabled {
		return "disabled"
	}
	return m.planOf(f).grid
}

// plan sets the timer for a flow's next period, unless it is set.
func (m *Machine) plan(fs *flowState) {
	was := fs.due
	fs.due = 0
	if fs.flow == nil || !fs.flow.Enabled || fs.flow.Schedule.Kind() == period.Demand {
		return
	}
	next, ok := fs.flow.Schedule.FirstEndingAfter(fs.row.Cursor)
	if !ok {
		return
	}
	fs.due = fs.flow.Schedule.Due(next)
	if fs.due != was || fs.rung {
		fs.rung = false
		m.timers.set(fs.due, timer{flow: fs})
	}
}

// generate creates the run of a flow's next period, which is due.
func (m *Machine) generate(fs *flowState, at period.Instant) {
	if fs.due != at || fs.flow == nil || fs.rung {
		return
	}
	fs.rung = true
	next, ok := fs.flow.Schedule.FirstEndingAfter(fs.row.Cursor)
	if !ok {
		return
	}
	if fs.unsure {
		m.inquire(ExistingQuestion{Keys: []engine.RunKey{{Flow: fs.row.Flow, Start: next.Start}}})
		return
	}
	bad := m.badPaths(fs, next)
	if len(bad) > 0 && m.tryAgain(fs) {
		return
	}
	m.generatePeriod(fs, next, bad)
	m.plan(fs)
}

// sure takes what runs there are for the first period of a flow's era, and generates it.
func (m *Machine) sure(k engine.RunKey, found engine.Existing) {
	fs := m.flows[k.Flow]
	if fs == nil || !fs.unsure {
		return
	}
	fs.unsure, fs.replaced = false, found
	if found.Version > 0 {
		fs.ahead[k.Start] = engine.Ahead{RunKey: k, Version: found.Version, Made: fs.ahead[k.Start].Made}
	}
	m.plan(fs)
}

// generatePeriod creates the scheduled run of a period, or completes the one that an operator made ahead of it. Bad are its tasks that
// cannot be made.
func (m *Machine) generatePeriod(fs *flowState, p period.Period, bad map[int]error) {
	fs.row.Cursor = p.End
	m.touchFlow(fs)
	ahead := fs.ahead[p.Start]
	delete(fs.ahead, p.Start)
	replaced := fs.replaced
	fs.replaced = engine.Existing{}
	if ahead.Made {
		if r := fs.standing[p.Start]; r != nil {
			m.complete(r)
		} else { // it has settled; if it is partial, it is to be loaded and completed
			m.out.Wake = append(m.out.Wake, engine.LedgerKey{Flow: fs.row.Flow, Start: p.Start})
		}
		return
	}
	m.replaces(replaced, fs.flow, p.Start)
	old := fs.standing[p.Start]
	r := m.create(newRun{
		flow: fs.flow, rev: m.active, period: p, version: ahead.Version + 1, kind: engine.Scheduled, due: fs.flow.Schedule.Due(p),
	})
	if len(bad) > 0 {
		m.misgenerate(r, bad)
	} else {
		fs.tries = 0
	}
	if old != nil { // of an era before, with a period that began at the same instant
		m.retire(old)
	}
}

// complete gives a partial run the tasks that it lacks.
func (m *Machine) complete(r *run) {
	if !r.row.Partial {
		return
	}
	m.revive(r)
	r.row.Partial = false
	m.touchRun(r)
	for i := range r.tasks {
		if t := &r.tasks[i]; !t.member {
			m.include(t)
			m.publish(t)
		}
	}
	for i := range r.tasks {
		m.unsubscribe(&r.tasks[i])
	}
	m.unlisted(r)
	m.enter(r)
}

// boot applies `missed` to the periods that ended while no server ran. It runs before the timers of these periods fire.
func (m *Machine) boot() {
	for _, name := range sortedKeys(m.flows) {
		fs := m.flows[name]
		if fs.flow == nil || fs.due == 0 || fs.due > m.now || fs.flow.Missed == flow.MissedAll || fs.flow.Missed == "" {
			continue
		}
		var last period.Period
		cursor, missed := fs.row.Cursor, 0
		for p := range fs.flow.Schedule.EndingIn(fs.row.Cursor, m.now) {
			if fs.flow.Schedule.Due(p) > m.now {
				break
			}
			if missed > 0 {
				fs.row.Cursor = last.End
			}
			last, missed = p, missed+1
		}
		if missed > 0 {
			if fs.flow.Missed == flow.MissedNone {
				fs.row.Cursor = last.End
			}
			if fs.row.Cursor > cursor { // the periods up to there have no runs
				fs.row.Era = fs.row.Cursor
			}
			m.touchFlow(fs)
		}
		m.plan(fs) // of the latest one for `latest`: it is due
	}
}

// dropRevisions forgets the revisions that no run follows.
func (m *Machine) dropRevisions() {
	used := map[engine.RevisionID]bool{m.active.ID: true}
	for _, r := range m.runs {
		used[r.rev.ID] = true
	}
	for _, b := range m.backfills {
		used[b.rev.ID] = true
	}
	known := len(m.revisions)
	flows := map[*flow.Flow]bool{}
	for id, rev := range m.revisions {
		if !used[id] {
			delete(m.revisions, id)
			continue
		}
		for _, f := range rev.Project.Flows {
			flows[f] = true
		}
	}
	if len(m.revisions) < known {
		maps.DeleteFunc(m.plans, func(f *flow.Flow, _ *plan) bool { return !flows[f] })
	}
}
