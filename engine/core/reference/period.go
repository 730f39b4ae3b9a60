package reference

import (
	"slices"

	"flowctl/dsl/period"
)

// Periods lists the periods of schedules that end within (From, To]. All that a history looks at has to lie well within.
type Periods struct {
	From, To period.Instant
	lists    map[string][]period.Period
}

// Of returns all periods of a schedule, ascending.
func (ps *Periods) Of(s *period.Schedule) []period.Period {
	list, known := ps.lists[s.Fingerprint()]
	if !known {
		list = slices.Collect(s.EndingIn(ps.From, ps.To))
		if ps.lists == nil {
			ps.lists = map[string][]period.Period{}
		}
		ps.lists[s.Fingerprint()] = list
	}
	return list
}

// Needed returns the periods of an upstream that a run needs: every one that ends within the run's period, when none does the last one that
// ended before it. An offset first moves the run back over the existing periods of its own flow. The last n are those that
// ended last, up to the run's own end.
func (ps *Periods) Needed(up, down *period.Schedule, p period.Period, rule period.Rule) []period.Period {
	if rule.Kind == period.Last {
		ended := endedBy(ps.Of(up), p.End)
		return ended[max(0, len(ended)-rule.N):]
	}
	if rule.Kind == period.Offset {
		earlier := endedBy(ps.Of(down), p.End-1)
		if len(earlier) < rule.N {
			return nil
		}
		p = earlier[len(earlier)-rule.N]
	}
	var within []period.Period
	for _, u := range ps.Of(up) {
		if p.Start < u.End && u.End <= p.End {
			within = append(within, u)
		}
	}
	if len(within) > 0 {
		return within
	}
	before := endedBy(ps.Of(up), p.Start)
	return before[max(0, len(before)-1):]
}

// endedBy returns the periods of a list that had ended by an instant.
func endedBy(all []period.Period, t period.Instant) []period.Period {
	var ended []period.Period
	for _, p := range all {
		if p.End <= t {
			ended = append(ended, p)
		}
	}
	return ended
}
