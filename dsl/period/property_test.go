package period

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netresearch/go-cron"
	"pgregory.net/rapid"
)

var (
	zones = []string{
		"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca",
		"America/Sao_Paulo", "America/St_Johns", "Pacific/Apia", "America/Havana",
	}
	crons = []string{"*/15 * * * *", "0 * * * *", "30 2 * * *", "0 */2 * * *", "0,30 1-3 * * *", "0 0 1 * *", "5 0 * * 7", "15 12 13 * 5"}
)

func drawSpec(t *rapid.T, name string) Spec {
	spec := Spec{Timezone: rapid.SampledFrom(zones).Draw(t, name+" zone")}
	switch every := rapid.SampledFrom([]string{"hour", "day", "week", "month", "cron"}).Draw(t, name+" every"); every {
	case "cron":
		spec.Cron = rapid.SampledFrom(crons).Draw(t, name+" cron")
	default:
		spec.Every = every
		if every == "hour" || every == "day" {
			spec.Calendar = rapid.SampledFrom([]*CalendarSpec{nil, nil, {Days: []string{"mon", "sat"}, Include: []string{"2018-11-04"}}}).
				Draw(t, name+" calendar")
		}
	}
	spec.Start = rapid.SampledFrom([]string{"", "", "2017-03-15", "2018-11-04T00:30"}).Draw(t, name+" start")
	spec.End = rapid.SampledFrom([]string{"", "", "2027-01-05"}).Draw(t, name+" end")
	return spec
}

// drawInstant prefers the hours around changes of the offset, of which z has many.
func drawInstant(t *rapid.T, z *zone) Instant {
	t0 := Instant(rapid.Int64Range(time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC).Unix()).
		Draw(t, "second")) * second
	if len(z.segments) > 1 && rapid.Bool().Draw(t, "near a change") {
		seg := z.segments[max(1, z.at(int64(t0)/second))]
		t0 = Instant(seg.start+rapid.Int64Range(-2*daySeconds, 2*daySeconds).Draw(t, "distance")) * second
	}
	return t0 + Instant(rapid.SampledFrom([]int64{-1, 0, 1}).Draw(t, "micros"))
}

func TestPeriodsTileTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t, "schedule")
		spec.Calendar, spec.Start, spec.End = nil, "", ""
		s, err := New(spec)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := s.Containing(drawInstant(t, s.zone))
		if !ok {
			t.Fatal("time outside every period")
		}
		for range 30 {
			next, ok := s.Next(p)
			if !ok || next.Start != p.End || next.End <= next.Start {
				t.Fatalf("%v is followed by %v", p, next)
			}
			if back, _ := s.Prev(next); back != p {
				t.Fatalf("before %v is %v, want %v", next, back, p)
			}
			if s.Due(p) < p.End || s.Due(next) < s.Due(p) {
				t.Fatalf("%v due %d, then %v due %d", p, s.Due(p), next, s.Due(next))
			}
			if got, _ := s.Containing(p.End - 1); got != p {
				t.Fatalf("the last instant of %v is in %v", p, got)
			}
			p = next
		}
	})
}

func TestQuestionsAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, err := New(drawSpec(t, "schedule"))
		if err != nil {
			t.Fatal(err)
		}
		from := drawInstant(t, s.zone)
		to := from.Add(40 * 24 * time.Hour)
		all := slices.Collect(s.EndingIn(from, to))
		for i, p := range all {
			if p.End <= from || p.End > to || !s.Exists(p) || i > 0 && p.Start < all[i-1].End {
				t.Fatalf("%v at %d of EndingIn", p, i)
			}
			if back, err := s.Parse(s.Label(p)); err != nil || len(back) != 1 || back[0] != p {
				t.Fatalf("%v has label %s, which names %v (%v)", p, s.Label(p), back, err)
			}
			if due, ok := s.FirstDueAfter(s.Due(p) - 1); !ok || due != p && s.Due(due) != s.Due(p) {
				t.Fatalf("%v is due at %d, but first due is %v", p, s.Due(p), due)
			}
		}
		if len(all) == 0 {
			return
		}
		if first, ok := s.FirstEndingAfter(from); !ok || first != all[0] {
			t.Fatalf("first ending is %v, want %v", first, all[0])
		}
		if last, ok := s.LastEnded(to); !ok || last != all[len(all)-1] {
			t.Fatalf("last ended is %v, want %v", last, all[len(all)-1])
		}
		starting := slices.Collect(s.StartingIn(s.Begin(all[0]), s.Begin(all[len(all)-1])))
		if !slices.Equal(starting, all[:len(all)-1]) {
			t.Fatalf("StartingIn gives %v, want %v", starting, all)
		}
	})
}

func TestJoin(t *testing.T) {
	t.Parallel()
	berlin := "Europe/Berlin"
	hour, day := Spec{Every: "hour", Timezone: berlin}, Spec{Every: "day", Timezone: berlin}
	week := Spec{Every: "week", Timezone: berlin}
	for _, tt := range []struct {
		name     string
		up, down Spec
		label    string
		rule     Rule
		count    int
		want     string // the first of them
	}{
		{"same kind", day, day, "2026-11-19", Rule{}, 1, "2026-11-19"},
		{"same kind, another hour of the day", day, Spec{Every: "day", At: "06:00", Timezone: berlin}, "2026-11-19", Rule{}, 1, "2026-11-19"},
		{"a day needs its hours", hour, day, "2026-11-19", Rule{}, 24, "2026-11-19T00"},
		{"a short day", hour, day, "2026-03-29", Rule{}, 23, "2026-03-29T00"},
		{"a long day", hour, day, "2026-10-25", Rule{}, 25, "2026-10-25T00"},
		{"a week needs its days", day, week, "2026-W47", Rule{}, 7, "2026-11-16"},
		{"an hour needs the last full day", day, hour, "2026-11-19T13", Rule{}, 1, "2026-11-18"},
		{"the last hour ends with the day", day, hour, "2026-11-19T23", Rule{}, 1, "2026-11-19"},
		{"previous", day, day, "2026-11-19", Rule{Kind: Offset, N: 1}, 1, "2026-11-18"},
		{"previous over a calendar", day, Spec{Every: "day", Timezone: berlin, Calendar: &CalendarSpec{Days: []string{"mon", "fri"}}},
			"2026-11-16", Rule{Kind: Offset, N: 1}, 1, "2026-11-13"},
		{"before the first", day, Spec{Every: "day", Timezone: berlin, Start: "2026-11-19"}, "2026-11-19", Rule{Kind: Offset, N: 1}, 0, ""},
		{"upstream begins later", Spec{Every: "day", Timezone: berlin, Start: "2026-11-20"}, day, "2026-11-19", Rule{}, 0, ""},
		{"upstream off its calendar", Spec{Every: "day", Timezone: berlin, Calendar: &CalendarSpec{Days: []string{"mon"}}}, day,
			"2026-11-19", Rule{}, 1, "2026-11-16"},
		{"last seven", day, week, "2026-W47", Rule{Kind: Last, N: 9}, 9, "2026-11-14"},
		{"another zone", Spec{Every: "day", Timezone: "Asia/Tokyo"}, day, "2026-11-19", Rule{}, 1, "2026-11-19"},
		{"latest is the caller's", day, day, "2026-11-19", Rule{Kind: Latest}, 0, ""},
		{"upstream on demand", Spec{}, day, "2026-11-19", Rule{}, 0, ""},
		{"downstream on demand", day, Spec{Timezone: berlin}, "2026-11-19T00:00:00", Rule{}, 1, "2026-11-18"},
		{"cron within a day", Spec{Cron: "0 */6 * * *", Timezone: berlin}, day, "2026-11-19", Rule{}, 4, "2026-11-19T06:00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			up, down := mustNew(t, tt.up), mustNew(t, tt.down)
			p, err := down.Parse(tt.label)
			if err != nil {
				t.Fatal(err)
			}
			got := Join(up, down, p[0], tt.rule)
			if len(got) != tt.count || tt.count > 0 && up.Label(got[0]) != tt.want {
				t.Errorf("got %d: %s; want %d from %q", len(got), labels(up, got), tt.count, tt.want)
			}
		})
	}
}

func FuzzNew(f *testing.F) {
	f.Add("day", "", "", "00:01", "Europe/Berlin", "2024-01-01", "", "mon", "2026-01-01..2026-01-02")
	f.Add("", "*/15 0-23/2 1,15 * 5-7", "", "", "UTC", "2024-01-01T10:00", "2027-01-01", "", "")
	f.Add("", "", "2026-11-20T10:00", "", "", "", "", "", "")
	f.Add("week", "TZ=", "", "Mon 00:02", "Local", "", "", "", "x")
	f.Fuzz(func(t *testing.T, every, cron, once, at, zone, start, end, days, exclude string) {
		spec := Spec{Every: every, Cron: cron, Once: once, At: at, Timezone: zone, Start: start, End: end}
		if days != "" || exclude != "" {
			spec.Calendar = &CalendarSpec{Days: []string{days}, Exclude: []string{exclude}}
		}
		s, err := New(spec)
		if err != nil {
			if len(fields(err)) == 0 {
				t.Fatalf("no field in %v", err)
			}
			return
		}
		p, ok := s.FirstEndingAfter(instant(t, "2026-10-24T23:30:00Z"))
		if !ok {
			return
		}
		if back, err := s.Parse(s.Label(p)); err != nil || len(back) != 1 || back[0] != p {
			t.Fatalf("%v has label %s, which names %v (%v)", p, s.Label(p), back, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, label := range []string{
		"2026-11-19", "2026-11-19T13", "2026-W47", "2026-11", "2026-11-19T13:15", "2026-11-19T13:15:01.5Z", "2026-10-25T02+02:00",
		"9999-12-31T23:59:59.999999-23:59:59", "0000-01-01", "0000-W01",
	} {
		f.Add(label)
	}
	var schedules []*Schedule
	for _, spec := range []Spec{
		{Every: "hour", Timezone: "America/St_Johns"}, {Every: "day", Timezone: "Pacific/Apia"}, {Every: "week"}, {Every: "month"},
		{Cron: "30 2 * * *", Timezone: "Europe/Berlin"}, {}, {Once: "2026-11-20T10:00"},
	} {
		schedules = append(schedules, mustNew(f, spec))
	}
	f.Fuzz(func(t *testing.T, label string) {
		for _, s := range schedules {
			periods, err := s.Parse(label)
			if err == nil && s.Kind() != Demand {
				first, last, err := s.Range(label, label)
				if err != nil || !slices.Equal(slices.Collect(s.StartingIn(first, last)), periods) {
					t.Fatalf("%s names %v, and as a range [%d, %d) others (%v)", label, periods, first, last, err)
				}
			}
			if err != nil && len(err.Error()) > 500 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			if err == nil && len(periods) == 0 {
				t.Fatal("neither periods nor error")
			}
			for _, p := range periods {
				if !s.Exists(p) {
					t.Fatalf("%s names %v, which does not exist in %s", label, p, s)
				}
			}
		}
	})
}

// FuzzDays reads a calendar's ranges: what is accepted is sorted and without overlap, and its ends are what was written.
func FuzzDays(f *testing.F) {
	for _, ranges := range [][2]string{{"2026-10-01..2026-10-07", "2026-10-07"}, {"2026-01-02..2026-01-01", ""}, {"..", "2026-02-30"}, {"0000-01-01..9999-12-31", "2026-10-10"}, {"2026-10-01...2026-10-02", "2026-10-01.."}} {
		f.Add(ranges[0], ranges[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		all, err := parseDays([]string{a, b})
		if err != nil {
			return
		}
		for i, r := range all {
			if r.last < r.first || i > 0 && r.first <= all[i-1].last+1 {
				t.Fatalf("%q and %q become %v", a, b, all)
			}
		}
		for _, text := range []string{a, b} {
			from, to, ok := strings.Cut(text, "..")
			if !ok {
				to = from
			}
			first, errFirst := parseDate(from)
			last, errLast := parseDate(to)
			if errFirst != nil || errLast != nil || !searchDays(all, first) || !searchDays(all, last) {
				t.Fatalf("%q and %q become %v", a, b, all)
			}
		}
	})
}

func BenchmarkQuestions(b *testing.B) {
	for name, spec := range map[string]Spec{
		"hour":  {Every: "hour", Timezone: "Europe/Berlin"},
		"day":   {Every: "day", Timezone: "Europe/Berlin"},
		"month": {Every: "month", Timezone: "Europe/Berlin"},
		"cron":  {Cron: "*/15 * * * *", Timezone: "Europe/Berlin"},
	} {
		s := mustNew(b, spec)
		p, _ := s.FirstEndingAfter(instant(b, "2026-11-19T13:05:00Z"))
		b.Run(name+"/containing", func(b *testing.B) {
			for b.Loop() {
				s.Containing(p.Start)
			}
		})
		b.Run(name+"/next", func(b *testing.B) {
			for b.Loop() {
				s.Next(p)
			}
		})
		b.Run(name+"/due", func(b *testing.B) {
			for b.Loop() {
				s.Due(p)
			}
		})
		b.Run(name+"/join", func(b *testing.B) {
			for b.Loop() {
				Join(s, s, p, Rule{})
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	spec := Spec{Every: "day", Timezone: "Europe/Berlin"}
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			mustNew(b, spec)
		}
	})
	b.Run("cached", func(b *testing.B) {
		var c Cache
		for b.Loop() {
			if _, err := c.New(spec); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestCronAgreesWithTheLibrary compares our search over bits with go-cron's own, where no clock is changed.
func TestCronAgreesWithTheLibrary(t *testing.T) {
	t.Parallel()
	parser, err := cron.TryNewParser(cronFields)
	if err != nil {
		t.Fatal(err)
	}
	field := func(t *rapid.T, name string, values ...string) string {
		return rapid.SampledFrom(append(values, "*")).Draw(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := field(t, "minute", "0", "*/7", "5/20", "59", "1,2,30-33") + " " + field(t, "hour", "0", "*/5", "23", "9-17", "22-2") + " " +
			field(t, "dom", "1", "31", "29", "1-7", "*/10", "13") + " " + field(t, "month", "2", "*/5", "jan,dec", "6-9") + " " +
			field(t, "dow", "0", "7", "5", "mon-fri", "5-7", "*/2")
		s, err := New(Spec{Cron: text})
		if err != nil {
			t.Fatal(text, err)
		}
		theirs, err := parser.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		at := drawInstant(t, s.zone)
		clock := at.Time()
		for range 20 {
			p, ok := s.FirstEndingAfter(at)
			clock = theirs.Next(clock)
			if !ok && clock.IsZero() { // 31 February
				return
			}
			if !ok || p.End != At(clock) {
				t.Fatalf("%s after %s: %s, want %s", text, at.Time(), p.End.Time(), clock)
			}
			if last, ok := s.LastEnded(p.End); !ok || last != p {
				t.Fatalf("%s: last fire by %s is %v", text, p.End.Time(), last)
			}
			at = p.End
		}
	})
}

func TestFarInstants(t *testing.T) {
	t.Parallel()
	for _, spec := range []Spec{
		{}, {Every: "hour"}, {Every: "day", Calendar: &CalendarSpec{Exclude: []string{"1800-01-01..2300-01-01"}}},
		{Every: "month", Timezone: "Europe/Berlin"}, {Cron: "0 0 29 2 *"}, {Once: "2026-11-20T10:00"}, {Every: "day", Start: "0001-01-01", End: "9999-12-31"},
	} {
		s := mustNew(t, spec)
		for _, at := range []Instant{math.MinInt64, math.MinInt64 + 1, 0, earliest, latest, math.MaxInt64 - 1, math.MaxInt64} {
			s.Containing(at)
			s.FirstDueAfter(at)
			s.LastEnded(at)
			if p, ok := s.FirstEndingAfter(at); ok && (p.End <= at || !s.Exists(p)) {
				t.Errorf("%s: first ending after %d is %v", s, at, p)
			}
			for p := range s.StartingIn(at, math.MaxInt64) {
				if s.Begin(p) < at {
					t.Errorf("%s: starting in %d: %v", s, at, p)
				}
				break
			}
			for p := range s.EndingIn(math.MinInt64, at) {
				if p.End > at {
					t.Errorf("%s: ending by %d: %v", s, at, p)
				}
				break
			}
		}
	}
}
