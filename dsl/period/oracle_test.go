package period

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// oracleZone is a zone as testdata/oracle.py sees it. Instants are Unix seconds.
type oracleZone struct {
	Zone    string   `json:"zone"`
	Same    []string `json:"same"` // other names of the zone
	Changes []struct {
		At       int64   `json:"at"`
		Hours    []named `json:"hours"` // begin and label
		Days     []named `json:"days"`
		Weeks    []named `json:"weeks"`
		Months   []named `json:"months"`
		Clocks   []named `json:"clocks"`   // what a clock time means
		Quarters []int64 `json:"quarters"` // every full quarter of an hour on the clock
		Daily    fires   `json:"daily"`
	} `json:"changes"`
}

// named is an instant with what the local clock calls it: a label, or a clock time.
type named struct {
	at   int64
	name string
}

func (n *named) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[2]any{&n.at, &n.name})
}

// fires is a cron expression with its fires.
type fires struct {
	cron string
	at   []int64
}

func (f *fires) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[2]any{&f.cron, &f.at})
}

// TestAgreesWithPython compares the periods, labels and clock times around every change of every zone from 2000 to 2029 with what
// Python's zoneinfo, reading the same data, shows on its clock. Each run takes another quarter of the zones, and CI takes all.
func TestAgreesWithPython(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3, whose zoneinfo is the oracle, is not installed")
	}
	const parts = 4
	drawn, all := rand.IntN(parts), os.Getenv("FLOWCTL_NO_SKIP") != ""
	for part := range parts {
		if part != drawn && !all {
			continue
		}
		t.Run(strconv.Itoa(part), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), python, "testdata/oracle.py", "zoneinfo.zip", strconv.Itoa(part), strconv.Itoa(parts))
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			zones, changes := 0, 0
			for lines := json.NewDecoder(out); ; zones++ {
				var z oracleZone
				if err := lines.Decode(&z); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				z.check(t)
				changes += len(z.Changes)
			}
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, stderr.String())
			}
			if zones < 400/parts || changes < 8000/parts {
				t.Errorf("the oracle knows %d zones with %d changes", zones, changes)
			}
		})
	}
}

func (z *oracleZone) check(t *testing.T) {
	for _, name := range z.Same {
		if _, err := Zone(name); err != nil {
			t.Errorf("%s, another name of %s: %v", name, z.Zone, err)
		}
	}
	var cache Cache
	schedule := func(spec Spec) *Schedule {
		spec.Timezone = z.Zone
		s, err := cache.New(spec)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	hour, day, week, month := schedule(Spec{Every: "hour"}), schedule(Spec{Every: "day"}), schedule(Spec{Every: "week"}), schedule(Spec{Every: "month"})
	for _, c := range z.Changes {
		if i := hour.zone.at(c.At); hour.zone.segments[i].start != c.At {
			t.Errorf("%s: the offset does not change at %s", z.Zone, fromUnix(c.At).Time())
		}
		for _, cut := range []struct {
			s      *Schedule
			begins []named
		}{{hour, c.Hours}, {day, c.Days}, {week, c.Weeks}, {month, c.Months}} {
			checkCuts(t, cut.s, cut.begins)
		}
		for _, clock := range c.Clocks {
			once := schedule(Spec{Once: clock.name})
			if got := once.once; got != fromUnix(clock.at) {
				t.Errorf("%s in %s is %s, want %s", clock.name, z.Zone, got.Time(), fromUnix(clock.at).Time())
			}
			checkDue(t, schedule, clock)
		}
		from, to := fromUnix(c.Quarters[0]), fromUnix(c.Quarters[len(c.Quarters)-1])
		checkFires(t, schedule(Spec{Cron: "*/15 * * * *"}), from, to, c.Quarters)
		from, to = fromUnix(c.At-30*3600), fromUnix(c.At+30*3600)
		checkFires(t, schedule(Spec{Cron: c.Daily.cron}), from, to, c.Daily.at)
	}
}

func fromUnix(sec int64) Instant { return Instant(sec * second) }

// checkCuts compares the periods of s that begin from the first of some instants to the last, and their labels.
func checkCuts(t *testing.T, s *Schedule, begins []named) {
	if len(begins) == 0 {
		return
	}
	periods := slices.Collect(s.StartingIn(fromUnix(begins[0].at), fromUnix(begins[len(begins)-1].at)+1))
	if len(periods) != len(begins) {
		t.Errorf("%s: %d periods begin where %d should: %s", s, len(periods), len(begins), labels(s, periods))
		return
	}
	for i, p := range periods {
		if p.Start != fromUnix(begins[i].at) || s.Label(p) != begins[i].name {
			t.Errorf("%s: %s begins at %s, want %s at %s", s, s.Label(p), p.Start.Time(), begins[i].name, fromUnix(begins[i].at).Time())
		}
		if i > 0 && periods[i-1].End != p.Start {
			t.Errorf("%s: between %s and %s lies time", s, s.Label(periods[i-1]), s.Label(p))
		}
		if back, err := s.Parse(s.Label(p)); err != nil || len(back) != 1 || back[0] != p {
			t.Errorf("%s: %s reads as %v (%v), want %v", s, s.Label(p), back, err, p)
		}
	}
}

// checkDue lets runs be due at a clock time of a date: of the day, week and month that ended on it, or ended last before.
func checkDue(t *testing.T, schedule func(Spec) *Schedule, clock named) {
	date, hhmm, _ := strings.Cut(clock.name, "T")
	d, err := parseDate(date)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range []Spec{
		{Every: "day", At: hhmm},
		{Every: "week", At: d.weekday().String()[:3] + " " + hhmm},
		{Every: "month", At: fmt.Sprint(d.time().Day(), " ", hhmm)},
	} {
		s := schedule(spec)
		p, ok := s.before(s.zone.begin(d))
		if due := max(fromUnix(clock.at), p.End); !ok || s.Due(p) != due {
			t.Errorf("%s: %s is due at %s, want %s", s, s.Label(p), s.Due(p).Time(), due.Time())
		}
	}
}

// checkFires compares the fires from one instant to another, both included.
func checkFires(t *testing.T, s *Schedule, from, to Instant, want []int64) {
	var got []int64
	for p := range s.EndingIn(from-1, to) {
		got = append(got, int64(p.End)/second)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s fires from %s on at %v, want %v", s, from.Time(), got, want)
	}
}

// TestTiling walks through all days, weeks and months of 2000 to 2029 in every zone: each begins where the one before ended, and none is
// named twice.
func TestTiling(t *testing.T) {
	t.Parallel()
	files, err := zoneFiles()
	if err != nil {
		t.Fatal(err)
	}
	var cache Cache
	from, to := instant(t, "2000-01-01T00:00:00Z"), instant(t, "2030-01-01T00:00:00Z")
	for name := range files {
		for _, every := range []string{"day", "week", "month"} {
			s, err := cache.New(Spec{Every: every, Timezone: name})
			if err != nil {
				t.Fatal(err)
			}
			last := day(0)
			for p, ok := s.Containing(from); ok && p.End < to; {
				next, nextOK := s.Next(p)
				if d := s.zone.day(p.Start); d <= last || !nextOK || next.Start != p.End || next.End <= next.Start {
					t.Fatalf("%s: %v, named by day %d after %d, is followed by %v", s, p, d, last, next)
				} else {
					last = d
				}
				p, ok = next, nextOK
			}
		}
	}
}
