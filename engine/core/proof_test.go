package core

import (
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core/reference"
)

// judge is what the reference model knows of a history besides its rows.
type judge struct {
	memory  reference.Memory
	moments []reference.Moment
	periods reference.Periods
	checked period.Instant // when the machine was last at rest
	away    bool           // the server is down or coming up
}

func newJudge() judge {
	day := func(year, month, day int) period.Instant {
		return period.At(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC))
	}
	return judge{periods: reference.Periods{From: day(2026, 9, 1), To: day(2027, 2, 1)}}
}

// activated notes a new active revision.
func (j *judge) activated(now period.Instant, p *flow.Project) {
	j.moments = append(j.moments, reference.Moment{At: now, Project: p})
}

// restarted notes that the server came back.
func (j *judge) restarted(now period.Instant) {
	j.moments = append(j.moments, reference.Moment{At: now, Down: j.checked})
	j.memory.Restarted()
	j.away = true
}

// asJudged holds the machine at rest to the reference model.
func (s *sim) asJudged() {
	if s.judge.away {
		return
	}
	w := s.world()
	found := w.Check(s.said(), &s.judge.memory)
	found = append(found, w.CheckGenerated(reference.Generated(s.judge.moments, s.now, &s.judge.periods), func(flow string, start period.Instant) bool {
		return s.rows.deleted[engine.RunKey{Flow: flow, Start: start}]
	})...)
	if len(found) > 0 {
		slices.Sort(found)
		s.Fatalf("at %s the machine and the reference model differ:\n%s", s.now.Time(), strings.Join(found, "\n"))
	}
	s.judge.checked = s.now
}

// world is what the reference model is given: lists of rows, and what is true outside.
func (s *sim) world() *reference.World {
	w := &reference.World{
		Now: s.now, Projects: map[engine.RevisionID]*flow.Project{}, Paths: s.paths,
		Pools: map[string]int{"p": poolSlots}, Periods: &s.judge.periods,
	}
	for id, rev := range s.revs {
		w.Projects[id] = rev.Project
	}
	at := map[engine.RunID]int{}
	for _, id := range sortedKeys(s.rows.Runs) {
		at[id] = len(w.Runs)
		w.Runs = append(w.Runs, reference.Run{Run: s.rows.Runs[id]})
	}
	for k, t := range s.rows.TaskRuns {
		r := &w.Runs[at[k.Run]]
		r.Tasks = append(r.Tasks, t)
	}
	for i := range w.Runs {
		slices.SortFunc(w.Runs[i].Tasks, func(a, b engine.TaskRun) int { return strings.Compare(a.Task, b.Task) })
	}
	for _, id := range sortedKeys(s.rows.Attempts) {
		w.Attempts = append(w.Attempts, s.rows.Attempts[id])
	}
	for _, id := range sortedKeys(s.rows.Backfills) {
		w.Backfills = append(w.Backfills, s.rows.Backfills[id])
	}
	for _, p := range s.rows.Pauses {
		w.Pauses = append(w.Pauses, p)
	}
	for _, x := range s.rows.Signals {
		w.Signals = append(w.Signals, x)
	}
	for _, name := range sortedKeys(s.hosts) {
		_, drained := s.rows.Drains[name]
		w.Agents = append(w.Agents, reference.Agent{
			Name: name, Connected: s.hosts[name].connected, Drained: drained, Slots: hostSlots, Labels: hostLabels(name),
		})
	}
	return w
}

// said is what the machine says of itself.
func (s *sim) said() reference.Machine {
	said := reference.Machine{Blockers: map[engine.RunID]map[string][]engine.Blocker{}}
	for id, r := range s.rows.Runs {
		if r.State == engine.RunActive {
			said.Blockers[id] = s.m.Blockers(id)
		}
	}
	return said
}

// stale is the part of invariant 8 about agents: what one says of an attempt that is over, or was never its own, changes nothing. That a store
// refuses what a stale leader writes is proven for each store.
func (s *sim) stale() {
	name := s.pick("agent", "one", "two")
	id := engine.AttemptID(rapid.IntRange(0, int(s.newest)+1).Draw(s.T, "attempt"))
	if a, known := s.rows.Attempts[id]; s.hosts[name] == nil || known && a.State.Live() && a.Agent == name {
		s.Skip("it is live there")
	}
	r := engine.Report{Attempt: id, Kind: rapid.SampledFrom([]engine.ReportKind{
		engine.ReportStarted, engine.ReportHeld, engine.ReportFinished, engine.ReportRefused, engine.ReportUnknown,
	}).Draw(s.T, "says")}
	if r.Kind == engine.ReportFinished {
		r.Result.State = engine.Succeeded
	}
	before := s.m.snapshot(s.m.now)
	_, _ = s.handle(Reported{Agent: name, Reports: []engine.Report{r}})
	out := s.take()
	if !out.Changes.Empty() || !maps.Equal(before, s.m.snapshot(s.m.now)) {
		s.Fatalf("%s said %d of attempt %d, which it does not hold: %+v", name, r.Kind, id, out.Changes)
	}
	questions := s.perform(out) // of what was due by now
	s.m.Done()
	for _, ev := range questions {
		_, _ = s.handle(ev)
	}
	s.settle()
}
