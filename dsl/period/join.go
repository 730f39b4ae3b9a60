package period

import "slices"

// Join returns the periods of up that a run of down for p needs, ascending: those that end within p (p.Start < End <= p.End),
// or when none does, the last that ended before it. Offset first moves p back over down's existing periods; Last takes the N
// periods that ended last by p's end. Nil means that nothing is needed: no such upstream period exists (off its calendar,
// before its start, after its end), or p was moved to before down's first period.
//
// An upstream without schedule, and the rule Latest, have no periods to name: the answer is nil, and the caller looks for
// the newest success.
func Join(up, down *Schedule, p Period, rule Rule) []Period {
	if up.kind == Demand || rule.Kind == Latest {
		return nil
	}
	if rule.Kind == Last {
		return up.lastBy(p.End, rule.N)
	}
	if rule.Kind == Offset {
		for range rule.N {
			var ok bool
			if p, ok = down.Prev(p); !ok {
				return nil
			}
		}
	}
	if (up == down || up.shape == down.shape) && p.Start < p.End && up.Exists(p) {
		return []Period{p}
	}
	if within := slices.Collect(up.EndingIn(p.Start, p.End)); len(within) > 0 {
		return within
	}
	if last, ok := up.LastEnded(p.Start); ok {
		return []Period{last}
	}
	return nil
}

// lastBy returns the n existing periods that ended last by t, ascending.
func (s *Schedule) lastBy(t Instant, n int) []Period {
	var found []Period
	for p, ok := s.before(t); ok && len(found) < n; p, ok = s.before(p.End - 1) {
		found = append(found, p)
	}
	slices.Reverse(found)
	return found
}
