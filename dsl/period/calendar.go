package period

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// calendar says on which local dates periods may begin. The nil calendar allows every date.
type calendar struct {
	weekdays         [7]bool
	exclude, include []days // sorted, disjoint
}

// days is an inclusive range of dates.
type days struct{ first, last day }

func (c *calendar) has(d day) bool {
	if c == nil || searchDays(c.include, d) {
		return true
	}
	return c.weekdays[d.weekday()] && !searchDays(c.exclude, d)
}

// from returns the first day of the calendar at or after d, and not after limit.
func (c *calendar) from(d, limit day) (day, bool) {
	for ; d <= limit; d++ {
		if c.has(d) {
			return d, true
		}
	}
	return 0, false
}

// until returns the last day of the calendar at or before d, and not before limit.
func (c *calendar) until(d, limit day) (day, bool) {
	for ; d >= limit; d-- {
		if c.has(d) {
			return d, true
		}
	}
	return 0, false
}

func newCalendar(spec *CalendarSpec) (*calendar, error) {
	c := &calendar{}
	var errs []error
	for _, name := range spec.Days {
		wd, err := parseWeekday(name)
		if err != nil {
			errs = append(errs, &SpecError{"calendar.days", err})
			continue
		}
		c.weekdays[wd] = true
	}
	if len(spec.Days) == 0 {
		c.weekdays = [7]bool{true, true, true, true, true, true, true}
	}
	var err error
	if c.exclude, err = parseDays(spec.Exclude); err != nil {
		errs = append(errs, &SpecError{"calendar.exclude", err})
	}
	if c.include, err = parseDays(spec.Include); err != nil {
		errs = append(errs, &SpecError{"calendar.include", err})
	}
	return c, errors.Join(errs...)
}

// String is canonical: equal calendars have equal strings.
func (c *calendar) String() string {
	var b strings.Builder
	for wd, on := range c.weekdays {
		if on {
			fmt.Fprintf(&b, "%d", wd)
		}
	}
	fmt.Fprintf(&b, "-%v+%v", c.exclude, c.include)
	return b.String()
}

func parseDays(texts []string) ([]days, error) {
	var all []days
	for _, text := range texts {
		from, to, isRange := strings.Cut(text, "..")
		first, err := parseDate(from)
		if err != nil {
			return nil, err
		}
		r := days{first, first}
		if isRange {
			if r.last, err = parseDate(to); err != nil {
				return nil, err
			}
		}
		if r.last < r.first {
			return nil, fmt.Errorf("%s ends before it begins", text)
		}
		all = append(all, r)
	}
	return mergeDays(all), nil
}

func mergeDays(all []days) []days {
	slices.SortFunc(all, func(a, b days) int { return int(a.first - b.first) })
	var merged []days
	for _, r := range all {
		if n := len(merged); n > 0 && r.first <= merged[n-1].last+1 {
			merged[n-1].last = max(merged[n-1].last, r.last)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

func parseDate(text string) (day, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a date; write it as 2026-11-19", text)
	}
	return wall(t.Unix()).day(), nil
}

func parseWeekday(name string) (time.Weekday, error) {
	for wd := time.Sunday; wd <= time.Saturday; wd++ {
		if strings.EqualFold(name, wd.String()[:3]) || strings.EqualFold(name, wd.String()) {
			return wd, nil
		}
	}
	return 0, fmt.Errorf("%q is not a day of the week; write mon, tue, wed, thu, fri, sat or sun", name)
}
