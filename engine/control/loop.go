package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/alert"
	"flowctl/engine/core"
)

const (
	// queued is how many events may wait before those who bring more have to wait themselves.
	queued = 4096
	// batch is how many events share a commit at most.
	batch = 2048
)

// Options are what a loop works with.
type Options struct {
	Store engine.Store
	Fleet engine.Fleet
	// Revision compiles a stored revision, for runs that still follow it.
	Revision func(ctx context.Context, id engine.RevisionID) (*core.Revision, error)
	// Gates is given the questions to quality gates; what becomes of them comes back through Gate. nil = none can be asked.
	Gates func(qs []engine.GateQuestion)
	// Deliver sends an alert by a channel of the active project and tells what became of it; nil = alerts wait. Its context ends with the loop.
	Deliver func(context.Context, *flow.Project, *engine.Delivery) alert.Receipt
	// Ended is told the attempts whose end is stored; nil = nobody wants to know.
	Ended func(ids ...engine.AttemptID)
	// RedispatchAfter is core.Machine's.
	RedispatchAfter time.Duration
	Now             func() time.Time
	Log             *slog.Logger
}

// Loop owns the machine of one reign.
type Loop struct {
	Options
	term     int64
	machine  *core.Machine
	desk     *alert.Desk
	sending  context.Context // ends with the loop
	unsend   context.CancelFunc
	senders  sync.WaitGroup
	requests chan request
	answers  []answer // of the batch, given after its commit
	ended    chan struct{}
	watchers watchers
	direct   func(core.Event) (any, error) // nil = the loop runs; see Direct
}

// request is an event, or work that needs the loop's goroutine.
type request struct {
	event core.Event
	// prepare makes the event from what is stored, with no event between.
	prepare func() (core.Event, error)
	query   func(*core.Machine)
	desk    func(*alert.Desk, period.Instant) error
	reply   chan<- result // nil = nobody waits
}

type result struct {
	value any
	err   error
}

type answer struct {
	to chan<- result
	result
}

// New takes the lead, rebuilds the machine from the store and catches up with the time that passed.
func New(ctx context.Context, o Options) (*Loop, error) {
	l := &Loop{Options: o, requests: make(chan request, queued), ended: make(chan struct{})}
	var err error
	if l.term, err = o.Store.Lead(ctx); err != nil {
		return nil, fmt.Errorf("take the lead: %w", err)
	}
	snapshot, err := o.Store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the state: %w", err)
	}
	revisions := map[engine.RevisionID]*core.Revision{}
	for _, id := range core.Revisions(snapshot) {
		if revisions[id], err = o.Revision(ctx, id); err != nil {
			return nil, fmt.Errorf("compile revision %d again: %w", id, err)
		}
	}
	if l.machine, err = core.Restore(period.At(o.Now()), snapshot, revisions); err != nil {
		return nil, fmt.Errorf("rebuild the machine: %w", err)
	}
	l.machine.RedispatchAfter = o.RedispatchAfter
	l.desk = alert.NewDesk(period.At(o.Now()), &snapshot.Outbox)
	l.sending, l.unsend = context.WithCancel(context.WithoutCancel(ctx))
	l.handle(request{event: core.Boot{}})
	if len(snapshot.Woken) > 0 {
		rows, err := l.load(ctx, snapshot.Woken)
		if err != nil {
			return nil, err
		}
		l.handle(request{event: core.Loaded{Rows: rows}})
	}
	return l, nil
}

// Term is the number of the loop's reign.
func (l *Loop) Term() int64 { return l.term }

// Run handles events until ctx ends, which is no error, or a commit fails.
func (l *Loop) Run(ctx context.Context) error {
	defer l.end()
	wake := time.NewTimer(0)
	defer wake.Stop()
	for {
		if err := l.flush(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		l.arm(wake)
		select {
		case <-ctx.Done():
			return nil
		case <-wake.C:
			l.handle(request{event: core.Tick{}})
		case r := <-l.requests:
			if err := l.take(ctx, r); err != nil {
				return err
			}
		}
		if err := l.drain(ctx); err != nil {
			return err
		}
	}
}

// drain handles what has gathered, without waiting.
func (l *Loop) drain(ctx context.Context) error {
	for range batch {
		select {
		case r := <-l.requests:
			if err := l.take(ctx, r); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// take handles one request. What needs the stored state sees all that was handled before.
func (l *Loop) take(ctx context.Context, r request) error {
	if r.prepare != nil {
		if err := l.flush(context.WithoutCancel(ctx)); err != nil {
			l.answers = append(l.answers, answer{r.reply, result{err: err}})
			return err
		}
	}
	l.handle(r)
	return nil
}

// arm sets the timer to the machine's next wake.
func (l *Loop) arm(wake *time.Timer) {
	at, ok := l.machine.NextWake()
	if t, told := l.desk.NextWake(); told && (!ok || t < at) {
		at, ok = t, true
	}
	if !ok {
		wake.Stop()
		return
	}
	wake.Reset(max(0, at.Time().Sub(l.Now())))
}

// handle applies one request to the machine.
func (l *Loop) handle(r request) {
	if r.query != nil {
		r.query(l.machine)
		r.reply <- result{}
		return
	}
	if r.desk != nil {
		err := r.desk(l.desk, period.At(l.Now()))
		l.answers = append(l.answers, answer{r.reply, result{err: err}})
		return
	}
	ev, err := r.event, error(nil)
	var value any
	if r.prepare != nil {
		ev, err = r.prepare()
	}
	if err == nil {
		value, err = l.machine.Handle(period.At(l.Now()), ev)
	}
	if r.reply != nil {
		l.answers = append(l.answers, answer{r.reply, result{value, err}})
	}
}

// flush commits what the machine changed, performs the effects, and goes on until no question is open.
func (l *Loop) flush(ctx context.Context) error {
	for {
		out := l.machine.Take()
		if err := l.tell(ctx, &out.Changes); err != nil {
			return err
		}
		if !out.Changes.Empty() {
			if err := l.Store.Commit(ctx, l.term, &out.Changes); err != nil {
				return fmt.Errorf("commit: %w", err)
			}
			l.watchers.notify(&out.Changes)
			l.tellEnded(out.Changes.Attempts)
		}
		l.deliver()
		for _, a := range l.answers {
			a.to <- a.result
		}
		l.answers = l.answers[:0]
		if !out.Effects() {
			l.machine.Done()
			return nil
		}
		events, err := l.perform(ctx, out)
		if err != nil {
			return err
		}
		l.machine.Done()
		if len(events) == 0 {
			return nil
		}
		for _, ev := range events {
			l.handle(request{event: ev})
		}
	}
}

func (l *Loop) tellEnded(as []engine.Attempt) {
	if l.Ended == nil {
		return
	}
	for i := range as {
		if as[i].Finished != 0 {
			l.Ended(as[i].ID)
		}
	}
}

// sensors returns those of third parties that probes may ask: the active revision's.
func (l *Loop) sensors(probes map[string][]string) (found []*flow.Plugin) {
	active := l.machine.Active()
	if len(probes) == 0 || active == nil {
		return nil
	}
	for _, p := range active.Project.Plugins {
		if p.Kind == flow.SensorPlugin {
			found = append(found, p)
		}
	}
	return found
}

// perform does what a committed round asks for, and returns the answers to its questions.
func (l *Loop) perform(ctx context.Context, out *core.Output) ([]core.Event, error) {
	for agent, as := range out.Assign {
		l.Fleet.Assign(agent, as)
	}
	for agent, ids := range out.Kill {
		l.Fleet.Kill(agent, ids)
	}
	for agent, ids := range out.Recall {
		l.Fleet.Recall(agent, ids)
	}
	for agent, ids := range out.Ack {
		l.Fleet.Ack(agent, ids)
	}
	sensors := l.sensors(out.Probe)
	for agent, paths := range out.Probe {
		for call := range slices.Chunk(paths, core.ProbeBatch) {
			l.Fleet.Probe(agent, call, sensors)
		}
	}
	for _, s := range out.Soundings {
		l.Fleet.Probe(s.Agent, []string{s.Path}, nil) // sensors that come with flowctl
	}
	if l.Gates != nil && len(out.Questions) > 0 {
		l.Gates(out.Questions)
	}
	for _, s := range out.Silences {
		// On the clock of the runtime, which no change of the time of day moves.
		time.AfterFunc(s.After, func() { _ = l.Post(ctx, s) }) // when the loop has ended, the next one counts anew
	}
	var events []core.Event
	for _, q := range out.Existing {
		found, err := l.Store.Existing(ctx, q.Keys)
		if err != nil {
			return nil, fmt.Errorf("look up existing runs: %w", err)
		}
		events = append(events, core.ExistingAnswered{Backfill: q.Backfill, Keys: q.Keys, Found: found})
	}
	if len(out.Lookups) > 0 {
		keys := append([]engine.LedgerKey(nil), out.Lookups...)
		found, err := l.Store.Outcomes(ctx, keys)
		if err != nil {
			return nil, fmt.Errorf("look up outcomes: %w", err)
		}
		events = append(events, core.LedgerAnswered{Keys: keys, Answers: found})
	}
	if len(out.Wake) > 0 {
		rows, err := l.waiting(ctx, out.Wake)
		if err != nil {
			return nil, err
		}
		if rows != nil {
			events = append(events, core.Loaded{Rows: rows})
		}
	}
	if len(out.Overdue) > 0 {
		rows, err := l.load(ctx, out.Overdue)
		if err != nil {
			return nil, err
		}
		events = append(events, core.Overdue{Rows: rows})
	}
	return events, nil
}

// waiting loads the settled runs that wait for tasks which have succeeded now; nil when there are none.
func (l *Loop) waiting(ctx context.Context, keys []engine.LedgerKey) (*engine.Snapshot, error) {
	ids, err := l.Store.Waiting(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("look up waiting runs: %w", err)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return l.load(ctx, ids)
}

// load reads runs that have left memory, with the revisions they follow.
func (l *Loop) load(ctx context.Context, ids []engine.RunID) (*engine.Snapshot, error) {
	rows, err := l.Store.LoadRuns(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("load runs: %w", err)
	}
	for _, r := range rows.Runs {
		if _, err := l.hold(ctx, r.Revision); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// hold returns a revision, which the machine then holds.
func (l *Loop) hold(ctx context.Context, id engine.RevisionID) (*core.Revision, error) {
	if rev := l.machine.Revision(id); rev != nil {
		return rev, nil
	}
	rev, err := l.Options.Revision(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("compile revision %d again: %w", id, err)
	}
	l.machine.Hold(rev)
	return rev, nil
}

// end answers all who still wait.
func (l *Loop) end() {
	l.unsend()
	close(l.ended)
	for _, a := range l.answers {
		a.to <- result{err: errStopping}
	}
	for {
		select {
		case r := <-l.requests:
			if r.reply != nil {
				r.reply <- result{err: errStopping}
			}
		default:
			l.senders.Wait()
			return
		}
	}
}

// errStopping is what callers get whose request the loop did not come to.
var errStopping = engine.Errorf(engine.Unavailable, "the server is stopping or taking over: try again in a moment")

// Post hands an event to the loop. It waits only while the loop's queue is full.
func (l *Loop) Post(ctx context.Context, ev core.Event) error {
	select {
	case <-l.ended: // the queue may still have room
		return errStopping
	default:
	}
	select {
	case l.requests <- request{event: ev}:
		return nil
	case <-l.ended:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Do hands an event to the loop and returns the machine's reply once the change is durable.
func (l *Loop) Do(ctx context.Context, ev core.Event) (any, error) {
	return l.call(ctx, request{event: ev})
}

// prepare is Do for an event that depends on what is stored: f makes it on the loop's goroutine, after all earlier changes
// are committed.
func (l *Loop) prepare(ctx context.Context, f func() (core.Event, error)) (any, error) {
	return l.call(ctx, request{prepare: f})
}

// Query calls f with the machine, which f must not change or keep.
func (l *Loop) Query(ctx context.Context, f func(*core.Machine)) error {
	_, err := l.call(ctx, request{query: f})
	return err
}

func (l *Loop) call(ctx context.Context, r request) (any, error) {
	if l.direct != nil {
		return l.now(r)
	}
	reply := make(chan result, 1)
	r.reply = reply
	select {
	case l.requests <- r:
	case <-l.ended:
		return nil, errStopping
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case res := <-reply:
		return res.value, res.err
	case <-l.ended:
		select {
		case res := <-reply:
			return res.value, res.err
		default:
			return nil, errStopping
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Joined implements engine.FleetEvents.
func (l *Loop) Joined(ctx context.Context, h engine.Hello) error {
	return l.Post(ctx, core.AgentJoined{Hello: h})
}

// Reported implements engine.FleetEvents.
func (l *Loop) Reported(ctx context.Context, agent string, rs []engine.Report) error {
	return l.Post(ctx, core.Reported{Agent: agent, Reports: rs})
}

// Probed implements engine.FleetEvents.
func (l *Loop) Probed(ctx context.Context, agent string, ps []engine.PathState) error {
	return l.Post(ctx, core.Probed{Agent: agent, Paths: ps})
}

// Beaten implements engine.FleetEvents.
func (l *Loop) Beaten(ctx context.Context, agent string, b engine.Beat) error {
	return l.Post(ctx, core.AgentBeat{Agent: agent, Beat: b})
}

// Gate notes what became of a question to a quality gate.
func (l *Loop) Gate(ctx context.Context, r engine.GateReport) error {
	return l.Post(ctx, core.GateReported{GateReport: r})
}

// Lost implements engine.FleetEvents.
func (l *Loop) Lost(ctx context.Context, agent string) {
	if err := l.Post(ctx, core.AgentLost{Agent: agent}); err != nil && !errors.Is(err, context.Canceled) {
		l.Log.Warn("an agent's loss could not be noted", "agent", agent, "err", err)
	}
}
