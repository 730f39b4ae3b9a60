package core

import "slices"

// pool is something that only so many task runs may use at once. Its size is what the active revision says.
type pool struct {
	name   string
	slots  int
	used   int
	live   []*taskRun
	parked parking // by agent selector
}

// pool returns the pool that a task uses.
func (m *Machine) pool(t *taskRun) *pool {
	name := t.def.Pool.Name
	p := m.pools[name]
	if p == nil {
		p = &pool{name: name, parked: parking{}}
		m.pools[name] = p
		m.size(p)
	}
	if p.slots == 0 { // only a revision that is not active any more has it
		p.slots = t.run.rev.Project.Pools[name].Slots
	}
	return p
}

// size sets how many slots a pool has; one that the active revision does not have stays as it was.
func (m *Machine) size(p *pool) {
	if m.active != nil && m.active.Project.Pools[p.name] != nil {
		p.slots = m.active.Project.Pools[p.name].Slots
	}
}

// resizePools follows a new active revision.
func (m *Machine) resizePools() {
	for _, name := range sortedKeys(m.pools) {
		m.size(m.pools[name])
		m.fill(m.pools[name])
	}
}

// needs returns how many slots a task run takes: all of them, if it wants more than there are.
func (p *pool) needs(t *taskRun) int { return min(t.def.Pool.Slots, p.slots) }

// lacks tells whether there is too little left of the pool for a task run.
func (p *pool) lacks(t *taskRun) bool { return p.used+p.needs(t) > p.slots }

// holdsBack tells whether a task run has to wait for the pool: there is too little left for it, or for a better one that waits. Nobody
// overtakes one that wants many slots, which would starve it.
func (p *pool) holdsBack(t *taskRun) bool { return p.lacks(t) || p.parked.better(t, p.lacks) }

func (p *pool) take(t *taskRun) {
	t.pool, t.pooled = p, p.needs(t)
	p.used += t.pooled
	p.live = append(p.live, t)
}

func (p *pool) give(t *taskRun) {
	p.used -= t.pooled
	t.pool, t.pooled = nil, 0
	if i := slices.Index(p.live, t); i >= 0 {
		p.live = slices.Delete(p.live, i, i+1)
	}
}

// fill lets the best of those who wait for the pool try, as many for each agent selector as there is room for: one that finds no agent keeps
// nobody from trying.
func (m *Machine) fill(p *pool) {
	if p == nil {
		return
	}
	for _, key := range sortedKeys(p.parked) {
		h := p.parked[key]
		for room := p.slots - p.used; len(*h) > 0 && p.needs((*h)[0]) <= room; {
			room -= p.needs((*h)[0])
			m.leavePark(h)
		}
	}
}
