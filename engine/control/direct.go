package control

import (
	"flowctl/engine/core"
)

// Direct makes a loop that does not run, over a machine that somebody else drives: handle applies an event with all that follows from it at
// once. With it a [Service] lets operators act in a simulation as on a server. It is not safe for concurrent use.
func Direct(m *core.Machine, o Options, handle func(core.Event) (any, error)) *Loop {
	return &Loop{Options: o, machine: m, ended: make(chan struct{}), direct: handle}
}

// now does what is asked for while the caller waits.
func (l *Loop) now(r request) (any, error) {
	if r.query != nil {
		r.query(l.machine)
		return nil, nil
	}
	if r.prepare != nil {
		ev, err := r.prepare()
		if err != nil {
			return nil, err
		}
		return l.direct(ev)
	}
	return l.direct(r.event)
}
