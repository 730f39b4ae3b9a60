package period

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// New compiles a schedule. Everything wrong with spec is reported at once: the error joins one *SpecError for each
// finding. A spec without every, cron and once is of kind Demand.
func New(spec Spec) (*Schedule, error) {
	return (&Cache{}).New(spec)
}

// Cache makes schedules and remembers them: equal specs share one Schedule, and equal zones one table of offset changes.
// A compiler of thousands of flows wants one. It is safe for concurrent use; the zero value is ready.
type Cache struct {
	mu        sync.Mutex
	zones     map[string]*zone
	schedules map[specKey]*Schedule
}

// New is as the function New.
func (c *Cache) New(spec Spec) (*Schedule, error) {
	key := keyOf(spec)
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.schedules[key]; ok {
		return s, nil
	}
	s := &Schedule{spec: spec, start: earliest, end: latest}
	var errs []error
	z, err := c.zone(spec.Timezone)
	if err != nil {
		errs = append(errs, &SpecError{"timezone", err})
		z, _ = c.zone("") // go on, to find the other errors
	}
	s.zone = z
	errs = append(errs, s.setKind(), s.setAt(), s.setLimits(), s.setCalendar())
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s.shape = s.canonical()
	sum := sha256.Sum256([]byte(s.shape + " at " + s.at.String()))
	s.fingerprint = hex.EncodeToString(sum[:12])
	if c.schedules == nil {
		c.schedules = make(map[specKey]*Schedule)
	}
	c.schedules[key] = s
	return s, nil
}

// specKey is a Spec as a map key: without the pointer.
type specKey struct {
	spec     Spec
	calendar string
}

func keyOf(spec Spec) specKey {
	key := specKey{spec: spec}
	if spec.Calendar != nil {
		key.calendar = fmt.Sprintf("%q", *spec.Calendar)
	}
	key.spec.Calendar = nil
	return key
}

// zone is called with c.mu held.
func (c *Cache) zone(name string) (*zone, error) {
	if name == "" {
		name = "UTC"
	}
	if z, ok := c.zones[name]; ok {
		return z, nil
	}
	z, err := loadZone(name)
	if err != nil {
		return nil, err
	}
	if c.zones == nil {
		c.zones = make(map[string]*zone)
	}
	c.zones[name] = z
	return z, nil
}

func (s *Schedule) setKind() error {
	spec := &s.spec
	set := 0
	for _, text := range []string{spec.Every, spec.Cron, spec.Once} {
		if text != "" {
			set++
		}
	}
	if set > 1 {
		return &SpecError{"every", errors.New("every, cron and once exclude each other; keep one")}
	}
	switch {
	case spec.Cron != "":
		return s.setCron()
	case spec.Once != "":
		w, err := parseClock(spec.Once)
		if err != nil {
			return &SpecError{"once", err}
		}
		s.kind, s.once = Once, s.zone.resolve(w)
		if s.once < earliest || s.once >= latest {
			return &SpecError{"once", errors.New("must lie between the years 1900 and 2200")}
		}
		return nil
	}
	switch spec.Every {
	case "":
		s.kind = Demand
	case "hour":
		s.kind = Hour
	case "day":
		s.kind = Day
	case "week":
		s.kind = Week
	case "month":
		s.kind = Month
	default:
		return &SpecError{"every", fmt.Errorf("%q is not hour, day, week or month", spec.Every)}
	}
	return nil
}

func (s *Schedule) setCron() error {
	table, err := parseCron(s.spec.Cron)
	if err != nil {
		return &SpecError{"cron", err}
	}
	s.kind, s.cron = Cron, table
	return nil
}

func (s *Schedule) setLimits() error {
	var errs []error
	set := func(field, text string, limit *Instant) {
		if text == "" {
			return
		}
		if s.kind == Demand || s.kind == Once {
			errs = append(errs, &SpecError{field, errors.New("only schedules with every or cron can have it")})
			return
		}
		t, err := s.limit(text)
		if err != nil {
			errs = append(errs, &SpecError{field, err})
			return
		}
		*limit = min(max(t, earliest), latest)
	}
	set("start", s.spec.Start, &s.start)
	set("end", s.spec.End, &s.end)
	if errs == nil && s.end <= s.start {
		return &SpecError{"end", fmt.Errorf("%s is not after the start", s.spec.End)}
	}
	return errors.Join(errs...)
}

func (s *Schedule) limit(text string) (Instant, error) {
	if d, err := parseDate(text); err == nil {
		return s.zone.begin(d), nil
	}
	w, err := parseClock(text)
	if err != nil {
		return 0, fmt.Errorf("%q is neither a date such as 2026-11-19 nor a time such as 2026-11-19T10:00", text)
	}
	return s.zone.resolve(w), nil
}

func (s *Schedule) setCalendar() error {
	if s.spec.Calendar == nil {
		return nil
	}
	if s.kind != Hour && s.kind != Day {
		return &SpecError{"calendar", errors.New("only hour and day schedules can have a calendar")}
	}
	c, err := newCalendar(s.spec.Calendar)
	s.calendar = c
	return err
}

// at says when, after the end of a period, its run is due.
type at struct {
	day   int // Week: days after Monday; Month: day of the month, from 1
	clock int // seconds of the local day; for Hour: seconds after the end
}

func (a at) String() string { return fmt.Sprintf("%d+%d", a.day, a.clock) }

// defaultAt returns the value of Spec.At when it is empty; kinds without one have no `at`.
func defaultAt(kind Kind) string {
	switch kind {
	case Hour:
		return ":01"
	case Day:
		return "00:01"
	case Week:
		return "Mon 00:02"
	case Month:
		return "1 00:05"
	}
	return ""
}

func (s *Schedule) setAt() error {
	text := s.spec.At
	switch fallback := defaultAt(s.kind); {
	case fallback == "" && text != "":
		return &SpecError{"at", errors.New("only schedules with `every` can have it")}
	case fallback == "":
		return nil
	case text == "":
		text = fallback
	}
	a, err := parseAt(s.kind, text)
	if err != nil {
		return &SpecError{"at", err}
	}
	s.at, s.atText = a, text
	return nil
}

func parseAt(kind Kind, text string) (at, error) {
	bad := fmt.Errorf("%q does not fit; for this schedule write it as %q", text, defaultAt(kind))
	prefix, clock, ok := strings.Cut(text, " ")
	if kind == Hour || kind == Day {
		prefix, clock, ok = "", text, true
	}
	if !ok {
		return at{}, bad
	}
	a := at{}
	switch kind {
	case Hour:
		minute, found := strings.CutPrefix(clock, ":")
		if !found {
			return at{}, bad
		}
		clock = "00:" + minute
	case Week:
		wd, err := parseWeekday(prefix)
		if err != nil {
			return at{}, err
		}
		a.day = int(wd+6) % 7
	case Month:
		n, err := strconv.Atoi(prefix)
		if err != nil || n < 1 || n > 31 {
			return at{}, bad
		}
		a.day = n
	}
	t, err := time.Parse("15:04", clock)
	if err != nil || len(clock) != len("15:04") {
		return at{}, bad
	}
	a.clock = (t.Hour()*60 + t.Minute()) * 60
	return a, nil
}

// parseClock reads a local clock time, to the minute or second.
func parseClock(text string) (wall, error) {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil && len(text) == len(layout) {
			return wall(t.Unix()), nil
		}
	}
	return 0, fmt.Errorf("%q is not a local time; write it as 2026-11-20T10:00", text)
}

// canonical tells everything that decides which periods exist.
func (s *Schedule) canonical() string {
	what := ""
	switch s.kind {
	case Cron:
		what = s.cron.String()
	case Once:
		what = strconv.FormatInt(int64(s.once), 10)
	}
	calendar := ""
	if s.calendar != nil {
		calendar = s.calendar.String()
	}
	return fmt.Sprintf("%d %s %s %d %d %s", s.kind, what, s.zone.loc, s.start, s.end, calendar)
}
