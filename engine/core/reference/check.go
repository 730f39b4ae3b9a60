package reference

import (
	"fmt"
	"slices"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// Machine is what a machine says of itself.
type Machine struct {
	Blockers map[engine.RunID]map[string][]engine.Blocker // of the runs in memory
}

// Memory is what no row tells: since when something has been so. The zero Memory is ready to use.
type Memory struct {
	tasks map[engine.TaskRunKey]memory
	seen  engine.AttemptID // the newest
	run   engine.RunID     // the newest
}

// memory is what is remembered of a task run that has not ended. Instants are 0 when it is not so.
type memory struct {
	revision             engine.RevisionID
	open, ready, lacking period.Instant
	live                 engine.AttemptID // its attempt, when it had a live one
}

func (m *Memory) openSince(r *Run, t *engine.TaskRun) period.Instant {
	return m.tasks[engine.TaskRunKey{Run: r.ID, Task: t.Task}].open
}

func (m *Memory) lackingSince(r *Run, t *engine.TaskRun) period.Instant {
	return m.tasks[engine.TaskRunKey{Run: r.ID, Task: t.Task}].lacking
}

// Restarted forgets what a machine that is built anew cannot know.
func (m *Memory) Restarted() { m.tasks = nil }

// observe brings the memory up to the world.
func (m *Memory) observe(w *World) {
	tasks := map[engine.TaskRunKey]memory{}
	for i := range w.Runs {
		r := &w.Runs[i]
		m.run = max(m.run, r.ID)
		for k := range r.Tasks {
			t := &r.Tasks[k]
			key := engine.TaskRunKey{Run: r.ID, Task: t.Task}
			if t.State.Final() {
				continue
			}
			was := m.tasks[key]
			if was.revision != r.Revision {
				turn := was.ready
				if was = (memory{revision: r.Revision}); r.Pinned || w.newest().Flow(r.Flow) == nil { // what it followed was equal
					was.ready = turn
				}
			}
			since := func(at period.Instant, holds bool) period.Instant {
				switch {
				case !holds:
					return 0
				case at == 0:
					return w.Now
				}
				return at
			}
			was.open = since(was.open, true)
			was.lacking = since(was.lacking, w.lacks(r, t))
			if a := w.attempt(was.live); a != nil && !a.State.Live() && a.Code != engine.CodeRefused {
				was.ready = 0 // it had its turn
			}
			was.live = 0
			if a := w.attempt(t.Attempt); a != nil && a.State.Live() {
				was.live = a.ID
			}
			keeps := t.State == engine.Ready || t.State == engine.Assigned || was.ready != 0 && w.givenBackLast(t)
			was.ready = since(was.ready, keeps)
			tasks[key] = was
		}
	}
	m.tasks = tasks
}

// givenBackLast tells whether an agent gave back the newest attempt of a task run that waits again: it keeps its turn.
func (w *World) givenBackLast(t *engine.TaskRun) bool {
	a := w.attempt(t.Attempt)
	return t.State == engine.Waiting && a != nil && a.Code == engine.CodeRefused
}

type complaints []string

func (c *complaints) add(format string, args ...any) { *c = append(*c, fmt.Sprintf(format, args...)) }

// Check returns all in which a machine at rest differs from what should be.
func (w *World) Check(machine Machine, m *Memory) []string {
	var c complaints
	known, newest := m.tasks, m.run
	m.observe(w)
	var all []ready
	for i := range w.Runs {
		r := &w.Runs[i]
		w.checkRun(r, &c)
		for k := range r.Tasks {
			t := &r.Tasks[k]
			if t.State == engine.Ready {
				all = append(all, ready{r, w.flow(r).Task(t.Task), m.tasks[engine.TaskRunKey{Run: r.ID, Task: t.Task}].ready})
			}
		}
	}
	for i := range w.Runs {
		r := &w.Runs[i]
		for k := range r.Tasks {
			w.checkTask(r, &r.Tasks[k], machine, all, &c)
			w.late(r, &r.Tasks[k], m, &c)
			if _, was := known[engine.TaskRunKey{Run: r.ID, Task: r.Tasks[k].Task}]; was {
				w.checkSkip(r, &r.Tasks[k], newest, &c)
			}
		}
	}
	w.checkOrder(all, known, m, &c)
	return c
}

// checkRun looks at a run as a whole: it has the tasks of its revision, and is active as long as one of them can move.
func (w *World) checkRun(r *Run, c *complaints) {
	f := w.flow(r)
	if f == nil {
		c.add("%s follows revision %d, which has no such flow", r.Name(""), r.Revision)
		return
	}
	for _, t := range f.Tasks {
		if r.task(t.Name) == nil && !r.Partial {
			c.add("%s lacks its task %s", r.Name(""), t.Name)
		}
	}
	movable, bad := false, false
	for i := range r.Tasks {
		t := &r.Tasks[i]
		if f.Task(t.Task) == nil {
			c.add("%s has a task %s, which its flow does not", r.Name(""), t.Task)
		}
		movable = movable || !t.State.Final() && t.State != engine.UpstreamFailed
		bad = bad || classOf(t.State) == Bad
	}
	want := engine.RunSucceeded
	if movable {
		want = engine.RunActive
	} else if bad {
		want = engine.RunFailed
	}
	if r.State != want {
		c.add("%s is %s, and should be %s", r.Name(""), r.State, want)
	}
}

// checkTask compares the state of a task run, and what is said to block it, with its verdict and with what else could hold it.
func (w *World) checkTask(r *Run, t *engine.TaskRun, machine Machine, all []ready, c *complaints) {
	name, said := r.Name(t.Task), machine.Blockers[r.ID][t.Task]
	expires := w.flow(r).ExpireAfter
	switch {
	case t.State.Final() || t.State.Live():
		if len(said) > 0 {
			c.add("%s is %s, and is said to be blocked by %v", name, t.State, said)
		}
		return
	case w.replaced(r):
		if r.State == engine.RunActive {
			c.add("%s is %s in a run that was replaced", name, t.State)
		}
		return
	case t.State == engine.Retrying:
		if t.NextAt <= w.Now {
			c.add("%s is to be tried again at %s", name, t.NextAt.Time())
		}
		return
	case r.State == engine.RunActive && expires > 0 && t.Attempts == 0 && r.Due.Add(expires) <= w.Now:
		c.add("%s did not start within %s, and is %s", name, expires, t.State)
	}
	if g := w.flow(r).Task(t.Task).Gate; r.State == engine.RunActive && g != nil && g.Timeout > 0 && t.GateReleased == 0 &&
		t.GateAsked != 0 && t.GateAsked.Add(g.Timeout) <= w.Now {
		c.add("%s is %s, and its gate did not answer within %s", name, t.State, g.Timeout)
	}
	v := w.verdict(r, t.Task)
	gates, pauses := w.gates(r, t), w.pauses(r, t.Task)
	bars := append(slices.Clone(pauses), gates...)
	want := map[Verdict]engine.State{Wait: engine.Waiting, UpstreamFailed: engine.UpstreamFailed, Skip: engine.Skipped, Pass: engine.Ready}[v]
	firm := slices.ContainsFunc(bars, func(b Blocker) bool {
		return !b.May && (b.Kind != engine.BlockVersion || t.State != engine.Ready) // which is looked for when its turn comes
	})
	switch {
	case r.State != engine.RunActive && (v == Wait || w.maybeRerun(r)): // it goes on when what failed has succeeded
		want = engine.UpstreamFailed
	case v != Pass:
	case firm:
		want = engine.Waiting
	case t.State == engine.Waiting && len(bars) > 0 && len(said) > 0: // who came first decides, or who has looked
		want = engine.Waiting
	case len(bars) == 0 && t.State == engine.Ready && !w.condition(r, t.Task) && t.Attempts == 0:
		want = engine.Skipped
	}
	if t.State != want {
		c.add("%s is %s and should be %s: the verdict is %s, held by %v, said to be %v; needs %v", name, t.State, want, v, bars, said, w.dependencies(r, t.Task))
		return
	}
	if r.State != engine.RunActive {
		return
	}
	switch {
	case t.State == engine.Ready:
		i := slices.IndexFunc(all, func(x ready) bool { return x.run == r && x.def.Name == t.Task })
		compare(name, said, w.limits(all[i], all), nil, c)
	case v != Pass:
		compare(name, said, append(slices.Clone(pauses), w.dependencies(r, t.Task)...), w.dependencies(r, t.Task), c)
	default:
		compare(name, said, bars, nil, c)
	}
	if len(pauses) > 0 && !slices.ContainsFunc(pauses, func(p Blocker) bool { return says(said, p) }) {
		c.add("%s is held by %v, and is said to be blocked by %v", name, pauses, said)
	}
}

// checkSkip looks for the reason why a task run, which was open before, has been skipped by nobody. What it needs may have got a run, newer than
// the newest before, only after that.
func (w *World) checkSkip(r *Run, t *engine.TaskRun, newest engine.RunID, c *complaints) {
	since := func(up upstream) bool { return up.run > newest }
	if t.State != engine.Skipped || t.Message != "" || slices.ContainsFunc(w.needs(r, t.Task), func(n need) bool { return slices.ContainsFunc(n.ups, since) }) {
		return
	}
	if v := w.verdict(r, t.Task); v != Skip && (v != Pass || w.condition(r, t.Task)) {
		c.add("%s was skipped, and the verdict is %s", r.Name(t.Task), v)
	}
}

// maybeRerun tells whether an extra run has a newer one beside it, which may be its rerun: then it stays as it was.
func (w *World) maybeRerun(r *Run) bool {
	return r.Extra && slices.ContainsFunc(w.Runs, func(o Run) bool {
		return o.Extra && o.Flow == r.Flow && o.Period.Start == r.Period.Start && o.Version > r.Version
	})
}

// compare holds what is said to block a task run against what can: all that is said has to be true, all that is a must has to be said, and
// something has to be.
func compare(name string, said []engine.Blocker, can, must []Blocker, c *complaints) {
	if len(said) == 0 {
		c.add("%s: nothing is said to block it; it could be %v", name, can)
	}
	for _, b := range said {
		if !slices.ContainsFunc(can, func(x Blocker) bool { return says([]engine.Blocker{b}, x) }) {
			c.add("%s is said to be blocked by %s %s (%s), and only these can: %v", name, b.Kind, b.Ref, b.Message, can)
		}
	}
	for _, b := range must {
		if !says(said, b) {
			c.add("%s is blocked by %v, and only these are said: %v", name, b, said)
		}
	}
}

func says(said []engine.Blocker, b Blocker) bool {
	return slices.ContainsFunc(said, func(x engine.Blocker) bool { return x.Kind == b.Kind && x.Ref == b.Ref })
}

// checkOrder looks for a task run that was ready before the last events, is so still with nothing but the lack of slots to hold it, and saw
// one start behind which it did not stand.
func (w *World) checkOrder(all []ready, before map[engine.TaskRunKey]memory, m *Memory, c *complaints) {
	newest := m.seen
	for i := range w.Attempts {
		a := &w.Attempts[i]
		newest = max(newest, a.ID)
		if a.ID <= m.seen || !a.State.Live() {
			continue
		}
		r := w.run(a.Run)
		started := ready{r, w.flow(r).Task(a.Task), m.tasks[engine.TaskRunKey{Run: r.ID, Task: a.Task}].ready}
		for _, x := range all {
			waited := before[engine.TaskRunKey{Run: x.run.ID, Task: x.def.Name}].ready != 0
			able := slices.ContainsFunc(w.eligible(x.def), func(e Agent) bool { return e.Name == a.Agent })
			limited := slices.ContainsFunc(w.limits(x, all), func(b Blocker) bool { return b.Kind != engine.BlockSlots })
			if waited && able && !limited && w.before(x, started) {
				c.add("%s started before %s, whose turn it was", r.Name(a.Task), x.run.Name(x.def.Name))
			}
		}
	}
	m.seen = newest
}

// CheckGenerated compares the runs with the periods that have been generated: each has one, unless it was deleted, and no other was scheduled.
func (w *World) CheckGenerated(all []Expected, deleted func(flow string, start period.Instant) bool) []string {
	var c complaints
	for _, e := range all {
		i := slices.IndexFunc(w.Runs, func(r Run) bool { return r.Flow == e.Flow && r.Period == e.Period && !r.Extra })
		switch {
		case deleted(e.Flow, e.Period.Start): // what is made for it from then on is made as it is
		case i < 0:
			c.add("%s@%s was due and has no run", e.Flow, e.Label)
		case w.Runs[i].Partial && !w.replaced(&w.Runs[i]):
			c.add("%s was due and is still partial", w.Runs[i].Name(""))
		}
	}
	for i := range w.Runs {
		r := &w.Runs[i]
		if r.Kind == engine.Scheduled && !slices.ContainsFunc(all, func(e Expected) bool { return e.Flow == r.Flow && e.Period == r.Period }) {
			c.add("%s was generated, and is no period that was due", r.Name(""))
		}
	}
	return c
}
