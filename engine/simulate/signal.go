package simulate

import (
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine/core"
)

// announcement returns the one that counts for a period of a signal; nil = the period is set.
func (b *behaviour) announcement(signal *flow.Signal, p period.Period) *flow.Announcement {
	for i := len(b.outcomes.Signals) - 1; i >= 0; i-- {
		a := &b.outcomes.Signals[i]
		if a.Matches(signal.Name) && spansOf(signal.Schedule, a.Periods).covers(signal.Schedule.Begin(p)) {
			return a
		}
	}
	return nil
}

// isSet tells whether a period of a signal is set at an instant, and keeps in mind that somebody waits for it.
func (b *behaviour) isSet(signal *flow.Signal, start, now period.Instant) bool {
	if b.asked[signal.Name] == nil {
		b.asked[signal.Name] = map[period.Instant]bool{}
	}
	b.asked[signal.Name][start] = true
	p, _ := signal.Schedule.Containing(start)
	a := b.announcement(signal, p)
	return a == nil || a.IsSet(now)
}

// expectSignals plans what third parties announce.
func (w *world) expectSignals(given *flow.Outcomes) {
	for i := range given.Signals {
		a := &given.Signals[i]
		for _, at := range []period.Instant{a.Set, a.Unset} {
			if at > w.from {
				w.later(at, func() { w.announce(a) })
			}
		}
	}
}

// announce sets or unsets the periods that task runs wait for. Each is an event of its own, so that it is known which one released what.
func (w *world) announce(a *flow.Announcement) {
	for _, name := range sorted(w.behaviour.asked) {
		signal := w.project.Signals[name]
		for _, start := range sorted(w.behaviour.asked[name]) {
			p, _ := signal.Schedule.Containing(start)
			if w.behaviour.announcement(signal, p) != a {
				continue
			}
			unset := !a.IsSet(w.now)
			w.handle(core.SetSignal{By: caller, Signal: name, Periods: []period.Period{p}, IsSet: []bool{unset}, Unset: unset},
				Cause{Kind: BySignal, Ref: name + "@" + signal.Schedule.Label(p)})
		}
	}
}
