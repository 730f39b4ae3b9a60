package period

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/netresearch/go-cron"
)

// cronTable is a cron expression as sets of bits. It speaks of clock time alone; fireAfter and fireBefore lay it over a zone.
type cronTable struct {
	minute, hour, dom, month, dow uint64
	dayOr                         bool // both day fields are set: either may match
	everyHour                     bool // follows elapsed time where clocks are changed
	never                         bool // no month has such a day
}

const (
	cronFields = cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom
	cronStar   = 1 << 63 // go-cron marks fields written as * so
	allHours   = 1<<24 - 1
)

// Bounds of every search: the days on which firstYear and lastYear begin.
const (
	cronFloor   day = -29219
	cronCeiling day = 87658
)

// cronBound is what the numbers of a field may be.
type cronBound struct {
	name     string
	min, max int
}

var cronBounds = [5]cronBound{{"minute", 0, 59}, {"hour", 0, 23}, {"day", 1, 31}, {"month", 1, 12}, {"weekday", 0, 7}}

// check refuses what go-cron takes and reads in its own way: empty places in a list as values that never come, and ranges that wrap around
// from a number that the field does not have.
func (b cronBound) check(field string) error {
	for part := range strings.SplitSeq(field, ",") {
		if part == "" {
			return fmt.Errorf("%q lists nothing before or after a comma", field)
		}
		values, _, _ := strings.Cut(part, "/")
		for value := range strings.SplitSeq(values, "-") {
			if n, err := strconv.Atoi(value); err == nil && (n < b.min || n > b.max) {
				return fmt.Errorf("%q names %d, but a %s is from %d to %d", field, n, b.name, b.min, b.max)
			}
		}
	}
	return nil
}

func parseCron(text string) (*cronTable, error) {
	fields := strings.Fields(text)
	switch {
	case strings.HasPrefix(text, "@"):
		return nil, errors.New("macros such as @daily are not supported; write five fields: minute hour day month weekday")
	case len(fields) > 0 && strings.Contains(fields[0], "TZ="):
		return nil, errors.New("the time zone belongs into `timezone`, not into the cron expression")
	case len(fields) != 5:
		return nil, fmt.Errorf("%q has %d fields, want five: minute hour day month weekday", text, len(fields))
	}
	for i, field := range fields {
		if err := cronBounds[i].check(field); err != nil {
			return nil, err
		}
	}
	parser, err := cron.TryNewParser(cronFields)
	if err != nil {
		return nil, err
	}
	schedule, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	spec, ok := schedule.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("%q is not a list of clock times", text)
	}
	c := &cronTable{
		minute:    spec.Minute &^ cronStar,
		hour:      spec.Hour &^ cronStar,
		dom:       spec.Dom &^ cronStar,
		month:     spec.Month &^ cronStar,
		dow:       (spec.Dow&^cronStar | spec.Dow>>7&1) & (1<<7 - 1),
		dayOr:     spec.Dom&cronStar == 0 && spec.Dow&cronStar == 0,
		everyHour: spec.Hour&allHours == allHours,
	}
	// Eight years hold a 29 February, also across 2100; dates that this window lacks never come.
	_, fires := c.next(wallOf(2000, 1, 1))
	c.never = !fires
	return c, nil
}

func (c *cronTable) String() string {
	return fmt.Sprintf("%x/%x/%x/%x/%x/%t", c.minute, c.hour, c.dom, c.month, c.dow, c.dayOr)
}

func (c *cronTable) matches(d day, dom int) bool {
	domOK := c.dom>>dom&1 == 1
	dowOK := c.dow>>uint(d.weekday())&1 == 1
	if c.dayOr {
		return domOK || dowOK
	}
	return domOK && dowOK
}

// next returns the first matching clock time at or after w.
func (c *cronTable) next(w wall) (wall, bool) {
	w = wall(floorDiv(int64(w)+59, 60) * 60)
	d := w.day()
	minuteOfDay := int(w-d.wall()) / 60
	for tries := 0; tries < 9*12 && d < cronCeiling; tries++ {
		year, month, dom := d.time().Date()
		days := daysIn(year, int(month))
		if c.month>>uint(month)&1 == 1 {
			for ; dom <= days; dom, d, minuteOfDay = dom+1, d+1, 0 {
				if !c.matches(d, dom) {
					continue
				}
				if m, ok := c.minuteFrom(minuteOfDay); ok {
					return d.wall() + wall(m*60), true
				}
			}
			continue
		}
		d, minuteOfDay = d+day(days-dom+1), 0
	}
	return 0, false
}

// prev returns the last matching clock time at or before w.
func (c *cronTable) prev(w wall) (wall, bool) {
	d := w.day()
	minuteOfDay := int(w-d.wall()) / 60
	for tries := 0; tries < 9*12 && d > cronFloor; tries++ {
		_, month, dom := d.time().Date()
		if c.month>>uint(month)&1 == 1 {
			for ; dom >= 1; dom, d, minuteOfDay = dom-1, d-1, 24*60-1 {
				if !c.matches(d, dom) {
					continue
				}
				if m, ok := c.minuteUntil(minuteOfDay); ok {
					return d.wall() + wall(m*60), true
				}
			}
			continue
		}
		d, minuteOfDay = d-day(dom), 24*60-1
	}
	return 0, false
}

// minuteFrom returns the first matching minute of the day at or after m.
func (c *cronTable) minuteFrom(m int) (int, bool) {
	hour, minute := m/60, m%60
	if c.hour>>hour&1 == 1 {
		if rest := c.minute >> minute << minute; rest != 0 {
			return hour*60 + bits.TrailingZeros64(rest), true
		}
	}
	rest := c.hour >> (hour + 1) << (hour + 1)
	if rest == 0 {
		return 0, false
	}
	return bits.TrailingZeros64(rest)*60 + bits.TrailingZeros64(c.minute), true
}

// minuteUntil returns the last matching minute of the day at or before m.
func (c *cronTable) minuteUntil(m int) (int, bool) {
	hour, minute := m/60, m%60
	if c.hour>>hour&1 == 1 {
		if rest := c.minute & (1<<(minute+1) - 1); rest != 0 {
			return hour*60 + bits.Len64(rest) - 1, true
		}
	}
	rest := c.hour & (1<<hour - 1)
	if rest == 0 {
		return 0, false
	}
	return (bits.Len64(rest)-1)*60 + bits.Len64(c.minute) - 1, true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// fireSpan is a stretch of clock time [from, to) within one segment, and what to take off it to get Unix seconds.
type fireSpan struct {
	from, to, offset int64
}

// spans returns the clock times that fire within segment i: what its clock shows, and for clock times that the change at its
// begin skipped, what the old clock would have shown. A fixed-hour cron does not fire again for what the segment before
// already showed.
func (c *cronTable) spans(z *zone, i int) (own, skipped fireSpan) {
	s := z.segments[i]
	own = fireSpan{from: math.MinInt64, to: math.MaxInt64, offset: s.offset}
	if s.end != math.MaxInt64 {
		own.to = s.end + s.offset
	}
	if i == 0 {
		return own, skipped
	}
	own.from = s.start + s.offset
	if c.everyHour {
		return own, skipped
	}
	before := z.segments[i-1].offset
	if shown := s.start + before; shown < own.from {
		skipped = fireSpan{from: shown, to: own.from, offset: before}
	} else {
		own.from = shown
	}
	return own, skipped
}

// fireAfter returns the first fire after t.
func (c *cronTable) fireAfter(z *zone, t Instant) (Instant, bool) {
	if c.never {
		return 0, false
	}
	after := floorDiv(int64(t), second)
	for i := z.at(after); i < len(z.segments); i++ {
		own, skipped := c.spans(z, i)
		best := int64(math.MaxInt64)
		for _, span := range [2]fireSpan{own, skipped} {
			if span.from == span.to {
				continue
			}
			w, ok := c.next(wall(max(span.from, after+1+span.offset)))
			if ok && int64(w) < span.to {
				best = min(best, int64(w)-span.offset)
			}
		}
		if best != math.MaxInt64 {
			return Instant(best * second), true
		}
	}
	return 0, false
}

// fireUntil returns the last fire at or before t.
func (c *cronTable) fireUntil(z *zone, t Instant) (Instant, bool) {
	if c.never {
		return 0, false
	}
	until := floorDiv(int64(t), second)
	for i := z.at(until); i >= 0; i-- {
		own, skipped := c.spans(z, i)
		best := int64(math.MinInt64)
		for _, span := range [2]fireSpan{own, skipped} {
			if span.from == span.to {
				continue
			}
			w, ok := c.prev(wall(min(span.to-1, until+span.offset)))
			if ok && int64(w) >= span.from {
				best = max(best, int64(w)-span.offset)
			}
		}
		if best != math.MinInt64 {
			return Instant(best * second), true
		}
	}
	return 0, false
}
