package period

import (
	"fmt"
	"iter"
	"strings"
	"time"
)

// Fire is the creation of a scheduled run: its period, when it is due, and what a person may not expect of it.
type Fire struct {
	Period  Period
	Due     Instant
	Remarks []Remark
}

// Remark is something about a fire that the plain reading of its schedule does not tell.
type Remark struct {
	Kind RemarkKind `json:"kind"`
	Text string     `json:"text"`
}

// RemarkKind is the kind of a Remark.
type RemarkKind string

// The kinds of remarks.
const (
	Stretched RemarkKind = "stretched" // clocks change within the period, which is shorter or longer for it
	Skipped   RemarkKind = "skipped"   // clocks jumped over the time before the period
	Repeated  RemarkKind = "repeated"  // the clock shows the period's time, or that of its fire, twice
	Moved     RemarkKind = "moved"     // the clock time of the fire does not exist that day
	LeftOut   RemarkKind = "left_out"  // the calendar leaves out the days before the period
)

// Fires yields what is due within [from, to), ascending. A schedule on demand has no fires.
func (s *Schedule) Fires(from, to Instant) iter.Seq[Fire] {
	return func(yield func(Fire) bool) {
		for p, ok := s.FirstDueAfter(from - 1); ok; p, ok = s.Next(p) {
			due := s.Due(p)
			if due >= to || !yield(Fire{p, due, s.remarks(p, due)}) || p.Kind == Once {
				return
			}
		}
	}
}

func (s *Schedule) remarks(p Period, due Instant) []Remark {
	var all []Remark
	add := func(kind RemarkKind, format string, args ...any) {
		all = append(all, Remark{kind, fmt.Sprintf(format, args...)})
	}
	if prev, ok := s.Prev(p); ok && s.calendar != nil && prev.End < p.Start {
		add(LeftOut, "the calendar leaves out %s before it", dateSpan(s.zone.day(prev.End), s.zone.day(p.Start)-1))
	}
	switch p.Kind {
	case Hour:
		s.hourRemarks(p, add)
	case Day, Week, Month:
		if change := s.change(p.Start, p.End); change != 0 {
			add(Stretched, "clocks go %s within it: %s long", direction(change), short(p.End.Sub(p.Start)))
		}
	}
	s.dueRemarks(p, due, add)
	return all
}

func (s *Schedule) hourRemarks(p Period, add func(RemarkKind, string, ...any)) {
	if change := s.change(p.Start-1, p.Start); change > 0 {
		begin := s.zone.wall(p.Start)
		add(Skipped, "clocks go %s: the time from %s to %s is skipped", direction(change), clockOf(begin-wall(change)), clockOf(begin))
	}
	hour := s.zone.wall(p.Start)
	hour -= wall(floorMod(int64(hour), 3600))
	if times := s.zone.offsets(hour, hour+3600); len(times) > 1 {
		nth := "second"
		if floorDiv(int64(p.Start), second) < times[0].end {
			nth = "first"
		}
		add(Repeated, "the clock shows this hour twice; this is the %s", nth)
	}
	if length := p.End.Sub(p.Start); length != time.Hour {
		add(Stretched, "clocks change at its border: %s long", short(length))
	}
}

// dueRemarks compares the fire with the clock time that the schedule names.
func (s *Schedule) dueRemarks(p Period, due Instant, add func(RemarkKind, string, ...any)) {
	w := s.zone.wall(due)
	moved := false
	switch p.Kind {
	case Day, Week, Month:
		moved = floorMod(int64(w), daySeconds) != int64(s.at.clock)
	case Cron:
		next, ok := s.cron.next(w)
		moved = !ok || next != w
	case Once:
		want, err := parseClock(s.spec.Once)
		moved = err == nil && want != w
	default:
		return
	}
	switch {
	case moved:
		add(Moved, "clocks jump over the time it names: it fires at %s", clockOf(w))
	case len(s.zone.offsets(w, w+1)) > 1:
		nth := "second"
		if s.zone.resolve(w) == due {
			nth = "first"
		}
		add(Repeated, "the clock shows %s twice; it fires the %s time", clockOf(w), nth)
	}
	if _, month, dom := w.time().Date(); p.Kind == Month && !moved && dom < s.at.day {
		add(Moved, "%s has no day %d: it fires on the last one", month, s.at.day)
	}
}

// change returns by how many seconds the clock is set forward (or back: negative) between two instants.
func (s *Schedule) change(from, to Instant) int64 {
	return s.zone.segments[s.zone.at(floorDiv(int64(to), second))].offset - s.zone.segments[s.zone.at(floorDiv(int64(from), second))].offset
}

func direction(change int64) string {
	way := "forward"
	if change < 0 {
		way, change = "back", -change
	}
	return way + " by " + short(time.Duration(change)*time.Second)
}

// short leaves out units of zero: 23h, 30m, 23h30m.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func clockOf(w wall) string { return w.time().Format("15:04") }

func dateSpan(first, last day) string {
	if first == last {
		return first.time().Format(time.DateOnly)
	}
	return first.time().Format(time.DateOnly) + ".." + last.time().Format(time.DateOnly)
}
