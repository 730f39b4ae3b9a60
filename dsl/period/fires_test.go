package period

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFiresTellWhatIsUnusual(t *testing.T) {
	t.Parallel()
	workdays := &CalendarSpec{Days: []string{"mon", "tue", "wed", "thu", "fri"}}
	for name, c := range map[string]struct {
		spec     Spec
		from, to string
		want     string // the fires with remarks: "label due: remark; remark", one a line
	}{
		"an ordinary week": {Spec{Every: "day", Timezone: "Europe/Berlin"}, "2026-11-19", "2026-11-25", ""},
		"a day of 23 hours": {Spec{Every: "day", Timezone: "Europe/Berlin"}, "2026-03-28", "2026-03-31",
			"2026-03-29 00:01: stretched: clocks go forward by 1h within it: 23h long"},
		"a month with a change": {Spec{Every: "month", Timezone: "Europe/Berlin"}, "2026-11-01", "2026-11-02",
			"2026-10 00:05: stretched: clocks go back by 1h within it: 745h long"},
		"at a time that is skipped": {Spec{Every: "day", At: "02:30", Timezone: "Europe/Berlin"}, "2026-03-29", "2026-03-29",
			"2026-03-28 03:30: moved: clocks jump over the time it names: it fires at 03:30"},
		"at a time that comes twice": {Spec{Every: "day", At: "02:30", Timezone: "Europe/Berlin"}, "2026-10-25", "2026-10-25",
			"2026-10-24 02:30: repeated: the clock shows 02:30 twice; it fires the first time"},
		"hours skipped": {Spec{Every: "hour", Timezone: "Europe/Berlin"}, "2026-03-29", "2026-03-29",
			"2026-03-29T03 04:01: skipped: clocks go forward by 1h: the time from 02:00 to 03:00 is skipped"},
		"hours repeated": {Spec{Every: "hour", Timezone: "Europe/Berlin"}, "2026-10-25", "2026-10-25",
			"2026-10-25T02+02:00 02:01: repeated: the clock shows this hour twice; this is the first\n" +
				"2026-10-25T02+01:00 03:01: repeated: the clock shows this hour twice; this is the second"},
		"a half-hour change": {Spec{Every: "hour", Timezone: "Australia/Lord_Howe"}, "2026-04-05", "2026-04-05",
			"2026-04-05T01+11:00 01:31: repeated: the clock shows this hour twice; this is the first\n" +
				"2026-04-05T01+10:30 02:01: repeated: the clock shows this hour twice; this is the second; " +
				"stretched: clocks change at its border: 30m long"},
		"a cron at a fixed hour": {Spec{Cron: "30 2 * * *", Timezone: "Europe/Berlin"}, "2026-03-29", "2026-03-29",
			"2026-03-29T03:30 03:30: moved: clocks jump over the time it names: it fires at 03:30"},
		"a cron every half hour": {Spec{Cron: "30 * * * *", Timezone: "Europe/Berlin"}, "2026-10-25T02:00:00+02:00", "2026-10-25T02:59:59+01:00",
			"2026-10-25T02:30+02:00 02:30: repeated: the clock shows 02:30 twice; it fires the first time\n" +
				"2026-10-25T02:30+01:00 02:30: repeated: the clock shows 02:30 twice; it fires the second time"},
		"a month without such a day": {Spec{Every: "month", At: "31 06:00"}, "2026-02-01", "2026-02-28",
			"2026-01 06:00: moved: February has no day 31: it fires on the last one"},
		"days left out": {Spec{Every: "day", Calendar: workdays}, "2026-11-20", "2026-11-25",
			"2026-11-23 00:01: left_out: the calendar leaves out 2026-11-21..2026-11-22 before it"},
		"once at a skipped time": {Spec{Once: "2026-03-29T02:30", Timezone: "Europe/Berlin"}, "2026-03-29", "2026-03-29",
			"2026-03-29T03:30 03:30: moved: clocks jump over the time it names: it fires at 03:30"},
		"on demand": {Spec{}, "2026-03-29", "2026-03-29", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := New(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			from, to, err := s.Range(c.from, c.to)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for f := range s.Fires(from, to) {
				if len(f.Remarks) == 0 {
					continue
				}
				var texts []string
				for _, r := range f.Remarks {
					texts = append(texts, string(r.Kind)+": "+r.Text)
				}
				line := s.Label(f.Period) + " " + f.Due.Time().In(s.Zone()).Format("15:04") + ": " + strings.Join(texts, "; ")
				got = append(got, line)
			}
			if strings.Join(got, "\n") != c.want {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), c.want)
			}
		})
	}
}

// Fires are the due instants of all periods, whatever the zone.
func TestFiresAreWhatIsDue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, err := New(drawSpec(t, "s"))
		if err != nil {
			t.Skip(err)
		}
		from := At(time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 400*24).Draw(t, "from")) * time.Hour))
		to := from.Add(time.Duration(rapid.IntRange(0, 40*24).Draw(t, "hours")) * time.Hour)
		var want []Instant
		for p := range s.EndingIn(from.Add(-40*24*time.Hour), to) {
			if d := s.Due(p); d >= from && d < to {
				want = append(want, d)
			}
		}
		var got []Instant
		for f := range s.Fires(from, to) {
			got = append(got, f.Due)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("fires %v, due %v", got, want)
		}
	})
}
