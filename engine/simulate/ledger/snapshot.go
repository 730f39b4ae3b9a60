package ledger

import (
	"cmp"
	"slices"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// Snapshot returns all that can still move: the rows a machine is rebuilt from.
func (l *Ledger) Snapshot() *engine.Snapshot {
	s := &engine.Snapshot{Active: l.Active, LastRun: l.lastRun, Woken: l.Woken()}
	for _, id := range sorted(l.Runs) {
		r := l.Runs[id]
		if r.State == engine.RunActive {
			s.Runs = append(s.Runs, r)
			if _, standing := l.Highest(r.Flow, r.Period.Start); !r.Extra && standing.ID != id {
				s.Superseded = append(s.Superseded, id)
			}
		}
		if f, ok := l.Flows[r.Flow]; ok && r.Period.End > f.Cursor && r.Period.Kind != period.Demand {
			s.Ahead = append(s.Ahead, l.ahead(r, f))
		}
	}
	l.fill(s)
	for id := range l.Attempts {
		s.LastAttempt = max(s.LastAttempt, id)
	}
	for _, name := range sorted(l.Flows) {
		s.Flows = append(s.Flows, l.Flows[name])
	}
	for _, p := range l.Pauses {
		s.Pauses = append(s.Pauses, p)
	}
	slices.SortFunc(s.Pauses, func(a, b engine.Pause) int {
		return cmp.Or(cmp.Compare(a.Flow, b.Flow), cmp.Compare(a.Task, b.Task), cmp.Compare(a.Start, b.Start))
	})
	for _, name := range sorted(l.Presences) {
		if p := l.Presences[name]; !p.Told {
			s.Presences = append(s.Presences, p)
		}
	}
	for _, name := range sorted(l.Drains) {
		s.Drains = append(s.Drains, l.Drains[name])
	}
	for _, id := range sorted(l.Paces) {
		s.Paces = append(s.Paces, l.Paces[id])
	}
	for _, id := range sorted(l.Overdue) {
		s.Overdue = append(s.Overdue, l.Overdue[id])
	}
	for _, id := range sorted(l.Anomalies) {
		s.Anomalies = append(s.Anomalies, l.Anomalies[id])
	}
	for _, id := range sorted(l.Backfills) {
		s.LastBackfill = id
		if b := l.Backfills[id]; b.FinishedAt == 0 {
			s.Backfills = append(s.Backfills, b)
		}
	}
	return s
}

// ahead tells of the period of a run that was made before its time.
func (l *Ledger) ahead(r engine.Run, f engine.FlowState) engine.Ahead {
	k := engine.RunKey{Flow: r.Flow, Start: r.Period.Start}
	version, _ := l.Highest(r.Flow, r.Period.Start)
	made := slices.ContainsFunc(l.periods[k], func(id engine.RunID) bool {
		o := l.Runs[id]
		return o.Period.End > f.Cursor && !o.Extra
	})
	return engine.Ahead{RunKey: k, Version: version, Made: made}
}

// Woken names the settled runs whose wait is over.
func (l *Ledger) Woken() []engine.RunID {
	ids := map[engine.RunID]bool{}
	for id, waits := range l.Waits {
		for _, w := range waits {
			over := l.Runs[id].Period.End <= l.Flows[w.Flow].Cursor
			if w.Task != "" {
				a := l.Outcomes([]engine.LedgerKey{{Flow: w.Flow, Task: w.Task, Start: w.Start}})[0]
				_, standing := l.Highest(w.Flow, w.Start)
				over = standing == nil || a.NoTask || a.Found && a.Outcome.State.Satisfies()
			}
			if over {
				ids[id] = true
			}
		}
	}
	return sorted(ids)
}

// LoadRuns returns the rows of some runs: only Runs, TaskRuns and the live Attempts are filled.
func (l *Ledger) LoadRuns(ids []engine.RunID) *engine.Snapshot {
	s := &engine.Snapshot{}
	for _, id := range ids {
		s.Runs = append(s.Runs, l.Runs[id])
	}
	l.fill(s)
	return s
}

func (l *Ledger) fill(s *engine.Snapshot) {
	chosen := map[engine.RunID]bool{}
	for _, r := range s.Runs {
		chosen[r.ID] = true
		if l.Backfills[r.Backfill].MissingUpstream == "ignore" {
			s.Ignoring = append(s.Ignoring, r.ID)
		}
	}
	slices.Sort(s.Ignoring)
	for k, t := range l.TaskRuns {
		if chosen[k.Run] {
			s.TaskRuns = append(s.TaskRuns, t)
		}
	}
	for _, a := range l.Attempts {
		if chosen[a.Run] && a.State.Live() {
			s.Attempts = append(s.Attempts, a)
		}
	}
	slices.SortFunc(s.TaskRuns, func(a, b engine.TaskRun) int {
		return cmp.Or(cmp.Compare(a.Run, b.Run), cmp.Compare(a.Task, b.Task))
	})
	slices.SortFunc(s.Attempts, func(a, b engine.Attempt) int { return cmp.Compare(a.ID, b.ID) })
}
