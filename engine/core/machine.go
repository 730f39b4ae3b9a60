package core

import (
	"fmt"
	"time"

	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// Machine is the scheduler's state. It is not safe for concurrent use: one goroutine owns it.
type Machine struct {
	// RedispatchAfter is how long a connected agent has for the start of an attempt before it is asked to give the attempt back, for another
	// agent. 0 = as long as it takes.
	RedispatchAfter time.Duration

	now      period.Instant
	programs expr.Programs

	active    *Revision
	revisions map[engine.RevisionID]*Revision
	ids       map[string]int32 // task ids, interned: flow/task
	plans     map[*flow.Flow]*plan

	flows      map[string]*flowState
	runs       map[engine.RunID]*run
	loose      map[engine.RunID]*run         // those that are not pinned to a revision
	attempts   map[engine.AttemptID]*taskRun // the live ones
	live       map[pointKey]*taskRun         // the same, by task and period
	behind     map[pointKey][]*taskRun       // what waits for their ends in other versions
	points     map[pointKey]*point
	watches    map[watchKey]*watch
	outlooks   []*outlook // of the selectors of watches, in the order of their making
	agents     map[string]*agent
	fleet      []*agent          // the same, by name
	queues     map[string]*queue // ready task runs by what they ask of an agent
	queueList  []*queue          // the same, in the order of their making
	limits     map[int32]*limit  // by task id
	pools      map[string]*pool
	paces      map[int32]*pace // by task id
	backfills  map[engine.BackfillID]*backfill
	pauses     map[engine.PauseKey]*engine.Pause
	horizon    *engine.Pause // one of them; nil = none
	timers     timers
	anomalies  map[engine.AttemptID]engine.Anomaly // that no daily report has told of
	zones      map[string]*time.Location           // of owners, by the active revision
	nextReport period.Instant                      // of the timer of the next daily report; 0 = there is none
	lates      map[engine.RunID]period.Instant     // settled runs of which a task run will be late, or is: see Output.Overdue
	patrolAt   period.Instant                      // of the timer that looks for attempts that take too long; 0 = there is none
	recallAt   period.Instant                      // of the timer that looks for attempts that do not start; 0 = there is none
	soundings  []*sounding                         // systems outside
	slow       time.Duration                       // an answer of one of them that takes longer is trouble
	inquiries  int                                 // questions about runs that are not answered
	made       map[engine.RunKey]*run              // the newest run of each period since the oldest of them

	lastRun      engine.RunID
	lastAttempt  engine.AttemptID
	lastBackfill engine.BackfillID

	restoring bool // runs are taken up: nobody is admitted in the order of taking

	// Work left within the event being handled.
	stirred      []*taskRun // to be evaluated
	emptied      []*run     // may have settled
	thirsty      []*backfill
	found        []*run   // taken up for an operator
	misgenerated []string // runs that could not be made as their flows say
	lookable     bool     // a path is due, or an agent may be asked about more, since paths were last given to agents

	// Changed since the last Take.
	dirtyRuns      []*run
	dirtyTasks     []*taskRun
	dirtyAttempts  []*taskRun
	dirtyFlows     []*flowState
	dirtyBackfills []*backfill
	dirtyPauses    []engine.PauseKey
	dirtyPaces     []*pace
	out            Output
}

// New returns a machine that knows nothing.
func New() *Machine {
	return &Machine{
		revisions: map[engine.RevisionID]*Revision{},
		ids:       map[string]int32{},
		plans:     map[*flow.Flow]*plan{},
		flows:     map[string]*flowState{},
		runs:      map[engine.RunID]*run{},
		loose:     map[engine.RunID]*run{},
		attempts:  map[engine.AttemptID]*taskRun{},
		live:      map[pointKey]*taskRun{},
		behind:    map[pointKey][]*taskRun{},
		points:    map[pointKey]*point{},
		watches:   map[watchKey]*watch{},
		agents:    map[string]*agent{},
		queues:    map[string]*queue{},
		limits:    map[int32]*limit{},
		pools:     map[string]*pool{},
		paces:     map[int32]*pace{},
		backfills: map[engine.BackfillID]*backfill{},
		pauses:    map[engine.PauseKey]*engine.Pause{},
		made:      map[engine.RunKey]*run{},
		zones:     map[string]*time.Location{},
		anomalies: map[engine.AttemptID]engine.Anomaly{},
		lates:     map[engine.RunID]period.Instant{},
		out: Output{
			Assign: map[string][]*engine.Assignment{},
			Kill:   map[string][]engine.AttemptID{},
			Recall: map[string][]engine.AttemptID{},
			Ack:    map[string][]engine.AttemptID{},
			Probe:  map[string][]string{},
		},
	}
}

// Handle applies one event at an instant. Time never goes back: an earlier now counts as the latest one seen. Operator events answer with a reply, or
// with an *engine.Error and no change; other events do neither.
func (m *Machine) Handle(now period.Instant, ev Event) (reply any, err error) {
	m.now = max(m.now, now)
	switch ev := ev.(type) {
	case Tick:
	case Boot:
		m.boot()
		for _, a := range m.fleet {
			m.awaitSilence(a)
		}
	case Activated:
		m.activate(ev.Revision)
	case AgentJoined:
		m.join(ev.Hello)
	case AgentLost:
		m.lose(ev.Agent)
	case AgentBeat:
		m.beat(ev)
	case Silent:
		m.silent(ev)
	case Reported:
		m.reported(ev.Agent, ev.Reports)
	case Probed:
		m.probed(ev.Agent, ev.Paths)
	case Sound:
		m.sound(ev)
	case LedgerAnswered:
		m.answered(ev)
	case ExistingAnswered:
		m.materialise(ev)
	case Loaded:
		m.loaded(ev.Rows)
	case Overdue:
		m.lateAfterAll(ev.Rows)
	case StartRun:
		reply, err = m.startRun(ev)
	case Rerun:
		reply, err = m.rerun(ev)
	case Reruns:
		reply, err = m.reruns(ev)
	case Kill:
		reply, err = m.kill(ev)
	case Succeed:
		reply, err = m.succeed(ev)
	case Skip:
		reply, err = m.skip(ev)
	case Delete:
		reply, err = m.remove(ev)
	case Pause:
		reply, err = m.pause(ev)
	case Resume:
		reply, err = m.resume(ev)
	case DeclareDead:
		reply, err = m.declareDead(ev)
	case Drain:
		m.drain(ev)
	case Missing:
		m.tellMissing(ev.Expectation)
	case Observed:
		m.tell(ev.Event)
	case Noted:
		m.log(ev.By, ev.Verb, ev.Target, ev.Detail)
	case StartBackfill:
		reply, err = m.startBackfill(ev)
	case ControlBackfill:
		reply, err = m.controlBackfill(ev)
	case SetSignal:
		reply, err = m.setSignal(ev)
	case GateReported:
		m.gateReported(ev.GateReport)
	case AnswerGate:
		reply, err = m.answerGate(ev)
	default:
		panic(fmt.Sprintf("core: unknown event %T", ev))
	}
	m.elapse()
	m.tellRound()
	m.quiesce()
	m.keepUpFound()
	return reply, err
}

// quiesce does all the work that the event left, until nothing can move.
func (m *Machine) quiesce() {
	for {
		switch {
		case len(m.stirred) > 0:
			t := m.stirred[len(m.stirred)-1]
			m.stirred = m.stirred[:len(m.stirred)-1]
			t.stirred = false
			m.evaluate(t)
		case len(m.emptied) > 0:
			r := m.emptied[len(m.emptied)-1]
			m.emptied = m.emptied[:len(m.emptied)-1]
			r.emptied = false
			m.settle(r)
		case m.dispatch():
		default:
			m.ask()
			return
		}
	}
}

// NextWake returns the instant at which the next Tick is due, false when only events can move anything.
func (m *Machine) NextWake() (period.Instant, bool) { return m.timers.next() }

// Take returns what changed since the last call. The output is valid until the next call of Handle.
func (m *Machine) Take() *Output {
	c := &m.out.Changes
	for _, r := range m.dirtyRuns {
		r.dirty = false
		c.Runs = append(c.Runs, r.row)
	}
	for _, t := range m.dirtyTasks {
		t.dirty = false
		c.TaskRuns = append(c.TaskRuns, t.row)
	}
	for _, t := range m.dirtyAttempts {
		t.attemptDirty = false
		c.Attempts = append(c.Attempts, t.attempt)
	}
	for _, f := range m.dirtyFlows {
		f.dirty = false
		c.Flows = append(c.Flows, f.row)
	}
	for _, b := range m.dirtyBackfills {
		b.dirty = false
		c.Backfills = append(c.Backfills, b.row)
	}
	for _, k := range m.dirtyPauses {
		if p := m.pauses[k]; p != nil {
			c.Pauses = append(c.Pauses, *p)
		} else {
			c.NoPauses = append(c.NoPauses, k)
		}
	}
	for _, p := range m.dirtyPaces {
		p.dirty = false
		c.Paces = append(c.Paces, p.row)
	}
	m.dirtyRuns = m.dirtyRuns[:0]
	m.dirtyTasks = m.dirtyTasks[:0]
	m.dirtyAttempts = m.dirtyAttempts[:0]
	m.dirtyFlows = m.dirtyFlows[:0]
	m.dirtyBackfills = m.dirtyBackfills[:0]
	m.dirtyPauses = m.dirtyPauses[:0]
	m.dirtyPaces = m.dirtyPaces[:0]
	return &m.out
}

// Done tells the machine that the output of Take was stored and may be forgotten.
func (m *Machine) Done() { m.out.reset() }

func (m *Machine) touchRun(r *run) {
	if !r.dirty {
		r.dirty = true
		m.dirtyRuns = append(m.dirtyRuns, r)
	}
}

func (m *Machine) touchTask(t *taskRun) {
	if !t.dirty {
		t.dirty = true
		m.dirtyTasks = append(m.dirtyTasks, t)
	}
}

func (m *Machine) touchAttempt(t *taskRun) {
	if !t.attemptDirty {
		t.attemptDirty = true
		m.dirtyAttempts = append(m.dirtyAttempts, t)
	}
}

// stir asks for a task run to be evaluated before the event is over.
func (m *Machine) stir(t *taskRun) {
	if !t.stirred {
		t.stirred = true
		m.stirred = append(m.stirred, t)
	}
}

func (m *Machine) log(by, verb, target, detail string) {
	m.out.Changes.Operations = append(m.out.Changes.Operations,
		engine.Operation{At: m.now, By: by, Verb: verb, Target: target, Detail: detail})
}

// intern numbers a task, named flow/task.
func (m *Machine) intern(id string) int32 {
	n, ok := m.ids[id]
	if !ok {
		n = int32(len(m.ids))
		m.ids[id] = n
	}
	return n
}

// Active returns the revision that new runs follow, nil when there is none yet.
func (m *Machine) Active() *Revision { return m.active }

// Cursor returns up to when the periods of a flow have been generated; 0 when the flow is unknown.
func (m *Machine) Cursor(name string) period.Instant {
	if f := m.flows[name]; f != nil {
		return f.row.Cursor
	}
	return 0
}
