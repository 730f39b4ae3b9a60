package core

import (
	"fmt"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// Era is the time since which a flow has each period of its schedule generated.
type Era struct {
	Flow  *flow.Flow
	Since period.Instant
}

// Eras returns the present eras of the enabled flows that have a schedule, by flow. They may be kept.
func (m *Machine) Eras() []Era {
	var eras []Era
	for _, name := range sortedKeys(m.flows) {
		if fs := m.flows[name]; fs.flow != nil && fs.flow.Enabled && fs.flow.Schedule.Kind() != period.Demand {
			eras = append(eras, Era{fs.flow, fs.row.Era})
		}
	}
	return eras
}

// Expectation is a period that should have a run.
type Expectation struct {
	Flow   *flow.Flow
	Period period.Period
}

// Key names the runs that meet the expectation.
func (e Expectation) Key() engine.RunKey {
	return engine.RunKey{Flow: e.Flow.Name, Start: e.Period.Start}
}

// Due is when the run was to be made.
func (e Expectation) Due() period.Instant { return e.Flow.Schedule.Due(e.Period) }

// Label names the period.
func (e Expectation) Label() string { return e.Flow.Schedule.Label(e.Period) }

// Expected returns the periods of some eras that became due within (from, to], by flow and period.
func Expected(eras []Era, from, to period.Instant) []Expectation {
	var all []Expectation
	for _, era := range eras {
		s := era.Flow.Schedule
		first, ok := s.FirstDueAfter(from)
		if !ok {
			continue
		}
		for p := range s.EndingIn(max(era.Since, first.End-1), to) {
			if s.Due(p) > to {
				break
			}
			all = append(all, Expectation{era.Flow, p})
		}
	}
	return all
}

// Unmet returns the expectations whose period has no run, extra runs aside. Found has one entry for each, in order. What an operator
// deleted is among them.
func Unmet(all []Expectation, found []engine.Existing) []Expectation {
	var unmet []Expectation
	for i, e := range all {
		if found[i].Run == 0 {
			unmet = append(unmet, e)
		}
	}
	return unmet
}

// tellMissing tells of a period that has no run.
func (m *Machine) tellMissing(e Expectation) {
	m.tell(engine.Event{
		Kind: flow.MissingRun, Flow: e.Flow.Name, Key: fmt.Sprintf("%s/%d", e.Flow.Name, e.Period.Start),
		Detail: fmt.Sprintf("%s was due at %s and has no run: flowctl run '%s@%[1]s' makes it", e.Label(), e.Due().Time().Format(time.RFC3339), e.Flow.Name),
	})
}
