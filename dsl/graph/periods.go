package graph

import (
	"fmt"

	"flowctl/dsl/period"
)

// periods says in words which periods of up a run of down needs; nothing when it is the run's own.
func periods(rule period.Rule, up, down *period.Schedule) string {
	switch rule.Kind {
	case period.Latest:
		return "latest"
	case period.Last:
		return fmt.Sprintf("last %d", rule.N)
	case period.Offset:
		if rule.N == 1 {
			return "previous"
		}
		return fmt.Sprintf("%d before", rule.N)
	}
	return joined(up, down)
}

// joined says what the rule between two schedules comes to.
func joined(up, down *period.Schedule) string {
	u, d := up.Kind(), down.Kind()
	switch {
	case u == period.Demand:
		return "latest"
	case up.Fingerprint() == down.Fingerprint() || samePeriods(up.Spec(), down.Spec()):
		return ""
	case u == period.Once:
		return "once"
	case d == period.Demand || d == period.Once || periodic(u) && periodic(d) && u > d:
		return "last " + noun(u)
	}
	switch {
	case u == period.Cron && d == period.Cron:
		return "fires since its last"
	case d == period.Cron:
		return noun(u) + "s since the last fire"
	case u == d:
		return fmt.Sprintf("%ss that end in the %s", u, d)
	}
	return fmt.Sprintf("%ss of the %s", noun(u), d)
}

// samePeriods tells whether the periods of two schedules are cut alike, whichever of them exist.
func samePeriods(a, b period.Spec) bool {
	return a.Every == b.Every && a.Cron == b.Cron && a.Once == b.Once && zone(a) == zone(b) && (a.Calendar == nil) == (b.Calendar == nil)
}

func zone(s period.Spec) string {
	if s.Timezone == "" {
		return "UTC"
	}
	return s.Timezone
}

// periodic tells whether periods of a kind have a length; the kinds that do are in its order.
func periodic(k period.Kind) bool { return period.Hour <= k && k <= period.Month }

func noun(k period.Kind) string {
	if k == period.Cron {
		return "fire"
	}
	return k.String()
}
