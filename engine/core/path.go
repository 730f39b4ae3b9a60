package core

import (
	"fmt"
	"time"

	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

const (
	// probeEvery is how often a path that is not there yet is looked at again, a check that failed is repeated after retryEvery, and
	// after checkRetries of these an event tells of it (R11).
	probeEvery   = 30 * time.Second
	retryEvery   = 5 * time.Second
	checkRetries = 3
	// ProbeBatch is how many paths one call to an agent names at most, and probesAtOnce how many an agent is asked about in all its
	// calls together: what is due beyond that has its turn when answers come.
	ProbeBatch   = 500
	probesAtOnce = 4 * ProbeBatch
)

// watchKey names a path as seen by the agents of a selector.
type watchKey struct{ selector, path string }

// watch is one distinct path that somebody waits for.
type watch struct {
	key     watchKey
	tasks   []*taskRun
	places  map[*taskRun]int // in tasks
	outlook *outlook         // of the selector
	queued  bool             // waits there
	asked   bool             // an agent was asked and has not answered
	agent   string           // who was asked last, and when
	askedAt period.Instant
	again   bool           // the path may have appeared since it was asked
	next    period.Instant // when to ask again
	made    period.Instant
	looked  bool           // an agent has answered, and it was not there
	failure string         // of the last check
	failed  int            // checks in a row
	since   period.Instant // of the first of them
}

// outlook holds the paths that are to be looked at by the agents of a selector: soon those that are likely to be there.
type outlook struct {
	selector []string
	key      string
	soon     []*watch
	due      []*watch
}

// take removes the next watch that somebody still waits for, nil when there is none.
func (o *outlook) take() *watch {
	for {
		q := &o.soon
		if len(*q) == 0 {
			q = &o.due
		}
		if len(*q) == 0 {
			return nil
		}
		w := (*q)[0]
		(*q)[0], *q = nil, (*q)[1:]
		if w.queued { // else it had its turn earlier
			w.queued = false
			if len(w.tasks) > 0 {
				return w
			}
		}
	}
}

func (m *Machine) outlook(t *flow.Task) *outlook {
	key := selectorOf(t)
	for _, o := range m.outlooks {
		if o.key == key {
			return o
		}
	}
	o := &outlook{selector: t.Agents, key: key}
	m.outlooks = append(m.outlooks, o)
	return o
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
			w = &watch{key: key, outlook: m.outlook(t.def), places: map[*taskRun]int{}, made: m.now}
			m.watches[key] = w
			m.look(w)
		}
		if _, watches := w.places[t]; !watches {
			w.places[t] = len(w.tasks)
			w.tasks = append(w.tasks, t)
			t.missing++
		}
	}
	return t.missing == 0
}

// look asks for a watch to be probed as soon as an agent is free to.
func (m *Machine) look(w *watch) {
	if !w.asked && !w.queued {
		w.queued, m.lookable = true, true
		w.outlook.due = append(w.outlook.due, w)
	}
}

// hurry is look, before all that is merely due.
func (m *Machine) hurry(w *watch) {
	if w.asked {
		w.again = true
		return
	}
	w.queued, m.lookable = true, true
	w.outlook.soon = append(w.outlook.soon, w)
}

// produced looks at the paths that a success has made and somebody waits for. An output whose expression fails is nobody's input.
func (m *Machine) produced(t *taskRun) {
	if len(m.watches) == 0 || len(t.def.Outputs) == 0 {
		return
	}
	v := m.values(t)
	for _, out := range t.def.Outputs {
		path, err := m.programs.Text(out, expr.Creation, v)
		if err != nil {
			continue
		}
		for _, o := range m.outlooks {
			if w := m.watches[watchKey{o.key, path}]; w != nil {
				m.hurry(w)
			}
		}
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
	for _, o := range m.outlooks {
		m.probe(o)
	}
}

// probe gives what is due to the agents that have been asked about least.
func (m *Machine) probe(o *outlook) {
	for len(o.soon)+len(o.due) > 0 {
		a := m.observer(o.selector)
		if a == nil {
			return
		}
		for range min(ProbeBatch, probesAtOnce-a.asked) {
			w := o.take()
			if w == nil {
				return
			}
			w.asked, w.agent, w.askedAt = true, a.name, m.now
			a.asked++
			m.out.Probe[a.name] = append(m.out.Probe[a.name], w.key.path)
			a.probing[w.key.path] = append(a.probing[w.key.path], w)
		}
	}
}

// observer returns the agent for the next call, nil when none that is connected has all labels and may be asked about more.
func (m *Machine) observer(selector []string) *agent {
	var best *agent
	for _, a := range m.fleet {
		if a.connected && a.asked < probesAtOnce && len(a.offer.lacks(selector)) == 0 && (best == nil || a.asked < best.asked) {
			best = a
		}
	}
	return best
}

// probed takes the answers to probes.
func (m *Machine) probed(agentName string, paths []engine.PathState) {
	a := m.agents[agentName]
	if a == nil {
		return
	}
	for i := range paths {
		p := &paths[i]
		m.sounded(a.name, p)
		for _, w := range a.probing[p.Path] {
			a.asked--
			m.lookable, w.asked = true, false
			if p.Exists {
				m.appeared(w)
				continue
			}
			m.seen(w, a, p.Error)
		}
		delete(a.probing, p.Path)
	}
}

// seen plans the next look at a path that is not there, or could not be looked at.
func (m *Machine) seen(w *watch, a *agent, failure string) {
	if !w.looked {
		w.looked = true
		for _, t := range w.tasks {
			m.overdue(t)
		}
	}
	w.failure = failure
	if w.failed++; failure == "" {
		w.failed = 0
	}
	every := probeEvery
	if w.failed == 1 {
		w.since = m.now
	}
	if 0 < w.failed && w.failed <= checkRetries {
		every = retryEvery
	}
	if w.failed == checkRetries+1 {
		m.tell(engine.Event{
			Kind: flow.SlowChecks, Agent: a.name, Key: fmt.Sprintf("%s/%s/%d", w.key.selector, w.key.path, w.since),
			Detail: w.key.path + " could not be checked: " + failure,
		})
	}
	if w.again {
		w.again = false
		m.hurry(w)
		return
	}
	w.next = m.now.Add(every)
	m.timers.set(w.next, timer{watch: w})
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
