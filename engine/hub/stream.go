package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"flowctl/engine"
	"flowctl/engine/wire"
)

// errReplaced ends a stream whose agent opened another one.
var errReplaced = status.Error(codes.Aborted, "the agent opened another stream")

// errClosing ends a stream because the server does.
var errClosing = status.Error(codes.Unavailable, "the server is shutting down")

// stream is one agent's stream. Three goroutines serve it: the gRPC handler waits for the first reason to end it, the
// reader receives and calls FleetEvents, the writer sends.
type stream struct {
	agent string
	grpc  grpc.BidiStreamingServer[wire.AgentMessage, wire.ServerMessage]
	out   *queue
	live  bool       // between Joined's call and Lost's; guarded by Hub.mu
	end   chan error // the first error ends the stream; buffered for one from each of reader, writer and successor
	done  chan struct{}
}

// fail ends the stream unless it is ending already.
func (s *stream) fail(err error) {
	select {
	case s.end <- err:
	default:
	}
}

// Connect implements the call of the same name. Returning from it is what ends the stream, and unblocks reader and
// writer.
func (h *Hub) Connect(g grpc.BidiStreamingServer[wire.AgentMessage, wire.ServerMessage]) error {
	name, _ := g.Context().Value(agentKey{}).(string)
	s := &stream{agent: name, grpc: g, out: newQueue(), end: make(chan error, 1), done: make(chan struct{})}
	old, err := h.register(s)
	if err != nil {
		return err
	}
	go h.read(s, old)
	select {
	case err = <-s.end:
	case <-h.ctx.Done():
		err = errClosing
	}
	if errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled {
		return nil // the agent went
	}
	return err
}

// register makes s the agent's stream and ends the one before, which is returned.
func (h *Hub) register(s *stream) (old *stream, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx.Err() != nil || h.events == nil {
		return nil, errClosing
	}
	old = h.streams[s.agent]
	if old != nil {
		old.fail(errReplaced)
	}
	h.streams[s.agent] = s
	h.readers.Add(1)
	return old, nil
}

// read serves the stream once its predecessor is gone, and reports the loss of the agent at the end.
func (h *Hub) read(s *stream, old *stream) {
	defer h.readers.Done()
	defer close(s.done)
	if old != nil {
		<-old.done
	}
	err := h.converse(s)
	s.fail(err)
	h.mu.Lock()
	wasLive := s.live
	s.live = false
	h.mu.Unlock()
	if wasLive {
		h.opts.Log.Info("agent disconnected", "agent", s.agent, "reason", err)
		h.events.Lost(context.WithoutCancel(h.ctx), s.agent)
		h.seen(s.agent, nil)
	}
	h.mu.Lock()
	if h.streams[s.agent] == s {
		delete(h.streams, s.agent)
	}
	h.mu.Unlock()
}

// converse does the handshake and then takes in what the agent sends until the stream ends.
func (h *Hub) converse(s *stream) error {
	hello, err := h.handshake(s)
	if err != nil {
		return err
	}
	h.mu.Lock()
	s.live = true // before Joined, which may assign at once
	h.mu.Unlock()
	h.opts.Log.Info("agent connected", "agent", s.agent, "version", hello.Version, "slots", hello.Slots, "attempts", len(hello.Attempts))
	ctx := s.grpc.Context()
	if err := h.events.Joined(ctx, hello); err != nil {
		return fmt.Errorf("take in agent %s: %w", s.agent, err)
	}
	h.seen(s.agent, &hello)

	h.readers.Add(1)
	go func() {
		defer h.readers.Done()
		s.fail(s.write(ctx))
	}()
	for {
		m, err := s.grpc.Recv()
		if err != nil {
			return err
		}
		if err := h.take(ctx, s, m); err != nil {
			return err
		}
	}
}

// handshake reads the opening of the stream and answers it. See package wire.
func (h *Hub) handshake(s *stream) (engine.Hello, error) {
	m, err := s.grpc.Recv()
	if err != nil {
		return engine.Hello{}, err
	}
	if m.Open == nil {
		return engine.Hello{}, status.Error(codes.InvalidArgument, "the stream does not begin with open")
	}
	welcome := &wire.Welcome{LogSizes: map[int64]int64{}, Url: h.opts.URL}
	for _, id := range m.Open.Attempts {
		size, err := h.opts.Logs.Size(engine.AttemptID(id))
		if err != nil {
			return engine.Hello{}, err
		}
		if size > 0 {
			welcome.LogSizes[id] = size
		}
	}
	if err := s.grpc.Send(&wire.ServerMessage{Welcome: welcome}); err != nil {
		return engine.Hello{}, err
	}
	m, err = s.grpc.Recv()
	if err != nil {
		return engine.Hello{}, err
	}
	if m.Hello == nil {
		return engine.Hello{}, status.Error(codes.InvalidArgument, "hello is missing after open")
	}
	return engine.Hello{
		Name: s.agent, BootID: m.Hello.BootId, Labels: h.labels(s.agent, m.Hello.Labels), Slots: int(m.Hello.Slots), Version: m.Hello.Version,
		Attempts: wire.Reports(m.Hello.Attempts), Host: h.host(s.agent, m.Hello.Host), Beat: wire.ToBeat(m.Hello.Beat),
	}, nil
}

// labels are an agent's own and those that its token gave it.
func (h *Hub) labels(agent string, own []string) []string {
	all := slices.Concat(own, h.known(agent).Grant.Labels)
	slices.Sort(all)
	return slices.Compact(all)
}

// host is what an agent says of its machine, with those of its users that its token let it have.
func (h *Hub) host(agent string, w *wire.Host) engine.Host {
	host := wire.ToHost(w)
	if only := h.known(agent).Grant.Accounts; len(only) > 0 {
		host.Users = slices.DeleteFunc(host.Users, func(user string) bool { return !slices.Contains(only, user) })
	}
	return host
}

// take stores and passes on one message.
func (h *Hub) take(ctx context.Context, s *stream, m *wire.AgentMessage) error {
	for _, c := range m.Logs {
		if err := h.opts.Logs.Append(engine.AttemptID(c.Attempt), c.Offset, c.Data); err != nil {
			return err
		}
	}
	if m.Renew != 0 { // Lost comes after it: a lease that lasts from here on ends before the scheduler stops waiting for it
		s.out.add(func(q *queue) { q.renewed = max(q.renewed, m.Renew) })
	}
	if len(m.Reports) > 0 {
		if err := h.events.Reported(ctx, s.agent, wire.Reports(m.Reports)); err != nil {
			return fmt.Errorf("take in reports of agent %s: %w", s.agent, err)
		}
	}
	if len(m.Paths) > 0 {
		states := make([]engine.PathState, len(m.Paths))
		for i, p := range m.Paths {
			states[i] = engine.PathState{Path: p.Path, Exists: p.Exists, Error: p.Error}
		}
		if err := h.events.Probed(ctx, s.agent, states); err != nil {
			return fmt.Errorf("take in probes of agent %s: %w", s.agent, err)
		}
	}
	if m.Beat != nil {
		return h.events.Beaten(ctx, s.agent, wire.ToBeat(m.Beat))
	}
	return nil
}

// write sends what is queued until the stream ends.
func (s *stream) write(ctx context.Context) error {
	for {
		select {
		case <-s.out.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
		if m := s.out.take(); m != nil {
			if err := s.grpc.Send(m); err != nil {
				return err
			}
		}
	}
}

// seen stores when an agent was last connected, and how it presented itself. A failure costs nothing but the freshness of
// a list, so it is only logged.
func (h *Hub) seen(name string, hello *engine.Hello) {
	h.rows.Lock()
	defer h.rows.Unlock()
	a := h.known(name)
	a.LastSeen = h.opts.Now()
	if hello != nil {
		a.Labels, a.Slots, a.Version, a.BootID, a.Host = hello.Labels, hello.Slots, hello.Version, hello.BootID, hello.Host
	}
	if err := h.put(context.WithoutCancel(h.ctx), &a); err != nil {
		h.opts.Log.Warn("the agent's row was not stored", "agent", name, "error", err)
	}
}
