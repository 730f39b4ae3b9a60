package simulate

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/control"
	"flowctl/engine/core"
	"flowctl/engine/simulate/ledger"
)

// Input is all that a simulation depends on.
type Input struct {
	Project  *flow.Project
	From, To period.Instant           // half-open
	Outcomes *flow.Outcomes           // nil: the zero Outcomes
	Slots    int                      // of the agent when the outcomes declare none; 0 = unlimited
	Learnt   map[string]time.Duration // how long attempts took, by flow/task; the outcomes override it
	Seed     uint64
}

// world is a machine with all that it talks to.
type world struct {
	project   *flow.Project
	m         *core.Machine
	now       period.Instant
	from      period.Instant
	ledger    *ledger.Ledger
	behaviour behaviour
	hosts     []*host
	byName    map[string]*host
	events    events
	next      []core.Event // what follows at once from the event being handled
	missing   bool         // the past was not
	trace     trace
	operator  *control.Service
	record    func(step) // nil = nobody replays
}

// step is what a replay repeats: an event and the output of its round, which is valid until the next one.
type step struct {
	at     period.Instant
	event  core.Event
	output *core.Output
}

// revision is the number of the one revision of a simulation.
const revision engine.RevisionID = 1

func newWorld(in Input) *world {
	given := in.Outcomes
	if given == nil {
		given = &flow.Outcomes{}
	}
	w := &world{
		project: in.Project, now: in.From, from: in.From, ledger: ledger.New(), missing: given.MissingPast,
		behaviour: behaviour{outcomes: given, learnt: in.Learnt, seed: in.Seed, rules: map[*flow.Task][]rule{}, assumed: assumed(in.Project), looked: make([]bool, len(given.Paths)),
			asked: map[string]map[period.Instant]bool{}},
		hosts: hosts(in.Project, given, in.Slots), byName: map[string]*host{}, trace: newTrace(),
	}
	for _, h := range w.hosts {
		w.byName[h.Name] = h
	}
	w.expectAgents(given)
	for i := range given.Actions {
		a := &given.Actions[i]
		if a.At < in.From || a.At >= in.To {
			w.trace.refuse(a.At, a, "it is outside the simulated time")
			continue
		}
		w.later(a.At, func() { w.act(a) })
	}
	w.expectSignals(given)
	return w
}

// start builds the machine and lets the agents join.
func (w *world) start() {
	rev := &core.Revision{ID: revision, Commit: "simulated", Tree: w.project.Hash, Project: w.project}
	w.ledger.Active = revision
	w.m = restore(w.from, seasoned(w.from, rev), rev)
	w.operator = w.newOperator()
	w.handle(core.Tick{}, Cause{Kind: BySchedule}) // no core.Boot: no server was down, so nothing was missed
	for _, h := range w.hosts {
		if w.present(h, w.from) {
			w.connect(h)
		}
	}
}

// restore builds the machine of a snapshot without runs, for which every revision is there.
func restore(at period.Instant, s *engine.Snapshot, rev *core.Revision) *core.Machine {
	m, err := core.Restore(at, s, map[engine.RevisionID]*core.Revision{rev.ID: rev})
	if err != nil {
		panic("simulate: a snapshot without runs cannot be restored: " + err.Error())
	}
	return m
}

// seasoned is what a store holds of flows that have run before an instant: each has generated the periods that were due.
func seasoned(from period.Instant, rev *core.Revision) *engine.Snapshot {
	s := &engine.Snapshot{Active: rev.ID}
	m := core.New()
	_, _ = m.Handle(from, core.Activated{Revision: rev}) // only operators' events are answered
	s.Flows = slices.Clone(m.Take().Changes.Flows)
	for i := range s.Flows {
		row := &s.Flows[i]
		if p, ok := rev.Project.Flow(row.Flow).Schedule.FirstDueAfter(from - 1); ok {
			row.Cursor = p.End - 1
			row.Era = row.Cursor - 1 // a run of the era before cannot begin with this period
		}
	}
	slices.SortFunc(s.Flows, func(a, b engine.FlowState) int { return cmp.Compare(a.Flow, b.Flow) })
	return s
}

// expectAgents plans the comings and goings of the declared agents.
func (w *world) expectAgents(given *flow.Outcomes) {
	for i, declared := range given.Agents {
		h := w.hosts[i]
		for _, a := range declared.Away {
			if a.From > w.from {
				w.later(a.From, func() { w.lose(h) })
			}
			if a.To > w.from {
				w.later(a.To, func() {
					if w.present(h, w.now) {
						w.connect(h)
					}
				})
			}
		}
	}
}

func (w *world) present(h *host, at period.Instant) bool {
	for _, declared := range w.behaviour.outcomes.Agents {
		if declared.Name == h.Name && slices.ContainsFunc(declared.Away, func(a flow.Absence) bool { return away(a, at) }) {
			return false
		}
	}
	return true
}

// advance lets everything happen up to an instant, it included.
func (w *world) advance(ctx context.Context, until period.Instant) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		wake, timed := w.m.NextWake()
		switch list := w.events.list; {
		case len(list) > 0 && list[0].at <= until && (!timed || list[0].at <= wake):
			e := w.events.pop()
			w.now = max(w.now, e.at)
			e.do()
		case timed && wake <= until:
			w.now = max(w.now, wake)
			w.handle(core.Tick{}, Cause{Kind: BySchedule})
		default:
			w.now = max(w.now, until)
			return nil
		}
	}
}

// handle applies an event that nobody waits for an answer to.
func (w *world) handle(ev core.Event, by Cause) { _, _ = w.operate(ev, by) }

// operate applies an event, and all that follows from it at once. Everything that is released meanwhile is released by the cause. Reply
// and error are those of an operator's event.
func (w *world) operate(ev core.Event, by Cause) (any, error) {
	reply, err := w.round(ev, by)
	for len(w.next) > 0 {
		follows := w.next[0]
		w.next = w.next[1:]
		cause := by
		if p, ok := follows.(core.Probed); ok && by.Kind == BySchedule { // it was looked at because its time had come
			cause = Cause{Kind: ByPath, Ref: p.Paths[0].Path}
		}
		_, _ = w.round(follows, cause) // which is no operator's
	}
	return reply, err
}

// round applies one event, commits what changed and performs the effects.
func (w *world) round(ev core.Event, by Cause) (any, error) {
	reply, err := w.m.Handle(w.now, ev)
	out := w.m.Take()
	if w.record != nil {
		w.record(step{at: w.now, event: ev, output: out})
	}
	w.ledger.Apply(&out.Changes)
	w.trace.follow(w.now, &out.Changes, by)
	w.perform(out)
	w.m.Done()
	return reply, err
}

// perform does what a round asks for.
func (w *world) perform(out *core.Output) {
	for _, name := range sorted(out.Assign) {
		for _, as := range out.Assign[name] {
			w.begin(w.byName[name], as)
		}
	}
	for _, name := range sorted(out.Ack) {
		for _, id := range out.Ack[name] {
			delete(w.byName[name].held, id)
		}
	}
	for _, name := range sorted(out.Kill) {
		for _, id := range out.Kill[name] {
			w.kill(w.byName[name], id)
		}
	}
	for _, name := range sorted(out.Probe) {
		w.probe(w.byName[name], out.Probe[name])
	}
	for i := range out.Questions {
		w.askGate(&out.Questions[i])
	}
	for _, s := range out.Silences {
		w.later(w.now.Add(s.After), func() { w.handle(s, Cause{Kind: ByAgent, Ref: s.Agent}) })
	}
	for _, q := range out.Existing {
		w.then(core.ExistingAnswered{Backfill: q.Backfill, Keys: q.Keys, Found: w.ledger.Existing(q.Keys)})
	}
	if len(out.Lookups) > 0 {
		keys := slices.Clone(out.Lookups)
		w.then(core.LedgerAnswered{Keys: keys, Answers: w.lookUp(keys)})
	}
	if ids := w.ledger.Waiting(out.Wake); len(ids) > 0 {
		w.then(core.Loaded{Rows: w.ledger.LoadRuns(ids)})
	}
	if len(out.Overdue) > 0 {
		w.then(core.Overdue{Rows: w.ledger.LoadRuns(slices.Clone(out.Overdue))})
	}
}

// askGate lets a gate answer as the outcomes say, at once or later.
func (w *world) askGate(q *engine.GateQuestion) {
	o := w.behaviour.gate(q.Flow + "/" + q.Task)
	report := engine.GateReport{GateKey: q.GateKey}
	if !o.Never {
		report.Answer = &engine.GateAnswer{Release: !o.Refuse}
	}
	if o.At <= w.now {
		w.then(core.GateReported{GateReport: report})
		return
	}
	address := engine.GateAddress(q.URL)
	w.later(o.At, func() { w.handle(core.GateReported{GateReport: report}, Cause{Kind: ByGate, Ref: address}) })
}

// lookUp answers from the ledger, and for what was before it from what is taken for granted.
func (w *world) lookUp(keys []engine.LedgerKey) []engine.LedgerAnswer {
	answers := w.ledger.Outcomes(keys)
	for i, k := range keys {
		a := &answers[i]
		if k.Signal != "" {
			*a = engine.LedgerAnswer{Found: w.behaviour.isSet(w.project.Signals[k.Signal], k.Start, w.now)}
			a.Outcome = engine.Outcome{Start: k.Start, State: engine.Succeeded}
			continue
		}
		if a.Found || a.NoTask || w.missing {
			continue
		}
		f := w.project.Flow(k.Flow)
		if f == nil || f.Task(k.Task) == nil {
			continue
		}
		if k.Latest {
			*a = w.behaviour.past(f, f.Task(k.Task), w.from-1)
		} else if _, run := w.ledger.Highest(k.Flow, k.Start); run == nil && w.isPast(f, k.Start) {
			*a = w.behaviour.past(f, f.Task(k.Task), k.Start)
		}
	}
	return answers
}

// isPast tells whether a period was due before the simulation.
func (w *world) isPast(f *flow.Flow, start period.Instant) bool {
	p, ok := f.Schedule.Containing(start)
	if !ok { // an empty period: that of a flow that runs once
		p = period.Period{Kind: f.Schedule.Kind(), Start: start, End: start}
	}
	return f.Schedule.Due(p) < w.from
}

// then adds an event that follows at once.
func (w *world) then(ev core.Event) { w.next = append(w.next, ev) }

// later plans something for an instant.
func (w *world) later(at period.Instant, do func()) { w.events.plan(at, do) }

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
