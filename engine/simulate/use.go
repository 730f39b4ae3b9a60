package simulate

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"flowctl/dsl/flow"
)

// gauge follows how many slots of something are in use.
type gauge struct {
	Use
	changes []change
}

// change is that slots were taken, or given back when by is negative.
type change struct {
	at time.Time
	by int
}

// wait is that a task run was ready and had no slot.
type wait struct {
	flow     string
	task     *flow.Task
	from, to time.Time
}

// use derives from the attempts how busy agents and pools were, and who waited for them.
func (w *world) use(r *Result, in Input) (agents, pools []Use) {
	hosts, pooled, limits := map[string]*gauge{}, map[string]*gauge{}, map[string]*gauge{}
	for _, h := range w.hosts {
		hosts[h.Name] = &gauge{Use: Use{Name: h.Name, Slots: h.Slots % unlimited}}
	}
	var waits []wait
	for i := range r.Runs {
		f := w.project.Flow(r.Runs[i].Flow)
		for k := range r.Runs[i].Tasks {
			t := &r.Runs[i].Tasks[k]
			def := f.Task(t.Task)
			held := []held{}
			if def.Pool != nil {
				pool := w.project.Pools[def.Pool.Name]
				held = append(held, hold(pooled, pool.Name, pool.Slots, min(def.Pool.Slots, pool.Slots)))
			}
			if def.Concurrency > 0 {
				held = append(held, hold(limits, f.ID(def), def.Concurrency, 1))
			}
			for _, a := range t.Attempts {
				hosts[a.Agent].take(a.AssignedAt, a.FinishedAt, 1)
				for _, h := range held {
					h.take(a.AssignedAt, a.FinishedAt, h.slots)
				}
				if a.AssignedAt.After(a.ReadyAt) {
					waits = append(waits, wait{f.Name, def, a.ReadyAt, a.AssignedAt})
				}
			}
			if t.ReadyAt != nil {
				waits = append(waits, wait{f.Name, def, *t.ReadyAt, in.To.Time()})
			}
		}
	}
	for _, all := range []map[string]*gauge{hosts, pooled, limits} {
		for _, name := range sorted(all) {
			all[name].sum(in)
		}
	}
	for _, x := range waits {
		w.blame(x, hosts, pooled, limits)
	}
	return uses(hosts), uses(pooled)
}

// held is a gauge with how many slots a task takes of it.
type held struct {
	*gauge
	slots int
}

func hold(all map[string]*gauge, name string, slots, takes int) held {
	if all[name] == nil {
		all[name] = &gauge{Use: Use{Name: name, Slots: slots}}
	}
	return held{all[name], takes}
}

func (g *gauge) take(from time.Time, to *time.Time, n int) {
	g.changes = append(g.changes, change{from, n})
	if to != nil {
		g.changes = append(g.changes, change{*to, -n})
	}
}

// sum makes levels of the changes.
func (g *gauge) sum(in Input) {
	slices.SortStableFunc(g.changes, func(a, b change) int { return a.at.Compare(b.at) })
	g.Levels = []Level{}
	used := 0
	for i, c := range g.changes {
		used += c.by
		if i+1 == len(g.changes) || !g.changes[i+1].at.Equal(c.at) {
			g.Peak = max(g.Peak, used)
			g.Levels = append(g.Levels, Level{c.at, used})
		}
	}
	from, to := in.From.Time(), in.To.Time()
	whole := to.Sub(from).Seconds()
	g.spans(from, to, func(used int, length time.Duration) {
		g.Mean += float64(used) * length.Seconds() / whole
		if g.Slots > 0 && used >= g.Slots {
			g.FullS += length.Seconds()
		}
	})
	g.Full = g.FullS / whole
}

// spans visits the levels between two instants with how long each lasts there.
func (g *gauge) spans(from, to time.Time, visit func(used int, length time.Duration)) {
	i := sort.Search(len(g.Levels), func(i int) bool { return g.Levels[i].At.After(from) })
	used := 0
	if i > 0 {
		used = g.Levels[i-1].Used
	}
	for ; i < len(g.Levels) && g.Levels[i].At.Before(to); i++ {
		visit(used, g.Levels[i].At.Sub(from))
		from, used = g.Levels[i].At, g.Levels[i].Used
	}
	visit(used, to.Sub(from))
}

// lacking returns for how long between two instants less than n slots were free.
func (g *gauge) lacking(from, to time.Time, n int) (total time.Duration) {
	g.spans(from, to, func(used int, length time.Duration) {
		if used+n > g.Slots {
			total += length
		}
	})
	return total
}

// blame adds a wait to what it was for: the task's concurrency first, then its pool, and for the rest every agent that could have taken it.
func (w *world) blame(x wait, hosts, pools, limits map[string]*gauge) {
	left := x.to.Sub(x.from)
	if g := limits[x.flow+"/"+x.task.Name]; g != nil {
		left -= g.lacking(x.from, x.to, 1)
	}
	if p := x.task.Pool; p != nil {
		g := pools[p.Name]
		part := min(left, g.lacking(x.from, x.to, min(p.Slots, g.Slots)))
		g.WaitedS += part.Seconds()
		left -= part
	}
	for _, h := range w.hosts {
		if !slices.ContainsFunc(x.task.Agents, func(label string) bool { return !slices.Contains(h.Labels, label) }) {
			hosts[h.Name].WaitedS += left.Seconds()
		}
	}
}

func uses(all map[string]*gauge) []Use {
	list := make([]Use, 0, len(all))
	for _, g := range all {
		list = append(list, g.Use)
	}
	slices.SortFunc(list, func(a, b Use) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
