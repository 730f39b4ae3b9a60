package period

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// look is what the local clock shows at an instant.
type look struct {
	at     Instant
	wall   time.Time // the clock, as if it were UTC
	offset int
	date   time.Time // the latest date that the clock has reached
}

// watch looks at the clock of a zone at every quarter of an hour, and at every minute of a quarter in which it is changed. It knows
// package time and nothing of this package.
func watch(zone *time.Location, from, to time.Time) (looks []look) {
	var date time.Time
	see := func(t time.Time) {
		t = t.In(zone)
		_, offset := t.Zone()
		wall := t.UTC().Add(time.Duration(offset) * time.Second)
		if today := wall.Truncate(24 * time.Hour); today.After(date) {
			date = today
		}
		looks = append(looks, look{At(t), wall, offset, date})
	}
	for t := from.Truncate(15 * time.Minute); t.Before(to); t = t.Add(15 * time.Minute) {
		_, offset := t.In(zone).Zone()
		if n := len(looks); n > 0 && looks[n-1].offset != offset {
			for m := t.Add(-14 * time.Minute); m.Before(t); m = m.Add(time.Minute) {
				see(m)
			}
		}
		see(t)
	}
	return looks
}

// means returns the instant of a clock time: the first that shows it, or what the clock would have shown had it not been changed.
func means(looks []look, wall time.Time) Instant {
	before := looks[0]
	for _, l := range looks {
		if l.wall.Equal(wall) {
			return l.at
		}
		if l.wall.After(wall) {
			break
		}
		before = l
	}
	return before.at.Add(wall.Sub(before.wall))
}

// reached returns the first instant whose date is d or later.
func reached(looks []look, d time.Time) Instant {
	for _, l := range looks {
		if !l.date.Before(d) {
			return l.at
		}
	}
	return looks[len(looks)-1].at
}

// byTheClock lists the existing periods of a spec that lie within what was seen of the clock of its zone, by the words of the design.
func byTheClock(spec Spec, looks []look) (periods []Period) {
	begins := func(same func(a, b look) bool, kind Kind) {
		var cuts []look
		for i, l := range looks[1:] {
			if !same(looks[i], l) {
				cuts = append(cuts, l)
			}
		}
		for i := 1; i < len(cuts); i++ {
			if onCalendar(spec.Calendar, cuts[i-1].date) {
				periods = append(periods, Period{kind, cuts[i-1].at, cuts[i].at})
			}
		}
	}
	begin := func(p Period) Instant { return p.Start }
	switch {
	case spec.Cron != "":
		fires := firesByTheClock(spec.Cron, looks)
		for i := 1; i < len(fires); i++ {
			periods = append(periods, Period{Cron, fires[i-1], fires[i]})
		}
		begin = func(p Period) Instant { return p.End }
	case spec.Once != "":
		at := means(looks, wallTime(spec.Once))
		periods = []Period{{Once, at, at}}
	case spec.Every == "hour":
		begins(func(a, b look) bool {
			return a.offset == b.offset && a.wall.Truncate(time.Hour).Equal(b.wall.Truncate(time.Hour))
		}, Hour)
	case spec.Every == "day":
		begins(func(a, b look) bool { return a.date.Equal(b.date) }, Day)
	case spec.Every == "week":
		begins(func(a, b look) bool { return isoWeek(a.date) == isoWeek(b.date) }, Week)
	case spec.Every == "month":
		begins(func(a, b look) bool { return a.date.Month() == b.date.Month() }, Month)
	}
	limit := func(text string) Instant {
		if d, err := time.Parse(time.DateOnly, text); err == nil {
			return reached(looks, d)
		}
		return means(looks, wallTime(text))
	}
	if spec.Start != "" {
		start := limit(spec.Start)
		periods = slices.DeleteFunc(periods, func(p Period) bool { return begin(p) < start })
	}
	if spec.End != "" {
		end := limit(spec.End)
		periods = slices.DeleteFunc(periods, func(p Period) bool { return begin(p) >= end })
	}
	return periods
}

func wallTime(text string) time.Time {
	t, err := time.Parse("2006-01-02T15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

func isoWeek(d time.Time) string {
	year, week := d.ISOWeek()
	return fmt.Sprint(year, week)
}

func onCalendar(c *CalendarSpec, date time.Time) bool {
	if c == nil {
		return true
	}
	in := func(ranges []string) bool {
		return slices.ContainsFunc(ranges, func(text string) bool {
			from, to, ok := strings.Cut(text, "..")
			if !ok {
				to = from
			}
			day := date.Format(time.DateOnly)
			return from <= day && day <= to
		})
	}
	if in(c.Include) {
		return true
	}
	named := len(c.Days) == 0 || slices.Contains(c.Days, strings.ToLower(date.Weekday().String()[:3]))
	return named && !in(c.Exclude)
}

// firesByTheClock fires whenever the clock matches, when the hours are a star; else once at what each matching clock time of each date means.
func firesByTheClock(cron string, looks []look) []Instant {
	table := readCrontab(cron)
	var fires []Instant
	if strings.Fields(cron)[1] == "*" {
		for _, l := range looks {
			if table.matches(l.wall) {
				fires = append(fires, l.at)
			}
		}
		return fires
	}
	// The clock times that the clock shows mean the first instant that shows them; of the others there are few.
	first := make(map[time.Time]Instant)
	for _, l := range looks {
		if _, ok := first[l.wall]; !ok {
			first[l.wall] = l.at
		}
	}
	fired := make(map[Instant]bool)
	for w := looks[0].wall.Truncate(15 * time.Minute); w.Before(looks[len(looks)-1].wall); w = w.Add(15 * time.Minute) {
		if !table.matches(w) {
			continue
		}
		at, ok := first[w]
		if !ok {
			at = means(looks, w)
		}
		fired[at] = true
	}
	return slices.Sorted(maps.Keys(fired))
}

// TestJoinReadsTheRule compares the periods of random schedules, and what Join takes of them, with the sentence of the design read
// over lists of periods that were made by looking at a clock.
func TestJoinReadsTheRule(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		anchor := time.Unix(rapid.Int64Range(1_104_537_600, 2_208_988_800).Draw(t, "second"), 0).UTC() // 2005 to 2040
		zone := drawZone(t, "up")
		up, ups := drawWatched(t, "up", zone, anchor)
		if rapid.Bool().Draw(t, "another zone") {
			zone = drawZone(t, "down")
		}
		down, downs := drawWatched(t, "down", zone, anchor)
		if down.Kind() == Demand {
			downs = []Period{{Demand, At(anchor), At(anchor)}}
		}
		downs = slices.DeleteFunc(slices.Clone(downs), func(p Period) bool { return p.End > At(anchor) })
		if len(downs) == 0 {
			return
		}
		recent := 1 // what these need lies within what was watched
		for recent < len(downs) && downs[len(downs)-1-recent].Start >= At(anchor.AddDate(0, 0, -40)) {
			recent++
		}
		i := len(downs) - rapid.IntRange(1, min(recent, 20)).Draw(t, "back")
		rule := rapid.SampledFrom([]Rule{{}, {}, {Kind: Offset, N: 1}, {Kind: Offset, N: 3}, {Kind: Last, N: 1}, {Kind: Last, N: 5}, {Kind: Latest}}).Draw(t, "rule")
		got := Join(up, down, downs[i], rule)
		if want := joinBySentence(ups, downs, i, rule); !slices.Equal(got, want) {
			t.Fatalf("%v of %s for %s of %s: got %s, want %s", rule, up, down.Label(downs[i]), down, labels(up, got), labels(up, want))
		}
	})
}

// joinBySentence reads section 5 of the design: "a run needs every upstream period that ends within its own period (start < end' ≤
// end); when none does, the last one that ended before it. previous (and offset) first moves the downstream back over its own existing
// periods, then applies the rule; last takes the n upstream periods that ended last, up to the run's own end; latest takes the newest
// upstream success, whatever its period", which is not for Join to know.
func joinBySentence(ups, downs []Period, i int, rule Rule) (needed []Period) {
	if rule.Kind == Latest {
		return nil
	}
	if rule.Kind == Offset {
		if i -= rule.N; i < 0 {
			return nil
		}
	}
	p := downs[i]
	var ended, before []Period
	for _, u := range ups {
		if u.End <= p.End {
			ended = append(ended, u)
		}
		if u.End <= p.Start {
			before = append(before, u)
		}
		if p.Start < u.End && u.End <= p.End {
			needed = append(needed, u)
		}
	}
	switch {
	case rule.Kind == Last:
		return ended[max(0, len(ended)-rule.N):]
	case len(needed) == 0 && len(before) > 0:
		return before[len(before)-1:]
	}
	return needed
}

// drawZone prefers zones whose changes are of every sort.
func drawZone(t *rapid.T, name string) string {
	if rapid.Bool().Draw(t, name+" in any zone") {
		return rapid.SampledFrom(allZones()).Draw(t, name+" zone")
	}
	return rapid.SampledFrom(zones).Draw(t, name+" zone")
}

// drawWatched draws a schedule of any kind whose limits lie near an anchor, and lists its periods: ten months before it and some days after.
func drawWatched(t *rapid.T, name, zone string, anchor time.Time) (*Schedule, []Period) {
	pick := func(what string, texts ...string) string { return rapid.SampledFrom(texts).Draw(t, name+" "+what) }
	date := func(what string) string {
		return anchor.AddDate(0, 0, rapid.IntRange(-150, 20).Draw(t, name+" "+what)).Format(time.DateOnly)
	}
	spec := Spec{Timezone: zone}
	switch every := pick("every", "hour", "day", "week", "month", "cron", "once", "demand"); every {
	case "demand":
	case "once":
		spec.Once = date("once") + "T" + pick("once at", "00:00", "02:30", "13:15")
	case "cron":
		spec.Cron = strings.Join([]string{
			pick("minute", "0", "*/15", "45", "0,30", "15-45/15"), pick("hour", "*", "*/6", "2", "1-3", "0,12", "23"),
			pick("dom", "*", "*", "*", "1", "30", "1,15", "*/10"), "*", pick("dow", "*", "*", "*", "mon-fri", "7", "0", "1,3"),
		}, " ")
	case "hour", "day":
		spec.Every = every
		if rapid.Bool().Draw(t, name+" calendar") {
			week := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
			spec.Calendar = &CalendarSpec{Days: rapid.SliceOfNDistinct(rapid.SampledFrom(week), 1, 5, rapid.ID[string]).Draw(t, name+" days")}
			for i := range rapid.IntRange(0, 2).Draw(t, name+" ranges") {
				from := date(fmt.Sprint("exclude ", i))
				first, _ := time.Parse(time.DateOnly, from)
				spec.Calendar.Exclude = append(spec.Calendar.Exclude, from+".."+first.AddDate(0, 0, 9).Format(time.DateOnly))
				spec.Calendar.Include = append(spec.Calendar.Include, date(fmt.Sprint("include ", i)))
			}
		}
	default:
		spec.Every = every
	}
	if spec.Every != "" || spec.Cron != "" {
		if rapid.IntRange(0, 2).Draw(t, name+" started") == 0 {
			spec.Start = date("start") + pick("start at", "", "T00:30", "T02:15")
		}
		if rapid.IntRange(0, 3).Draw(t, name+" ended") == 0 {
			spec.End = date("end") + pick("end at", "", "T23:45")
		}
	}
	s, err := New(spec)
	if err != nil {
		t.Skip(err) // it ends before it starts
	}
	looks := watch(s.Zone(), anchor.AddDate(0, 0, -300), anchor.AddDate(0, 0, 25))
	periods := byTheClock(spec, looks)
	if len(periods) > 0 {
		got := slices.Collect(s.EndingIn(periods[0].End-1, periods[len(periods)-1].End))
		if !slices.Equal(got, periods) {
			t.Fatalf("%s has the periods %s, and by the clock %s", s, labels(s, got), labels(s, periods))
		}
		for i, p := range periods[1:] {
			if last, ok := s.LastEnded(p.End - 1); !ok || last != periods[i] {
				t.Fatalf("%s: before %s ends %v, want %s", s, s.Label(p), last, s.Label(periods[i]))
			}
		}
		if last, ok := s.LastEnded(periods[0].End - 1); ok && spec.Start != "" {
			t.Fatalf("%s: before its first %s ends %v", s, s.Label(periods[0]), last)
		}
	}
	return s, periods
}

// allZones returns the names of all zones, sorted.
func allZones() []string {
	files, err := zoneFiles()
	if err != nil {
		panic(err)
	}
	return slices.Sorted(maps.Keys(files))
}
