package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// startRun creates a run at an operator's word and replies with its number.
func (m *Machine) startRun(ev StartRun) (any, error) {
	f, err := m.activeFlow(ev.Flow)
	if err != nil {
		return nil, err
	}
	if ev.Task != "" && f.Task(ev.Task) == nil {
		return nil, engine.Errorf(engine.NotFound, "flow %s has no task %s: it has %s", f.Name, ev.Task, taskNames(f))
	}
	if err := checkParams(f, ev.Params); err != nil {
		return nil, err
	}
	n := newRun{
		flow: f, rev: m.active, version: ev.Existing.Version + 1, kind: engine.Manual, params: ev.Params,
		due: m.now, extra: ev.Extra, force: ev.Force, task: ev.Task,
	}
	fs := m.flowState(f.Name)
	switch p, err := m.runPeriod(f, fs, ev); {
	case err != nil:
		return nil, err
	default:
		n.period = p
	}
	if r := fs.standing[n.period.Start]; r != nil && !ev.Extra {
		return nil, engine.Errorf(engine.Conflict,
			"%s has not ended: wait for it, kill it first (flowctl kill '%s'), or ask for an extra run with --extra",
			r.row.Name(""), r.row.Name(""))
	}
	if ev.Task != "" && !ev.Extra && ev.Existing.Run != 0 {
		return m.rerun(Rerun{By: ev.By, Run: ev.Existing.Run, Rows: ev.Rows, Version: ev.Existing.Version, Task: ev.Task, asked: &ev})
	}
	if !ev.Extra { // which stands beside the others
		m.replaces(ev.Existing, f, n.period.Start)
	}
	r := m.create(n)
	m.log(ev.By, "run", r.row.Name(ev.Task), paramText(ev.Params))
	return r.row.ID, nil
}

// runPeriod returns the period that an operator's run is for.
func (m *Machine) runPeriod(f *flow.Flow, fs *flowState, ev StartRun) (period.Period, error) {
	if f.Schedule.Kind() == period.Demand {
		fs.last = max(fs.last+1, m.now)
		return period.Period{Kind: period.Demand, Start: fs.last, End: fs.last}, nil
	}
	p := ev.Period
	if p == nil {
		last, ok := f.Schedule.LastEnded(m.now)
		if !ok {
			return period.Period{}, engine.Errorf(engine.Conflict, "no period of %s has ended yet", f.Name)
		}
		p = &last
	}
	switch {
	case ev.Extra:
	case p.End > m.now:
		return *p, engine.Errorf(engine.Conflict, "period %s of %s ends at %s: before that only an extra run is possible (--extra)",
			f.Schedule.Label(*p), f.Name, p.End.Time().Format("2006-01-02T15:04:05Z"))
	case !f.Schedule.Exists(*p):
		return *p, engine.Errorf(engine.Conflict, "period %s of %s is off its schedule: only an extra run is possible (--extra)",
			f.Schedule.Label(*p), f.Name)
	}
	return *p, nil
}

func (m *Machine) activeFlow(name string) (*flow.Flow, error) {
	if m.active == nil {
		return nil, engine.Errorf(engine.Unavailable, "no revision is active yet: see flowctl revisions")
	}
	f := m.active.Project.Flow(name)
	if f == nil {
		return nil, engine.Errorf(engine.NotFound, "no flow %s in the active revision: see flowctl get flows", name)
	}
	return f, nil
}

func checkParams(f *flow.Flow, params map[string]string) error {
	if len(params) == 0 {
		return nil
	}
	for _, k := range slices.Sorted(maps.Keys(params)) {
		if !slices.ContainsFunc(f.Params, func(p flow.Param) bool { return p.Name == k }) {
			names := make([]string, len(f.Params))
			for i, p := range f.Params {
				names[i] = p.Name
			}
			have := "it has none"
			if len(names) > 0 {
				have = "it has " + strings.Join(names, ", ")
			}
			return &engine.Error{Code: engine.Invalid, Field: "params." + k,
				Message: fmt.Sprintf("flow %s has no param %s: %s", f.Name, k, have)}
		}
	}
	return nil
}

func paramText(params map[string]string) string {
	if len(params) == 0 {
		return ""
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(params)) {
		parts = append(parts, k+"="+params[k])
	}
	return strings.Join(parts, " ")
}

func taskNames(f *flow.Flow) string {
	names := make([]string, len(f.Tasks))
	for i, t := range f.Tasks {
		names[i] = t.Name
	}
	return strings.Join(names, ", ")
}

// replaces drops what an older version that has settled waits for, and wakes those who wait for tasks of it that the flow does not have: needs read
// the version that is about to be made.
func (m *Machine) replaces(old engine.Existing, f *flow.Flow, start period.Instant) {
	if old.Run == 0 || old.State != engine.RunFailed {
		return
	}
	m.unwait(old.Run)
	for _, name := range old.Bad {
		if f.Task(name) == nil {
			m.out.Wake = append(m.out.Wake, engine.LedgerKey{Flow: f.Name, Task: name, Start: start})
		}
	}
}

// find returns an active run, taking it up from rows when it has left memory.
func (m *Machine) find(id engine.RunID, rows *engine.Snapshot) *run {
	if r := m.runs[id]; r != nil || rows == nil {
		return r
	}
	m.restoreRuns(rows)
	r := m.runs[id]
	if r != nil {
		m.found = append(m.found, r)
	}
	return r
}

// keepUpFound brings the runs up to date that find took up, if they go on by themselves: what they wait for may have come while
// they were away.
func (m *Machine) keepUpFound() {
	if len(m.found) == 0 {
		return
	}
	for _, r := range m.found {
		m.goOn(r)
	}
	m.found = m.found[:0]
	m.quiesce()
}

// rerun makes the next version of a run and replies with its number.
func (m *Machine) rerun(ev Rerun) (any, error) {
	next, err := m.prepareRerun(ev)
	if err != nil {
		return nil, err
	}
	return m.makeRerun(next), nil
}

// reruns makes the next versions of several runs, or of none.
func (m *Machine) reruns(ev Reruns) (any, error) {
	if ev.Rows != nil {
		for _, row := range m.takeUpMissing(ev.Rows) {
			if r := m.runs[row.ID]; r != nil {
				m.found = append(m.found, r)
			}
		}
	}
	all := make([]rerun, 0, len(ev.Items))
	for _, item := range ev.Items {
		next, err := m.prepareRerun(item)
		if err != nil {
			return nil, err
		}
		all = append(all, next)
	}
	ids := make([]engine.RunID, len(all))
	for i, next := range all {
		ids[i] = m.makeRerun(next)
	}
	return ids, nil
}

// rerun is the next version of a run in the making: the chosen tasks anew, all others by reference.
type rerun struct {
	Rerun
	old  *run
	flow *flow.Flow
	rev  *Revision
	anew map[string]bool
}

// prepareRerun checks what an operator asked for. It changes nothing.
func (m *Machine) prepareRerun(ev Rerun) (rerun, error) {
	old := m.find(ev.Run, ev.Rows)
	if old == nil {
		return rerun{}, engine.Errorf(engine.NotFound, "no run %d", ev.Run)
	}
	if newer := old.state.standing[old.row.Period.Start]; newer != nil && newer.row.Version > old.row.Version && !old.row.Extra {
		return rerun{}, engine.Errorf(engine.Conflict, "%s was replaced by %s: act on that one", old.row.Name(""), newer.row.Name(""))
	}
	next := rerun{Rerun: ev, old: old, rev: ev.Revision}
	if next.rev == nil {
		next.rev = m.active
	}
	m.keepRevision(next.rev)
	if next.flow = next.rev.Project.Flow(old.row.Flow); next.flow == nil {
		return rerun{}, engine.Errorf(engine.Conflict, "flow %s is not in the revision: name another one with --at", old.row.Flow)
	}
	for _, name := range []string{ev.Task, ev.FromTask} {
		if name != "" && next.flow.Task(name) == nil {
			return rerun{}, engine.Errorf(engine.NotFound, "flow %s has no task %s: it has %s", next.flow.Name, name, taskNames(next.flow))
		}
	}
	if next.anew = ev.Anew(next.flow, old.states()); len(next.anew) == 0 {
		return rerun{}, engine.Errorf(engine.Conflict, "nothing in %s failed: there is nothing to rerun", old.row.Name(""))
	}
	if !ev.Kill {
		if t := old.liveAmong(next.anew); t != nil {
			return rerun{}, engine.Errorf(engine.Conflict, "%s is running: wait for it, or rerun with --kill", m.name(t))
		}
	}
	return next, nil
}

// makeRerun makes what prepareRerun checked and returns the number of the new run.
func (m *Machine) makeRerun(next rerun) engine.RunID {
	old := next.old
	m.unwait(old.row.ID)
	n := newRun{
		flow: next.flow, rev: next.rev, period: old.row.Period, version: max(next.Version, old.row.Version) + 1, kind: engine.Rerun,
		params: old.row.Params, due: m.now, extra: old.row.Extra, force: old.row.Force, pinned: next.Revision != nil,
		setup: func(r *run) { m.refer(r, old, next.anew) },
	}
	verb := "rerun"
	if next.asked != nil {
		verb, n.force = "run", next.asked.Force
		if next.asked.Params != nil {
			n.params = next.asked.Params
		}
		if old.row.Partial { // generation completes it later
			n.task = next.Task
		}
	}
	r := m.create(n)
	m.retire(old)
	detail := "as " + r.row.Name("")
	if next.Because != "" {
		detail += ", with " + next.Because
	}
	m.log(next.By, verb, old.row.Name(next.Task), detail)
	return r.row.ID
}

// Anew returns the names of the tasks that a rerun runs anew, given the states they have: what was asked for, and all that has not
// ended or waits for an upstream that failed.
func (ev *Rerun) Anew(f *flow.Flow, was map[string]engine.State) map[string]bool {
	anew := map[string]bool{}
	for _, t := range f.Tasks {
		state, known := was[t.Name]
		switch {
		case !known || !state.Final():
			anew[t.Name] = true
		case slices.Contains(ev.Also, t.Name):
			anew[t.Name] = true
		case ev.Only:
		case ev.Failed:
			anew[t.Name] = !state.Satisfies()
		case ev.Task != "":
			anew[t.Name] = t.Name == ev.Task
		case ev.FromTask != "":
			anew[t.Name] = t.Name == ev.FromTask || follows(f, t, ev.FromTask)
		default:
			anew[t.Name] = true
		}
	}
	maps.DeleteFunc(anew, func(_ string, yes bool) bool { return !yes })
	return anew
}

// follows tells whether a task comes after another in the same run.
func follows(f *flow.Flow, t *flow.Task, root string) bool {
	for _, n := range t.Needs {
		if n.Local >= 0 && (n.Task == root || follows(f, f.Tasks[n.Local], root)) {
			return true
		}
	}
	return false
}

// states returns the states of the tasks that take part in a run.
func (r *run) states() map[string]engine.State {
	all := make(map[string]engine.State, len(r.tasks))
	for i := range r.tasks {
		if t := &r.tasks[i]; t.member {
			all[t.def.Name] = t.row.State
		}
	}
	return all
}

func (r *run) liveAmong(names map[string]bool) *taskRun {
	for i := range r.tasks {
		if t := &r.tasks[i]; t.member && t.row.State.Live() && names[t.def.Name] {
			return t
		}
	}
	return nil
}

// refer sets the task runs of a new version that are not run anew to what they were.
func (m *Machine) refer(r, old *run, anew map[string]bool) {
	for i := range r.tasks {
		t := &r.tasks[i]
		def := old.flow.Task(t.def.Name)
		if def == nil || !old.tasks[def.Index].member {
			continue
		}
		if anew[t.def.Name] {
			t.row.Alerted = t.member && old.tasks[def.Index].row.Alerted
			continue
		}
		if !t.member {
			m.include(t)
		}
		run, from := t.row.Run, old.tasks[def.Index].row.From
		if from == 0 {
			from = old.row.ID
		}
		t.row = old.tasks[def.Index].row
		t.row.Run, t.row.From = run, from
	}
}

// retire ends the older version of a run: what has not ended in it is killed. One that had settled stays as it is.
func (m *Machine) retire(old *run) {
	for i := range old.tasks {
		if t := &old.tasks[i]; t.member && !old.idle {
			m.killTask(t, "superseded by a newer version")
		}
	}
	m.checkEmpty(old)
}

// killTask ends a task run: at once when nothing of it runs, through its agent otherwise. It tells whether it did anything.
func (m *Machine) killTask(t *taskRun, why string) bool {
	switch s := t.row.State; {
	case s.Final() || s == engine.Killing:
		return false
	case s == engine.Assigned || s == engine.Running:
		t.row.Code, t.row.Message = engine.CodeKilled, why
		t.attempt.State = engine.Killing
		m.touchAttempt(t)
		m.move(t, engine.Killing)
		m.out.Kill[t.agent.name] = append(m.out.Kill[t.agent.name], t.attempt.ID)
	default:
		m.dequeue(t)
		t.row.Code, t.row.Message = engine.CodeKilled, why
		m.move(t, engine.Killed)
	}
	return true
}

// target returns the task runs that an operator named: one, or all of the run.
func (m *Machine) target(id engine.RunID, task string, rows *engine.Snapshot) (*run, []*taskRun, error) {
	r := m.find(id, rows)
	if r == nil {
		return nil, nil, engine.Errorf(engine.NotFound, "no run %d", id)
	}
	var ts []*taskRun
	for i := range r.tasks {
		if t := &r.tasks[i]; t.member && (task == "" || t.def.Name == task) {
			ts = append(ts, t)
		}
	}
	if len(ts) == 0 {
		return r, nil, engine.Errorf(engine.NotFound, "%s has no task %s: it has %s", r.row.Name(""), task, taskNames(r.flow))
	}
	return r, ts, nil
}

// kill ends task runs and replies with the names of those it ended.
func (m *Machine) kill(ev Kill) (any, error) {
	r, ts, err := m.target(ev.Run, ev.Task, ev.Rows)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := len(ts) - 1; i >= 0; i-- { // downstream first, so that nothing starts on the way
		if m.killTask(ts[i], "killed by "+ev.By) {
			names = append(names, ts[i].def.Name)
		}
	}
	m.checkEmpty(r)
	if len(names) == 0 {
		return nil, engine.Errorf(engine.Conflict, "nothing to kill: %s has ended", r.row.Name(ev.Task))
	}
	slices.Reverse(names)
	m.log(ev.By, "kill", r.row.Name(ev.Task), "")
	return names, nil
}

// succeed forces task runs to have succeeded and replies with their names.
func (m *Machine) succeed(ev Succeed) (any, error) {
	return m.force(ev, "succeed", engine.Succeeded, "forced by "+ev.By)
}

// skip lets task runs count as done although nothing ran, and replies with their names.
func (m *Machine) skip(ev Skip) (any, error) {
	return m.force(Succeed{By: ev.By, Run: ev.Run, Task: ev.Task, Rows: ev.Rows}, "skip", engine.Skipped, "skipped by "+ev.By)
}

// force ends task runs in a state that satisfies those who wait for them. What runs is to be killed first.
func (m *Machine) force(ev Succeed, verb string, to engine.State, message string) (any, error) {
	r, ts, err := m.target(ev.Run, ev.Task, ev.Rows)
	if err != nil {
		return nil, err
	}
	for _, t := range ts {
		if t.row.State.Live() {
			m.checkEmpty(r)
			return nil, engine.Errorf(engine.Conflict, "%s is running: kill it first (flowctl kill '%s')", m.name(t), m.name(t))
		}
	}
	var names []string
	for i := len(ts) - 1; i >= 0; i-- {
		t := ts[i]
		if t.row.State.Satisfies() {
			continue
		}
		m.dequeue(t)
		t.row.Code, t.row.Message, t.row.Outputs = "", message, ev.Outputs
		t.soured = true
		m.move(t, to)
		names = append(names, t.def.Name)
	}
	m.checkEmpty(r)
	if len(names) == 0 {
		return nil, engine.Errorf(engine.Conflict, "nothing to %s: %s has succeeded or was skipped already", verb, r.row.Name(ev.Task))
	}
	if r.open+r.spoiled > 0 { // it goes on, maybe after a long rest
		m.keepUp(r)
	}
	slices.Reverse(names)
	m.log(ev.By, verb, r.row.Name(ev.Task), paramText(ev.Outputs))
	return names, nil
}
