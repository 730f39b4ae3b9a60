package period

import (
	"math"
	"sort"
	"time"
)

// second is the number of Instants in a second: zones work in seconds.
const second = 1_000_000

const daySeconds = 24 * 60 * 60

// wall is local clock time: seconds since 1970-01-01T00:00 on the local clock, whatever the offset.
type wall int64

func wallOf(year, month, day int) wall {
	return wall(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix())
}

func (w wall) time() time.Time { return time.Unix(int64(w), 0).UTC() }

// day returns the number of the day, counted from 1970-01-01.
func (w wall) day() day { return day(floorDiv(int64(w), daySeconds)) }

// segment is a span [start, end) of Unix seconds in which the offset of a zone does not change.
type segment struct {
	start, end int64
	offset     int64
}

// zone is a time zone as a table of its offsets. Neighbouring segments differ in offset; the first and last are unbounded.
type zone struct {
	loc      *time.Location
	segments []segment
}

// The years whose offset changes are known; before and after, the offset stays what it was at the border.
const (
	firstYear = 1890
	lastYear  = 2210
)

func loadZone(name string) (*zone, error) {
	loc, err := Zone(name)
	if err != nil {
		return nil, err
	}
	z := &zone{loc: loc}
	last := time.Date(lastYear, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	t := time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC).In(loc)
	start := int64(math.MinInt64)
	for {
		_, offset := t.Zone()
		_, end := t.ZoneBounds()
		until := int64(math.MaxInt64)
		if !end.IsZero() && end.Unix() < last {
			// In the far future package time may answer an end that is not after t, at a turn of the year.
			until = max(end.Unix(), t.Unix()+3600)
		}
		z.add(segment{start: start, end: until, offset: int64(offset)})
		if until == math.MaxInt64 {
			return z, nil
		}
		start, t = until, time.Unix(until, 0).In(loc)
	}
}

// add appends s, joining it with the last segment when only the zone's abbreviation changed.
func (z *zone) add(s segment) {
	if n := len(z.segments); n > 0 && z.segments[n-1].offset == s.offset {
		z.segments[n-1].end = s.end
		return
	}
	z.segments = append(z.segments, s)
}

// at returns the index of the segment that holds the Unix second.
func (z *zone) at(sec int64) int {
	lo, hi := 0, len(z.segments)-1
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if z.segments[mid].end <= sec {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// wall returns the local clock at t, cut to seconds.
func (z *zone) wall(t Instant) wall {
	sec := floorDiv(int64(t), second)
	return wall(sec + z.segments[z.at(sec)].offset)
}

// reaching returns the index of the first segment in which the local clock gets to w or beyond.
func (z *zone) reaching(w wall) int {
	// No offset exceeds a day, so the clock shows less than w in every segment that ends two days before.
	for i := z.at(int64(w) - 2*daySeconds); ; i++ {
		s := z.segments[i]
		if s.end == math.MaxInt64 || s.end+s.offset > int64(w) {
			return i
		}
	}
}

// first returns the first instant at which the local clock shows w or later. It never decreases as w grows.
func (z *zone) first(w wall) Instant {
	s := z.segments[z.reaching(w)]
	return Instant(max(s.start, int64(w)-s.offset) * second)
}

// resolve returns the instant that a clock time means: the first when it occurs twice; when it does not occur, the one it
// would be had the clock not been changed.
func (z *zone) resolve(w wall) Instant {
	i := z.reaching(w)
	s := z.segments[i]
	sec := int64(w) - s.offset
	if sec < s.start {
		sec = int64(w) - z.segments[i-1].offset
	}
	return Instant(sec * second)
}

// offsets returns the segments in which the local clock shows a time of [from, to).
func (z *zone) offsets(from, to wall) []segment {
	var found []segment
	for _, s := range z.segments[z.reaching(from):] {
		if s.start != math.MinInt64 && s.start+s.offset >= int64(to) {
			// A later segment may set the clock back below to, but only within a day.
			if s.start > int64(to)+2*daySeconds {
				break
			}
			continue
		}
		if s.end == math.MaxInt64 || s.end+s.offset > int64(from) {
			found = append(found, s)
		}
	}
	return found
}

// day is a local date: days since 1970-01-01.
type day int64

func (d day) wall() wall { return wall(int64(d) * daySeconds) }

func (d day) time() time.Time { return d.wall().time() }

func (d day) weekday() time.Weekday { return time.Weekday(floorMod(int64(d)+4, 7)) }

// begin returns the instant at which the date begins.
func (z *zone) begin(d day) Instant { return z.first(d.wall()) }

// day returns the date whose day period holds t. Where the clock is set back over midnight, a stretch that shows the old date
// again belongs to the new one.
func (z *zone) day(t Instant) day {
	d := z.wall(t).day()
	if z.begin(d+1) <= t {
		d++
	}
	return d
}

func searchDays(ranges []days, d day) bool {
	i := sort.Search(len(ranges), func(i int) bool { return ranges[i].last >= d })
	return i < len(ranges) && ranges[i].first <= d
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
