package ledger

import (
	"cmp"
	"maps"
	"slices"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// Ledger holds rows by their keys. Read the maps freely; only Apply writes them.
type Ledger struct {
	Active    engine.RevisionID
	Runs      map[engine.RunID]engine.Run
	TaskRuns  map[engine.TaskRunKey]engine.TaskRun
	Attempts  map[engine.AttemptID]engine.Attempt
	Flows     map[string]engine.FlowState
	Backfills map[engine.BackfillID]engine.BackfillRow
	Waits     map[engine.RunID][]engine.Wait
	Pauses    map[engine.PauseKey]engine.Pause
	Events    map[string]engine.Event // by key
	Presences map[string]engine.Presence
	Drains    map[string]engine.Drain
	Paces     map[string]engine.Pace // by flow/task
	Signals   map[engine.LedgerKey]engine.SignalRow
	Overdue   map[engine.RunID]engine.Overdue
	Anomalies map[engine.AttemptID]engine.Anomaly

	lastRun  engine.RunID                     // also of those that are no more
	periods  map[engine.RunKey][]engine.RunID // versions of a period, lowest first
	outcomes map[task]map[period.Instant][]engine.Outcome
}

// task names a task of a flow, over all its periods.
type task struct{ flow, name string }

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{
		Runs: map[engine.RunID]engine.Run{}, TaskRuns: map[engine.TaskRunKey]engine.TaskRun{},
		Attempts: map[engine.AttemptID]engine.Attempt{}, Flows: map[string]engine.FlowState{},
		Backfills: map[engine.BackfillID]engine.BackfillRow{}, Waits: map[engine.RunID][]engine.Wait{},
		Pauses: map[engine.PauseKey]engine.Pause{}, Events: map[string]engine.Event{}, Presences: map[string]engine.Presence{}, Drains: map[string]engine.Drain{}, Paces: map[string]engine.Pace{},
		Signals: map[engine.LedgerKey]engine.SignalRow{},
		Overdue: map[engine.RunID]engine.Overdue{}, Anomalies: map[engine.AttemptID]engine.Anomaly{},
		periods: map[engine.RunKey][]engine.RunID{}, outcomes: map[task]map[period.Instant][]engine.Outcome{},
	}
}

// Clone returns a copy that goes its own way.
func (l *Ledger) Clone() *Ledger {
	c := &Ledger{
		Active: l.Active, Runs: maps.Clone(l.Runs), TaskRuns: maps.Clone(l.TaskRuns), Attempts: maps.Clone(l.Attempts),
		Flows: maps.Clone(l.Flows), Backfills: maps.Clone(l.Backfills), Waits: map[engine.RunID][]engine.Wait{},
		Pauses: maps.Clone(l.Pauses), Events: maps.Clone(l.Events), Presences: maps.Clone(l.Presences), Drains: maps.Clone(l.Drains), Paces: maps.Clone(l.Paces), Signals: maps.Clone(l.Signals), lastRun: l.lastRun,
		Overdue: maps.Clone(l.Overdue), Anomalies: maps.Clone(l.Anomalies),
		periods: map[engine.RunKey][]engine.RunID{}, outcomes: map[task]map[period.Instant][]engine.Outcome{},
	}
	for k, v := range l.Waits {
		c.Waits[k] = slices.Clone(v)
	}
	for k, v := range l.periods {
		c.periods[k] = slices.Clone(v)
	}
	for k, starts := range l.outcomes {
		c.outcomes[k] = make(map[period.Instant][]engine.Outcome, len(starts))
		for start, v := range starts {
			c.outcomes[k][start] = slices.Clone(v)
		}
	}
	return c
}

// Apply takes what one round changed.
func (l *Ledger) Apply(c *engine.Changes) {
	for _, r := range c.Runs {
		l.put(r)
	}
	for _, k := range c.NoTaskRuns {
		delete(l.TaskRuns, k)
		l.strike(l.Runs[k.Run], k.Task)
	}
	for _, t := range c.TaskRuns {
		l.TaskRuns[engine.TaskRunKey{Run: t.Run, Task: t.Task}] = t
	}
	for _, a := range c.Attempts {
		l.Attempts[a.ID] = a
	}
	for _, o := range c.Outcomes {
		l.record(o)
	}
	for _, f := range c.Flows {
		l.Flows[f.Flow] = f
	}
	for _, b := range c.Backfills {
		l.Backfills[b.ID] = b
	}
	for _, id := range c.NoWaits {
		delete(l.Waits, id)
	}
	for _, o := range c.Overdue {
		if l.Overdue[o.Run] = o; o.At == 0 {
			delete(l.Overdue, o.Run)
		}
	}
	for _, w := range c.Waits {
		l.Waits[w.Run] = append(l.Waits[w.Run], w)
	}
	for _, id := range c.NoRuns {
		l.remove(id)
	}
	for _, k := range c.NoPauses {
		delete(l.Pauses, k)
	}
	for _, p := range c.Pauses {
		l.Pauses[p.PauseKey] = p
	}
	for _, e := range c.Events {
		if _, told := l.Events[e.Key]; !told {
			l.Events[e.Key] = e
		}
	}
	for _, p := range c.Presences {
		l.Presences[p.Agent] = p
	}
	for _, d := range c.Drains {
		if l.Drains[d.Agent] = d; d.Lifted {
			delete(l.Drains, d.Agent)
		}
	}
	for _, p := range c.Paces {
		l.Paces[p.Flow+"/"+p.Task] = p
	}
	for _, a := range c.Anomalies {
		l.Anomalies[a.Attempt] = a
	}
	for _, id := range c.NoAnomalies {
		delete(l.Anomalies, id)
	}
	for _, x := range c.Signals {
		k := engine.LedgerKey{Signal: x.Signal, Start: x.Start}
		if l.Signals[k] = x; x.Unset {
			delete(l.Signals, k)
		}
	}
}

func (l *Ledger) put(r engine.Run) {
	if _, known := l.Runs[r.ID]; !known {
		k := engine.RunKey{Flow: r.Flow, Start: r.Period.Start}
		versions := append(l.periods[k], r.ID)
		slices.SortStableFunc(versions, func(a, b engine.RunID) int {
			return cmp.Compare(l.version(a, r), l.version(b, r))
		})
		l.periods[k] = versions
	}
	l.Runs[r.ID] = r
	l.lastRun = max(l.lastRun, r.ID)
}

// remove takes a run away with all that tells of it. It may have been made in the same round.
func (l *Ledger) remove(id engine.RunID) {
	l.lastRun = max(l.lastRun, id)
	r, known := l.Runs[id]
	if !known {
		return
	}
	k := engine.RunKey{Flow: r.Flow, Start: r.Period.Start}
	l.periods[k] = slices.DeleteFunc(l.periods[k], func(o engine.RunID) bool { return o == id })
	for key := range l.TaskRuns {
		if key.Run == id {
			delete(l.TaskRuns, key)
			l.strike(r, key.Task)
		}
	}
	delete(l.Waits, id)
	delete(l.Overdue, id)
	delete(l.Runs, id)
}

// strike forgets how a task of a run ended.
func (l *Ledger) strike(r engine.Run, name string) {
	if starts := l.outcomes[task{r.Flow, name}]; starts != nil {
		starts[r.Period.Start] = slices.DeleteFunc(starts[r.Period.Start], func(o engine.Outcome) bool { return o.Version == r.Version })
	}
}

// version returns the version of a run, which may be the one that is being put.
func (l *Ledger) version(id engine.RunID, fresh engine.Run) int {
	if id == fresh.ID {
		return fresh.Version
	}
	return l.Runs[id].Version
}

func (l *Ledger) record(o engine.Outcome) {
	k := task{o.Flow, o.Task}
	if l.outcomes[k] == nil {
		l.outcomes[k] = map[period.Instant][]engine.Outcome{}
	}
	known := l.outcomes[k][o.Start]
	if i := slices.IndexFunc(known, func(old engine.Outcome) bool { return old.Version == o.Version }); i >= 0 {
		known[i] = o
		return
	}
	l.outcomes[k][o.Start] = append(known, o)
}

// Highest returns the highest version of a period, and the run that stands for it: the highest version that is no extra run, nil when
// there is none.
func (l *Ledger) Highest(flow string, start period.Instant) (version int, standing *engine.Run) {
	for _, id := range l.periods[engine.RunKey{Flow: flow, Start: start}] {
		r := l.Runs[id]
		version = r.Version
		if !r.Extra {
			standing = &r
		}
	}
	return version, standing
}

// Outcomes tells how tasks ended; the result has one answer per key, in order.
func (l *Ledger) Outcomes(keys []engine.LedgerKey) []engine.LedgerAnswer {
	answers := make([]engine.LedgerAnswer, len(keys))
	for i, k := range keys {
		if k.Signal != "" {
			if _, set := l.Signals[k]; set {
				answers[i] = engine.LedgerAnswer{Found: true, Outcome: engine.Outcome{Start: k.Start, State: engine.Succeeded}}
			}
			continue
		}
		if k.Latest {
			answers[i] = l.latest(k)
			continue
		}
		_, r := l.Highest(k.Flow, k.Start)
		if r == nil {
			continue
		}
		row, has := l.TaskRuns[engine.TaskRunKey{Run: r.ID, Task: k.Task}]
		if o, ended := l.outcome(task{k.Flow, k.Task}, k.Start, r.Version); ended {
			answers[i] = engine.LedgerAnswer{Found: true, Outcome: o, Outputs: row.Outputs}
		} else {
			answers[i].NoTask = !has && !r.Partial
		}
	}
	return answers
}

func (l *Ledger) outcome(t task, start period.Instant, version int) (engine.Outcome, bool) {
	for _, o := range l.outcomes[t][start] {
		if o.Version == version {
			return o, true
		}
	}
	return engine.Outcome{}, false
}

func (l *Ledger) latest(k engine.LedgerKey) (best engine.LedgerAnswer) {
	t := task{k.Flow, k.Task}
	for start := range l.outcomes[t] {
		if best.Found && start <= best.Outcome.Start {
			continue
		}
		_, r := l.Highest(k.Flow, start)
		if r == nil {
			continue
		}
		if o, ended := l.outcome(t, start, r.Version); ended && o.State.Satisfies() {
			best = engine.LedgerAnswer{Found: true, Outcome: o, Outputs: l.TaskRuns[engine.TaskRunKey{Run: r.ID, Task: k.Task}].Outputs}
		}
	}
	return best
}

// Existing tells which runs there are; the result has one entry per key, in order.
func (l *Ledger) Existing(keys []engine.RunKey) []engine.Existing {
	found := make([]engine.Existing, len(keys))
	for i, k := range keys {
		version, standing := l.Highest(k.Flow, k.Start)
		found[i].Version = version
		if standing != nil {
			found[i].Run, found[i].State, found[i].Bad = standing.ID, standing.State, l.bad(standing)
		}
	}
	return found
}

// bad names the tasks of a failed run that ended badly.
func (l *Ledger) bad(r *engine.Run) []string {
	var names []string
	for k, t := range l.TaskRuns {
		if k.Run == r.ID && r.State == engine.RunFailed && t.State.Bad() {
			names = append(names, k.Task)
		}
	}
	slices.Sort(names)
	return names
}

// Waiting returns the settled runs that wait for one of the keys, by ID.
func (l *Ledger) Waiting(keys []engine.LedgerKey) []engine.RunID {
	ids := map[engine.RunID]bool{}
	for _, k := range keys {
		for id, waits := range l.Waits {
			if slices.ContainsFunc(waits, func(w engine.Wait) bool {
				return w.Flow == k.Flow && w.Task == k.Task && w.Start == k.Start
			}) {
				ids[id] = true
			}
		}
	}
	return sorted(ids)
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
