package core

import (
	"strings"
	"time"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// soundEvery is how often a system outside is asked.
const soundEvery = time.Minute

// System is something outside that tasks need, as seen by the agents of a selector.
type System struct {
	Name     string   // for people: of a connection, or the path itself
	Path     string   // a sensor that answers for it, whether it is there or not, has reached the system
	Selector []string // of the tasks that need it
}

// Sound asks the systems outside whose time has come. Those that it does not name are forgotten.
type Sound struct {
	Systems []System
	Slow    time.Duration // an answer that takes longer is trouble
}

// Sounding asks an agent about one path by itself, so that its answer waits for no other.
type Sounding struct{ Agent, Path string }

// Soundness is what is known of a system outside.
type Soundness struct {
	System
	Agent   string         // who was asked last
	Asked   period.Instant // and when; 0 = it has answered, or nobody was asked
	At      period.Instant // of its last answer; 0 = there was none
	Took    time.Duration  // to answer
	Failure string         // empty = it was reached
	Since   period.Instant // when the first question of those in a row was asked that were answered by a failure, or slowly; 0 = all is well
}

// sounding is a system outside with what is known of it.
type sounding struct {
	Soundness
	key     string
	absence int // the agent's, when it was asked
	next    period.Instant
}

// sound asks one agent about each system. One that was lost since it was asked will not answer.
func (m *Machine) sound(ev Sound) {
	m.slow = ev.Slow
	old := make(map[string]*sounding, len(m.soundings))
	for _, s := range m.soundings {
		old[s.key] = s
	}
	m.soundings = m.soundings[:0]
	for _, system := range ev.Systems {
		key := system.Name + " " + system.Path + " " + strings.Join(system.Selector, " ")
		s := old[key]
		if s == nil {
			s = &sounding{key: key}
		}
		s.System = system
		m.soundings = append(m.soundings, s)
		if s.Asked != 0 {
			if a := m.agents[s.Agent]; a != nil && a.connected && a.absence == s.absence {
				continue
			}
			s.Asked, s.next = 0, m.now
		}
		if s.next > m.now {
			continue
		}
		if a := m.observer(system.Selector); a != nil {
			s.Agent, s.absence, s.Asked, s.next = a.name, a.absence, m.now, m.now.Add(soundEvery)
			m.out.Soundings = append(m.out.Soundings, Sounding{a.name, system.Path})
		}
	}
}

// sounded takes what an agent says of a path that it may have been asked about by sound.
func (m *Machine) sounded(agent string, p *engine.PathState) {
	for _, s := range m.soundings {
		if s.Asked == 0 || s.Agent != agent || s.Path != p.Path {
			continue
		}
		asked := s.Asked
		s.At, s.Took, s.Failure, s.Asked = m.now, m.now.Sub(asked), p.Error, 0
		switch {
		case s.Failure == "" && s.Took <= m.slow:
			s.Since = 0
		case s.Since == 0:
			s.Since = asked
		}
	}
}

// Soundnesses returns what is known of the systems that were named by the last Sound, in its order.
func (m *Machine) Soundnesses() []Soundness {
	all := make([]Soundness, len(m.soundings))
	for i, s := range m.soundings {
		all[i] = s.Soundness
	}
	return all
}
