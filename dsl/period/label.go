package period

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The layouts of labels.
const (
	hourLayout   = "2006-01-02T15"
	minuteLayout = "2006-01-02T15:04"
	secondLayout = "2006-01-02T15:04:05"
	microLayout  = "2006-01-02T15:04:05.000000"
)

// Label names a period of the schedule in its zone: 2026-11-19T13, 2026-11-19, 2026-W47, 2026-11; cron and once by their
// time, 2026-11-19T13:15; on demand with microseconds. When the clock shows the same twice, the label carries its offset:
// 2026-10-25T02+02:00. Labels are unique within a schedule, and Parse reads them back.
func (s *Schedule) Label(p Period) string {
	t := s.Begin(p)
	if p.Kind == Hour || p.Kind == Cron || p.Kind == Once || p.Kind == Demand {
		return s.clockLabel(p.Kind, t)
	}
	d := s.zone.day(t)
	switch p.Kind {
	case Week:
		year, week := d.time().ISOWeek()
		return fmt.Sprintf("%04d-W%02d", year, week)
	case Month:
		return d.time().Format("2006-01")
	}
	return d.time().Format(time.DateOnly)
}

func (s *Schedule) clockLabel(kind Kind, t Instant) string {
	w := s.zone.wall(t)
	layout, span := minuteLayout, wall(1)
	switch {
	case kind == Hour:
		layout, span = hourLayout, 3600
		w -= wall(floorMod(int64(w), 3600))
	case kind == Demand:
		layout = microLayout
	case w%60 != 0:
		layout = secondLayout
	}
	label := w.time().Add(time.Duration(floorMod(int64(t), second)) * time.Microsecond).Format(layout)
	if len(s.zone.offsets(w, w+span)) > 1 {
		sec := floorDiv(int64(t), second)
		label += offsetLabel(s.zone.segments[s.zone.at(sec)].offset)
	}
	return label
}

func offsetLabel(offset int64) string {
	sign := "+"
	if offset < 0 {
		sign, offset = "-", -offset
	}
	label := fmt.Sprintf("%s%02d:%02d", sign, offset/3600, offset/60%60)
	if offset%60 != 0 {
		label += fmt.Sprintf(":%02d", offset%60)
	}
	return label
}

// Parse returns the existing periods that a label names: for the label of a period that period, for a coarser one (a date
// for an hourly flow) all that begin within it in the schedule's zone. Local times may also be written to the second, and
// times may carry Z or an offset. When nothing begins there, the error wraps ErrNoPeriod and tells the periods around it; a
// clock time that occurs twice wants its offset.
//
// For an on-demand schedule only a full time names a period: the instant of the request.
func (s *Schedule) Parse(label string) ([]Period, error) {
	from, to, err := s.span(label)
	if err != nil {
		return nil, err
	}
	if to.ambiguous {
		return nil, s.ambiguous(label, from.t, to.t)
	}
	if s.kind == Demand {
		if !from.exact {
			return nil, fmt.Errorf("%w: the flow runs on demand; name the instant of the request, such as 2026-11-20T10:00:00.123456, not %q",
				ErrNoPeriod, label)
		}
		return []Period{{Demand, from.t, from.t}}, nil
	}
	if periods := slices.Collect(s.StartingIn(from.t, to.t)); len(periods) > 0 {
		return periods, nil
	}
	return nil, s.missing(label, from.t, to.t)
}

// Range returns the half-open interval [first, last) of instants that a backfill from one label to another spans, both ends
// inclusive; StartingIn(first, last) yields its periods. Ends may be of any kind: dates span the weeks, hours and cron fires
// that begin on them. A range may hold no period.
func (s *Schedule) Range(from, to string) (first, last Instant, err error) {
	a, _, err := s.span(from)
	if err != nil {
		return 0, 0, err
	}
	_, b, err := s.span(to)
	if err != nil {
		return 0, 0, err
	}
	if b.t <= a.t {
		return 0, 0, fmt.Errorf("%s is before %s; swap the two", to, from)
	}
	return a.t, b.t, nil
}

// border is one end of the span of instants that a label names.
type border struct {
	t         Instant
	exact     bool // the label names an instant
	ambiguous bool // the clock shows the label more than once, and both borders enclose all of them
}

var (
	weekLabel  = regexp.MustCompile(`^(\d{4})-W(\d{2})$`)
	clockLabel = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2}T\d{2})(:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?(Z|[+-]\d{2}:\d{2}(?::\d{2})?)?$`)
)

// span returns the half-open interval of instants that a label names.
func (s *Schedule) span(label string) (from, to border, err error) {
	if d, err := parseDate(label); err == nil {
		return s.daySpan(d, d+1)
	}
	if t, err := time.Parse("2006-01", label); err == nil {
		d := wall(t.Unix()).day()
		return s.daySpan(d, d+day(daysIn(t.Year(), int(t.Month()))))
	}
	if m := weekLabel.FindStringSubmatch(label); m != nil {
		monday, err := mondayOf(m[1], m[2])
		if err != nil {
			return from, to, fmt.Errorf("%s: %w", label, err)
		}
		return s.daySpan(monday, monday+7)
	}
	if m := clockLabel.FindStringSubmatch(label); m != nil {
		return s.clockSpan(label, m[1], m[2], m[3])
	}
	return from, to, badLabel(label)
}

func badLabel(label string) error {
	if len(label) > 40 {
		label = label[:40] + "…"
	}
	return fmt.Errorf("%q does not name a period; write 2026-11-19, 2026-11-19T13, 2026-W47, 2026-11 or 2026-11-19T13:15", label)
}

func (s *Schedule) daySpan(first, next day) (from, to border, err error) {
	return border{t: s.zone.begin(first)}, border{t: s.zone.begin(next)}, nil
}

// mondayOf returns the first day of an ISO week: week 1 holds the year's fourth of January.
func mondayOf(yearText, weekText string) (day, error) {
	year, _ := strconv.Atoi(yearText)
	week, _ := strconv.Atoi(weekText)
	fourth := wallOf(year, 1, 4).day()
	monday := fourth - day(floorMod(int64(fourth)+3, 7)) + day(7*(week-1))
	if y, w := monday.time().ISOWeek(); y != year || w != week {
		return 0, errors.New("the year has no such week")
	}
	return monday, nil
}

// clockSpan reads an hour (clock is empty) or an instant. Without offset it is local.
func (s *Schedule) clockSpan(label, hour, clock, offset string) (from, to border, err error) {
	layout, text, span := hourLayout, hour, int64(3600)
	if clock != "" {
		text, span = hour+clock, 1
		layout = secondLayout[:min(len(text), len(secondLayout))]
	}
	t, err := time.Parse(layout, text) // accepts a fraction of seconds, too
	if err != nil {
		return from, to, badLabel(label)
	}
	w, micros := wall(t.Unix()), Instant(t.Nanosecond()/1000)
	if offset != "" {
		from.t, to.t = s.withOffset(w, span, parseOffset(offset))
	} else {
		segments := s.zone.offsets(w, w+wall(span))
		if len(segments) == 0 {
			return from, to, fmt.Errorf("%w: clocks in %s were set forward over %s", ErrNoPeriod, s.zone.loc, label)
		}
		from.t, _ = segments[0].shows(w, span)
		_, to.t = segments[len(segments)-1].shows(w, span)
		to.ambiguous = len(segments) > 1
	}
	if clock != "" {
		from.exact = true
		from.t += micros
		to.t += micros - second + 1
	}
	return from, to, nil
}

// withOffset returns when a clock with that offset shows [w, w+span), cut to where the offset is in force in the zone.
func (s *Schedule) withOffset(w wall, span, offset int64) (from, to Instant) {
	for _, seg := range s.zone.offsets(w-2*daySeconds, w+2*daySeconds) {
		if from, to := seg.shows(w, span); seg.offset == offset && from < to {
			return from, to
		}
	}
	first := int64(w) - offset
	return Instant(first * second), Instant((first + span) * second)
}

// shows returns when the clock of the segment shows [w, w+span).
func (seg segment) shows(w wall, span int64) (from, to Instant) {
	first := int64(w) - seg.offset
	return Instant(max(first, seg.start) * second), Instant(min(first+span, seg.end) * second)
}

func parseOffset(text string) int64 {
	if text == "Z" {
		return 0
	}
	var total int64
	for i, unit := range []int64{3600, 60, 1} {
		if parts := strings.Split(text[1:], ":"); i < len(parts) {
			n, _ := strconv.Atoi(parts[i])
			total += int64(n) * unit
		}
	}
	if text[0] == '-' {
		return -total
	}
	return total
}

func (s *Schedule) ambiguous(label string, first, last Instant) error {
	return fmt.Errorf("%w: clocks in %s show %s twice; write %s%s or %s%s", ErrNoPeriod, s.zone.loc, label,
		label, s.offsetAt(first), label, s.offsetAt(last-1))
}

func (s *Schedule) offsetAt(t Instant) string {
	return offsetLabel(s.zone.segments[s.zone.at(floorDiv(int64(t), second))].offset)
}

// missing tells why no period begins in [from, to), and which are near.
func (s *Schedule) missing(label string, from, to Instant) error {
	var near []string
	if p, ok := s.before(from); ok {
		near = append(near, s.Label(p))
	}
	if p, ok := s.Containing(from); ok && s.Begin(p) < from {
		near = append(near, s.Label(p))
	}
	if p, ok := s.beginning(to); ok {
		near = append(near, s.Label(p))
	}
	err := fmt.Errorf("%w: none of %s begins at %s", ErrNoPeriod, s, label)
	if len(near) == 0 {
		return err
	}
	slices.Sort(near)
	return fmt.Errorf("%w; near it: %s", err, strings.Join(slices.Compact(near), ", "))
}
