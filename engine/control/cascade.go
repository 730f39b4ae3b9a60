package control

import (
	"context"
	"strings"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
)

// mostRerun is how many runs one rerun can reach: all their new versions are made in one transaction.
const mostRerun = 10_000

// cascade finds the runs that a rerun reaches. A task that has not begun is not reached: it reads the new version by itself.
type cascade struct {
	service *Service
	ctx     context.Context
	project *flow.Project
	now     time.Time
	members map[engine.RunID]*member
	links   map[flow.TaskRef][]link // downstream, by what is needed
	roots   []place
}

// member is a run that a rerun looked at. It gets a new version when it is a root, or when a task of it runs anew also.
type member struct {
	run     engine.Run
	flow    *flow.Flow
	states  map[string]engine.State
	root    bool
	also    map[string]bool
	because string // the task run of a root
}

// place is a task run that is to run anew.
type place struct {
	member *member
	task   string
	root   string // the name of the task run that the operator asked for
}

// link is a dependency of a task on another one.
type link struct {
	ref  flow.TaskRef // the other end
	rule period.Rule
	same bool // within one run
}

// root adds a run that the operator named.
func (c *cascade) root(l *Loop, r *engine.Run, choice core.Rerun) error {
	f, err := c.service.flowAt(c.ctx, l, c.project, r)
	if err != nil || f == nil {
		return err
	}
	m, err := c.member(r, f)
	if err != nil {
		return err
	}
	m.root = true
	for _, t := range f.Tasks {
		if choice.Anew(f, m.states)[t.Name] {
			c.roots = append(c.roots, place{m, t.Name, r.Name(t.Name)})
		}
	}
	return nil
}

func (c *cascade) member(r *engine.Run, f *flow.Flow) (*member, error) {
	if m := c.members[r.ID]; m != nil {
		return m, nil
	}
	rows, err := c.service.Store.TaskRuns(c.ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if len(c.members) == mostRerun {
		return nil, engine.Errorf(engine.Invalid, "this reaches more than %d runs: rerun fewer periods, or cascade less far", mostRerun)
	}
	m := &member{run: *r, flow: f, states: map[string]engine.State{}, also: map[string]bool{}}
	for i := range rows {
		m.states[rows[i].Task] = rows[i].State
	}
	c.members[r.ID] = m
	return m, nil
}

// spread follows the dependencies that the request names from the roots on, up and down.
func (c *cascade) spread(r engine.RerunRequest) error {
	logical, data, err := cascades(r.Cascade)
	if err != nil {
		return err
	}
	if r.Upstream {
		if err := c.follow(func(p place) []link { return c.needs(p, logical || !data, data) }, c.upstreamPeriods); err != nil {
			return err
		}
	}
	if !logical && !data {
		return nil
	}
	c.index(logical, data)
	return c.follow(func(p place) []link { return c.links[flow.TaskRef{Flow: p.member.run.Flow, Task: p.task}] }, c.downstreamPeriods)
}

// follow walks from the roots along links until nothing new is reached.
func (c *cascade) follow(links func(place) []link, periods func(place, link) []period.Instant) error {
	seen := map[engine.RunID]map[string]bool{}
	queue := append([]place{}, c.roots...)
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		if seen[p.member.run.ID][p.task] {
			continue
		}
		if seen[p.member.run.ID] == nil {
			seen[p.member.run.ID] = map[string]bool{}
		}
		seen[p.member.run.ID][p.task] = true
		for _, x := range links(p) {
			if x.same {
				if c.take(p.member, x.ref.Task, p.root) {
					queue = append(queue, place{p.member, x.ref.Task, p.root})
				}
				continue
			}
			reached, err := c.reach(p, x, periods(p, x))
			if err != nil {
				return err
			}
			queue = append(queue, reached...)
		}
	}
	return nil
}

// reach takes a task of another flow, or of other periods, where it has begun.
func (c *cascade) reach(p place, x link, starts []period.Instant) ([]place, error) {
	if p.member.run.Extra || len(starts) == 0 { // an extra run satisfies no need
		return nil, nil
	}
	keys := make([]engine.RunKey, len(starts))
	for i, start := range starts {
		keys[i] = engine.RunKey{Flow: x.ref.Flow, Start: start}
	}
	found, err := c.service.Store.Existing(c.ctx, keys)
	if err != nil {
		return nil, err
	}
	var reached []place
	for i := range found {
		if found[i].Run == 0 {
			continue
		}
		r, err := c.service.Store.Run(c.ctx, found[i].Run)
		if err != nil {
			return nil, err
		}
		m, err := c.member(r, c.project.Flow(x.ref.Flow))
		if err != nil {
			return nil, err
		}
		if c.take(m, x.ref.Task, p.root) {
			reached = append(reached, place{m, x.ref.Task, p.root})
		}
	}
	return reached, nil
}

// take lets a task of a run run anew and tells whether it has begun, without which there is nothing to run anew.
func (c *cascade) take(m *member, task, root string) bool {
	state, has := m.states[task]
	if !has || !state.Final() && !state.Live() {
		return false
	}
	m.also[task] = true
	if !m.root && m.because == "" {
		m.because = root
	}
	return true
}

// needs returns what a task needs, or reads.
func (c *cascade) needs(p place, logical, data bool) []link {
	var all []link
	if t := p.member.flow.Task(p.task); t != nil && logical {
		for _, n := range t.Needs {
			all = append(all, link{flow.TaskRef{Flow: n.Flow, Task: n.Task}, n.Rule, n.Local >= 0})
		}
	}
	if data {
		for _, e := range c.project.Writers(flow.TaskRef{Flow: p.member.run.Flow, Task: p.task}) {
			all = append(all, link{ref: e.From, same: e.From.Flow == e.To.Flow})
		}
	}
	return all
}

// index finds the links that lead from each task to what needs it, or reads what it writes.
func (c *cascade) index(logical, data bool) {
	c.links = map[flow.TaskRef][]link{}
	for _, f := range c.project.Flows {
		for _, t := range f.Tasks {
			down := flow.TaskRef{Flow: f.Name, Task: t.Name}
			for _, n := range t.Needs {
				if logical {
					c.link(flow.TaskRef{Flow: n.Flow, Task: n.Task}, link{down, n.Rule, n.Local >= 0})
				}
			}
			if !data {
				continue
			}
			for _, e := range c.project.Readers(down) {
				c.link(down, link{ref: e.To, same: e.From.Flow == e.To.Flow})
			}
		}
	}
}

// link adds a link from a task, and from the ids that it had: what ran under these is read like what runs now.
func (c *cascade) link(up flow.TaskRef, x link) {
	c.links[up] = append(c.links[up], x)
	for _, id := range c.project.Flow(up.Flow).Task(up.Task).Formerly {
		name, task, _ := strings.Cut(id, "/")
		former := flow.TaskRef{Flow: name, Task: task}
		c.links[former] = append(c.links[former], link{x.ref, x.rule, name == x.ref.Flow && x.same})
	}
}

// upstreamPeriods returns the starts of the periods that a task run needs of another flow. A need on the newest success has none.
func (c *cascade) upstreamPeriods(p place, x link) []period.Instant {
	up := c.project.Flow(x.ref.Flow)
	if up == nil || p.member.flow.Schedule.Kind() == period.Demand {
		return nil
	}
	var starts []period.Instant
	for _, u := range period.Join(up.Schedule, p.member.flow.Schedule, p.member.run.Period, x.rule) {
		starts = append(starts, u.Start)
	}
	return starts
}

// downstreamPeriods returns the starts of the periods of another flow, up to now, that need the period of a task run.
func (c *cascade) downstreamPeriods(p place, x link) []period.Instant {
	up, down := p.member.flow.Schedule, c.project.Flow(x.ref.Flow).Schedule
	if up.Kind() == period.Demand || down.Kind() == period.Demand || x.rule.Kind == period.Latest {
		return nil
	}
	var starts []period.Instant
	// No run needs a period that ends after its own, and later runs need later periods.
	for d := range down.EndingIn(p.member.run.Period.End-1, period.At(c.now)) {
		needed := period.Join(up, down, d, x.rule)
		if len(needed) > 0 && needed[0].Start > p.member.run.Period.Start {
			break
		}
		for _, u := range needed {
			if u.Start == p.member.run.Period.Start {
				starts = append(starts, d.Start)
			}
		}
	}
	return starts
}
