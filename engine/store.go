package engine

import (
	"context"
	"errors"
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// ErrFenced is returned by a Store when the caller's term is no longer the newest: somebody else leads.
var ErrFenced = errors.New("another server leads")

// Store is the truth: what is not in it did not happen. All methods are safe for concurrent use; only the leader writes.
type Store interface {
	// Lead makes the caller the leader and returns its term, one more than any before.
	Lead(ctx context.Context) (term int64, err error)
	// Commit applies all changes in one durable transaction, or none. It returns ErrFenced when term is not the
	// newest. After any other error the outcome is unknown: the caller must step down and rebuild.
	Commit(ctx context.Context, term int64, c *Changes) error
	// Load returns all that can still move: the rows a leader rebuilds its machine from.
	Load(ctx context.Context) (*Snapshot, error)
	// Outcomes answers ledger look-ups, those of signals too; the result has one answer per key, in order.
	Outcomes(ctx context.Context, keys []LedgerKey) ([]LedgerAnswer, error)

	// Existing tells which runs there are; the result has one entry per key, in order.
	Existing(ctx context.Context, keys []RunKey) ([]Existing, error)
	// Waiting returns the settled runs that have a Wait on one of the keys, by ID.
	Waiting(ctx context.Context, keys []LedgerKey) ([]RunID, error)
	// LoadRuns returns the rows of some runs, settled or not, for the machine to take up again: only Runs, TaskRuns and Attempts
	// (the live ones) are filled.
	LoadRuns(ctx context.Context, ids []RunID) (*Snapshot, error)

	// PutRevision stores a compiled or rejected commit and its files, and returns its number. A commit whose files are
	// the same as those of the newest revision still gets one.
	PutRevision(ctx context.Context, term int64, r *Revision) (RevisionID, error)
	// Activate makes a revision the one that new runs follow.
	Activate(ctx context.Context, term int64, id RevisionID, at time.Time) error
	Revision(ctx context.Context, id RevisionID) (*Revision, error)
	// Revisions lists newest first, without files.
	Revisions(ctx context.Context, before RevisionID, limit int) ([]Revision, error)
	// Files returns the tree of a revision, sorted by path.
	Files(ctx context.Context, id RevisionID) ([]File, error)
	// Blob returns the content of a file by its SHA-256 in hex.
	Blob(ctx context.Context, hash string) ([]byte, error)

	// Agents.
	PutAgent(ctx context.Context, a *Agent) error
	Agents(ctx context.Context) ([]Agent, error)
	PutToken(ctx context.Context, t *JoinToken) error
	// UseToken consumes a join token by its hash: of many who try at once, one gets it.
	UseToken(ctx context.Context, hash string, now time.Time) (*JoinToken, error)
	// Tokens lists the join tokens that can be used, those that expire first in front.
	Tokens(ctx context.Context, now time.Time) ([]JoinToken, error)
	DeleteToken(ctx context.Context, id string) error

	// Reads for people. Lists are ordered newest first unless said otherwise; the cursor is opaque.
	Runs(ctx context.Context, q RunQuery) ([]Run, string, error)
	Run(ctx context.Context, id RunID) (*Run, error)
	// FindRuns returns the runs of a flow whose period starts within [from, to], oldest first, all versions when version
	// is 0 and all is set, else the highest.
	FindRuns(ctx context.Context, flow string, from, to period.Instant, version int, all bool) ([]Run, error)
	// TaskRuns of a run, sorted by name.
	TaskRuns(ctx context.Context, run RunID) ([]TaskRun, error)
	Attempts(ctx context.Context, q AttemptQuery) ([]Attempt, string, error)
	Attempt(ctx context.Context, id AttemptID) (*Attempt, error)
	Backfills(ctx context.Context) ([]BackfillRow, error)
	// Operations lists newest first.
	Operations(ctx context.Context, q OperationQuery) ([]Operation, error)
	// Pauses lists what is paused, by flow, task and period; the horizon comes first.
	Pauses(ctx context.Context) ([]Pause, error)
	Events(ctx context.Context, q EventQuery) ([]Event, string, error)
	// Happened tells which keys there are events of; the result has one entry per key, in order.
	Happened(ctx context.Context, keys []string) ([]bool, error)
	// Alerts and deliveries are listed newest first.
	Alerts(ctx context.Context, q AlertQuery) ([]Alert, string, error)
	Deliveries(ctx context.Context, q DeliveryQuery) ([]Delivery, string, error)
	Delivery(ctx context.Context, id DeliveryID) (*Delivery, error)
	// Silences lists those that end after an instant, by number.
	Silences(ctx context.Context, after period.Instant) ([]Silence, error)
	// Overrides lists those that end after an instant, by number.
	Overrides(ctx context.Context, after period.Instant) ([]Override, error)
	// Subscriptions lists all, by target and person.
	Subscriptions(ctx context.Context) ([]Subscription, error)
	// Signals returns the periods of a signal that are set, newest period first.
	Signals(ctx context.Context, signal string, limit int) ([]SignalRow, error)

	Close() error
}

// Snapshot holds the rows from which a machine is rebuilt: active runs with their task runs and live or newest attempts, all flow states,
// unfinished backfills, and the highest numbers given out.
type Snapshot struct {
	Active    RevisionID // 0 = none yet
	Runs      []Run      // active ones, by ID
	TaskRuns  []TaskRun  // of those runs, by run and name
	Attempts  []Attempt  // the live ones (assigned, running, killing), by ID
	Flows     []FlowState
	Backfills []BackfillRow // those that are not finished
	Pauses    []Pause       // by flow, task and start
	// Ahead names the periods that end after the cursor of their flow and have runs all the same, by flow and start: generation must
	// not make these again.
	Ahead []Ahead
	// Superseded are the active runs that a newer version has replaced, by ID: attempts of theirs are being killed.
	Superseded []RunID
	// Ignoring are the runs whose backfill, which may be over, was told to ignore upstreams that are missing, by ID.
	Ignoring []RunID
	// Presences are those of the agents whose loss was not told, by name.
	Presences []Presence
	Drains    []Drain   // by agent
	Paces     []Pace    // by flow and task
	Overdue   []Overdue // by run
	Anomalies []Anomaly // by attempt
	// Woken are the settled runs of which a Wait is over, by ID: the one who was to load them died before.
	Woken []RunID
	// The highest numbers given out so far; 0 = none.
	LastRun      RunID
	LastAttempt  AttemptID
	LastBackfill BackfillID

	Outbox Outbox
}

// Outbox holds what alerting is rebuilt from.
type Outbox struct {
	Alerts        []Alert    // the open ones, by ID
	Deliveries    []Delivery // the pending ones, by ID
	Silences      []Silence  // all, by ID
	Subscriptions []Subscription
	Overrides     []Override // all, by ID
	LastAlert     AlertID
	LastDelivery  DeliveryID
	LastSilence   SilenceID
	LastOverride  OverrideID
}

// LedgerKey asks how a task ended for a period, or with Latest for its newest success, or whether a period of a signal is set.
type LedgerKey struct {
	Flow   string
	Task   string
	Signal string // in place of Flow and Task; found = set
	Start  period.Instant
	Latest bool // the newest success with a period that ends at or before Start
}

// LedgerAnswer is the outcome of the highest version, extra runs aside. What older versions made of the task does not count, even
// when the highest one does not have it.
type LedgerAnswer struct {
	Found   bool // the task has an outcome in the highest version of the period
	NoTask  bool // the highest version of the period is a whole run, of a revision that has no such task
	Outcome Outcome
	Outputs map[string]string // of the task run that the outcome tells of
}

// RunKey names all versions of one flow for one period.
type RunKey struct {
	Flow  string
	Start period.Instant
}

// Ahead is a period that was given runs before its time.
type Ahead struct {
	RunKey
	Version int  // the highest
	Made    bool // one of the runs is no extra run, so it stands for the period
}

// Existing tells what runs a period has: the highest version, extra runs included, and the highest version that is no extra run.
type Existing struct {
	Version int      // 0 = the period has no run at all
	Run     RunID    // of the highest version that is no extra run; 0 = none
	State   RunState // of Run
	Bad     []string // the tasks of Run that ended badly, by name: others may wait for them
}

// Revision is one compiled commit.
type Revision struct {
	ID          RevisionID
	Commit      string // full hash; "worktree-…" for a folder served live
	Author      string
	Subject     string // first line of the commit message
	CommittedAt time.Time
	SeenAt      time.Time
	Rejected    bool // it has errors and was not activated
	Active      bool
	Diagnostics []diag.Diagnostic
	Hash        string // of the compiled project; empty when rejected
	Files       []File // the flows root at the commit; only given to PutRevision
}

// File is one file of a revision.
type File struct {
	Path string // slash-separated, relative to the flows root
	Mode uint32 // 0644, 0755, or 0120000 for a symbolic link
	Hash string // SHA-256 of the content, hex
	Size int64
	Data []byte // given to PutRevision; nil when listed
}

// Agent is what the server knows of an agent.
type Agent struct {
	Name        string
	Fingerprint string // SHA-256 of its certificate's public key, hex
	Labels      []string
	Slots       int
	Version     string
	BootID      string
	Host        Host
	Grant       Grant
	// CertificateEnds is when its newest certificate expires; Revoked when it was taken back, zero = it was not.
	CertificateEnds, Revoked time.Time
	JoinedAt                 time.Time
	LastSeen                 time.Time
}

// Grant is what the operator who made a token gives the agent that joins with it.
type Grant struct {
	Labels   []string `json:"labels,omitempty"`   // besides its own
	Accounts []string `json:"accounts,omitempty"` // the only users as whom tasks are given to it; empty = those that it allows
}

// JoinToken is a one-time token for an agent. Only who made it knows its secret.
type JoinToken struct {
	Hash    string // SHA-256 of the secret, hex
	Expires time.Time
	Made    time.Time
	By      string
	Grant   Grant
}

// tokenID is how much of its hash names a token.
const tokenID = 12

// ID names the token without giving it away.
func (t *JoinToken) ID() string { return t.Hash[:min(len(t.Hash), tokenID)] }

// RunQuery selects runs. Zero fields do not restrict. Runs of one flow are listed by period and version, others by ID,
// newest first.
type RunQuery struct {
	Flow     string
	State    RunState
	Kind     RunKind
	Backfill BackfillID
	From, To period.Instant // of the period's start, inclusive
	Cursor   string
	Limit    int // 0 = 100
}

// OperationQuery selects operations. Zero fields do not restrict.
type OperationQuery struct {
	By, Verb string
	// Target selects what was done to a flow, task, run or task run: operations whose target is this one or part of it, or names it in
	// a list.
	Target   string
	From, To period.Instant // inclusive
	Before   int64          // only smaller IDs
	Limit    int            // 0 = 100
}

// AttemptQuery selects attempts. Zero fields do not restrict.
type AttemptQuery struct {
	Run    RunID
	Task   string
	Agent  string
	State  State
	Cursor string
	Limit  int // 0 = 100
}

// EventQuery selects events. Zero fields do not restrict.
type EventQuery struct {
	Flow   string
	Task   string
	Run    RunID
	Kind   flow.Event
	Cursor string
	Limit  int // 0 = 100
}

// AlertQuery selects alerts. Zero fields do not restrict.
type AlertQuery struct {
	Flow   string
	Task   string
	Open   bool // neither acknowledged nor closed
	Cursor string
	Limit  int // 0 = 100
}

// DeliveryQuery selects deliveries. Zero fields do not restrict.
type DeliveryQuery struct {
	Alert  AlertID
	State  DeliveryState
	Cursor string
	Limit  int // 0 = 100
}
