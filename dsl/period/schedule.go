package period

import (
	"iter"
	"strings"
	"time"
)

// Periods begin at or after earliest and before latest.
const (
	earliest = Instant(-25567 * daySeconds * second) // 1900-01-01
	latest   = Instant(84006 * daySeconds * second)  // 2200-01-01

	// beyond is after the end of every period: a year covers the longest that begins before latest.
	beyond = latest + 366*daySeconds*second
)

// Schedule is a compiled Spec: immutable and safe for concurrent use.
type Schedule struct {
	spec     Spec
	kind     Kind
	zone     *zone
	cron     *cronTable // Cron only
	once     Instant    // Once only
	calendar *calendar  // nil = every day
	start    Instant    // no period begins before it
	end      Instant    // no period begins at or after it
	at       at
	atText   string

	shape       string // equal for schedules that have the same periods
	fingerprint string
}

// Kind tells how the schedule cuts time; Demand for flows without schedule.
func (s *Schedule) Kind() Kind { return s.kind }

// Zone returns the time zone in which periods are cut and labels are written.
func (s *Schedule) Zone() *time.Location { return s.zone.loc }

// Spec returns what the schedule was made from.
func (s *Schedule) Spec() Spec { return s.spec }

// Fingerprint identifies the periods and due instants of the schedule: it changes whenever they would. Two ways to write
// the same schedule have one fingerprint.
func (s *Schedule) Fingerprint() string { return s.fingerprint }

// String tells a person when runs are created: `day at 00:01 Asia/Shanghai`, `cron "*/15 * * * *" UTC`, `on demand`.
func (s *Schedule) String() string {
	var b strings.Builder
	switch s.kind {
	case Demand:
		return "on demand"
	case Cron:
		b.WriteString(`cron "` + s.spec.Cron + `"`)
	case Once:
		b.WriteString("once " + s.spec.Once)
	default:
		b.WriteString(s.spec.Every + " at " + s.atText)
	}
	b.WriteString(" " + s.zone.loc.String())
	if s.calendar != nil {
		b.WriteString(", on its calendar")
	}
	if s.spec.Start != "" {
		b.WriteString(", from " + s.spec.Start)
	}
	if s.spec.End != "" {
		b.WriteString(", until " + s.spec.End)
	}
	return b.String()
}

// Containing returns the existing period with Start <= t < End. Empty periods contain nothing.
func (s *Schedule) Containing(t Instant) (Period, bool) {
	p, ok := s.after(t)
	return p, ok && p.Start <= t
}

// Next returns the existing period that follows p, a period of the schedule.
func (s *Schedule) Next(p Period) (Period, bool) { return s.after(p.End) }

// Prev returns the existing period before p, a period of the schedule.
func (s *Schedule) Prev(p Period) (Period, bool) { return s.before(p.End - 1) }

// Exists tells whether p is a period of the schedule: cut as it cuts time, on its calendar, within start and end. For a
// Demand schedule every empty Demand period is.
func (s *Schedule) Exists(p Period) bool {
	if s.kind == Demand {
		return p.Kind == Demand && p.Start == p.End
	}
	q, ok := s.after(p.End - 1)
	return ok && q == p
}

// LastEnded returns the newest existing period with End <= t.
func (s *Schedule) LastEnded(t Instant) (Period, bool) { return s.before(t) }

// FirstEndingAfter returns the oldest existing period with End > t.
func (s *Schedule) FirstEndingAfter(t Instant) (Period, bool) { return s.after(t) }

// EndingIn yields the existing periods with from < End <= to, ascending.
func (s *Schedule) EndingIn(from, to Instant) iter.Seq[Period] {
	return func(yield func(Period) bool) {
		for p, ok := s.after(from); ok && p.End <= to; p, ok = s.after(p.End) {
			if !yield(p) {
				return
			}
		}
	}
}

// StartingIn yields the existing periods that begin within [from, to), ascending. A cron period begins at its fire time
// here, see the package comment; to resume after p, call it again with from = Begin(p) + 1.
func (s *Schedule) StartingIn(from, to Instant) iter.Seq[Period] {
	return func(yield func(Period) bool) {
		for p, ok := s.beginning(from); ok && s.Begin(p) < to; p, ok = s.after(p.End) {
			if !yield(p) {
				return
			}
		}
	}
}

// Begin returns the instant that the label of p names: its start, and for a cron period its fire time.
func (s *Schedule) Begin(p Period) Instant {
	if p.Kind == Cron {
		return p.End
	}
	return p.Start
}

// beginning returns the first existing period that begins at or after t.
func (s *Schedule) beginning(t Instant) (Period, bool) {
	t = max(t, earliest)
	if s.kind == Cron || s.kind == Once {
		return s.after(t - 1)
	}
	p, ok := s.after(t)
	if ok && p.Start < t {
		return s.after(p.End)
	}
	return p, ok
}

// after returns the first existing period with End > t.
func (s *Schedule) after(t Instant) (Period, bool) {
	switch s.kind {
	case Demand:
		return Period{}, false
	case Once:
		return Period{Once, s.once, s.once}, s.once > t
	case Cron:
		t = max(t, s.start-1)
		if t >= s.end {
			return Period{}, false
		}
		fire, ok := s.cron.fireAfter(s.zone, t)
		if !ok || fire >= s.end {
			return Period{}, false
		}
		return s.gap(fire), true
	}
	t = max(t, s.start)
	if t >= beyond {
		return Period{}, false
	}
	p := s.cut(t)
	if p.Start < s.start {
		p = s.cut(p.End)
	}
	if d := s.zone.day; s.calendar != nil && p.Start < s.end && !s.calendar.has(d(p.Start)) {
		next, ok := s.calendar.from(d(p.Start), d(s.end))
		if !ok {
			return Period{}, false
		}
		p = s.cut(s.zone.begin(next))
	}
	return p, p.Start < s.end
}

// before returns the last existing period with End <= t.
func (s *Schedule) before(t Instant) (Period, bool) {
	switch s.kind {
	case Demand:
		return Period{}, false
	case Once:
		return Period{Once, s.once, s.once}, s.once <= t
	case Cron:
		t = min(t, s.end-1)
		if t < s.start {
			return Period{}, false
		}
		fire, ok := s.cron.fireUntil(s.zone, t)
		if !ok || fire < s.start {
			return Period{}, false
		}
		return s.gap(fire), true
	}
	if t <= s.start {
		return Period{}, false
	}
	p := s.cut(min(t, beyond)) // every t there is the same
	p = s.cut(min(p.Start, s.end) - 1)
	if d := s.zone.day; s.calendar != nil && p.Start >= s.start && !s.calendar.has(d(p.Start)) {
		last, ok := s.calendar.until(d(p.Start), d(s.start))
		if !ok {
			return Period{}, false
		}
		p = s.cut(s.zone.begin(last+1) - 1)
	}
	return p, p.Start >= s.start
}

// gap returns the cron period that ends with a fire.
func (s *Schedule) gap(fire Instant) Period {
	start, ok := s.cron.fireUntil(s.zone, fire-1)
	if !ok {
		start = earliest
	}
	return Period{Cron, start, fire}
}

// cut returns the hour, day, week or month that holds t, whether it exists or not.
func (s *Schedule) cut(t Instant) Period {
	if s.kind == Hour {
		return s.hour(t)
	}
	d := s.zone.wall(t).day()
	first, next := s.unit(d)
	// After the clock was set back over midnight, or before a date that was skipped, t belongs to a later unit.
	for s.zone.begin(next) <= t {
		first, next = s.unit(next)
	}
	return Period{s.kind, s.zone.begin(first), s.zone.begin(next)}
}

// hour returns the local hour that holds t, cut where the offset changes within it.
func (s *Schedule) hour(t Instant) Period {
	sec := floorDiv(int64(t), second)
	seg := s.zone.segments[s.zone.at(sec)]
	start := sec - floorMod(sec+seg.offset, 3600)
	return Period{Hour, Instant(max(start, seg.start) * second), Instant(min(start+3600, seg.end) * second)}
}

// unit returns the first day of the day, week or month that holds d, and that of the next one.
func (s *Schedule) unit(d day) (first, next day) {
	switch s.kind {
	case Week:
		monday := d - day(floorMod(int64(d)+3, 7))
		return monday, monday + 7
	case Month:
		year, month, dom := d.time().Date()
		first = d - day(dom-1)
		return first, first + day(daysIn(year, int(month)))
	}
	return d, d + 1
}
