package core

import (
	"time"

	"flowctl/dsl/expr"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// probeEvery is how often a path that is not there yet is looked at again (R11).
const probeEvery = 30 * time.Second

// watchKey names a path as seen by the agents of a selector.
type watchKey struct{ selector, path string }

// watch is one distinct path that somebody waits for.
type watch struct {
	key     watchKey
	tasks   []*taskRun
	places  map[*taskRun]int // in tasks
	asked   bool             // an agent was asked and has not answered
	agent   string           // which one
	next    period.Instant   // when to ask again
	failure string           // of the last check
	queued  bool             // waits for an agent that can look
}

// inputs tells whether the input paths of a task run are there, and watches those that are not known to be.
func (m *Machine) inputs(t *taskRun) bool {
	if len(t.def.Inputs) == 0 || t.run.row.Force {
		return true
	}
	if t.paths == nil {
		v := m.values(t)
		for _, in := range t.def.Inputs {
			path, err := m.programs.Text(in, expr.Creation, v)
			if err != nil {
				m.spoil(t, err)
				return false
			}
			t.paths = append(t.paths, path)
		}
		t.missing = -1
	}
	if t.missing >= 0 {
		return t.missing == 0
	}
	t.missing = 0
	for _, path := range t.paths {
		key := watchKey{selectorOf(t.def), path}
		w := m.watches[key]
		if w == nil {
			w = &watch{key: key, places: map[*taskRun]int{}}
			m.watches[key] = w
		}
		if _, watches := w.places[t]; !watches {
			w.places[t] = len(w.tasks)
			w.tasks = append(w.tasks, t)
			t.missing++
			m.look(w)
		}
	}
	return t.missing == 0
}

// look asks for a watch to be probed before the event is over.
func (m *Machine) look(w *watch) {
	if !w.asked && !w.queued {
		w.queued, m.lookable = true, true
		m.unprobed = append(m.unprobed, w)
	}
}

// ask puts the questions that are open: watches that are due go to agents, backfills ask for what exists. A watch that no
// connected agent can look at stays until one joins.
func (m *Machine) ask() {
	for _, b := range m.thirsty {
		m.question(b)
	}
	m.thirsty = m.thirsty[:0]
	if !m.lookable {
		return
	}
	m.lookable = false
	left := m.unprobed[:0]
	for _, w := range m.unprobed {
		if len(w.tasks) == 0 {
			w.queued = false
			continue
		}
		a := m.anyAgent(w.key.selector)
		if a == nil {
			left = append(left, w)
			continue
		}
		w.queued, w.asked, w.agent = false, true, a.name
		m.out.Probe[a.name] = append(m.out.Probe[a.name], w.key.path)
		a.probing[w.key.path] = append(a.probing[w.key.path], w)
	}
	m.unprobed = left
}

// probed takes the answers to probes.
func (m *Machine) probed(agentName string, paths []engine.PathState) {
	a := m.agents[agentName]
	if a == nil {
		return
	}
	for _, p := range paths {
		for _, w := range a.probing[p.Path] {
			w.asked = false
			w.failure = p.Error
			if p.Exists {
				m.appeared(w)
				continue
			}
			w.next = m.now.Add(probeEvery)
			m.timers.set(w.next, timer{watch: w})
		}
		delete(a.probing, p.Path)
	}
}

// appeared lets go all who wait for a path that is there.
func (m *Machine) appeared(w *watch) {
	if m.watches[w.key] == w { // else nobody waited for w any more, and somebody began to watch the path anew
		delete(m.watches, w.key)
	}
	for _, t := range w.tasks {
		t.missing--
		if t.missing == 0 {
			m.stir(t)
		}
	}
	w.tasks = nil
	clear(w.places)
}

// unwatch ends a task run's wait for paths; they are looked at anew when it passes its needs again.
func (m *Machine) unwatch(t *taskRun) {
	if t.missing == 0 && len(t.paths) == 0 {
		return
	}
	for _, path := range t.paths {
		key := watchKey{selectorOf(t.def), path}
		w := m.watches[key]
		if w == nil {
			continue
		}
		if i, watches := w.places[t]; watches {
			last := len(w.tasks) - 1
			w.tasks[i] = w.tasks[last]
			w.places[w.tasks[i]] = i
			w.tasks[last] = nil
			w.tasks = w.tasks[:last]
			delete(w.places, t)
		}
		if len(w.tasks) == 0 {
			delete(m.watches, key)
		}
	}
	t.missing = -1
}
