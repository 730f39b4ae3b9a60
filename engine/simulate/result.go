package simulate

import (
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

// Result is what a simulation came to. Lists are never nil; instants are UTC, and nil when they have not come.
type Result struct {
	From     time.Time    `json:"from"`
	To       time.Time    `json:"to"`
	Seed     uint64       `json:"seed"`
	Totals   Totals       `json:"totals"`
	Flows    []FlowSum    `json:"flows"`    // by name; those that had runs
	Runs     []Run        `json:"runs"`     // by creation
	Failures []FailureSum `json:"failures"` // the most frequent first
	Events   []Event      `json:"events"`   // that alerts would tell of, in the order in which they happened
	Agents   []Use        `json:"agents"`   // by name
	Pools    []Use        `json:"pools"`    // by name; those that tasks use
	Refusals []Refusal    `json:"refused"`  // actions that were refused
	// Assumed names outputs as flow/task.output that expressions read and the outcomes do not give: they were taken to be 0.
	Assumed []string `json:"assumed"`
	// Idle names paths of the outcomes that no task run waited for.
	Idle []string `json:"idle_paths"`
	// IdleSignals names signals of the outcomes that no task run waited for.
	IdleSignals []string `json:"idle_signals"`
}

// Totals counts over all flows.
type Totals struct {
	Runs       int     `json:"runs"`
	Succeeded  int     `json:"succeeded"`
	Failed     int     `json:"failed"`
	Unfinished int     `json:"unfinished"` // active at the end
	TaskRuns   int     `json:"task_runs"`
	Attempts   int     `json:"attempts"`
	BusyS      float64 `json:"busy_s"`   // of all attempts
	QueuedS    float64 `json:"queued_s"` // that ready task runs waited for a slot, a pool or their task's concurrency
}

// FlowSum is what the runs of a flow came to.
type FlowSum struct {
	Flow string `json:"flow"`
	Totals
	// Late is the time from the instant for which a run was scheduled to its end, over the runs that have ended.
	LateMedianS float64 `json:"late_median_s"`
	LateMaxS    float64 `json:"late_max_s"`
}

// Run is one run.
type Run struct {
	Name       string          `json:"name"`
	Flow       string          `json:"flow"`
	Period     string          `json:"period"`
	Kind       engine.RunKind  `json:"kind"`
	State      engine.RunState `json:"state"`
	DueAt      time.Time       `json:"due_at"`
	CreatedAt  time.Time       `json:"created_at"`
	StartedAt  *time.Time      `json:"started_at,omitempty"`
	FinishedAt *time.Time      `json:"finished_at,omitempty"`
	DelayS     float64         `json:"delay_s"` // from due to the first attempt; 0 when there was none
	LateS      float64         `json:"late_s"`  // from due to the end; 0 when it has not ended
	Tasks      []TaskRun       `json:"tasks"`   // in the order of the flow
	// CriticalPath holds the task runs that made the run end when it did, first to last: each was released by the end of the one before
	// it. It begins at the run's creation, so its first one may be of another run.
	CriticalPath []Link `json:"critical_path"`
}

// TaskRun is one task run.
type TaskRun struct {
	Name       string           `json:"name"`
	Task       string           `json:"task"`
	State      engine.State     `json:"state"`
	FinishedAt *time.Time       `json:"finished_at,omitempty"`
	Reason     string           `json:"reason,omitempty"` // why it failed
	Attempts   []Attempt        `json:"attempts"`
	ReadyAt    *time.Time       `json:"ready_at,omitempty"` // since when it waits for a slot at the end of the simulation
	Blockers   []engine.Blocker `json:"blockers,omitempty"` // what it waits for at the end of the simulation
}

// Attempt is one attempt.
type Attempt struct {
	No         int              `json:"no"`
	Agent      string           `json:"agent"`
	State      engine.State     `json:"state"`
	Reason     engine.ErrorCode `json:"reason,omitempty"`
	ReadyAt    time.Time        `json:"ready_at"`
	ReadyBy    Cause            `json:"ready_by"` // what it waited for until then
	AssignedAt time.Time        `json:"assigned_at"`
	AssignedBy Cause            `json:"assigned_by"` // what gave it a slot
	StartedAt  *time.Time       `json:"started_at,omitempty"`
	FinishedAt *time.Time       `json:"finished_at,omitempty"`
}

// Link is one task run of a critical path.
type Link struct {
	Name       string    `json:"name"`
	By         Cause     `json:"by"`             // what released it
	Slot       bool      `json:"slot,omitempty"` // it was ready before, and waited for a slot or for its task's concurrency
	ReadyAt    time.Time `json:"ready_at"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
}

// Event is something that alerts tell of.
type Event struct {
	At      time.Time  `json:"at"`
	Kind    flow.Event `json:"kind"`
	Subject string     `json:"subject"` // the task run, the flow or the agent
	Detail  string     `json:"detail,omitempty"`
}

// FailureSum counts the task runs of a task that failed for one reason.
type FailureSum struct {
	Task     string `json:"task"` // flow/task
	Reason   string `json:"reason"`
	TaskRuns int    `json:"task_runs"`
}

// Use is how busy an agent or a pool was.
type Use struct {
	Name  string  `json:"name"`
	Slots int     `json:"slots"` // 0 = unlimited
	Peak  int     `json:"peak"`
	Mean  float64 `json:"mean"`   // slots in use, over the whole time
	FullS float64 `json:"full_s"` // for how long all slots were in use
	Full  float64 `json:"full"`   // the same as a share of the whole time
	// WaitedS is how long ready task runs waited in all: for the pool, while too few of its slots were free; for the agent, those which it
	// could have taken, while neither their pool nor their task's concurrency held them back.
	WaitedS float64 `json:"waited_s"`
	Levels  []Level `json:"use"` // each change
}

// Level is how many slots are in use from an instant on.
type Level struct {
	At   time.Time `json:"at"`
	Used int       `json:"used"`
}

// Refusal is an action that was refused.
type Refusal struct {
	At      time.Time `json:"at"`
	Action  string    `json:"action"` // such as run shop@2026-11-25
	Message string    `json:"message"`
	Pos     flow.Pos  `json:"pos"`
}
