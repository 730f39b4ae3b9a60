package flow

import "flowctl/dsl/period"

// Test is a test of flows: what is expected of some runs when the repository is simulated from one instant to another.
type Test struct {
	Name     string
	From, To period.Instant // half-open
	Given    *Outcomes
	Expect   []Expectation
	Pos      Pos
}

// Expectation says what should be true of a run or a task run at an instant.
type Expectation struct {
	At      period.Instant // after all that happens at it; 0 = the end of the test
	Flow    string
	Task    string // empty: the run as a whole
	Periods []period.Period
	Newest  bool // the flow's newest run, when no period was named
	Checks  []Check
	Pos     Pos
}

// Check is one field of an expectation.
type Check struct {
	Field CheckField
	Want  string         // of state, attempts, and outputs (key=value, …); blockers, events and told: sorted, joined with ", "
	At    period.Instant // of started and ended; 0 = never
	Pos   Pos
}

// CheckField names what is compared.
type CheckField string

// The fields of an expectation.
const (
	CheckState    CheckField = "state"
	CheckStarted  CheckField = "started"
	CheckEnded    CheckField = "ended"
	CheckAttempts CheckField = "attempts"
	CheckBlockers CheckField = "blockers"
	CheckOutputs  CheckField = "outputs"
	CheckEvents   CheckField = "events"
	CheckTold     CheckField = "told"
)

// Absent is the state to expect of a run, or of a task run, that does not exist.
const Absent = "absent"
