package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"flowctl/engine"
	"flowctl/engine/logs"
	"flowctl/engine/wire"
)

// Store is what the hub needs of the store. engine.Store satisfies it.
type Store interface {
	PutAgent(ctx context.Context, a *engine.Agent) error
	Agents(ctx context.Context) ([]engine.Agent, error)
	PutToken(ctx context.Context, t *engine.JoinToken) error
	UseToken(ctx context.Context, hash string, now time.Time) (*engine.JoinToken, error)
	Files(ctx context.Context, id engine.RevisionID) ([]engine.File, error)
	Blob(ctx context.Context, hash string) ([]byte, error)
}

// Options are what a Hub is made of. All fields are needed, except URL and Life.
type Options struct {
	Dir   string // of the certificate authority
	Store Store
	Logs  *logs.Logs
	URL   string        // of the server's API; tasks see it as FLOWCTL_SERVER
	Life  time.Duration // of the certificates of agents; 0 = 30 days
	Log   *slog.Logger
	Now   func() time.Time
}

// Hub is the server's end of all agents' streams. It is an engine.Fleet, and safe for concurrent use.
type Hub struct {
	wire.UnimplementedAgentsServer

	opts   Options
	ca     *authority
	server *grpc.Server

	// ctx ends when the hub closes; readers counts the goroutines that call events.
	ctx     context.Context
	cancel  context.CancelFunc
	readers sync.WaitGroup

	rows sync.Mutex // held from reading an agent until it is stored, so that the last one stored is the newest

	mu     sync.Mutex
	events engine.FleetEvents       // set by Serve
	agents map[string]*engine.Agent // all that ever joined, by name
	// streams holds the newest stream of each agent, from its arrival until its Lost returned.
	streams map[string]*stream
}

// New returns a hub that knows the agents of the store. It serves nothing before Serve.
func New(ctx context.Context, o Options) (*Hub, error) {
	if o.Life == 0 {
		o.Life = agentLifetime
	}
	ca, err := openAuthority(o.Dir, o.Now, o.Life)
	if err != nil {
		return nil, err
	}
	config, err := ca.serverTLS()
	if err != nil {
		return nil, err
	}
	known, err := o.Store.Agents(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the agents: %w", err)
	}
	h := &Hub{opts: o, ca: ca, agents: map[string]*engine.Agent{}, streams: map[string]*stream{}}
	for i := range known {
		h.agents[known[i].Name] = &known[i]
	}
	config.VerifyConnection = h.admit
	h.ctx, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	h.server = grpc.NewServer(
		grpc.Creds(credentials.NewTLS(config)),
		grpc.MaxRecvMsgSize(wire.MaxMessage),
		grpc.InitialWindowSize(wire.Window), grpc.InitialConnWindowSize(wire.Window),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: wire.ServerKeepalive, Timeout: wire.KeepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: wire.ServerKeepalive, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(h.authenticateUnary),
		grpc.ChainStreamInterceptor(h.authenticateStream),
	)
	wire.RegisterAgentsServer(h.server, h)
	return h, nil
}

// Serve accepts agents on lis, which it closes, and calls events, until Close. It is called once.
func (h *Hub) Serve(lis net.Listener, events engine.FleetEvents) error {
	h.mu.Lock()
	h.events = events
	h.mu.Unlock()
	if err := h.server.Serve(lis); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve agents: %w", err)
	}
	return nil
}

// Close ends all streams and returns when the last call of FleetEvents has. Attempts go on at their agents, which connect
// again when there is a server.
func (h *Hub) Close() {
	h.cancel()
	h.server.Stop()
	h.readers.Wait()
}
