package engine

// State is where a task run stands. Runs and attempts use a subset.
type State string

// The states of a task run. See the transition table in transition.go.
const (
	Waiting   State = "waiting"   // something blocks it: needs, inputs, limits
	Ready     State = "ready"     // nothing blocks it; waits for a free slot
	Assigned  State = "assigned"  // an attempt was given to an agent
	Running   State = "running"   // the agent reported that the attempt started
	Killing   State = "killing"   // an operator asked for its end; the agent was told
	Retrying  State = "retrying"  // the attempt failed; waits for the next
	Succeeded State = "succeeded" // final
	Failed    State = "failed"    // final until an operator reruns or forces it
	Killed    State = "killed"    // final, as Failed
	Skipped   State = "skipped"   // final; satisfies all_success
	Expired   State = "expired"   // final, as Failed: did not start in time
	// UpstreamFailed is where a task run waits whose upstream ended badly. It goes on by itself when the upstream is
	// rerun or forced.
	UpstreamFailed State = "upstream_failed"
)

// Final tells whether an attempt or task run in this state is over.
func (s State) Final() bool {
	switch s {
	case Succeeded, Failed, Killed, Skipped, Expired:
		return true
	}
	return false
}

// Live tells whether an attempt of the task run may be executing on some agent.
func (s State) Live() bool { return s == Assigned || s == Running || s == Killing }

// Satisfies tells whether the state fulfils a need under all_success.
func (s State) Satisfies() bool { return s == Succeeded || s == Skipped }

// Bad tells whether the state counts as failed for trigger rules.
func (s State) Bad() bool {
	return s == Failed || s == Killed || s == Expired || s == UpstreamFailed
}

// RunState is where a run stands as a whole.
type RunState string

// The states of a run.
const (
	RunActive    RunState = "active"    // created, and something in it can move without an operator
	RunSucceeded RunState = "succeeded" // settled: every task run succeeded or was skipped
	RunFailed    RunState = "failed"    // settled: at least one did not, and nothing can move without an operator
)

// RunKind tells what created a run.
type RunKind string

// The kinds of run.
const (
	Scheduled RunKind = "scheduled"
	Manual    RunKind = "manual"
	Backfill  RunKind = "backfill"
	Rerun     RunKind = "rerun"
)
