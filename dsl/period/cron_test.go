package period

import (
	"math/bits"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/netresearch/go-cron"
)

// crontabLines returns the corpus of real lines.
func crontabLines(tb testing.TB) (lines []string) {
	tb.Helper()
	data, err := os.ReadFile("testdata/crontab.txt")
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	if len(lines) < 150 {
		tb.Fatalf("%d lines", len(lines))
	}
	return lines
}

// TestCrontabLines reads real lines as crontab(5) tells, minute by minute: eight years of those that fire at most once an hour, three months
// of the others.
func TestCrontabLines(t *testing.T) {
	t.Parallel()
	for _, line := range crontabLines(t) {
		s, table := mustNew(t, Spec{Cron: line}), readCrontab(line)
		from := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		to := from.AddDate(8, 0, 0)
		if s.cron.busy() {
			to = from.AddDate(0, 3, 0)
		}
		at := At(from) - 1
		for d := from; d.Before(to); d = d.AddDate(0, 0, 1) {
			if !table.day(d) {
				continue
			}
			for clock := range 24 * 60 {
				if !table.hour[clock/60] || !table.minute[clock%60] {
					continue
				}
				p, ok := s.FirstEndingAfter(at)
				if want := At(d).Add(time.Duration(clock) * time.Minute); !ok || p.End != want {
					t.Fatalf("%s fires after %s at %s, want %s", line, at.Time(), p.End.Time(), want.Time())
				}
				at = p.End
			}
		}
	}
}

// busy tells whether the table fires more than once an hour on average.
func (c *cronTable) busy() bool { return bits.OnesCount64(c.minute)*bits.OnesCount64(c.hour) > 24 }

// TestCrontabLinesAgreeWithTheLibrary compares the fires of real lines with what go-cron's own search finds in Berlin: of those that fire once a
// week or less over two years, of the others, for which it takes long, over the days around every change of the clock in these years. One
// difference is meant: go-cron fires in both of the repeated hours, and we do so for crons of every hour only; what names clock times fires once
// for each.
func TestCrontabLinesAgreeWithTheLibrary(t *testing.T) {
	t.Parallel()
	parser, err := cron.TryNewParser(cronFields)
	if err != nil {
		t.Fatal(err)
	}
	berlin, err := Zone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	whole := [][2]time.Time{{time.Date(2024, 1, 1, 0, 0, 0, 0, berlin), time.Date(2026, 1, 1, 0, 0, 0, 0, berlin)}}
	var changes [][2]time.Time
	for _, day := range []string{"2024-03-31", "2024-10-27", "2025-03-30", "2025-10-26"} {
		d, err := time.ParseInLocation(time.DateOnly, day, berlin)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, [2]time.Time{d.AddDate(0, 0, -1), d.AddDate(0, 0, 2)})
	}
	repeated := 0
	for _, line := range crontabLines(t) {
		s := mustNew(t, Spec{Cron: line, Timezone: "Europe/Berlin"})
		theirs, err := parser.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		windows := changes
		if p, ok := s.FirstEndingAfter(At(whole[0][0])); ok && p.End.Sub(p.Start) > 6*24*time.Hour {
			windows = whole
		}
		for _, w := range windows {
			from, to := w[0].Add(-time.Second), w[1]
			at := At(from)
			for clock := theirs.Next(from); clock.Before(to); clock = theirs.Next(clock) {
				if !s.cron.everyHour && clock.Hour() == clock.Add(-time.Hour).Hour() {
					repeated++
					continue
				}
				p, ok := s.FirstEndingAfter(at)
				if !ok || p.End != At(clock) {
					t.Errorf("%s after %s: %s, want %s", line, at.Time().In(berlin), p.End.Time().In(berlin), clock)
					break
				}
				at = p.End
			}
		}
	}
	if repeated == 0 {
		t.Error("go-cron does not fire in the repeated hour any more: say so above")
	}
}

// FuzzCron reads anything as a cron expression: what is accepted fires, unless no month has such a day, at clock times that match, the same forwards and backwards.
func FuzzCron(f *testing.F) {
	for _, line := range crontabLines(f) {
		f.Add(line, int64(1_774_742_400))
	}
	for _, text := range []string{"@daily", "TZ=UTC 0 0 * * *", "0 0 31 2 *", "60 * * * *", "*/0 * * * *", "0 0 L * *", "0 0 * * 5#2", "22-2 * * * *", "302-7 3 * * *", "0 0 5-0 * *", "1-2-3 * * * *", "? ? ? ? ?", "99999999999999999999 * * * *"} {
		f.Add(text, int64(0))
	}
	f.Fuzz(func(t *testing.T, text string, sec int64) {
		c, err := parseCron(text)
		if err != nil {
			return
		}
		w, ok := c.next(wall(sec % (100 * 365 * daySeconds)))
		if ok == c.never {
			t.Fatalf("%q fires after %d: %v, and never: %v", text, sec, ok, c.never)
		}
		if c.never {
			return // 31 February
		}
		clock := w.time()
		if !c.matches(w.day(), clock.Day()) || c.month>>uint(clock.Month())&1 == 0 || c.hour>>clock.Hour()&1 == 0 || c.minute>>clock.Minute()&1 == 0 {
			t.Fatalf("%q fires at %s, which it does not name", text, clock)
		}
		if back, ok := c.prev(w); !ok || back != w {
			t.Fatalf("%q: the last fire by %s is %s", text, clock, back.time())
		}
		if before, ok := c.prev(w - 1); ok && before >= w {
			t.Fatalf("%q: before %s is %s", text, clock, before.time())
		}
	})
}
