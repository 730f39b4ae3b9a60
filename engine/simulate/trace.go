package simulate

import (
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// CauseKind says what kind of event released a task run.
type CauseKind string

// The kinds of cause.
const (
	BySchedule CauseKind = "schedule" // its run was created
	ByTime     CauseKind = "time"     // the earliest start had come, or the delay before a retry was over
	ByEnd      CauseKind = "end"      // Ref, another task run, ended
	ByPath     CauseKind = "path"     // Ref, an input, was found
	ByGate     CauseKind = "gate"     // Ref, a quality gate, released it
	ByAgent    CauseKind = "agent"    // Ref, an agent, joined or was lost
	BySignal   CauseKind = "signal"   // Ref, a period of a signal, was set or unset
	ByRequest  CauseKind = "request"  // an operator did something
)

// Cause is the event that let a task run become ready, or that gave it a slot.
type Cause struct {
	Kind CauseKind `json:"kind"`
	Ref  string    `json:"ref,omitempty"`

	run     engine.RunID // of ByEnd
	task    string
	attempt engine.AttemptID
}

// trace remembers what a simulation went through. Rows come from the machine in the order of events, so it only appends.
type trace struct {
	runs    map[engine.RunID]*traced
	order   []*traced // by creation
	refused []Refusal
	events  []engine.Event
}

// traced is a run.
type traced struct {
	row   engine.Run
	tasks map[string]*tracedTask
}

// tracedTask is a task run.
type tracedTask struct {
	row      engine.TaskRun
	ready    moment // of the next attempt, once it is ready
	attempts []tracedAttempt
}

// moment is an instant with what happened at it.
type moment struct {
	at period.Instant // 0 = it has not come
	by Cause
}

type tracedAttempt struct {
	row      engine.Attempt
	ready    moment
	assigned moment
}

// refuse notes that an operator's action was refused.
func (tr *trace) refuse(at period.Instant, a *flow.Action, why string) {
	tr.refused = append(tr.refused, Refusal{At: at.Time(), Action: a.String(), Message: why, Pos: a.Pos})
}

func newTrace() trace { return trace{runs: map[engine.RunID]*traced{}} }

// follow takes the changes of a round that an event caused.
func (tr *trace) follow(now period.Instant, c *engine.Changes, by Cause) {
	for _, row := range c.Runs {
		r := tr.runs[row.ID]
		if r == nil {
			r = &traced{tasks: map[string]*tracedTask{}}
			tr.runs[row.ID] = r
			tr.order = append(tr.order, r)
		}
		r.row = row
	}
	for _, row := range c.TaskRuns {
		r := tr.runs[row.Run]
		t := r.tasks[row.Task]
		if t == nil {
			t = &tracedTask{}
			r.tasks[row.Task] = t
		}
		t.follow(row, moment{now, by.seenBy(r, now)})
	}
	tr.events = append(tr.events, c.Events...)
	for _, row := range c.Attempts {
		tr.attempt(row, moment{now, by.seenBy(tr.runs[row.Run], now)})
	}
}

// seenBy makes the cause that of a run: what happens as it is created happens by its creation, what a timer does later by the time.
func (c Cause) seenBy(r *traced, now period.Instant) Cause {
	switch {
	case c.Kind == ByPath && r.row.Created == now:
		return Cause{Kind: BySchedule}
	case c.Kind == BySchedule && r.row.Created != now:
		return Cause{Kind: ByTime}
	}
	return c
}

func (t *tracedTask) follow(row engine.TaskRun, m moment) {
	t.row = row
	switch row.State {
	case engine.Ready, engine.Assigned:
		if t.ready.at == 0 {
			t.ready = m
		}
	case engine.Waiting, engine.Retrying, engine.UpstreamFailed:
		t.ready = moment{}
	}
}

func (tr *trace) attempt(row engine.Attempt, m moment) {
	t := tr.runs[row.Run].tasks[row.Task]
	if n := len(t.attempts); n > 0 && t.attempts[n-1].row.ID == row.ID {
		t.attempts[n-1].row = row
		return
	}
	t.attempts = append(t.attempts, tracedAttempt{row: row, ready: t.ready, assigned: m})
	t.ready = moment{}
}
