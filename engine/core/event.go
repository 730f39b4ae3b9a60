package core

import (
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// Event is something that happened. The types of this file are all there are.
type Event interface{ event() }

// Tick lets time pass: everything due by now happens. It is sent at the instant [Machine.NextWake] names.
type Tick struct{}

// Boot is the first event after Restore: time has passed while no server ran.
type Boot struct{}

// Revision is a compiled commit that the machine can follow.
type Revision struct {
	ID      engine.RevisionID
	Commit  string
	Tree    string // content hash of its files
	Project *flow.Project

	knots map[flow.TaskRef]int // see circular; nil = not looked for yet
}

// Activated makes a revision the one that new runs follow.
type Activated struct{ Revision *Revision }

// AgentJoined says that an agent's stream is open.
type AgentJoined struct{ Hello engine.Hello }

// AgentLost says that an agent's stream is gone.
type AgentLost struct{ Agent string }

// Silent says that an agent's stream has been gone for a while. It is one of Output.Silences, sent back.
type Silent struct {
	Agent   string
	Absence int           // counts how often the agent was lost; it may have been back meanwhile
	After   time.Duration // since the stream was lost, or the machine was made
}

// Reported is what an agent says of its attempts.
type Reported struct {
	Agent   string
	Reports []engine.Report
}

// Probed answers Output.Probes.
type Probed struct {
	Agent string
	Paths []engine.PathState
}

// LedgerAnswered answers Output.Lookups; both slices have the same length.
type LedgerAnswered struct {
	Keys    []engine.LedgerKey
	Answers []engine.LedgerAnswer
}

// ExistingAnswered answers Output.Existing. It must follow the question with no other event between but answers to others of its kind: a
// run that it makes speaks for its period from then on, and what the ledger says of that period is of an older schedule.
type ExistingAnswered struct {
	Backfill engine.BackfillID
	Keys     []engine.RunKey
	Found    []engine.Existing
}

// Loaded brings settled runs back into memory because what they waited for has succeeded.
type Loaded struct{ Rows *engine.Snapshot }

// Overdue answers Output.Overdue, with the rows of the runs.
type Overdue struct{ Rows *engine.Snapshot }

// StartRun is the operator's `run`.
type StartRun struct {
	By           string
	Flow, Task   string           // Task empty = all tasks
	Period       *period.Period   // nil = the last ended period, or for on-demand flows the present instant
	Existing     engine.Existing  // of that period
	Rows         *engine.Snapshot // of Existing.Run; needed with a Task when that run has ended
	Params       map[string]string
	Extra, Force bool
}

// Rerun is the operator's `rerun` of one run. Rows holds the run, loaded when it has left memory.
type Rerun struct {
	By       string
	Run      engine.RunID
	Rows     *engine.Snapshot
	Version  int // the highest version of the period
	Task     string
	Failed   bool
	FromTask string
	Revision *Revision // nil = the active one
	Kill     bool
	Also     []string // tasks that run anew besides those, because of other reruns
	Only     bool     // no others than these
	Because  string   // of what the operator asked for, where that is another run; for the operation log

	asked *StartRun // the run of one task that this is; nil = none
}

// Reruns are reruns that all happen or none of them does: of a range of periods, or of a run with all that follows it. Rows holds
// those of the runs that may have left memory. It replies with the numbers of the new runs, in the order of Items.
type Reruns struct {
	Items []Rerun
	Rows  *engine.Snapshot
}

// Kill is the operator's `kill` of one run, or of one task run.
type Kill struct {
	By   string
	Run  engine.RunID
	Task string // empty = all
	Rows *engine.Snapshot
}

// Succeed is the operator's `succeed` of one run, or of one task run.
type Succeed struct {
	By      string
	Run     engine.RunID
	Task    string
	Outputs map[string]string
	Rows    *engine.Snapshot
}

// Skip is the operator's `skip` of one run, or of one task run.
type Skip struct {
	By   string
	Run  engine.RunID
	Task string
	Rows *engine.Snapshot
}

// Delete is the operator's `delete` of runs that have not started. It replies with Deleted.
type Delete struct {
	By     string
	Target string // as the operator wrote it
	Runs   []engine.RunID
	DryRun bool // only say what would be deleted
}

// Deleted tells what a Delete did, or would do.
type Deleted struct {
	Runs []engine.RunID
	Left []Left
}

// Left is a run that was not deleted.
type Left struct {
	Run    engine.RunID
	Reason string // with what to do instead
}

// Pause is the operator's `pause`. The machine fills in who paused and when.
type Pause struct {
	By     string
	Target string // as the operator wrote it; empty = the horizon
	Pauses []engine.Pause
}

// Resume is the operator's `resume` of the pauses with exactly this flow and task whose start lies within [From, To]. Without a
// flow it lifts the horizon.
type Resume struct {
	By         string
	Target     string
	Flow, Task string
	Flows      []string // in place of Flow: those of a group, each as a whole
	From, To   period.Instant
}

// DeclareDead is the operator's word that an agent is gone for good. It replies with the attempts that ended by it.
type DeclareDead struct{ By, Agent string }

// Missing says that a period should have a run and has none in the store.
type Missing struct{ Expectation }

// Observed is an event about the installation that others than the machine have seen. The machine says when.
type Observed struct{ engine.Event }

// Noted puts an operator's action on record that the machine has no part in.
type Noted struct{ By, Verb, Target, Detail string }

// StartBackfill is the operator's `backfill`. Row holds the request; the machine numbers it.
type StartBackfill struct {
	Row      engine.BackfillRow
	Revision *Revision
}

// ControlBackfill is the operator's `backfill pause`, `resume` or `cancel`.
type ControlBackfill struct {
	By   string
	ID   engine.BackfillID
	Verb string
}

// SetSignal is the operator's `signal set` and `signal unset` of some periods, in order. IsSet says of each whether it is set already.
type SetSignal struct {
	By      string
	Signal  string
	Periods []period.Period
	IsSet   []bool
	Unset   bool
}

// GateReported says what became of asking a quality gate.
type GateReported struct{ engine.GateReport }

// AnswerGate is the answer of a quality gate, or an operator's in place of the gates of one run, or of one task run.
type AnswerGate struct {
	By     string
	Run    engine.RunID
	Task   string         // empty = all that wait for their gates
	Asked  period.Instant // of the question that is answered; 0 = whichever is open
	Answer engine.GateAnswer
	Rows   *engine.Snapshot
}

func (Tick) event()             {}
func (Boot) event()             {}
func (Activated) event()        {}
func (AgentJoined) event()      {}
func (AgentLost) event()        {}
func (Silent) event()           {}
func (Reported) event()         {}
func (Probed) event()           {}
func (Sound) event()            {}
func (LedgerAnswered) event()   {}
func (ExistingAnswered) event() {}
func (Loaded) event()           {}
func (Overdue) event()          {}
func (StartRun) event()         {}
func (Rerun) event()            {}
func (Reruns) event()           {}
func (Kill) event()             {}
func (Succeed) event()          {}
func (Skip) event()             {}
func (Delete) event()           {}
func (Pause) event()            {}
func (Resume) event()           {}
func (DeclareDead) event()      {}
func (Missing) event()          {}
func (Observed) event()         {}
func (Noted) event()            {}
func (StartBackfill) event()    {}
func (ControlBackfill) event()  {}
func (SetSignal) event()        {}
func (GateReported) event()     {}
func (AnswerGate) event()       {}

// Output is what a round of events asks for. The rows go to the store first; the effects follow once they are durable.
type Output struct {
	Changes engine.Changes

	Assign map[string][]*engine.Assignment // by agent
	Kill   map[string][]engine.AttemptID   // by agent
	Recall map[string][]engine.AttemptID   // by agent: to be given back, unless they were started
	Ack    map[string][]engine.AttemptID   // by agent: ends that are stored
	Probe  map[string][]string             // by agent: input paths to look at
	// Soundings are paths to look at, each in a call of its own. They are answered by Probed, too.
	Soundings []Sounding
	// Silences are to be sent back, each when its time has passed on a clock that never jumps: what they decide must not come too early.
	Silences []Silent
	// Questions are for quality gates. What becomes of each is told by GateReported.
	Questions []engine.GateQuestion
	// Lookups are questions to the ledger, answered by LedgerAnswered.
	Lookups []engine.LedgerKey
	// Existing are questions about runs that may be there already, answered by ExistingAnswered.
	Existing []ExistingQuestion
	// Wake names tasks that succeeded after they had failed, and, without a task, periods that were generated: settled runs that
	// wait for them are to be Loaded.
	Wake []engine.LedgerKey
	// Overdue are settled runs of which a task run is late now, answered by Overdue.
	Overdue []engine.RunID
}

// ExistingQuestion asks which runs exist for the next periods of a backfill, or for the first period of a flow's era.
type ExistingQuestion struct {
	Backfill engine.BackfillID // 0 = the era of a flow
	Keys     []engine.RunKey
}

// Effects tells whether there is anything to do after the commit.
func (o *Output) Effects() bool {
	return len(o.Assign)+len(o.Kill)+len(o.Recall)+len(o.Ack)+len(o.Probe)+len(o.Soundings)+len(o.Silences)+len(o.Questions)+len(o.Lookups)+len(o.Existing)+
		len(o.Wake)+len(o.Overdue) > 0
}

func (o *Output) reset() {
	o.Changes.Reset()
	clear(o.Assign)
	clear(o.Kill)
	clear(o.Recall)
	clear(o.Ack)
	clear(o.Probe)
	o.Soundings = o.Soundings[:0]
	o.Silences = o.Silences[:0]
	o.Questions = o.Questions[:0]
	o.Lookups = o.Lookups[:0]
	o.Existing = o.Existing[:0]
	o.Wake = o.Wake[:0]
	o.Overdue = o.Overdue[:0]
}
