package engine

import (
	"cmp"
	"slices"
)

// MostRoots is how many roots an explanation names.
const MostRoots = 10

// Root is the end of a chain of needs: a task run with what holds it, or with the state it is in when nothing does.
type Root struct {
	TaskRun string `json:"task_run"`
	Blocker
}

// EndOfChain returns the root that a task run is by its state alone, with the command that helps where there is one.
func EndOfChain(name string, state State) Root {
	r := Root{TaskRun: name, Blocker: Blocker{Kind: BlockNeed, Ref: name, State: state, Message: string(state)}}
	switch state {
	case Failed, Killed, Expired:
		r.Hint = "flowctl rerun '" + name + "'"
	case Waiting, UpstreamFailed: // nobody looked further
		r.Hint = "flowctl explain '" + name + "'"
	}
	return r
}

// FirstRoots returns the first of the distinct roots among some, by name.
func FirstRoots(rs []Root) []Root {
	order := func(a, b Root) int {
		return cmp.Or(cmp.Compare(a.TaskRun, b.TaskRun), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Ref, b.Ref))
	}
	slices.SortStableFunc(rs, order)
	rs = slices.CompactFunc(rs, func(a, b Root) bool { return order(a, b) == 0 })
	return rs[:min(len(rs), MostRoots)]
}
