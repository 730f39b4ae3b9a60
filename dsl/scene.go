package dsl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// scene is what outcomes and tests refer to: the flows of the repository, and the zone in which they write times.
type scene struct {
	zone   *time.Location
	flows  []*flow.Flow    // sorted by name; those without errors
	unsure map[string]bool // flows that have errors: nothing is said about what they hold
	broken bool            // a file cannot be read: it may hold what seems to be missing

	signals map[string]*flow.Signal
}

// sceneOf is the scene of a project that compiles.
func sceneOf(p *flow.Project) *scene {
	return &scene{zone: zoneOf(p.Timezone), flows: p.Flows, signals: p.Signals}
}

func zoneOf(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil { // which is reported where it is written
		return time.UTC
	}
	return zone
}

func (s *scene) flow(name string) *flow.Flow {
	i, ok := slices.BinarySearchFunc(s.flows, name, func(f *flow.Flow, name string) int { return strings.Compare(f.Name, name) })
	if !ok {
		return nil
	}
	return s.flows[i]
}

func taskIn(f *flow.Flow, name string) *flow.Task {
	for _, t := range f.Tasks {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// ParseInstant reads a date or a clock time, such as 2026-11-19, 2026-11-19T06:00 or 2026-11-19T06:00:30+08:00; without an offset, in
// the zone. A date means its first instant, or with end the first one after it.
func ParseInstant(s string, zone *time.Location, end bool) (period.Instant, error) {
	if t, err := time.ParseInLocation("2006-01-02", s, zone); err == nil {
		if end {
			t = t.AddDate(0, 0, 1)
		}
		return period.At(t), nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return period.At(t), nil
		}
	}
	return 0, fmt.Errorf("%s is no date or time: write it like 2026-11-19 or 2026-11-19T06:00", strconv.Quote(s))
}

// instant reads a date or a clock time; 0 when it is none.
func (d *decoder) instant(n *node, zone *time.Location, end bool) period.Instant {
	t := d.text(n, "a time such as 2026-11-19T06:00")
	if t.at.Line == 0 {
		return 0
	}
	at, err := ParseInstant(t.value, zone, end)
	if err != nil {
		d.report(n, diag.BadInstant, "write it like 2026-11-19T06:00; it is meant in the repository's time zone", "%s is no date or time", strconv.Quote(t.value))
	}
	return at
}

// target is flow[/task][@period] as written.
type target struct{ flow, task, label string }

func parseTarget(s string) target {
	name, label, _ := strings.Cut(s, "@")
	f, task, _ := strings.Cut(name, "/")
	return target{f, task, label}
}

// find looks up the flow of a target, and its task, reporting what does not exist. It returns nil when there is nothing to go on with.
func (d *decoder) find(n *node, s *scene, t target) *flow.Flow {
	if s.unsure[t.flow] {
		return nil
	}
	f := s.flow(t.flow)
	switch {
	case f == nil && s.broken:
		return nil
	case f == nil:
		d.report(n, diag.UnknownFlow, suggest(t.flow, s.names(), ""), "no flow is named %s", strconv.Quote(t.flow))
		return nil
	case t.task == "" || taskIn(f, t.task) != nil:
		return f
	}
	var known []string
	for _, task := range f.Tasks {
		known = append(known, task.Name)
	}
	d.report(n, diag.UnknownTask, suggest(t.task, known, "its tasks: "), "flow %s has no task %s", f.Name, strconv.Quote(t.task))
	return nil
}

func (s *scene) names() []string {
	names := make([]string, len(s.flows))
	for i, f := range s.flows {
		names[i] = f.Name
	}
	return names
}

// labelled reads the label of a target; a coarser one stands for all periods that begin within it.
func (d *decoder) labelled(n *node, f *flow.Flow, label string) []period.Period {
	ps, err := f.Schedule.Parse(label)
	if err != nil {
		d.report(n, diag.BadPeriod, "", "flow %s: %v", f.Name, err)
	}
	return ps
}
