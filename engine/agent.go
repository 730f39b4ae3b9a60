package engine

import (
	"context"
	"flowctl/dsl/flow"

	"flowctl/dsl/period"
)

// Assignment is all an agent needs to execute one attempt. It can be sent again: an agent that knows the attempt ignores it.
type Assignment struct {
	Attempt  AttemptID
	Run      RunID
	Flow     string
	Task     string
	RunName  string // warehouse.orders@2026-11-19#2
	Version  int
	No       int // of the attempt within its task run
	Runner   string
	Revision RevisionID
	Tree     string // content hash of the revision's files; the agent caches trees by it
	Folder   string // of the flow, relative to the flows root: the working directory
	// Text is the rendered `run:`; File the path of `file:` relative to the flows root. Exactly one is set.
	Text    string
	File    string
	Args    []AssignmentArg
	With    string // JSON object
	Env     []string
	RunAs   string   // user of the operating system; empty = the agent's own
	Inputs  []string // paths that are checked once more before the start
	Outputs []string // paths that must have changed for success; empty = the exit code alone decides
	Timeout int64    // microseconds; 0 = none
	// Lease is how long the attempt goes on without word from the server, in microseconds; whoever executes it then ends it. 0 = as long as it
	// takes.
	Lease int64
	// PeriodStart, PeriodEnd and PeriodLabel become FLOWCTL_PERIOD_…; instants are UTC.
	PeriodStart, PeriodEnd period.Instant
	PeriodLabel            string
}

// AssignmentArg is a rendered argument; positional when Name is empty.
type AssignmentArg struct{ Name, Value string }

// ReportKind tells what an agent says of an attempt.
type ReportKind uint8

// The kinds of report.
const (
	ReportStarted  ReportKind = iota + 1 // the process runs
	ReportFinished                       // it is over, see Result; repeated until acknowledged
	ReportRefused                        // not started and never will be: Missing inputs, or Message says why
	ReportUnknown                        // this agent has no record of the attempt, though the server asked or it had one
	ReportHeld                           // the agent answers for it, and does not know yet whether the process was started
)

// Report is what an agent says of one attempt.
type Report struct {
	Attempt AttemptID
	Kind    ReportKind
	Result  Result   // of ReportFinished
	Missing []string // inputs that were not there, of ReportRefused
	Full    bool     // of ReportRefused: it is the agent that can take none at present, as Message says
	Message string
}

// Result is how an attempt ended. Killed and timed-out attempts have the state that says so, not an exit code.
type Result struct {
	State    State // Succeeded, Failed or Killed
	Code     ErrorCode
	Message  string
	ExitCode int
	Outputs  map[string]string
	MaxRSS   int64 // bytes
	CPU      int64 // microseconds
	// Read and Written are the bytes that came from disks and went to them; 0 = unknown.
	Read, Written int64
}

// Hello is how an agent presents itself when its stream opens.
type Hello struct {
	Name    string
	BootID  string // of the machine: attempts do not survive its change
	Labels  []string
	Slots   int
	Version string
	Host    Host
	Beat    Beat
	// Attempts are those that the agent still holds: running, or finished and not yet acknowledged.
	Attempts []Report
}

// PathState answers a probe for one path.
type PathState struct {
	Path   string
	Exists bool
	Error  string // the check itself failed; empty = it did not
}

// Fleet is the server's end of the agents' streams. Its methods queue and return at once; what cannot be delivered
// because the agent is gone is dropped, and repaired from the store when the agent returns.
type Fleet interface {
	Assign(agent string, as []*Assignment)
	Kill(agent string, ids []AttemptID)
	// Recall asks for attempts back that were not reported as started. The agent answers with a report of each.
	Recall(agent string, ids []AttemptID)
	// Probe asks about paths. Sensors are those of third parties that may be asked.
	Probe(agent string, paths []string, sensors []*flow.Plugin)
	// Ack tells the agent that the ends of these attempts are stored, so that it may forget them.
	Ack(agent string, ids []AttemptID)
}

// FleetEvents is what happens on the agents' streams. An agent has at most one stream: a new one replaces the old one, and
// Lost is called for the old one before Joined for the new. Calls for one agent come one after another.
type FleetEvents interface {
	Joined(ctx context.Context, h Hello) error
	Reported(ctx context.Context, agent string, rs []Report) error
	Probed(ctx context.Context, agent string, ps []PathState) error
	Beaten(ctx context.Context, agent string, b Beat) error
	Lost(ctx context.Context, agent string)
}
