package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flowctl/dsl"
	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/simulate/ledger"
)

// fataler is what tests and property checks have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is a machine with everything around it: rows that were committed, agents that execute, a clock.
type world struct {
	t     fataler
	m     *Machine
	now   period.Instant
	rows  *rows
	revs  map[engine.RevisionID]*Revision
	fleet map[string]map[engine.AttemptID]*engine.Assignment // what agents hold
	paths map[string]bool
	joins map[string]engine.Hello
	// assigned lists all assignments in the order they were made, as "flow/task@label".
	assigned []string
	probes   int
	// questions lists what gates were asked.
	questions []engine.GateQuestion
	broken    map[string]string // paths whose check fails
	deaf      bool              // nothing reaches the agents
	silences  []Silent          // that the machine asked for
	recalls   []engine.AttemptID
}

func newWorld(t fataler, start string) *world {
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return &world{
		t: t, m: New(), now: period.At(at), rows: newRows(t), revs: map[engine.RevisionID]*Revision{},
		fleet: map[string]map[engine.AttemptID]*engine.Assignment{}, paths: map[string]bool{}, broken: map[string]string{}, joins: map[string]engine.Hello{},
	}
}

const settings = "version: 1\ntimezone: UTC\n---\nteams:\n  data: {members: [ann]}\n---\npeople:\n  ann: {name: Ann, email: ann@example.com}\n"

// compile turns flow documents into a revision.
func (w *world) compile(docs string) *Revision {
	w.t.Helper()
	docs = strings.ReplaceAll(docs, "\t", "  ")
	p, found := dsl.New().Compile([]dsl.File{
		{Path: "flowctl.yaml", Mode: 0o644, Data: []byte("version: 1\ntimezone: UTC\n")},
		{Path: "teams.yaml", Mode: 0o644, Data: []byte(strings.SplitN(settings, "---\n", 2)[1])},
		{Path: "flows.yaml", Mode: 0o644, Data: []byte(docs)},
	})
	if p == nil {
		for _, d := range found {
			if d.Severity == diag.Error {
				w.t.Fatalf("%s:%d:%d: %s [%s]\n%s", d.File, d.Line, d.Col, d.Message, d.Rule, docs)
			}
		}
	}
	rev := &Revision{ID: engine.RevisionID(len(w.revs) + 1), Commit: fmt.Sprintf("c%d", len(w.revs)+1), Tree: p.Hash, Project: p}
	w.revs[rev.ID] = rev
	return rev
}

// activate compiles documents and makes them the active revision.
func (w *world) activate(docs string) *Revision {
	w.t.Helper()
	rev := w.compile(docs)
	w.rows.Active = rev.ID
	w.do(Activated{Revision: rev})
	return rev
}

// try applies an event and performs all that follows.
func (w *world) try(ev Event) (any, error) {
	reply, err := w.m.Handle(w.now, ev)
	w.perform()
	return reply, err
}

func (w *world) do(ev Event) any {
	w.t.Helper()
	reply, err := w.try(ev)
	if err != nil {
		w.t.Fatalf("%T: %v", ev, err)
	}
	return reply
}

// perform commits and performs effects until no question is open.
func (w *world) perform() {
	for {
		out := w.m.Take()
		w.rows.apply(&out.Changes)
		w.silences = append(w.silences, out.Silences...)
		for _, name := range sortedKeys(out.Recall) {
			w.recalls = append(w.recalls, out.Recall[name]...)
		}
		for _, name := range sortedKeys(out.Assign) {
			for _, as := range out.Assign[name] {
				w.assign(name, as)
			}
		}
		var next []Event
		for _, name := range sortedKeys(out.Kill) {
			if w.deaf {
				break
			}
			var rs []engine.Report
			for _, id := range out.Kill[name] {
				rs = append(rs, w.killed(name, id))
			}
			next = append(next, Reported{Agent: name, Reports: rs})
		}
		for _, name := range sortedKeys(out.Probe) {
			var ps []engine.PathState
			for _, p := range out.Probe[name] {
				w.probes++
				ps = append(ps, engine.PathState{Path: p, Exists: w.paths[p] && w.broken[p] == "", Error: w.broken[p]})
			}
			next = append(next, Probed{Agent: name, Paths: ps})
		}
		w.questions = append(w.questions, out.Questions...)
		for _, q := range out.Existing {
			next = append(next, ExistingAnswered{Backfill: q.Backfill, Keys: q.Keys, Found: w.rows.Existing(q.Keys)})
		}
		if len(out.Lookups) > 0 {
			keys := slices.Clone(out.Lookups)
			next = append(next, LedgerAnswered{Keys: keys, Answers: w.rows.Outcomes(keys)})
		}
		if ids := w.rows.Waiting(out.Wake); len(ids) > 0 {
			next = append(next, Loaded{Rows: w.load(ids)})
		}
		if len(out.Overdue) > 0 {
			next = append(next, Overdue{Rows: w.load(out.Overdue)})
		}
		w.m.Done()
		if len(next) == 0 {
			return
		}
		for _, ev := range next {
			if _, err := w.m.Handle(w.now, ev); err != nil {
				w.t.Fatalf("%T: %v", ev, err)
			}
		}
	}
}

func (w *world) assign(name string, as *engine.Assignment) {
	held := w.fleet[name]
	if held == nil || w.deaf {
		return // the agent is gone
	}
	if held[as.Attempt] == nil {
		held[as.Attempt] = as
		w.assigned = append(w.assigned, as.Flow+"/"+as.Task+"@"+as.PeriodLabel)
	}
}

func (w *world) killed(name string, id engine.AttemptID) engine.Report {
	if w.fleet[name][id] == nil {
		return engine.Report{Attempt: id, Kind: engine.ReportUnknown}
	}
	delete(w.fleet[name], id)
	return engine.Report{Attempt: id, Kind: engine.ReportFinished, Result: engine.Result{State: engine.Killed, Code: engine.CodeKilled, ExitCode: -1}}
}

func (w *world) load(ids []engine.RunID) *engine.Snapshot {
	s := w.rows.LoadRuns(ids)
	for _, r := range s.Runs {
		w.m.Hold(w.revs[r.Revision])
	}
	return s
}

// join connects an agent, with what it holds.
func (w *world) join(name string, slots int, labels ...string) {
	if w.fleet[name] == nil {
		w.fleet[name] = map[engine.AttemptID]*engine.Assignment{}
	}
	h := engine.Hello{Name: name, BootID: "boot", Slots: slots, Labels: labels, Host: engine.Host{Users: []string{"etl"}}}
	for _, id := range sortedKeys(w.fleet[name]) {
		h.Attempts = append(h.Attempts, engine.Report{Attempt: id, Kind: engine.ReportStarted})
	}
	w.joins[name] = h
	w.do(AgentJoined{Hello: h})
}

// holding returns the attempt that an agent holds for a task run named flow/task@label.
func (w *world) holding(name string) (string, *engine.Assignment) {
	for _, agent := range sortedKeys(w.fleet) {
		for _, id := range sortedKeys(w.fleet[agent]) {
			if as := w.fleet[agent][id]; as.Flow+"/"+as.Task+"@"+as.PeriodLabel == name {
				return agent, as
			}
		}
	}
	return "", nil
}

// finish lets the agent that holds a task run end it.
func (w *world) finish(name string, state engine.State, outputs ...string) {
	w.t.Helper()
	agent, as := w.holding(name)
	if as == nil {
		w.t.Fatalf("no agent holds %s; held: %v", name, w.held())
	}
	w.end(agent, as.Attempt, state, outputs...)
}

func (w *world) end(agent string, id engine.AttemptID, state engine.State, outputs ...string) {
	delete(w.fleet[agent], id)
	res := engine.Result{State: state, Outputs: map[string]string{}}
	if state == engine.Failed {
		res.Code, res.ExitCode = engine.CodeExit, 1
	}
	for _, kv := range outputs {
		k, v, _ := strings.Cut(kv, "=")
		res.Outputs[k] = v
	}
	w.do(Reported{Agent: agent, Reports: []engine.Report{
		{Attempt: id, Kind: engine.ReportStarted}, {Attempt: id, Kind: engine.ReportFinished, Result: res},
	}})
}

// held names what agents execute, sorted.
func (w *world) held() []string {
	names := []string{}
	for _, as := range w.fleet {
		for _, a := range as {
			names = append(names, a.Flow+"/"+a.Task+"@"+a.PeriodLabel)
		}
	}
	slices.Sort(names)
	return names
}

// drain finishes everything that agents hold with success until nothing is held.
func (w *world) drain() {
	for {
		any := false
		for _, agent := range sortedKeys(w.fleet) {
			for _, id := range sortedKeys(w.fleet[agent]) {
				any = true
				w.end(agent, id, engine.Succeeded)
			}
		}
		if !any {
			return
		}
	}
}

// sleep lets time pass, with a tick at each instant that the machine asks for.
func (w *world) sleep(d time.Duration) {
	until := w.now.Add(d)
	for {
		at, ok := w.m.NextWake()
		if !ok || at > until {
			break
		}
		w.now = max(w.now, at)
		w.do(Tick{})
	}
	w.now = until
}

// crash rebuilds the machine from the rows. Agents go on and join again.
func (w *world) crash() {
	w.t.Helper()
	w.rebuild()
	for _, name := range sortedKeys(w.joins) {
		h := w.joins[name]
		w.join(name, h.Slots, h.Labels...)
	}
}

// rebuild rebuilds the machine from the rows. No agent has joined yet.
func (w *world) rebuild() {
	w.t.Helper()
	m, err := Restore(w.now, w.rows.Snapshot(), w.revs)
	if err != nil {
		w.t.Fatalf("restore: %v", err)
	}
	m.RedispatchAfter = w.m.RedispatchAfter
	w.m = m
	w.do(Boot{})
	if woken := w.rows.Woken(); len(woken) > 0 {
		w.do(Loaded{Rows: w.load(woken)})
	}
}

// backfill starts a backfill of one flow.
func (w *world) backfill(rev *Revision, flow, from, to string) engine.BackfillID {
	w.t.Helper()
	return w.do(StartBackfill{
		Row: engine.BackfillRow{Flows: []string{flow}, From: from, To: to, Reprocess: "missing"}, Revision: rev,
	}).(engine.BackfillID)
}

func (w *world) run(flow, period string) *engine.Run { return w.rows.run(flow, period) }

// state returns the state of a task run named flow/task@label, of the highest version.
func (w *world) state(name string) engine.State {
	w.t.Helper()
	id, label, _ := strings.Cut(name, "@")
	flow, task, _ := strings.Cut(id, "/")
	r := w.rows.run(flow, label)
	if r == nil {
		return ""
	}
	return w.rows.TaskRuns[engine.TaskRunKey{Run: r.ID, Task: task}].State
}

func (w *world) wantState(name string, want engine.State) {
	w.t.Helper()
	if got := w.state(name); got != want {
		w.t.Fatalf("%s is %q, want %q", name, got, want)
	}
}

func (w *world) wantHeld(want ...string) {
	w.t.Helper()
	slices.Sort(want)
	if got := w.held(); !slices.Equal(got, want) {
		w.t.Fatalf("agents hold %v, want %v", got, want)
	}
}

// rows is what a store would hold; it checks what must hold of all that is ever written.
type rows struct {
	*ledger.Ledger
	t       fataler
	ops     []engine.Operation
	deleted map[engine.RunKey]bool     // periods whose run somebody deleted
	dropped map[engine.TaskRunKey]bool // task runs that a revision did not have
}

func newRows(t fataler) *rows {
	return &rows{Ledger: ledger.New(), t: t, deleted: map[engine.RunKey]bool{}, dropped: map[engine.TaskRunKey]bool{}}
}

func (s *rows) apply(c *engine.Changes) {
	for _, a := range c.Attempts {
		if old, ok := s.Attempts[a.ID]; ok && old.Finished != 0 && old != a {
			s.t.Fatalf("final attempt changed: %+v to %+v", old, a)
		}
	}
	for i, e := range c.Events {
		if s.dropped[engine.TaskRunKey{Run: e.Run, Task: e.Task}] { // when it comes back it is a new one, and a store keeps the event of the old one
			continue
		}
		old, twice := s.Events[e.Key]
		if twice = twice || slices.ContainsFunc(c.Events[:i], func(o engine.Event) bool { return o.Key == e.Key }); twice && e.Kind != flow.LongRunning && e.Kind != flow.Deviating && e.Kind != flow.GateFailed && e.Kind != flow.BackfillLate { // these are told again after a restart, and a store keeps one
			s.t.Fatalf("event %+v was told before: %+v", e, old)
		}
	}
	for _, x := range c.Signals {
		k := engine.LedgerKey{Signal: x.Signal, Start: x.Start}
		if _, set := s.Signals[k]; set != x.Unset {
			s.t.Fatalf("%+v changes nothing", x)
		}
	}
	for _, k := range c.NoTaskRuns {
		s.dropped[k] = true
	}
	s.ops = append(s.ops, c.Operations...)
	s.delete(c.NoRuns)
	s.Apply(c)
	s.check()
}

// delete forgets runs that never started.
func (s *rows) delete(ids []engine.RunID) {
	for _, id := range ids {
		r, ok := s.Runs[id]
		if !ok {
			continue // made and deleted in one commit
		}
		for _, a := range s.Attempts {
			if a.Run == id {
				s.t.Fatalf("%s was deleted although attempt %d is of it", r.Name(a.Task), a.ID)
			}
		}
		s.deleted[engine.RunKey{Flow: r.Flow, Start: r.Period.Start}] = true
	}
}

// check is invariants 1 and 2: one run per flow, period and version; one live attempt per task and period.
func (s *rows) check() {
	type version struct {
		flow    string
		start   period.Instant
		version int
	}
	seen := map[version]engine.RunID{}
	for id, r := range s.Runs {
		k := version{r.Flow, r.Period.Start, r.Version}
		if other, twice := seen[k]; twice {
			s.t.Fatalf("two runs %d and %d for %+v", id, other, k)
		}
		seen[k] = id
	}
	type place struct {
		flow, task string
		start      period.Instant
	}
	live := map[place]engine.AttemptID{}
	for id, a := range s.Attempts {
		if !a.State.Live() {
			continue
		}
		r := s.Runs[a.Run]
		k := place{r.Flow, a.Task, r.Period.Start}
		if other, twice := live[k]; twice {
			s.t.Fatalf("two live attempts %d and %d for %+v", id, other, k)
		}
		live[k] = id
	}
}

func (s *rows) run(flow, label string) *engine.Run {
	for _, r := range s.Runs {
		if r.Flow == flow && r.Label == label {
			_, standing := s.Highest(flow, r.Period.Start)
			return standing
		}
	}
	return nil
}

func (s *rows) backfill(t *testing.T, id engine.BackfillID) engine.BackfillRow {
	t.Helper()
	b, ok := s.Backfills[id]
	if !ok {
		t.Fatalf("no backfill %d", id)
	}
	return b
}

// setSignal returns what an operator's `signal set` of periods makes of the rows.
func (s *rows) setSignal(name string, unset bool, ps ...period.Period) SetSignal {
	ev := SetSignal{By: "ann", Signal: name, Periods: ps, Unset: unset}
	for _, p := range ps {
		_, set := s.Signals[engine.LedgerKey{Signal: name, Start: p.Start}]
		ev.IsSet = append(ev.IsSet, set)
	}
	return ev
}
