package engine

import (
	"strings"

	"flowctl/dsl/period"
)

// Subscription tells a person of a flow or a task that is not theirs.
type Subscription struct {
	Target  string // flow or flow/task
	Person  string // key in people
	At      period.Instant
	By      string
	Removed bool // the subscription is no more
}

// Covers tells whether the subscription is about a task, or with an empty task about something that happens to the flow as a whole.
func (s *Subscription) Covers(flow, task string) bool { return covers(s.Target, flow, task) }

func covers(target, flow, task string) bool {
	f, t, one := strings.Cut(target, "/")
	return f == flow && (!one || t == task)
}
