package hub

import (
	"sync"

	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/engine/wire"
)

// queue is what waits to be sent to one agent.
type queue struct {
	ready chan struct{} // holds at most one message: there may be something to take

	mu      sync.Mutex
	assigns []*engine.Assignment
	kills   []engine.AttemptID
	recalls []engine.AttemptID
	probes  []probe
	acks    []engine.AttemptID
	renewed int64 // the newest request for the server's word; 0 = none
}

// probe is one call of Probe, so that the agent works on several at once.
type probe struct {
	paths   []string
	sensors []*wire.Pin
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

// add lets f append to the queue and wakes the writer.
func (q *queue) add(f func(*queue)) {
	q.mu.Lock()
	f(q)
	q.mu.Unlock()
	q.wake()
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take removes all that is queued as one message, or nil when nothing is. When the assignments are large, some stay for
// the next message.
func (q *queue) take() *wire.ServerMessage {
	q.mu.Lock()
	n, size := 0, 0
	for n < len(q.assigns) && size < wire.BatchSize {
		a := q.assigns[n]
		size += 500 + len(a.Text) + len(a.With) // the rest is short
		n++
	}
	assigns := q.assigns[:n]
	var asked probe
	if len(q.probes) > 0 {
		asked, q.probes = q.probes[0], q.probes[1:]
	}
	kills, recalls, acks, renewed := q.kills, q.recalls, q.acks, q.renewed
	q.assigns, q.kills, q.recalls, q.acks, q.renewed = q.assigns[n:], nil, nil, nil, 0
	more := len(q.assigns)+len(q.probes) > 0
	q.mu.Unlock()

	if more {
		q.wake()
	}
	if n+len(kills)+len(recalls)+len(asked.paths)+len(acks) == 0 && renewed == 0 {
		return nil
	}
	m := &wire.ServerMessage{
		Kills: wire.FromAttemptIDs(kills), Recalls: wire.FromAttemptIDs(recalls), Probes: asked.paths, Sensors: asked.sensors,
		Acks: wire.FromAttemptIDs(acks), Renewed: renewed,
	}
	for _, a := range assigns {
		m.Assigns = append(m.Assigns, wire.FromAssignment(a))
	}
	return m
}

// live returns the queue of an agent, or nil when it is not connected.
func (h *Hub) live(agent string) *queue {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.streams[agent]
	if s == nil || !s.live {
		return nil
	}
	return s.out
}

// Assign implements engine.Fleet.
func (h *Hub) Assign(agent string, as []*engine.Assignment) {
	if q := h.live(agent); q != nil {
		q.add(func(q *queue) { q.assigns = append(q.assigns, as...) })
	}
}

// Kill implements engine.Fleet.
func (h *Hub) Kill(agent string, ids []engine.AttemptID) {
	if q := h.live(agent); q != nil {
		q.add(func(q *queue) { q.kills = append(q.kills, ids...) })
	}
}

// Recall implements engine.Fleet.
func (h *Hub) Recall(agent string, ids []engine.AttemptID) {
	if q := h.live(agent); q != nil {
		q.add(func(q *queue) { q.recalls = append(q.recalls, ids...) })
	}
}

// Probe implements engine.Fleet.
func (h *Hub) Probe(agent string, paths []string, sensors []*flow.Plugin) {
	if q := h.live(agent); q != nil {
		q.add(func(q *queue) { q.probes = append(q.probes, probe{paths, wire.FromPlugins(sensors)}) })
	}
}

// Ack implements engine.Fleet.
func (h *Hub) Ack(agent string, ids []engine.AttemptID) {
	if q := h.live(agent); q != nil {
		q.add(func(q *queue) { q.acks = append(q.acks, ids...) })
	}
}
