package core

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// Restore builds the machine that wrote the rows of a snapshot, at an instant. The revisions that its runs and backfills
// follow, and the active one, are given compiled. Agents are gone until they join; Boot is to follow.
func Restore(now period.Instant, s *engine.Snapshot, revisions map[engine.RevisionID]*Revision) (*Machine, error) {
	m := New()
	m.now = now
	m.lastRun, m.lastAttempt, m.lastBackfill = s.LastRun, s.LastAttempt, s.LastBackfill
	maps.Copy(m.revisions, revisions)
	for _, row := range s.Flows {
		fs := m.flowState(row.Flow)
		fs.row, fs.unsure = row, row.Cursor == row.Era
	}
	for _, a := range s.Ahead {
		m.flowState(a.Flow).ahead[a.Start] = a
	}
	for _, p := range s.Pauses {
		m.keepPause(p)
	}
	for _, p := range s.Paces {
		m.paces[m.intern(p.Flow+"/"+p.Task)] = &pace{row: p}
	}
	for _, p := range s.Presences { // no agent could reach the server while it was down: all are away from now on
		m.away(m.agent(p.Agent))
	}
	for _, d := range s.Drains {
		m.agent(d.Agent).drain = d
	}
	for _, a := range s.Anomalies {
		m.anomalies[a.Attempt] = a
	}
	for _, o := range s.Overdue {
		m.watchOut(o.Run, o.At)
	}
	for _, row := range s.Backfills {
		rev := revisions[row.Revision]
		if rev == nil {
			return nil, fmt.Errorf("backfill %d follows revision %d, which is not there", row.ID, row.Revision)
		}
		if _, err := m.takeUp(row, rev); err != nil {
			return nil, fmt.Errorf("backfill %d: %w", row.ID, err)
		}
	}
	for _, r := range s.Runs {
		if revisions[r.Revision] == nil {
			return nil, fmt.Errorf("%s follows revision %d, which is not there", r.Name(""), r.Revision)
		}
	}
	m.restoreRuns(s)
	if active := revisions[s.Active]; active != nil {
		m.activate(active)
	}
	for _, id := range sortedKeys(m.backfills) {
		m.refill(m.backfills[id])
	}
	m.quiesce()
	return m, nil
}

// Revisions names the revisions that Restore needs for a snapshot.
func Revisions(s *engine.Snapshot) []engine.RevisionID {
	need := map[engine.RevisionID]bool{}
	if s.Active != 0 {
		need[s.Active] = true
	}
	for _, r := range s.Runs {
		need[r.Revision] = true
	}
	for _, b := range s.Backfills {
		need[b.Revision] = true
	}
	return sortedKeys(need)
}

// loaded takes up settled runs whose upstream has succeeded after all.
func (m *Machine) loaded(rows *engine.Snapshot) {
	for _, row := range m.takeUpMissing(rows) {
		if r := m.runs[row.ID]; r != nil {
			m.goOn(r)
		}
	}
}

// goOn gives a run that was away what it missed: the tasks that a partial one lacks, and the active revision.
func (m *Machine) goOn(r *run) {
	if r.gone || !r.current() {
		return
	}
	if r.stands && r.row.Period.End <= r.state.row.Cursor {
		m.complete(r)
	}
	m.keepUp(r)
}

// takeUpMissing takes up those of the runs that are not in memory, and returns their rows.
func (m *Machine) takeUpMissing(rows *engine.Snapshot) []engine.Run {
	known := func(id engine.RunID) bool { return m.runs[id] != nil }
	fresh := *rows
	fresh.Runs = slices.DeleteFunc(slices.Clone(rows.Runs), func(r engine.Run) bool { return known(r.ID) })
	fresh.Attempts = slices.DeleteFunc(slices.Clone(rows.Attempts), func(a engine.Attempt) bool { return known(a.Run) })
	m.restoreRuns(&fresh)
	return fresh.Runs
}

// Revision returns a revision the machine holds, nil when it does not.
func (m *Machine) Revision(id engine.RevisionID) *Revision { return m.revisions[id] }

// Hold gives the machine a revision that runs about to be loaded follow.
func (m *Machine) Hold(rev *Revision) { m.keepRevision(rev) }

func (m *Machine) keepRevision(rev *Revision) { m.revisions[rev.ID] = rev }

// restoreRuns takes up runs as the store has them.
func (m *Machine) restoreRuns(s *engine.Snapshot) {
	rows := make(map[engine.RunID]map[string]engine.TaskRun, len(s.Runs))
	for _, t := range s.TaskRuns {
		if rows[t.Run] == nil {
			rows[t.Run] = map[string]engine.TaskRun{}
		}
		rows[t.Run][t.Task] = t
	}
	made := make([]*run, 0, len(s.Runs))
	for _, row := range s.Runs {
		if r := m.restoreRun(row, rows[row.ID]); r != nil {
			_, r.ignores = slices.BinarySearch(s.Ignoring, row.ID)
			made = append(made, r)
		}
	}
	for _, a := range s.Attempts {
		if r := m.runs[a.Run]; r != nil {
			m.adopt(r, a)
		}
	}
	// Only now do needs find all runs in memory.
	slices.SortStableFunc(made, func(a, b *run) int {
		return cmp.Or(cmp.Compare(a.row.Version, b.row.Version), cmp.Compare(a.row.ID, b.row.ID))
	})
	for _, r := range made {
		if !r.row.Extra && !slices.Contains(s.Superseded, r.row.ID) {
			m.stand(r)
		}
	}
	slices.SortFunc(made, func(a, b *run) int {
		return cmp.Or(-cmp.Compare(rank(a), rank(b)), cmp.Compare(a.row.ID, b.row.ID))
	})
	m.restoring = true // places go to runs that have started, then by the order of each flow
	for _, r := range made {
		m.enter(r)
	}
	m.restoring = false
	for _, r := range made {
		m.admitNext(r.state)
	}
}

// rank puts runs that have started first, so that they get their places back.
func rank(r *run) int {
	if r.started() {
		return 1
	}
	return 0
}

func (m *Machine) restoreRun(row engine.Run, tasks map[string]engine.TaskRun) *run {
	rev := m.revisions[row.Revision]
	if rev == nil {
		return nil
	}
	f := rev.Project.Flow(row.Flow)
	if f == nil {
		return nil
	}
	r := &run{
		row: row, flow: f, plan: m.planOf(f), rev: rev, state: m.flowState(row.Flow),
		bf: m.backfills[row.Backfill], again: true, idle: row.State != engine.RunActive,
	}
	if row.Period.Start == row.Period.End {
		r.state.last = max(r.state.last, row.Period.Start)
	}
	r.tasks = make([]taskRun, len(f.Tasks))
	for i := range r.tasks {
		t := m.initTask(r, i)
		old, ok := tasks[t.def.Name]
		if !ok {
			continue
		}
		t.member = true
		t.row = old
		switch t.row.State {
		case engine.Ready: // where it stands is found anew, and stored: it may wait now
			t.row.State = engine.Waiting
			m.touchTask(t)
		case engine.UpstreamFailed:
			t.soured = true
		case engine.Retrying:
			t.wake = t.row.NextAt
			m.timers.set(t.row.NextAt, timer{run: row.ID, task: i})
		}
	}
	m.hang(r)
	return r
}

// adopt links a live attempt to its task run and to its agent, which may be gone.
func (m *Machine) adopt(r *run, a engine.Attempt) {
	def := r.flow.Task(a.Task)
	if def == nil {
		return
	}
	t := &r.tasks[def.Index]
	t.attempt, t.offered = a, m.now
	m.agent(a.Agent).hand(t)
	m.attempts[a.ID] = t
	m.live[t.place()] = t
	m.hold(t)
	if a.Started != 0 {
		at, _ := m.overlong(t)
		m.patrol(at)
	}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
