package gantt

import (
	"slices"
	"time"

	"flowctl/engine"
	"flowctl/engine/simulate"
)

// chart is what is drawn, in time and not yet in pixels.
type chart struct {
	from, to time.Time
	zone     *time.Location
	groups   []group
	uses     []simulate.Use  // of agents, then of pools
	critical map[string]bool // names of the task runs on the critical path of the longest run
	longest  *simulate.Run   // nil when none ended
	attempts int
}

// group is a flow.
type group struct {
	flow string
	rows []row
}

// row is a task, with its attempts in the order of their starts.
type row struct {
	task string
	bars []bar
}

// bar is an attempt.
type bar struct {
	name               string // of the task run
	class              string
	ready, start, end  time.Time
	waitedFor, because string
	no                 int
}

func newChart(r *simulate.Result, zone *time.Location) *chart {
	c := &chart{from: r.From, to: r.To, zone: zone, uses: uses(r), critical: map[string]bool{}, attempts: r.Totals.Attempts}
	places := map[string][2]int{} // by flow/task: group and row
	groups := map[string]int{}
	for i := range r.Runs {
		run := &r.Runs[i]
		if run.FinishedAt != nil && len(run.CriticalPath) > 0 && (c.longest == nil || run.LateS > c.longest.LateS) {
			c.longest = run
		}
		g, known := groups[run.Flow]
		if !known {
			g = len(c.groups)
			groups[run.Flow] = g
			c.groups = append(c.groups, group{flow: run.Flow})
		}
		for k := range run.Tasks {
			t := &run.Tasks[k]
			id := run.Flow + "/" + t.Task
			place, known := places[id]
			if !known {
				place = [2]int{g, len(c.groups[g].rows)}
				places[id] = place
				c.groups[g].rows = append(c.groups[g].rows, row{task: t.Task})
			}
			to := &c.groups[place[0]].rows[place[1]]
			to.bars = append(to.bars, c.bars(t)...)
		}
	}
	if c.longest != nil {
		for _, l := range c.longest.CriticalPath {
			c.critical[l.Name] = true
		}
	}
	for g := range c.groups {
		for k := range c.groups[g].rows {
			slices.SortStableFunc(c.groups[g].rows[k].bars, func(a, b bar) int { return a.start.Compare(b.start) })
		}
	}
	return c
}

// uses lists agents and pools, the latter named as such.
func uses(r *simulate.Result) []simulate.Use {
	all := slices.Clone(r.Agents)
	for _, p := range r.Pools {
		p.Name = "pool " + p.Name
		all = append(all, p)
	}
	return all
}

func (c *chart) bars(t *simulate.TaskRun) []bar {
	var all []bar
	for _, a := range t.Attempts {
		b := bar{name: t.Name, no: a.No, class: classOf(a.State), ready: a.ReadyAt, start: a.AssignedAt, end: c.to, waitedFor: causeText(a.ReadyBy)}
		if a.FinishedAt != nil {
			b.end = *a.FinishedAt
		}
		if a.State != engine.Succeeded {
			b.because = string(a.Reason)
		}
		all = append(all, b)
	}
	return all
}

// classOf names the style of an attempt's bar.
func classOf(s engine.State) string {
	switch s {
	case engine.Succeeded:
		return "ok"
	case engine.Failed:
		return "bad"
	case engine.Killed:
		return "killed"
	}
	return "open"
}

func causeText(c simulate.Cause) string {
	switch c.Kind {
	case simulate.BySchedule:
		return "its schedule"
	case simulate.ByTime:
		return "its time"
	case simulate.BySignal:
		return "signal " + c.Ref
	case simulate.ByRequest:
		return "an operator"
	case simulate.ByPath:
		return "input " + c.Ref
	case simulate.ByGate:
		return "gate " + c.Ref
	case simulate.ByAgent:
		return "agent " + c.Ref
	}
	return c.Ref
}

// step returns the distance of the marks on the axis, so that about a dozen fit.
func (c *chart) step() time.Duration {
	const day = 24 * time.Hour
	length := c.to.Sub(c.from)
	for _, s := range []time.Duration{
		time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
		day, 2 * day, 7 * day, 14 * day, 30 * day, 90 * day,
	} {
		if length <= 14*s {
			return s
		}
	}
	return 365 * day
}

// mark is a labelled instant of the axis.
type mark struct {
	at    time.Time
	label string
	day   bool // a day begins
}

// marks returns the marks of the axis, on the local clock: days differ in length.
func (c *chart) marks() []mark {
	const day = 24 * time.Hour
	step, first := c.step(), c.from.In(c.zone)
	days, within := max(1, int(step/day)), min(step, day)
	var all []mark
	for n := 0; ; n += days {
		for clock := time.Duration(0); clock < day; clock += within {
			at := time.Date(first.Year(), first.Month(), first.Day()+n, 0, int(clock/time.Minute), 0, 0, c.zone)
			switch {
			case at.After(c.to):
				return all
			case at.Before(c.from) || len(all) > 0 && !at.After(all[len(all)-1].at): // a clock time that the day does not have
				continue
			}
			m := mark{at, at.Format("15:04"), clock == 0}
			if m.day {
				m.label = at.Format("Mon 2 Jan")
			}
			all = append(all, m)
		}
	}
}
