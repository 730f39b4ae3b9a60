package period

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func mustNew(t testing.TB, spec Spec) *Schedule {
	t.Helper()
	s, err := New(spec)
	if err != nil {
		t.Fatalf("New(%+v): %v", spec, err)
	}
	return s
}

// instant reads an RFC 3339 time.
func instant(t testing.TB, text string) Instant {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return At(at)
}

func labels(s *Schedule, periods []Period) string {
	var all []string
	for _, p := range periods {
		all = append(all, s.Label(p))
	}
	return strings.Join(all, " ")
}

func TestBounds(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]Instant{
		"1900-01-01T00:00:00Z": earliest,
		"2200-01-01T00:00:00Z": latest,
		"1890-01-01T00:00:00Z": Instant(cronFloor * daySeconds * second),
		"2210-01-01T00:00:00Z": Instant(cronCeiling * daySeconds * second),
	} {
		if instant(t, want) != got {
			t.Errorf("%s: got %s", want, got.Time())
		}
	}
}

func TestContainingAndDue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name             string
		spec             Spec
		at               string
		label, from, due string
		length           time.Duration
	}{
		{"hour", Spec{Every: "hour", Timezone: "Asia/Shanghai"}, "2026-11-19T13:59:59.999999+08:00",
			"2026-11-19T13", "2026-11-19T13:00:00+08:00", "2026-11-19T14:01:00+08:00", time.Hour},
		{"hour in a half-hour zone", Spec{Every: "hour", At: ":30", Timezone: "Asia/Kolkata"}, "2026-11-19T13:40:00+05:30",
			"2026-11-19T13", "2026-11-19T13:00:00+05:30", "2026-11-19T14:30:00+05:30", time.Hour},
		{"first repeated hour", Spec{Every: "hour", Timezone: "Europe/Berlin"}, "2026-10-25T02:30:00+02:00",
			"2026-10-25T02+02:00", "2026-10-25T02:00:00+02:00", "2026-10-25T03:01:00+02:00", time.Hour},
		{"second repeated hour", Spec{Every: "hour", Timezone: "Europe/Berlin"}, "2026-10-25T02:30:00+01:00",
			"2026-10-25T02+01:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:01:00+01:00", time.Hour},
		{"half hour repeated", Spec{Every: "hour", Timezone: "Australia/Lord_Howe"}, "2026-04-05T01:45:00+10:30",
			"2026-04-05T01+10:30", "2026-04-05T01:30:00+10:30", "2026-04-05T02:01:00+10:30", 30 * time.Minute},
		{"half hour skipped", Spec{Every: "hour", Timezone: "Australia/Lord_Howe"}, "2026-10-04T02:45:00+11:00",
			"2026-10-04T02", "2026-10-04T02:30:00+11:00", "2026-10-04T03:01:00+11:00", 30 * time.Minute},
		{"day", Spec{Every: "day", Timezone: "Asia/Shanghai"}, "2026-11-19T23:00:00+08:00",
			"2026-11-19", "2026-11-19T00:00:00+08:00", "2026-11-20T00:01:00+08:00", 24 * time.Hour},
		{"day due in the morning", Spec{Every: "day", At: "06:00", Timezone: "UTC"}, "2026-11-19T00:00:00Z",
			"2026-11-19", "2026-11-19T00:00:00Z", "2026-11-20T06:00:00Z", 24 * time.Hour},
		{"short day", Spec{Every: "day", Timezone: "Europe/Berlin"}, "2026-03-29T12:00:00+02:00",
			"2026-03-29", "2026-03-29T00:00:00+01:00", "2026-03-30T00:01:00+02:00", 23 * time.Hour},
		{"due in the skipped hour", Spec{Every: "day", At: "02:30", Timezone: "Europe/Berlin"}, "2026-03-28T12:00:00+01:00",
			"2026-03-28", "2026-03-28T00:00:00+01:00", "2026-03-29T03:30:00+02:00", 24 * time.Hour},
		{"due in the repeated hour", Spec{Every: "day", At: "02:30", Timezone: "Europe/Berlin"}, "2026-10-24T12:00:00+02:00",
			"2026-10-24", "2026-10-24T00:00:00+02:00", "2026-10-25T02:30:00+02:00", 24 * time.Hour},
		{"midnight skipped", Spec{Every: "day", Timezone: "America/Sao_Paulo"}, "2018-11-04T12:00:00-02:00",
			"2018-11-04", "2018-11-04T01:00:00-02:00", "2018-11-05T00:01:00-02:00", 23 * time.Hour},
		{"due at a skipped midnight", Spec{Every: "day", Timezone: "America/Sao_Paulo"}, "2018-11-03T12:00:00-03:00",
			"2018-11-03", "2018-11-03T00:00:00-03:00", "2018-11-04T01:01:00-02:00", 24 * time.Hour},
		{"before a skipped date", Spec{Every: "day", Timezone: "Pacific/Apia"}, "2011-12-29T12:00:00-10:00",
			"2011-12-29", "2011-12-29T00:00:00-10:00", "2011-12-31T00:01:00+14:00", 24 * time.Hour},
		{"week", Spec{Every: "week", Timezone: "UTC"}, "2026-11-22T23:00:00Z",
			"2026-W47", "2026-11-16T00:00:00Z", "2026-11-23T00:02:00Z", 7 * 24 * time.Hour},
		{"week due on Wednesday", Spec{Every: "week", At: "wed 06:00"}, "2026-11-16T00:00:00Z",
			"2026-W47", "2026-11-16T00:00:00Z", "2026-11-25T06:00:00Z", 7 * 24 * time.Hour},
		{"week of two years", Spec{Every: "week"}, "2027-01-01T00:00:00Z",
			"2026-W53", "2026-12-28T00:00:00Z", "2027-01-04T00:02:00Z", 7 * 24 * time.Hour},
		{"month", Spec{Every: "month"}, "2026-02-28T23:00:00Z",
			"2026-02", "2026-02-01T00:00:00Z", "2026-03-01T00:05:00Z", 28 * 24 * time.Hour},
		{"month due on the 31st", Spec{Every: "month", At: "31 10:00"}, "2026-01-28T23:00:00Z",
			"2026-01", "2026-01-01T00:00:00Z", "2026-02-28T10:00:00Z", 31 * 24 * time.Hour},
		{"cron", Spec{Cron: "*/15 * * * *"}, "2026-11-19T13:14:59Z",
			"2026-11-19T13:15", "2026-11-19T13:00:00Z", "2026-11-19T13:15:00Z", 15 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mustNew(t, tt.spec)
			p, ok := s.Containing(instant(t, tt.at))
			if !ok {
				t.Fatal("no period")
			}
			if got := s.Label(p); got != tt.label {
				t.Errorf("label %s, want %s", got, tt.label)
			}
			if p.Start != instant(t, tt.from) || p.End.Sub(p.Start) != tt.length {
				t.Errorf("%s to %s, want %s and %s", p.Start.Time(), p.End.Time(), tt.from, tt.length)
			}
			if got := s.Due(p); got != instant(t, tt.due) {
				t.Errorf("due %s, want %s", got.Time(), tt.due)
			}
			back, err := s.Parse(tt.label)
			if err != nil || len(back) != 1 || back[0] != p {
				t.Errorf("Parse(%s) = %v, %v", tt.label, back, err)
			}
		})
	}
}

func TestCronFires(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, cron, zone, from, to, want string }{
		{"skipped clock time moves forward", "30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z",
			"2026-03-28T02:30 2026-03-29T03:30 2026-03-30T02:30"},
		{"repeated clock time fires the first time", "30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z",
			"2026-10-24T02:30 2026-10-25T02:30+02:00 2026-10-26T02:30"},
		{"moved onto another fire", "0,30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z",
			"2026-03-29T03:00 2026-03-29T03:30"},
		{"every hour, one skipped", "0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z",
			"2026-03-29T01:00 2026-03-29T03:00 2026-03-29T04:00"},
		{"every hour, one repeated", "0 * * * *", "Europe/Berlin", "2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z",
			"2026-10-25T01:00 2026-10-25T02:00+02:00 2026-10-25T02:00+01:00 2026-10-25T03:00"},
		{"every second hour, two of them moved or repeated", "0 */2 * * *", "Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T05:00:00Z",
			"2026-03-29T00:00 2026-03-29T03:00 2026-03-29T04:00 2026-03-29T06:00"},
		{"both day fields mean or", "0 0 13 * 5", "UTC", "2026-11-01T00:00:00Z", "2026-11-21T00:00:00Z",
			"2026-11-06T00:00 2026-11-13T00:00 2026-11-20T00:00"},
		{"or with other days", "0 0 1,2 * mon", "UTC", "2026-11-01T00:00:00Z", "2026-11-10T00:00:00Z",
			"2026-11-01T00:00 2026-11-02T00:00 2026-11-09T00:00"},
		{"seven is Sunday", "0 12 * * 7", "UTC", "2026-11-01T00:00:00Z", "2026-11-09T00:00:00Z",
			"2026-11-01T12:00 2026-11-08T12:00"},
		{"range up to seven", "0 12 * * 6-7", "UTC", "2026-11-01T00:00:00Z", "2026-11-09T00:00:00Z",
			"2026-11-01T12:00 2026-11-07T12:00 2026-11-08T12:00"},
		{"step from a start", "5/20 3 * * *", "UTC", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z",
			"2026-11-01T03:05 2026-11-01T03:25 2026-11-01T03:45"},
		{"leap day", "0 0 29 2 *", "UTC", "2094-01-01T00:00:00Z", "2105-01-01T00:00:00Z",
			"2096-02-29T00:00 2104-02-29T00:00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mustNew(t, Spec{Cron: tt.cron, Timezone: tt.zone})
			periods := slices.Collect(s.StartingIn(instant(t, tt.from), instant(t, tt.to)))
			if got := labels(s, periods); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			for i, p := range periods {
				if i > 0 && p.Start != periods[i-1].End {
					t.Errorf("%s does not begin where the one before ended", s.Label(p))
				}
				if back, err := s.Parse(s.Label(p)); err != nil || len(back) != 1 || back[0] != p {
					t.Errorf("Parse(%s) = %v, %v", s.Label(p), back, err)
				}
			}
		})
	}
}

func TestExistingPeriods(t *testing.T) {
	t.Parallel()
	cn := &CalendarSpec{
		Days:    []string{"mon", "tue", "wed", "thu", "fri"},
		Exclude: []string{"2026-10-01..2026-10-07"}, Include: []string{"2026-10-10"},
	}
	for _, tt := range []struct {
		name           string
		spec           Spec
		from, to, want string
	}{
		{"calendar", Spec{Every: "day", Calendar: cn}, "2026-09-29", "2026-10-13",
			"2026-09-29 2026-09-30 2026-10-08 2026-10-09 2026-10-10 2026-10-12 2026-10-13"},
		{"hours on a calendar", Spec{Every: "hour", Calendar: cn}, "2026-09-30T23", "2026-10-08T00", "2026-09-30T23 2026-10-08T00"},
		{"start within a week", Spec{Every: "week", Start: "2026-11-11"}, "2026-11-01", "2026-11-25", "2026-W47 2026-W48"},
		{"start on a week", Spec{Every: "week", Start: "2026-11-09"}, "2026-11-01", "2026-11-16", "2026-W46 2026-W47"},
		{"end", Spec{Every: "day", End: "2026-11-03"}, "2026-11-01", "2026-11-05", "2026-11-01 2026-11-02"},
		{"cron start counts the fire", Spec{Cron: "0 0 * * *", Start: "2026-11-02", End: "2026-11-04"}, "2026-11-01", "2026-11-08",
			"2026-11-02T00:00 2026-11-03T00:00"},
		{"week by dates", Spec{Every: "week"}, "2026-11-16", "2026-11-22", "2026-W47"},
		{"no week begins", Spec{Every: "week"}, "2026-11-17", "2026-11-22", ""},
		{"skipped date", Spec{Every: "day", Timezone: "Pacific/Apia"}, "2011-12-29", "2011-12-31", "2011-12-29 2011-12-31"},
		{"once", Spec{Once: "2026-11-20T10:00", Timezone: "Asia/Tokyo"}, "2026-11-20", "2026-11-20", "2026-11-20T10:00"},
		{"once on another day", Spec{Once: "2026-11-20T10:00", Timezone: "Asia/Tokyo"}, "2026-11-21", "2026-11-22", ""},
		{"months", Spec{Every: "month"}, "2026-W40", "2026-12-01", "2026-10 2026-11 2026-12"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mustNew(t, tt.spec)
			first, last, err := s.Range(tt.from, tt.to)
			if err != nil {
				t.Fatal(err)
			}
			up := slices.Collect(s.StartingIn(first, last))
			if got := labels(s, up); got != tt.want {
				t.Fatalf("got  %s\nwant %s", got, tt.want)
			}
			var down []Period
			for p, ok := s.before(latest); ok && s.Begin(p) >= first; p, ok = s.Prev(p) {
				if s.Begin(p) < last {
					down = append(down, p)
				}
			}
			slices.Reverse(down)
			if !slices.Equal(up, down) {
				t.Errorf("downwards: %s", labels(s, down))
			}
		})
	}
}

func TestDateNamesPeriods(t *testing.T) {
	t.Parallel()
	berlin := "Europe/Berlin"
	for _, tt := range []struct {
		name  string
		spec  Spec
		label string
		count int
	}{
		{"hours", Spec{Every: "hour", Timezone: berlin}, "2026-11-19", 24},
		{"short day", Spec{Every: "hour", Timezone: berlin}, "2026-03-29", 23},
		{"long day", Spec{Every: "hour", Timezone: berlin}, "2026-10-25", 25},
		{"day", Spec{Every: "day", Timezone: berlin}, "2026-10-25", 1},
		{"week begins", Spec{Every: "week"}, "2026-11-16", 1},
		{"cron", Spec{Cron: "*/15 * * * *", Timezone: berlin}, "2026-10-25", 100},
		{"days of a month", Spec{Every: "day"}, "2026-11", 30},
		{"instant", Spec{Every: "day", Timezone: berlin}, "2026-11-18T23:00:00Z", 1},
		{"instant with offset", Spec{Every: "hour", Timezone: berlin}, "2026-10-25T02:00:00+01:00", 1},
		{"on demand", Spec{Timezone: berlin}, "2026-11-18T23:00:00.5", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mustNew(t, tt.spec)
			if got, err := s.Parse(tt.label); err != nil || len(got) != tt.count {
				t.Errorf("Parse(%s) = %s, %v; want %d periods", tt.label, labels(s, got), err, tt.count)
			}
		})
	}
}

func TestLabelErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		spec        Spec
		label, want string
		noPeriod    bool
	}{
		{"week of a Tuesday", Spec{Every: "week"}, "2026-11-17", "near it: 2026-W46, 2026-W47, 2026-W48", true},
		{"off calendar", Spec{Every: "day", Calendar: &CalendarSpec{Days: []string{"mon"}}}, "2026-11-17", "near it: 2026-11-16, 2026-11-23", true},
		{"twice", Spec{Every: "hour", Timezone: "Europe/Berlin"}, "2026-10-25T02", "write 2026-10-25T02+02:00 or 2026-10-25T02+01:00", true},
		{"never", Spec{Every: "hour", Timezone: "Europe/Berlin"}, "2026-03-29T02", "set forward", true},
		{"inside", Spec{Every: "day"}, "2026-11-17T10", "near it: 2026-11-16, 2026-11-17, 2026-11-18", true},
		{"date on demand", Spec{}, "2026-11-17", "on demand", true},
		{"no week", Spec{Every: "week"}, "2025-W53", "no such week", false},
		{"no date", Spec{Every: "day"}, "2026-02-30", "does not name a period", false},
		{"no label", Spec{Every: "day"}, "yesterday", "does not name a period", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := mustNew(t, tt.spec).Parse(tt.label)
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, ErrNoPeriod) != tt.noPeriod {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	if _, _, err := mustNew(t, Spec{Every: "day"}).Range("2026-11-20", "2026-11-19"); err == nil || !strings.Contains(err.Error(), "swap") {
		t.Errorf("reversed range: %v", err)
	}
}

func TestSpecErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		spec   Spec
		fields string
	}{
		{"kind", Spec{Every: "fortnight"}, "every"},
		{"two kinds", Spec{Every: "day", Cron: "* * * * *"}, "every"},
		{"macro", Spec{Cron: "@daily"}, "cron"},
		{"zone in cron", Spec{Cron: "TZ=UTC * * * * *"}, "cron"},
		{"zone alone in cron", Spec{Cron: "TZ="}, "cron"},
		{"fields", Spec{Cron: "* * * *"}, "cron"},
		{"minute", Spec{Cron: "60 * * * *"}, "cron"},
		{"empty list", Spec{Cron: ", 1 1 1 0"}, "cron"},
		{"empty value of a list", Spec{Cron: "0 1,,2 * * *"}, "cron"},
		{"zone", Spec{Every: "day", Timezone: "Mars/Olympus"}, "timezone"},
		{"host's zone", Spec{Every: "day", Timezone: "Local"}, "timezone"},
		{"at of another kind", Spec{Every: "hour", At: "00:01"}, "at"},
		{"day at", Spec{Every: "day", At: "24:00"}, "at"},
		{"short at", Spec{Every: "day", At: "6:00"}, "at"},
		{"week at", Spec{Every: "week", At: "Fun 00:02"}, "at"},
		{"month at", Spec{Every: "month", At: "32 00:02"}, "at"},
		{"cron at", Spec{Cron: "* * * * *", At: "00:02"}, "at"},
		{"end before start", Spec{Every: "day", Start: "2026-01-02", End: "2026-01-02"}, "end"},
		{"once", Spec{Once: "2026-11-20"}, "once"},
		{"once with start", Spec{Once: "2026-11-20T10:00", Start: "2026-01-01"}, "start"},
		{"calendar of weeks", Spec{Every: "week", Calendar: &CalendarSpec{}}, "calendar"},
		{"calendar", Spec{Every: "day", Calendar: &CalendarSpec{
			Days: []string{"mo"}, Exclude: []string{"2026-13-01"}, Include: []string{"2026-01-02..2026-01-01"},
		}}, "calendar.days calendar.exclude calendar.include"},
		{"all at once", Spec{Every: "day", Timezone: "x", At: "x", Start: "x", End: "x"}, "timezone at start end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tt.spec)
			if got := strings.Join(fields(err), " "); got != tt.fields {
				t.Errorf("got %q (%v), want %q", got, err, tt.fields)
			}
		})
	}
}

// fields lists the fields of the SpecErrors in err.
func fields(err error) []string {
	if spec, ok := err.(*SpecError); ok {
		return []string{spec.Field}
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var all []string
	for _, e := range joined.Unwrap() {
		all = append(all, fields(e)...)
	}
	return all
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	same := [][2]Spec{
		{{Every: "day"}, {Every: "day", At: "00:01", Timezone: "UTC"}},
		{{Cron: "0 0 * * 0"}, {Cron: "0  0 * * 7"}},
		{{Every: "day", Calendar: &CalendarSpec{Exclude: []string{"2026-01-01..2026-01-02"}}},
			{Every: "day", Calendar: &CalendarSpec{Exclude: []string{"2026-01-02", "2026-01-01"}}}},
	}
	for _, pair := range same {
		if mustNew(t, pair[0]).Fingerprint() != mustNew(t, pair[1]).Fingerprint() {
			t.Errorf("differ: %+v", pair)
		}
	}
	seen := map[string]Spec{}
	for _, spec := range []Spec{
		{}, {Every: "hour"}, {Every: "day"}, {Every: "day", At: "00:02"}, {Every: "day", Timezone: "Asia/Shanghai"},
		{Every: "day", Start: "2026-01-01"}, {Every: "day", End: "2026-01-01"}, {Every: "day", Calendar: &CalendarSpec{Days: []string{"mon"}}},
		{Cron: "0 0 * * *"}, {Cron: "0 0 1 * *"}, {Cron: "0 0 1 * 1"}, {Once: "2026-11-20T10:00"}, {Once: "2026-11-20T10:01"},
	} {
		f := mustNew(t, spec).Fingerprint()
		if other, ok := seen[f]; ok {
			t.Errorf("%+v and %+v have the same fingerprint", spec, other)
		}
		seen[f] = spec
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for want, spec := range map[string]Spec{
		"on demand":                                          {Timezone: "Asia/Shanghai"},
		"day at 00:01 Asia/Shanghai":                         {Every: "day", Timezone: "Asia/Shanghai"},
		`cron "*/15 * * * *" UTC`:                            {Cron: "*/15 * * * *"},
		"once 2026-11-20T10:00 UTC":                          {Once: "2026-11-20T10:00"},
		"week at Tue 01:00 UTC, from 2026-01-01":             {Every: "week", At: "Tue 01:00", Start: "2026-01-01"},
		"hour at :01 UTC, on its calendar, until 2030-01-01": {Every: "hour", End: "2030-01-01", Calendar: &CalendarSpec{}},
	} {
		if got := mustNew(t, spec).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestKindNames(t *testing.T) {
	t.Parallel()
	for _, spec := range []Spec{{Every: "hour"}, {Every: "day"}, {Every: "week"}, {Every: "month"}} {
		if got := mustNew(t, spec).Kind().String(); got != spec.Every {
			t.Errorf("got %s, want %s", got, spec.Every)
		}
	}
	if got := [...]string{Cron.String(), Once.String(), Demand.String(), Kind(9).String()}; got != [...]string{"cron", "once", "demand", "unknown"} {
		t.Errorf("got %v", got)
	}
}

func TestCacheShares(t *testing.T) {
	t.Parallel()
	var c Cache
	spec := func() Spec {
		return Spec{Every: "day", Timezone: "Asia/Tokyo", Calendar: &CalendarSpec{Days: []string{"mon"}}}
	}
	a, errA := c.New(spec())
	b, errB := c.New(spec())
	if errA != nil || errB != nil || a != b {
		t.Errorf("equal specs gave %p and %p (%v, %v)", a, b, errA, errB)
	}
	other := spec()
	other.Calendar.Days = nil
	if d, err := c.New(other); err != nil || d == a || d.zone != a.zone {
		t.Errorf("another calendar must give another schedule of the same zone (%v)", err)
	}
}

func TestSchedulesWithoutPeriods(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]Spec{
		"no such day":                {Cron: "0 0 30 2 *"},
		"no such day in a span":      {Cron: "0 0 29 2 *", Start: "2025-01-01", End: "2026-01-01"},
		"no day of the calendar":     {Every: "day", Start: "2026-11-21", End: "2026-11-23", Calendar: &CalendarSpec{Days: []string{"mon"}}},
		"a week that begins outside": {Every: "week", Start: "2026-11-17", End: "2026-11-23"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := New(spec)
			if err != nil {
				t.Fatal(err)
			}
			if p, ok := s.FirstEndingAfter(earliest); ok {
				t.Errorf("first period %v", p)
			}
			if p, ok := s.LastEnded(latest); ok {
				t.Errorf("last period %v", p)
			}
			if !s.Empty() {
				t.Error("it is not empty")
			}
		})
	}
	for _, spec := range []Spec{{Every: "day"}, {Once: "1999-01-01T10:00"}, {Cron: "0 0 29 2 *"}, {Every: "month", End: "1950-01-01"}, {}} {
		if s, err := New(spec); err != nil || s.Empty() {
			t.Errorf("%+v is empty, %v", spec, err)
		}
	}
}

func TestClashes(t *testing.T) {
	t.Parallel()
	const zone = "Europe/Berlin"
	for name, c := range map[string]struct {
		spec Spec
		want string
	}{
		"a day":                  {Spec{Every: "day", At: "02:30", Timezone: zone}, "2026-03-29T02:30 skipped, 2026-10-25T02:30 twice, 2027-03-28T02:30 skipped, 2027-10-31T02:30 twice"},
		"the edge before":        {Spec{Every: "day", At: "01:59", Timezone: zone}, ""},
		"the first minute":       {Spec{Every: "day", At: "02:00", Timezone: zone, End: "2026-06-01"}, "2026-03-29T02:00 skipped"},
		"the edge after":         {Spec{Every: "day", At: "03:00", Timezone: zone}, ""},
		"within start and end":   {Spec{Every: "day", At: "02:30", Timezone: zone, Start: "2026-04-01", End: "2027-01-01"}, "2026-10-25T02:30 twice"},
		"off its calendar":       {Spec{Every: "day", At: "02:30", Timezone: zone, Calendar: &CalendarSpec{Days: []string{"sun"}}}, ""},
		"a week on Sunday":       {Spec{Every: "week", At: "Sun 02:30", Timezone: zone, End: "2027-01-01"}, "2026-03-29T02:30 skipped, 2026-10-25T02:30 twice"},
		"a week on Monday":       {Spec{Every: "week", At: "Mon 02:30", Timezone: zone}, ""},
		"a month":                {Spec{Every: "month", At: "31 02:30", Timezone: zone}, "2027-10-31T02:30 twice"},
		"hours":                  {Spec{Every: "hour", Timezone: zone}, ""},
		"a cron":                 {Spec{Cron: "*/20 2 * * *", Timezone: zone, End: "2027-01-01"}, "2026-03-29T02:00 skipped, 2026-10-25T02:00 twice"},
		"a cron of weekdays":     {Spec{Cron: "30 2 * * 1-5", Timezone: zone}, ""},
		"a cron in elapsed time": {Spec{Cron: "30 * * * *", Timezone: zone}, ""},
		"once":                   {Spec{Once: "2026-10-25T02:30", Timezone: zone}, "2026-10-25T02:30 twice"},
		"another once":           {Spec{Once: "2026-10-26T02:30", Timezone: zone}, ""},
		"midnight":               {Spec{Every: "day", Timezone: "America/Havana", End: "2026-06-01"}, "2026-03-08T00:01 skipped"},
		"UTC":                    {Spec{Every: "day", At: "02:30"}, ""},
		"on demand":              {Spec{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := New(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, clash := range s.Clashes(2026, 2027) {
				what := "skipped"
				if clash.Twice {
					what = "twice"
				}
				got = append(got, clash.Clock+" "+what)
			}
			if got := strings.Join(got, ", "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
