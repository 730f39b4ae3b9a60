package engine

// Cause names what moves a task run from one state to another.
type Cause string

// The causes of transitions.
const (
	CauseUnblocked    Cause = "all blockers cleared"
	CauseBlocked      Cause = "a blocker came back"
	CauseDispatch     Cause = "given to an agent"
	CauseStarted      Cause = "the agent started it"
	CauseRefused      Cause = "the agent gave it back"
	CauseExit         Cause = "the attempt ended well"
	CauseFailure      Cause = "the attempt failed, no retries left"
	CauseRetry        Cause = "the attempt failed, retries left"
	CauseDelayOver    Cause = "the retry delay passed"
	CauseKill         Cause = "an operator killed it"
	CauseEnd          Cause = "its process tree is gone"
	CauseSkip         Cause = "its condition is false, or an operator skipped it"
	CauseUpstream     Cause = "an upstream ended badly"
	CauseRecovered    Cause = "the upstream was rerun or forced"
	CauseExpire       Cause = "it did not start in time"
	CauseForce        Cause = "an operator forced it"
	CauseOmit         Cause = "an operator skipped it"
	CauseBadCondition Cause = "an expression failed, or its account was refused"
	CauseRejected     Cause = "an expression failed, its account was refused, or its gate did not release it"
	CauseGate         Cause = "its gate refused it"
)

// Transition is one arrow of the state machine of a task run.
type Transition struct {
	From, To State
	Cause    Cause
}

// Transitions is the table: a task run moves in no other way. The machine refuses anything else, and the diagram in
// the documentation is drawn from it.
func Transitions() []Transition {
	return []Transition{
		{Waiting, Ready, CauseUnblocked},
		{Waiting, Skipped, CauseSkip},
		{Waiting, Failed, CauseRejected},
		{Waiting, UpstreamFailed, CauseUpstream},
		{Waiting, Killed, CauseKill},
		{Waiting, Expired, CauseExpire},
		{Waiting, Succeeded, CauseForce},

		{Ready, Waiting, CauseBlocked},
		{Ready, Assigned, CauseDispatch},
		{Ready, Failed, CauseBadCondition},
		{Ready, UpstreamFailed, CauseUpstream},
		{Ready, Killed, CauseKill},
		{Ready, Expired, CauseExpire},
		{Ready, Succeeded, CauseForce},
		{Ready, Skipped, CauseOmit},

		{Assigned, Running, CauseStarted},
		{Assigned, Waiting, CauseRefused},
		{Assigned, Killing, CauseKill},
		{Assigned, Succeeded, CauseExit},
		{Assigned, Failed, CauseFailure},
		{Assigned, Retrying, CauseRetry},

		{Running, Succeeded, CauseExit},
		{Running, Failed, CauseFailure},
		{Running, Retrying, CauseRetry},
		{Running, Killing, CauseKill},

		{Killing, Killed, CauseEnd},
		{Killing, Succeeded, CauseExit},

		{Retrying, Ready, CauseDelayOver},
		{Retrying, Waiting, CauseBlocked},
		{Retrying, Killed, CauseKill},
		{Retrying, Succeeded, CauseForce},
		{Retrying, Skipped, CauseOmit},

		{UpstreamFailed, Waiting, CauseRecovered},
		{UpstreamFailed, Failed, CauseGate},
		{UpstreamFailed, Killed, CauseKill},
		{UpstreamFailed, Expired, CauseExpire},
		{UpstreamFailed, Succeeded, CauseForce},
		{UpstreamFailed, Skipped, CauseOmit},

		{Failed, Succeeded, CauseForce},
		{Killed, Succeeded, CauseForce},
		{Expired, Succeeded, CauseForce},
		{Failed, Skipped, CauseOmit},
		{Killed, Skipped, CauseOmit},
		{Expired, Skipped, CauseOmit},
	}
}

// Allowed tells whether the table has an arrow between two states.
func Allowed(from, to State) bool {
	f, t := from.index(), to.index()
	return f < states && t < states && allowed[f][t]
}

const states = 12

// index numbers the states for the matrix below.
func (s State) index() int {
	switch s {
	case Waiting:
		return 0
	case Ready:
		return 1
	case Assigned:
		return 2
	case Running:
		return 3
	case Killing:
		return 4
	case Retrying:
		return 5
	case Succeeded:
		return 6
	case Failed:
		return 7
	case Killed:
		return 8
	case Skipped:
		return 9
	case Expired:
		return 10
	case UpstreamFailed:
		return 11
	}
	return states
}

// allowed is the table as a matrix; it is never written after this.
var allowed = func() (m [states][states]bool) {
	for _, t := range Transitions() {
		m[t.From.index()][t.To.index()] = true
	}
	return m
}()
