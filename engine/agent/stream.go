package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"flowctl/engine"
	"flowctl/engine/wire"
)

// session is one stream to the server, from Hello to its end.
type session struct {
	ctx    context.Context // ends with the stream
	client wire.AgentsClient
	out    *outbox
	url    string        // of the server's API
	gone   chan struct{} // closed when it is no longer the session

	granted time.Duration // the newest time at which the server was asked for its word and gave it; guarded by Agent.mu
	grants  chan struct{} // closed when granted grows, then replaced
}

// connect opens a stream and serves it until it ends. greeted tells whether the server took the agent in.
func (a *Agent) connect(ctx context.Context) (greeted bool, err error) {
	id, err := a.identify(ctx)
	if err != nil {
		return false, err
	}
	creds := &alerts{TransportCredentials: credentials.NewTLS(id.tls(a.opts.Now))}
	conn, err := grpc.NewClient("passthrough:///"+a.opts.Server,
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessage)),
		grpc.WithInitialWindowSize(wire.Window), grpc.WithInitialConnWindowSize(wire.Window),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: wire.AgentKeepalive, Timeout: wire.KeepaliveTimeout}),
	)
	if err != nil {
		return false, err
	}
	defer conn.Close() //nolint:errcheck // whatever was wrong with it, the stream told
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := wire.NewAgentsClient(conn)
	stream, err := client.Connect(ctx)
	if err != nil {
		return false, creds.refusal(err)
	}
	s := &session{ctx: ctx, client: client, out: newOutbox(), gone: make(chan struct{}), grants: make(chan struct{})}
	welcome, err := a.open(stream)
	if err != nil {
		return false, creds.refusal(err)
	}
	s.url = welcome.Url
	if err := stream.Send(&wire.AgentMessage{Hello: a.begin(s, welcome.LogSizes)}); err != nil {
		a.end(s)
		return false, refusal(fmt.Errorf("say hello: %w", err))
	}
	a.opts.Log.Info("connected", "server", a.opts.Server, "agent", id.name)

	var sender sync.WaitGroup // and the others that last as long
	sender.Go(func() {
		if err := send(ctx, s.out, stream); err != nil {
			cancel() // the receiver learns why
		}
	})
	sender.Go(func() { a.pulse(s) })
	sender.Go(func() { a.renewCertificate(s, id) })
	err = a.receive(s, stream)
	cancel()
	a.end(s)
	sender.Wait()
	return true, refusal(err)
}

// errCertificate is wrapped beside ErrRefused when the server does not accept the certificate.
var errCertificate = errors.New("the server does not accept its certificate")

// refusal marks the errors after which connecting again is useless.
func refusal(err error) error {
	if status.Code(err) == codes.Unauthenticated {
		return fmt.Errorf("%w: %w: %s", ErrRefused, errCertificate, status.Convert(err).Message())
	}
	return err
}

// open begins the handshake.
func (a *Agent) open(stream grpc.BidiStreamingClient[wire.AgentMessage, wire.ServerMessage]) (*wire.Welcome, error) {
	a.mu.Lock()
	held := make([]int64, 0, len(a.attempts))
	for id := range a.attempts {
		held = append(held, int64(id))
	}
	a.mu.Unlock()
	// An error of Send says only that there is one; Recv says which.
	if err := stream.Send(&wire.AgentMessage{Open: &wire.Open{Attempts: held}}); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	m, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	if m.Welcome == nil {
		return nil, errors.New("the server did not welcome the agent: is it a flowctl server of the same version?")
	}
	return m.Welcome, nil
}

// begin makes s the session and brings the attempts in line with what the server has of their logs. The hello
// must be the first thing sent. See the package comment for what becomes of an attempt in each of its phases.
func (a *Agent) begin(s *session, sizes map[int64]int64) *wire.Hello {
	beat := a.beat(s.ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	h := &wire.Hello{
		BootId: a.bootID, Labels: a.opts.Labels, Slots: int64(a.opts.Slots), Version: a.opts.Version,
		Host: wire.FromHost(a.host), Beat: wire.FromBeat(beat),
	}
	for id, at := range a.attempts {
		if at.phase == preparing {
			delete(a.attempts, id) // it is the old session's; the server sends it again
			continue
		}
		if size := sizes[int64(id)]; at.sent != size {
			a.rewind(at, size)
		}
		h.Attempts = append(h.Attempts, wire.FromReport(at.report()))
	}
	a.session = s
	close(a.connected)
	a.connected = make(chan struct{})
	return h
}

// end makes s no longer the session.
func (a *Agent) end(s *session) {
	a.mu.Lock()
	if a.session == s {
		a.session = nil
	}
	a.mu.Unlock()
	close(s.gone)
	s.out.close() // after it: whoever is turned away finds no session and waits for the next
}

// send sends what is queued until the stream ends.
func send(ctx context.Context, out *outbox, stream grpc.BidiStreamingClient[wire.AgentMessage, wire.ServerMessage]) error {
	for {
		select {
		case <-out.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
		if m := out.take(); m != nil {
			if err := stream.Send(m); err != nil {
				return err
			}
		}
	}
}

// receive heeds what the server sends until the stream ends.
func (a *Agent) receive(s *session, stream grpc.BidiStreamingClient[wire.AgentMessage, wire.ServerMessage]) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errors.New("the server ended the stream")
		}
		if err != nil {
			return err
		}
		a.forget(m.Acks)
		a.renewed(s, time.Duration(m.Renewed))
		for _, w := range m.Assigns {
			a.assign(s, w)
		}
		for _, id := range m.Kills {
			a.kill(s, engine.AttemptID(id))
		}
		for _, id := range m.Recalls {
			a.recall(s, engine.AttemptID(id))
		}
		a.probe(s, m.Probes, pinsOf(m.Sensors))
	}
}
