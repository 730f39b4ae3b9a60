package reference

import (
	"cmp"
	"slices"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// ready is a task run that nothing but limits and agents keeps from starting.
type ready struct {
	run   *Run
	def   *flow.Task
	since period.Instant
}

// gain is how long a ready task run waits for one level of priority.
const gain = 30 * time.Minute

// before tells whose turn is first: backfills are behind all else, then priority and how long it has waited, the instant it is due, the
// number of its run, its place in the flow.
func (w *World) before(a, b ready) bool {
	turn := func(x ready) period.Instant {
		return x.since.Add(time.Duration(w.flow(x.run).Priority) * gain)
	}
	filling := func(x ready) int { return min(1, int(x.run.Backfill)) }
	return cmp.Or(
		cmp.Compare(filling(a), filling(b)), cmp.Compare(turn(a), turn(b)), cmp.Compare(a.run.Due, b.run.Due),
		cmp.Compare(a.run.ID, b.run.ID), cmp.Compare(a.def.Index, b.def.Index),
	) < 0
}

// limits returns what keeps a ready task run from an agent, given all that are ready.
func (w *World) limits(x ready, all []ready) []Blocker {
	var found []Blocker
	if x.def.Concurrency > 0 && w.limitHolds(x, all) {
		found = append(found, Blocker{Kind: engine.BlockTaskLimit})
	}
	if x.def.Pool != nil && w.poolHolds(x, all) {
		found = append(found, Blocker{Kind: engine.BlockPool, Ref: x.def.Pool.Name})
	}
	switch eligible := w.eligible(x.def); {
	case len(eligible) == 0:
		found = append(found, Blocker{Kind: engine.BlockAgent})
	case !slices.ContainsFunc(eligible, func(a Agent) bool { return w.free(a, x.run.Backfill != 0) > 0 }):
		found = append(found, Blocker{Kind: engine.BlockSlots})
	}
	return found
}

// limitHolds tells whether as many attempts of a task are live as may be, by the revision of the task run, or of a better one that waits.
func (w *World) limitHolds(x ready, all []ready) bool {
	live := w.executing(x.run.Flow, x.def.Name)
	return slices.ContainsFunc(append(slices.Clone(all), x), func(o ready) bool {
		same := o.run.Flow == x.run.Flow && o.def.Name == x.def.Name && o.def.Concurrency > 0
		return same && live >= o.def.Concurrency && !w.before(x, o)
	})
}

// executing counts the live attempts of a task over all runs.
func (w *World) executing(flow, task string) int {
	n := 0
	for i := range w.Attempts {
		if a := &w.Attempts[i]; a.State.Live() && a.Task == task && w.run(a.Run).Flow == flow {
			n++
		}
	}
	return n
}

// poolHolds tells whether a pool has too few slots left, or owes them to a better task run that waits for more than are left.
func (w *World) poolHolds(x ready, all []ready) bool {
	name := x.def.Pool.Name
	left := w.Pools[name]
	for i := range w.Attempts {
		a := &w.Attempts[i]
		if r := w.run(a.Run); a.State.Live() {
			if use := w.flow(r).Task(a.Task).Pool; use != nil && use.Name == name {
				left -= min(use.Slots, w.Pools[name])
			}
		}
	}
	if min(x.def.Pool.Slots, w.Pools[name]) > left {
		return true
	}
	return slices.ContainsFunc(all, func(o ready) bool {
		return o.def.Pool != nil && o.def.Pool.Name == name && min(o.def.Pool.Slots, w.Pools[name]) > left && w.before(o, x)
	})
}

// eligible returns the connected agents that take new work and have all labels of a task.
func (w *World) eligible(def *flow.Task) []Agent {
	return slices.DeleteFunc(slices.Clone(w.Agents), func(a Agent) bool {
		return !a.Connected || a.Drained || slices.ContainsFunc(def.Agents, func(label string) bool { return !slices.Contains(a.Labels, label) })
	})
}

// free returns how many attempts more an agent takes. Backfills leave a quarter of its slots alone, one at least when there are two.
func (w *World) free(a Agent, filling bool) int {
	live, fill := 0, 0
	for i := range w.Attempts {
		if x := &w.Attempts[i]; x.State.Live() && x.Agent == a.Name {
			live++
			if w.run(x.Run).Backfill != 0 {
				fill++
			}
		}
	}
	if !filling {
		return a.Slots - live
	}
	alone := 0
	if a.Slots > 1 {
		alone = max(1, a.Slots/4)
	}
	return min(a.Slots-live, a.Slots-alone-fill)
}
