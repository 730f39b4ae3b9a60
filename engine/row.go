package engine

import (
	"math"
	"strconv"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// RunID numbers the runs of a server in the order of their creation, from 1.
type RunID int64

// AttemptID numbers the attempts of a server in the order of their assignment, from 1. It only grows, so it is the fencing
// token (FLOWCTL_FENCE) of the attempt as well.
type AttemptID int64

// RevisionID numbers the compiled commits of a server, from 1.
type RevisionID int64

// BackfillID numbers the backfills of a server, from 1.
type BackfillID int64

// Instants that are not known yet are zero in all rows below.

// Run is one version of one flow for one period.
type Run struct {
	ID       RunID
	Flow     string
	Period   period.Period
	Zone     string // of the schedule that cut the period
	Label    string // of the period
	Version  int    // from 1
	Kind     RunKind
	State    RunState
	Revision RevisionID
	Pinned   bool              // its first attempt started, so it stays at Revision
	Params   map[string]string // overrides of the flow's params; nil = none
	Backfill BackfillID        // 0 = none
	Partial  bool              // made by `run FLOW/TASK`: only some tasks take part
	Extra    bool              // satisfies no need, does not stand for its period
	Force    bool              // dependencies are skipped
	Created  period.Instant
	Due      period.Instant // the instant it was scheduled for; Created for all but scheduled runs
	Started  period.Instant // of the first attempt
	Finished period.Instant // when it settled
}

// Name returns warehouse.orders/load@2026-11-19#2, without the task when it is empty and without the version when it
// is 1.
func (r *Run) Name(task string) string {
	name := r.Flow
	if task != "" {
		name += "/" + task
	}
	name += "@" + r.Label
	if r.Version > 1 {
		name += "#" + strconv.Itoa(r.Version)
	}
	return name
}

// TaskRun is one task within a run.
type TaskRun struct {
	Run      RunID
	Task     string
	State    State
	Attempts int       // how many were assigned
	Attempt  AttemptID // the newest; 0 = none
	// From is the run whose task run this one stands for: a rerun creates the chosen tasks anew and takes the others by
	// reference. 0 = this run itself.
	From     RunID
	NextAt   period.Instant    // when Retrying ends
	Code     ErrorCode         // why it failed; empty = it did not
	Message  string            // for people
	Outputs  map[string]string // written to $FLOWCTL_OUTPUT or given by an operator
	Started  period.Instant
	Finished period.Instant
	// When it was marked as late: with its dependencies (dependency_timeout) and with its success (output_timeout).
	DependencyLate, OutputLate period.Instant
	// When its quality gate was asked, when the gate was known to have taken the question, and when it released the task run.
	GateAsked, GateTaken, GateReleased period.Instant
	Alerted                            bool // an event told of trouble with it, or with it in an older version, and none that it is over
}

// Attempt is one execution of a task run on one agent.
type Attempt struct {
	ID       AttemptID
	Run      RunID
	Task     string
	No       int // from 1 within the task run
	Agent    string
	Boot     string // the boot id of the agent's machine when it was assigned
	State    State  // Assigned, Running, Killing, Succeeded, Failed, Killed
	Code     ErrorCode
	Message  string
	ExitCode int // meaningful when the process ended by itself; -1 otherwise
	Assigned period.Instant
	Started  period.Instant
	Finished period.Instant
	MaxRSS   int64 // bytes; 0 = unknown
	CPU      int64 // microseconds of user and system time; 0 = unknown
	// Read and Written are the bytes that came from disks and went to them; 0 = unknown.
	Read, Written int64
}

// Outcome is one line of the ledger: how a task ended for a period. It is never purged.
type Outcome struct {
	Flow    string
	Task    string
	Start   period.Instant // of the period
	End     period.Instant
	Version int
	Run     RunID
	State   State // final states, UpstreamFailed, or Waiting when the run exists and has not ended
}

// FlowState is what the scheduler remembers of a flow besides its runs.
type FlowState struct {
	Flow string
	// Era is the instant since which each period of the present schedule is generated as it becomes due: since the flow has the
	// schedule, or since periods were left out because no server ran.
	Era      period.Instant
	Schedule string         // fingerprint of the schedule of this era
	Cursor   period.Instant // every period that ends at or before it was generated, or never will be
	Removed  bool           // not in the active revision
}

// BackfillState is where a backfill stands.
type BackfillState string

// The states of a backfill.
const (
	BackfillRunning   BackfillState = "running"
	BackfillPaused    BackfillState = "paused"
	BackfillCancelled BackfillState = "cancelled"
	BackfillDone      BackfillState = "done"
)

// BackfillRow is one cold start: a range of periods of some flows.
type BackfillRow struct {
	ID              BackfillID
	Revision        RevisionID
	Flows           []string
	From, To        string // as asked: period labels or dates, both inclusive
	MaxActive       int    // runs at once; 0 = the server's default
	MissingUpstream string // wait or ignore
	Reprocess       string // missing, failed, all
	State           BackfillState
	Total           int // periods it spans, those left alone included
	Created         int // runs created so far
	Skipped         int // periods left alone because a run exists
	Unfinished      int // those of them whose run had not ended
	Succeeded       int
	Failed          int
	Cursor          string // where materialisation goes on, opaque outside the core
	By              string
	CreatedAt       period.Instant
	FinishedAt      period.Instant
}

// AllPeriods is the start in the key of a pause that holds every period.
const AllPeriods = period.Instant(math.MinInt64)

// PauseKey names what is paused: a flow or a task, for all periods or for one, in all versions. Without a flow it is the platform's
// horizon: all that is scheduled after Start.
type PauseKey struct {
	Flow  string
	Task  string         // empty = all
	Start period.Instant // of the period, or AllPeriods
}

// Pause keeps what its key names from being dispatched until an operator resumes it.
type Pause struct {
	PauseKey
	Label string // of the period; empty = all
	At    period.Instant
	By    string
}

// Horizon tells whether the pause is the platform's horizon.
func (p *Pause) Horizon() bool { return p.Flow == "" }

// Target returns flow[/task][@period], as an operator named it; empty for the horizon.
func (p *Pause) Target() string { return Target{Flow: p.Flow, Task: p.Task, From: p.Label}.String() }

// Holds tells whether the pause keeps a task of a run from being dispatched; without a task, whether it does so with the whole run.
func (p *Pause) Holds(r *Run, task string) bool {
	if p.Horizon() {
		return r.Due > p.Start
	}
	return p.Flow == r.Flow && (p.Task == "" || p.Task == task) && (p.Start == AllPeriods || p.Start == r.Period.Start)
}

// Operation is one line of the operation log.
type Operation struct {
	ID     int64 // given by the store, from 1
	At     period.Instant
	By     string
	Verb   string
	Target string
	Detail string
}

// Event is something that alerts tell of, stored with the change that causes it. Fields that do not apply are zero.
type Event struct {
	ID       int64 // given by the store, from 1
	At       period.Instant
	Kind     flow.Event
	Flow     string
	Task     string
	Run      RunID
	Attempt  AttemptID
	Backfill BackfillID
	Agent    string
	Owner    string // whom it is for, when it is of no flow: a person, or oncall:TEAM
	// Key names what happened: the same thing always has the same key, and the store keeps the first event of a key.
	Key    string
	Detail string // for people

	// What routing needs beside, as it was then. It is not stored.
	Severity flow.Severity // of a platform event; empty = its usual one
	System   string        // outside, that a platform event is about
	Revision RevisionID    // that the run follows; 0 = the active one
	By       string        // who started the backfill
	Causes   []string      // flow/task@period of what holds the task run, at the ends of its chains of needs
}

// SignalRow says that a period of a third party's data was announced, or, with Unset, that it is not any more.
type SignalRow struct {
	Signal     string
	Start, End period.Instant // of the period
	Label      string
	At         period.Instant
	By         string
	Unset      bool // the row of this signal and period is removed
}

// Presence is what the scheduler remembers of an agent's stream.
type Presence struct {
	Agent string
	Lost  period.Instant // when the stream broke; 0 = it is open
	Told  bool           // an event told of the loss
}

// Drain keeps an agent from being given work until an operator lifts it. What runs there goes on.
type Drain struct {
	Agent  string
	At     period.Instant
	By     string
	Lifted bool // the row of this agent is removed
}

// Pace is how long the attempts of a task take that succeed, with the newest weighing most.
type Pace struct {
	Flow      string
	Task      string
	Count     int64 // successes it was learnt from
	Mean      int64 // microseconds
	Deviation int64 // microseconds: the mean distance from Mean
}

// Anomaly is an attempt that took unusually long or short, until a daily report has told its owner of it.
type Anomaly struct {
	Attempt AttemptID
	Name    string // of the task run
	Owner   string // a person, or oncall:TEAM
	At      period.Instant
	Took    int64 // microseconds
	State   State // as what it ended
	// What the task usually took then; Count 0 = not known.
	Count, Mean, Deviation int64
}

// Overdue says of a settled run when the next of its task runs will be late.
type Overdue struct {
	Run RunID
	At  period.Instant
}

// Changes is what one round of the scheduler changed: whole rows, of which the last one of a key counts. The store
// applies them in one transaction.
type Changes struct {
	Runs        []Run
	TaskRuns    []TaskRun
	NoRuns      []RunID      // runs that are no more, with all that tells of them
	NoTaskRuns  []TaskRunKey // task runs that are no more, nor their outcomes: their run follows a revision without them
	Attempts    []Attempt
	Waits       []Wait
	NoWaits     []RunID   // runs whose Waits are no more: they are active again, or superseded
	Overdue     []Overdue // At 0 = none of its task runs can be late any more
	Outcomes    []Outcome
	Flows       []FlowState
	Backfills   []BackfillRow
	Operations  []Operation
	Pauses      []Pause
	NoPauses    []PauseKey // pauses that are no more; none of them is in Pauses
	Events      []Event
	Presences   []Presence
	Drains      []Drain // in the order of what happened
	Paces       []Pace
	Anomalies   []Anomaly
	NoAnomalies []AttemptID // those that were reported; applied after Anomalies
	Signals     []SignalRow // in the order of what happened

	Alerts        []Alert
	Deliveries    []Delivery
	Silences      []Silence
	Subscriptions []Subscription
	Overrides     []Override
}

// Wait says that a settled run waits for a task of another run: when that one succeeds after all, the settled run is
// loaded again and goes on.
type Wait struct {
	Run   RunID // the settled run
	Flow  string
	Task  string         // empty: for the generation of the period, which completes a partial run
	Start period.Instant // of the upstream period
}

// TaskRunKey names a task run.
type TaskRunKey struct {
	Run  RunID
	Task string
}

// Empty tells whether there is nothing to store.
func (c *Changes) Empty() bool {
	return len(c.Runs)+len(c.NoRuns)+len(c.TaskRuns)+len(c.NoTaskRuns)+len(c.Attempts)+len(c.Waits)+len(c.NoWaits)+len(c.Outcomes)+len(c.Flows)+
		len(c.Backfills)+len(c.Operations)+len(c.Pauses)+len(c.NoPauses)+len(c.Events)+len(c.Presences)+len(c.Drains)+len(c.Paces)+len(c.Signals)+len(c.Overdue)+len(c.Anomalies)+len(c.NoAnomalies)+
		len(c.Alerts)+len(c.Deliveries)+len(c.Silences)+len(c.Subscriptions)+len(c.Overrides) == 0
}

// Reset empties c and keeps its memory.
func (c *Changes) Reset() {
	c.Runs = c.Runs[:0]
	c.TaskRuns = c.TaskRuns[:0]
	c.NoRuns = c.NoRuns[:0]
	c.NoTaskRuns = c.NoTaskRuns[:0]
	c.Attempts = c.Attempts[:0]
	c.Waits = c.Waits[:0]
	c.NoWaits = c.NoWaits[:0]
	c.Outcomes = c.Outcomes[:0]
	c.Flows = c.Flows[:0]
	c.Backfills = c.Backfills[:0]
	c.Operations = c.Operations[:0]
	c.Pauses = c.Pauses[:0]
	c.NoPauses = c.NoPauses[:0]
	c.Events = c.Events[:0]
	c.Presences = c.Presences[:0]
	c.Drains = c.Drains[:0]
	c.Paces = c.Paces[:0]
	c.Signals = c.Signals[:0]
	c.Overdue = c.Overdue[:0]
	c.Anomalies = c.Anomalies[:0]
	c.NoAnomalies = c.NoAnomalies[:0]
	c.Alerts = c.Alerts[:0]
	c.Deliveries = c.Deliveries[:0]
	c.Silences = c.Silences[:0]
	c.Subscriptions = c.Subscriptions[:0]
	c.Overrides = c.Overrides[:0]
}
