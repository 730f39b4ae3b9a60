package engine

import (
	"context"
	"io"
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// Service is what people and programs can ask of a server. The server implements it over its machine and store, the HTTP client over
// the API, so that a command does not care which it has. Errors are *Error where the caller can do something about them.
//
// The JSON form of the types is the API: snake_case names, RFC 3339 instants in UTC, durations in seconds with the suffix
// _s.
type Service interface {
	// Sync follows the repository now and returns the newest revision: active, or rejected with its diagnostics.
	Sync(ctx context.Context) (*RevisionView, error)
	Revisions(ctx context.Context, p Page) (*List[RevisionView], error)
	Flows(ctx context.Context, p Page) (*List[FlowView], error)
	Flow(ctx context.Context, name string) (*FlowView, error)
	Tasks(ctx context.Context, flow string, p Page) (*List[TaskView], error) // flow empty = all

	Runs(ctx context.Context, q RunsQuery) (*List[RunView], error)
	// FindRuns resolves a target to runs: the highest version of each period unless the target names one.
	FindRuns(ctx context.Context, target string) ([]RunView, error)
	Run(ctx context.Context, id RunID) (*RunDetail, error)
	Attempts(ctx context.Context, q AttemptsQuery) (*List[AttemptView], error)
	// Explain says why each task run of the target stands where it stands.
	Explain(ctx context.Context, target string) (*Explanation, error)
	// Logs copies the log of an attempt to w, from offset; with follow it goes on until the attempt ends.
	Logs(ctx context.Context, id AttemptID, offset int64, follow bool, w io.Writer) error
	// LogTimes says when the log of an attempt arrived.
	LogTimes(ctx context.Context, id AttemptID) (*LogTimes, error)

	StartRun(ctx context.Context, r StartRun) (*RunView, error)
	Rerun(ctx context.Context, r RerunRequest) ([]RunView, error)
	Kill(ctx context.Context, target string) ([]TaskRunView, error)
	Succeed(ctx context.Context, r SucceedRequest) ([]TaskRunView, error)
	// Skip lets the target's task runs that did not succeed count as done.
	Skip(ctx context.Context, target string) ([]TaskRunView, error)
	// Delete removes the runs of the target that have not started.
	Delete(ctx context.Context, r DeleteRequest) (*Deletion, error)
	// Pause keeps what the request names from being dispatched until it is resumed, and returns what it paused.
	Pause(ctx context.Context, r PauseRequest) ([]PauseView, error)
	// Resume takes pauses back and returns them; ScheduledAfter has no meaning for it.
	Resume(ctx context.Context, r PauseRequest) ([]PauseView, error)
	Pauses(ctx context.Context, p Page) (*List[PauseView], error)
	// WatchRun calls f with the run now and after every change of its state or of its task runs' states, until it
	// settles, f returns an error, or ctx ends.
	WatchRun(ctx context.Context, id RunID, f func(RunDetail) error) error

	StartBackfill(ctx context.Context, r BackfillRequest) (*BackfillView, error)
	PreviewBackfill(ctx context.Context, r BackfillRequest) (*BackfillPreview, error)
	Backfills(ctx context.Context, p Page) (*List[BackfillView], error)
	Backfill(ctx context.Context, id BackfillID) (*BackfillView, error)
	// ControlBackfill does verb: pause, resume or cancel.
	ControlBackfill(ctx context.Context, id BackfillID, verb string) (*BackfillView, error)
	// WatchBackfill is WatchRun for backfills; it ends when the backfill is done or cancelled.
	WatchBackfill(ctx context.Context, id BackfillID, f func(BackfillView) error) error

	Agents(ctx context.Context, p Page) (*List[AgentView], error)
	Agent(ctx context.Context, name string) (*AgentDetail, error)
	// AgentToken makes a one-time token with which one agent can join.
	AgentToken(ctx context.Context, r AgentTokenRequest) (*AgentToken, error)
	// AgentTokens lists the tokens that can be used.
	AgentTokens(ctx context.Context, p Page) (*List[AgentTokenView], error)
	RevokeAgentToken(ctx context.Context, id string) error
	// ControlAgent does verb: drain, undrain or revoke.
	ControlAgent(ctx context.Context, name, verb string) (*AgentView, error)
	// DeclareDead settles as lost what an agent holds that is gone for good, and returns these attempts.
	DeclareDead(ctx context.Context, agent string) ([]AttemptView, error)
	Operations(ctx context.Context, q OperationsQuery) (*List[OperationView], error)
	Events(ctx context.Context, q EventsQuery) (*List[EventView], error)

	Alerts(ctx context.Context, q AlertsQuery) (*List[AlertView], error)
	// AckAlerts says that the caller looks after alerts, and returns those that nobody had acknowledged.
	AckAlerts(ctx context.Context, r AckRequest) ([]AlertView, error)
	Deliveries(ctx context.Context, q DeliveriesQuery) (*List[DeliveryView], error)
	Silences(ctx context.Context, p Page) (*List[SilenceView], error)
	// SilenceAlerts keeps everybody from being told of a flow or a task for some time; LiftSilence ends it early.
	SilenceAlerts(ctx context.Context, r SilenceRequest) (*SilenceView, error)
	LiftSilence(ctx context.Context, id SilenceID) (*SilenceView, error)
	Subscriptions(ctx context.Context, p Page) (*List[SubscriptionView], error)
	// Subscribe tells a person of a flow or a task from now on, or no more.
	Subscribe(ctx context.Context, r SubscribeRequest) (*SubscriptionView, error)
	// TestAlert sends a message by a channel and waits for what becomes of it.
	TestAlert(ctx context.Context, r TestAlertRequest) (*TestAlertView, error)
	// RouteAlert says who would be told of an event.
	RouteAlert(ctx context.Context, q RouteQuery) (*RouteView, error)
	// Oncall says who is on call, by team.
	Oncall(ctx context.Context, q OncallQuery) (*List[DutyView], error)
	// Overrides lists the overrides of on-call duty that operators made and that have not ended, by number.
	Overrides(ctx context.Context, p Page) (*List[OverrideView], error)
	// OverrideOncall lets somebody stand in on call for some time; EndOverride ends that early, or takes it back.
	OverrideOncall(ctx context.Context, r OverrideRequest) (*OverrideView, error)
	EndOverride(ctx context.Context, id OverrideID) (*OverrideView, error)

	// Signals lists the signals of the active revision; name empty = all.
	Signals(ctx context.Context, name string, p Page) (*List[SignalView], error)
	// SetSignal announces periods of a third party's data, or takes that back. What is so already stays as it is.
	SetSignal(ctx context.Context, r SignalRequest) (*SignalView, error)

	// AnswerGate takes the answer of a quality gate, which shows the token that it was given with the question. A token answers once.
	AnswerGate(ctx context.Context, token string, a GateAnswer) (*TaskRunView, error)
	// AnswerGates answers in place of the quality gates that the target's task runs wait for, and returns these.
	AnswerGates(ctx context.Context, r GateRequest) ([]TaskRunView, error)
}

// Page asks for a part of a list.
type Page struct {
	Cursor string
	Limit  int // 0 = 100, at most 1000
}

// List is a part of a list; Next is empty at its end.
type List[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next"`
}

// RevisionView is a compiled or rejected commit.
type RevisionView struct {
	ID          RevisionID        `json:"id"`
	Commit      string            `json:"commit"`
	Author      string            `json:"author"`
	Subject     string            `json:"subject"`
	CommittedAt time.Time         `json:"committed_at"`
	SeenAt      time.Time         `json:"seen_at"`
	State       string            `json:"state" enum:"active,superseded,rejected"`
	Flows       int               `json:"flows"`
	Diagnostics []diag.Diagnostic `json:"diagnostics" nullable:"false"`
}

// FlowView is a flow of the active revision.
type FlowView struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Team        string            `json:"team"`
	Owner       string            `json:"owner,omitempty"`
	Group       string            `json:"group,omitempty"`
	Folder      string            `json:"folder"`
	Labels      map[string]string `json:"labels,omitempty"`
	Priority    int               `json:"priority"`
	Enabled     bool              `json:"enabled"`
	Schedule    string            `json:"schedule"` // for people: "day at 00:01 Asia/Shanghai", "on demand"
	Kind        string            `json:"kind" enum:"demand,hour,day,week,month,cron,once"`
	Paused      bool              `json:"paused,omitempty"`  // as a whole
	NextAt      *time.Time        `json:"next_at,omitempty"` // when the next run is created
	Tasks       []string          `json:"tasks" nullable:"false"`
	File        string            `json:"file"`
	Line        int               `json:"line"`
}

// TaskView is a task of the active revision.
type TaskView struct {
	ID       string   `json:"id"` // flow/task
	Flow     string   `json:"flow"`
	Name     string   `json:"name"`
	Runner   string   `json:"runner"`
	Needs    []string `json:"needs" nullable:"false"` // flow/task, with " (previous)" and the like
	RetryMax int      `json:"retry_limit"`
	TimeoutS float64  `json:"timeout_s,omitempty"`
	Gate     string   `json:"gate,omitempty"`   // the quality gate's URL as the flow has it, without user, password and query
	Paused   bool     `json:"paused,omitempty"` // alone, or with its flow
	// How long attempts take that succeed, learnt from Samples of them, and how far they are off that.
	MeanS      float64 `json:"mean_s,omitempty"`
	DeviationS float64 `json:"deviation_s,omitempty"`
	Samples    int64   `json:"samples,omitempty"`
}

// RunView is a run in a list.
type RunView struct {
	ID          RunID             `json:"id"`
	Name        string            `json:"name"` // warehouse.orders@2026-11-19, with #version from 2 on
	Flow        string            `json:"flow"`
	Period      string            `json:"period"` // label
	PeriodStart time.Time         `json:"period_start"`
	PeriodEnd   time.Time         `json:"period_end"`
	Version     int               `json:"version"`
	Kind        RunKind           `json:"kind" enum:"scheduled,manual,backfill,rerun"`
	State       RunState          `json:"state" enum:"active,succeeded,failed"`
	Revision    RevisionID        `json:"revision"`
	Commit      string            `json:"commit"`
	Pinned      bool              `json:"pinned"`
	Paused      bool              `json:"paused,omitempty"` // active and held as a whole: its flow or period is paused, or it is beyond the horizon
	Backfill    BackfillID        `json:"backfill,omitempty"`
	Params      map[string]string `json:"params,omitempty"`
	CreatedAt   time.Time         `json:"created_at"`
	ScheduledAt time.Time         `json:"scheduled_at"`
	StartedAt   *time.Time        `json:"started_at,omitempty"`
	FinishedAt  *time.Time        `json:"finished_at,omitempty"`
}

// RunDetail is a run with its task runs, in an order in which needs come first.
type RunDetail struct {
	RunView
	Tasks []TaskRunView `json:"tasks" nullable:"false"`
}

// TaskRunView is one task within a run.
type TaskRunView struct {
	Name       string            `json:"name"` // warehouse.orders/load@2026-11-19
	Task       string            `json:"task"`
	Run        RunID             `json:"run"`
	State      State             `json:"state"`
	Attempts   int               `json:"attempts"`
	Attempt    AttemptID         `json:"attempt,omitempty"`   // the newest
	Reference  string            `json:"reference,omitempty"` // the task run of another run that this one stands for
	Code       ErrorCode         `json:"code,omitempty"`
	Message    string            `json:"message,omitempty"`
	Outputs    map[string]string `json:"outputs,omitempty"`
	StartedAt  *time.Time        `json:"started_at,omitempty"`
	FinishedAt *time.Time        `json:"finished_at,omitempty"`
	// When it was marked as late: with its dependencies, and with its success.
	DependencyLateAt *time.Time `json:"dependency_late_at,omitempty"`
	OutputLateAt     *time.Time `json:"output_late_at,omitempty"`
	// When its quality gate was asked, and when it released the task run.
	GateAskedAt    *time.Time `json:"gate_asked_at,omitempty"`
	GateReleasedAt *time.Time `json:"gate_released_at,omitempty"`
}

// AttemptView is one execution.
type AttemptView struct {
	ID         AttemptID  `json:"id"`
	TaskRun    string     `json:"task_run"`
	Run        RunID      `json:"run"`
	No         int        `json:"no"`
	Agent      string     `json:"agent"`
	State      State      `json:"state"`
	Code       ErrorCode  `json:"code,omitempty"`
	Message    string     `json:"message,omitempty"`
	ExitCode   *int       `json:"exit_code,omitempty"`
	AssignedAt time.Time  `json:"assigned_at"`
	StartedAt  *time.Time `json:"started_at,omitempty"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	MaxRSS     int64      `json:"max_rss_bytes,omitempty"`
	CPUS       float64    `json:"cpu_s,omitempty"`
	Read       int64      `json:"read_bytes,omitempty"`    // from disks
	Written    int64      `json:"written_bytes,omitempty"` // to disks
}

// LogTimes says when the parts of a log arrived at the server, to the second.
type LogTimes struct {
	SizeBytes int64     `json:"size_bytes"` // of the log
	Items     []LogTime `json:"items" nullable:"false"`
}

// LogTime says when the log arrived from an offset on, up to the next one.
type LogTime struct {
	Offset int64     `json:"offset"` // in bytes
	At     time.Time `json:"at"`
}

// Explanation says why task runs stand where they stand.
type Explanation struct {
	Target string          `json:"target"`
	Tasks  []ExplainedTask `json:"tasks" nullable:"false"`
}

// ExplainedTask is one task run with what blocks it.
type ExplainedTask struct {
	TaskRunView
	Agent    string    `json:"agent,omitempty"` // that executes its newest attempt; empty = none does
	Blockers []Blocker `json:"blockers" nullable:"false"`
	// Roots are what really holds it, at the ends of its chains of needs; only those of a task run that waits for others, and at
	// most MostRoots.
	Roots []Root `json:"roots,omitempty"`
	// Uncounted are task runs that it needs and that do not count, for the revisions that their runs follow do not have them. Only told
	// while its run is active.
	Uncounted []string `json:"uncounted,omitempty"`
	// EarliestStartAt is when it could start at the earliest, judged by how long the tasks before it usually take; empty = not known.
	EarliestStartAt *time.Time `json:"earliest_start_at,omitempty"`
}

// BlockerKind says what kind of thing holds a task run back.
type BlockerKind string

// The kinds of blocker.
const (
	BlockNeed       BlockerKind = "need"            // Ref is the upstream task run, State its state
	BlockAbsent     BlockerKind = "upstream_absent" // Ref is the upstream task run that no run exists for; Hint mends it
	BlockChecking   BlockerKind = "checking"        // the ledger is being asked
	BlockSignal     BlockerKind = "signal"          // Ref is the signal with the periods that are not set; Hint sets them
	BlockPath       BlockerKind = "path"            // Ref is the missing input
	BlockGate       BlockerKind = "gate"            // Ref is the address of the quality gate, Until is when it is too late to answer
	BlockStartAfter BlockerKind = "start_after"     // Until says when
	BlockRetry      BlockerKind = "retry"           // Until says when
	BlockFlowLimit  BlockerKind = "flow_limit"      // Holders are the runs that take the slots
	BlockTaskLimit  BlockerKind = "task_limit"      // Holders are the task runs that take the slots
	BlockPool       BlockerKind = "pool"            // Ref is the pool, Holders are the task runs that take its slots
	BlockAgent      BlockerKind = "no_agent"        // Message says why each agent cannot take it
	BlockSlots      BlockerKind = "agents_busy"     // every eligible agent is full
	BlockBackfill   BlockerKind = "backfill_paused"
	BlockVersion    BlockerKind = "other_version" // Ref is the task run of another version that is still running
	BlockPaused     BlockerKind = "paused"        // Ref is the target that an operator paused
	BlockHorizon    BlockerKind = "horizon"       // it is scheduled after the platform's horizon
)

// Blocker is one reason why a task run does not move.
type Blocker struct {
	Kind    BlockerKind `json:"kind"`
	Ref     string      `json:"ref,omitempty"`
	State   State       `json:"state,omitempty"`
	Until   *time.Time  `json:"until,omitempty"`
	Holders []string    `json:"holders,omitempty"`
	Message string      `json:"message"`
	Hint    string      `json:"hint,omitempty"` // a command that mends it
}

// RunsQuery selects runs for a list, newest first.
type RunsQuery struct {
	Page
	Target   string // flow[@period[..period]]; empty = all
	State    RunState
	Kind     RunKind
	Backfill BackfillID
}

// AttemptsQuery selects attempts for a list, newest first.
type AttemptsQuery struct {
	Page
	Target string // flow[/task][@period][#version]; empty = all
	State  State
	Agent  string
}

// OperationsQuery selects operations for a list, newest first. Zero fields do not restrict.
type OperationsQuery struct {
	Page
	Target   string // a flow, task, run or task run, with all that is part of it
	By, Verb string
	Since    time.Time
	Until    time.Time
}

// StartRun is `flowctl run`.
type StartRun struct {
	Target string            `json:"target"` // flow[/task][@period]
	Params map[string]string `json:"params,omitempty"`
	Extra  bool              `json:"extra,omitempty"`
	Force  bool              `json:"force,omitempty"`
}

// RerunRequest is `flowctl rerun`.
type RerunRequest struct {
	Target   string `json:"target"`
	Failed   bool   `json:"failed,omitempty"`    // only what failed, and what waits for it
	FromTask string `json:"from_task,omitempty"` // this task and all that follow it in the run
	Upstream bool   `json:"upstream,omitempty"`  // with all that these tasks need, in the runs there are
	// Cascade says along which dependencies all that follows these tasks runs anew as well, in other runs too.
	Cascade string `json:"cascade,omitempty" enum:"none,logical,data,both"`
	At      string `json:"at,omitempty"` // latest (default), original, or a commit
	Kill    bool   `json:"kill,omitempty"`
	DryRun  bool   `json:"dry_run,omitempty"` // only return the runs of which there would be a new version
}

// SucceedRequest is `flowctl succeed`.
type SucceedRequest struct {
	Target  string            `json:"target"`
	Outputs map[string]string `json:"outputs,omitempty"`
}

// DeleteRequest is `flowctl delete`.
type DeleteRequest struct {
	Target string `json:"target"` // flow[@period[..period]]: without a period all pending runs of the flow
	DryRun bool   `json:"dry_run,omitempty"`
}

// Deletion tells which runs were deleted, or would be.
type Deletion struct {
	Deleted []string  `json:"deleted" nullable:"false"` // names of runs
	Left    []LeftRun `json:"left" nullable:"false"`
}

// LeftRun is a run that was not deleted.
type LeftRun struct {
	Run    string `json:"run"`
	Reason string `json:"reason"`
}

// PauseRequest is `flowctl pause` and `flowctl resume`: of a target, of the flows that are in a group now, or of all.
type PauseRequest struct {
	Target string `json:"target,omitempty"` // flow[/task][@period[..period]]
	Group  string `json:"group,omitempty"`
	All    bool   `json:"all,omitempty"` // the platform's horizon, instead of a target
	// ScheduledAfter is the horizon: nothing that is scheduled after it is dispatched.
	ScheduledAfter *time.Time `json:"scheduled_after,omitempty"`
}

// PauseView is something that is paused: a target, or all that is scheduled after an instant.
type PauseView struct {
	Target         string     `json:"target,omitempty"`
	ScheduledAfter *time.Time `json:"scheduled_after,omitempty"`
	At             time.Time  `json:"at"`
	By             string     `json:"by"`
}

// BackfillRequest is `flowctl backfill`.
type BackfillRequest struct {
	Flows           []string `json:"flows,omitempty"`
	Group           string   `json:"group,omitempty"`
	Every           string   `json:"every,omitempty"` // hour, day, week, month, cron: all enabled flows of the kind
	All             bool     `json:"all,omitempty"`   // all enabled flows with a schedule
	From            string   `json:"from"`
	To              string   `json:"to"`
	Reprocess       string   `json:"reprocess,omitempty" enum:"missing,failed,all"`
	MaxActive       int      `json:"max_active,omitempty"`
	MissingUpstream string   `json:"missing_upstream,omitempty" enum:"wait,ignore"`
	// Cascade adds the enabled flows that depend on these, along needs (logical), data or both.
	Cascade string `json:"cascade,omitempty" enum:"none,logical,data,both"`
}

// BackfillView is a backfill with its progress.
type BackfillView struct {
	ID         BackfillID    `json:"id"`
	State      BackfillState `json:"state" enum:"running,paused,cancelled,done"`
	Flows      []string      `json:"flows" nullable:"false"`
	From       string        `json:"from"`
	To         string        `json:"to"`
	Total      int           `json:"total"`
	Created    int           `json:"created"`
	Skipped    int           `json:"skipped"`
	Unfinished int           `json:"unfinished"` // of those skipped: their run had not ended
	Succeeded  int           `json:"succeeded"`
	Failed     int           `json:"failed"`
	MaxActive  int           `json:"max_active"`
	Revision   RevisionID    `json:"revision"`
	By         string        `json:"by"`
	CreatedAt  time.Time     `json:"created_at"`
	FinishedAt *time.Time    `json:"finished_at,omitempty"`
}

// BackfillPreview is what `backfill --dry-run` prints.
type BackfillPreview struct {
	Total int                `json:"total"` // runs that would be created
	Items []BackfillDecision `json:"items" nullable:"false"`
	// Missing are needs on periods outside the backfill that have no run, and on periods of signals that are not set.
	Missing []string `json:"missing" nullable:"false"`
}

// BackfillDecision is what becomes of one period of one flow.
type BackfillDecision struct {
	Run    string `json:"run"` // flow@period
	Action string `json:"action" enum:"create,leave"`
	Reason string `json:"reason"` // missing, failed, succeeded, unfinished
}

// AgentView is an agent.
type AgentView struct {
	Name     string    `json:"name"`
	State    string    `json:"state" enum:"connected,lost,revoked"`
	Labels   []string  `json:"labels" nullable:"false"`
	Slots    int       `json:"slots"`
	Running  int       `json:"running"`
	Version  string    `json:"version"`
	LastSeen time.Time `json:"last_seen"`
	// Who keeps it from being given work, and since when; empty = nobody.
	DrainedBy string     `json:"drained_by,omitempty"`
	DrainedAt *time.Time `json:"drained_at,omitempty"`

	// What it said of its machine, and of itself, when it connected last.
	Host       string     `json:"host,omitempty"`
	StartedAt  *time.Time `json:"started_at,omitempty"`
	HeartbeatS float64    `json:"heartbeat_s,omitempty"` // between its heartbeats
	CPUs       float64    `json:"cpus,omitempty"`
	Memory     int64      `json:"memory_bytes,omitempty"`
	// What tasks that say what they need may take altogether, and the users as whom tasks may run.
	TaskCPUs   float64   `json:"task_cpus,omitempty"`
	TaskMemory int64     `json:"task_memory_bytes,omitempty"`
	Accounts   []string  `json:"accounts" nullable:"false"`
	JoinedAt   time.Time `json:"joined_at"`

	CertificateEndsAt *time.Time `json:"certificate_ends_at,omitempty"` // it is renewed when a third of its life is left
	RevokedAt         *time.Time `json:"revoked_at,omitempty"`

	Full string `json:"full,omitempty"` // why it gives attempts back at present

	// Heartbeat is the last one since the server was started; absent: there was none.
	Heartbeat *Heartbeat `json:"heartbeat,omitempty"`
}

// Heartbeat is how the machine of an agent was doing at an instant.
type Heartbeat struct {
	At         time.Time `json:"at"`
	CPUUsed    float64   `json:"cpu_used"` // the part of all cores that was busy since the one before
	Load       float64   `json:"load"`     // processes that ran or wanted to, on average over a minute
	MemoryFree int64     `json:"memory_free_bytes"`
	Disk       int64     `json:"disk_bytes"` // of the file system that holds the agent's data
	DiskFree   int64     `json:"disk_free_bytes"`
}

// AgentDetail is an agent with what it has and does.
type AgentDetail struct {
	AgentView
	Plugins  []Plugin      `json:"plugins" nullable:"false"`
	Attempts []AttemptView `json:"attempts" nullable:"false"` // those that it holds
	// Mismatches are the tasks of the active revision that it can never be given.
	Mismatches []AgentMismatch `json:"mismatches" nullable:"false"`
}

// AgentMismatch is a reason why an agent cannot be given some tasks.
type AgentMismatch struct {
	Reason string   `json:"reason"`
	Tasks  []string `json:"tasks" nullable:"false"` // the first of them, flow/task
	Count  int      `json:"count"`
}

// AgentTokenRequest is `flowctl agents token`.
type AgentTokenRequest struct {
	TTLS     float64  `json:"ttl_s" exclusiveMinimum:"0" maximum:"604800" doc:"seconds until it expires"`
	Labels   []string `json:"labels,omitempty" doc:"the agent gets these besides its own"`
	Accounts []string `json:"accounts,omitempty" doc:"the only users as whom tasks are given to the agent; none = those that it allows"`
}

// AgentTokenView is a token that was not used yet.
type AgentTokenView struct {
	ID        string    `json:"id"`
	By        string    `json:"by"`
	MadeAt    time.Time `json:"made_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Labels    []string  `json:"labels" nullable:"false"`
	Accounts  []string  `json:"accounts" nullable:"false"`
}

// AgentToken lets one agent join.
type AgentToken struct {
	ID        string    `json:"id"`
	Token     string    `json:"token"` // holds the fingerprint of the server's CA as well
	ExpiresAt time.Time `json:"expires_at"`
}

// EventsQuery selects events for a list, newest first.
type EventsQuery struct {
	Page
	Target string // flow[/task][@period][#version]; empty = all
	Kind   flow.Event
}

// EventView is something that alerts tell of.
type EventView struct {
	ID       int64      `json:"id"`
	At       time.Time  `json:"at"`
	Kind     flow.Event `json:"kind"`
	Subject  string     `json:"subject"` // warehouse.orders/load@2026-11-19, backfill 3, agent host-1, oncall:data
	Flow     string     `json:"flow,omitempty"`
	Task     string     `json:"task,omitempty"`
	Run      RunID      `json:"run,omitempty"`
	Attempt  AttemptID  `json:"attempt,omitempty"`
	Backfill BackfillID `json:"backfill,omitempty"`
	Agent    string     `json:"agent,omitempty"`
	Owner    string     `json:"owner,omitempty"` // whom it is for, when it is of no flow: a person, or oncall:TEAM
	Key      string     `json:"key"`             // the same thing always has the same
	Detail   string     `json:"detail,omitempty"`
}

// OperationView is a line of the operation log.
type OperationView struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Verb   string    `json:"verb"`
	Target string    `json:"target"`
	Detail string    `json:"detail,omitempty"`
}

// SignalRequest is `flowctl signal set` and `flowctl signal unset`.
type SignalRequest struct {
	Signal string `json:"signal"`
	Period string `json:"period"` // a label or a date; two with .. between are a range, both ends inclusive
	Unset  bool   `json:"unset,omitempty"`
}

// SignalView is a signal of the active revision with the newest periods that are set.
type SignalView struct {
	Name     string          `json:"name"`
	Schedule string          `json:"schedule"` // for people
	Teams    []string        `json:"teams" nullable:"false"`
	Set      []SetPeriodView `json:"set" nullable:"false"` // newest period first, 10 at most
	File     string          `json:"file"`
	Line     int             `json:"line"`
}

// SetPeriodView is a period of a signal that was announced.
type SetPeriodView struct {
	Period      string    `json:"period"` // label
	PeriodStart time.Time `json:"period_start"`
	PeriodEnd   time.Time `json:"period_end"`
	At          time.Time `json:"at"`
	By          string    `json:"by"`
}
