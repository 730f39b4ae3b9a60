package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/keeper"
	"flowctl/plugins/sdk"
)

// Process is a connection to a plugin process. It implements sdk.Runner, sdk.Sensor and sdk.Channel, according to the plugin's kind.
// When the process dies or takes no more work, calls fail with sdk.ErrGone; then ask the Host again.
type Process struct {
	*sdk.Client
	card   keeper.Reattach
	conn   *grpc.ClientConn
	cancel context.CancelFunc // ends the session
	ended  chan struct{}      // closed when the session has ended

	mark sync.Once
	gone chan struct{}
}

// Gone is closed when the process is not to be used any more: ask the Host for another.
func (p *Process) Gone() <-chan struct{} { return p.gone }

// PID is the id of the plugin process.
func (p *Process) PID() int { return p.card.PID }

func (p *Process) isGone() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// Start implements sdk.Runner.
func (p *Process) Start(ctx context.Context, spec sdk.Spec) error {
	return p.noted(ctx, p.Client.Start(ctx, spec))
}

// Wait implements sdk.Runner.
func (p *Process) Wait(ctx context.Context, work string, offset int64, log func(int64, []byte) error) (sdk.Result, error) {
	r, err := p.Client.Wait(ctx, work, offset, log)
	return r, p.noted(ctx, err)
}

// Signal implements sdk.Runner.
func (p *Process) Signal(ctx context.Context, work string, how sdk.Signal) error {
	return p.noted(ctx, p.Client.Signal(ctx, work, how))
}

// Renew implements sdk.Leaser.
func (p *Process) Renew(ctx context.Context, work string, lease time.Duration) error {
	return p.noted(ctx, p.Client.Renew(ctx, work, lease))
}

// Recover implements sdk.Runner.
func (p *Process) Recover(ctx context.Context, work string) (sdk.Recovered, error) {
	r, err := p.Client.Recover(ctx, work)
	return r, p.noted(ctx, err)
}

// Check implements sdk.Sensor.
func (p *Process) Check(ctx context.Context, base string, paths []string) ([]sdk.PathState, error) {
	s, err := p.Client.Check(ctx, base, paths)
	return s, p.noted(ctx, err)
}

// Capabilities implements sdk.Channel.
func (p *Process) Capabilities(ctx context.Context, with json.RawMessage) (sdk.Capabilities, error) {
	c, err := p.Client.Capabilities(ctx, with)
	return c, p.noted(ctx, err)
}

// Send implements sdk.Channel.
func (p *Process) Send(ctx context.Context, n sdk.Notification) (sdk.Receipt, error) {
	r, err := p.Client.Send(ctx, n)
	return r, p.noted(ctx, err)
}

// noted remembers that the process is gone when an error says so. A connection that we closed after the end says something else.
func (p *Process) noted(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, sdk.ErrGone):
		p.lose()
	case errors.Is(err, context.Canceled) && p.isGone():
		return fmt.Errorf("%w: %v", sdk.ErrGone, err)
	}
	return err
}

func (p *Process) lose() { p.mark.Do(func() { close(p.gone) }) }

// attach connects to the process that a card describes.
func (h *Host) attach(ctx context.Context, card keeper.Reattach) (*Process, error) {
	if card.Protocol != sdk.ProtocolVersion {
		return nil, fmt.Errorf("it speaks protocol version %d, this flowctl speaks %d", card.Protocol, sdk.ProtocolVersion)
	}
	p := &Process{card: card, ended: make(chan struct{}), gone: make(chan struct{})}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake(),
		Plugins:          sdk.PluginSet(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
		GRPCDialOptions:  []grpc.DialOption{grpc.WithInitialWindowSize(1 << 20), grpc.WithInitialConnWindowSize(8 << 20)},
		Reattach: &plugin.ReattachConfig{
			Protocol: plugin.ProtocolGRPC, ProtocolVersion: card.Protocol, Pid: card.PID,
			Addr:         &net.UnixAddr{Net: card.Network, Name: card.Address},
			ReattachFunc: func() (runner.AttachedRunner, error) { return attached{p}, nil },
		},
	})
	protocol, err := client.Client()
	if err != nil {
		close(p.ended)
		return nil, err
	}
	p.conn = protocol.(*plugin.GRPCClient).Conn // AllowedProtocols leaves no other
	p.Client, err = sdk.NewClient(ctx, p.conn)
	if err != nil {
		close(p.ended)
		_ = p.conn.Close()
		return nil, err
	}
	session, cancel := context.WithCancel(h.ctx)
	p.cancel = cancel
	h.tasks.Go(func() {
		_ = p.Session(session)
		p.lose()
		close(p.ended)
	})
	h.tasks.Go(func() { h.guard(session, p) })
	return p, nil
}

// kept tells whether the process has its keeper.
func (p *Process) kept() bool { return proc.Alive(p.card.Keeper, 0, p.card.Born) }

// guard drains a process whose keeper died: it can do its work, but its own death would now cost the exit codes of its attempts.
func (h *Host) guard(ctx context.Context, p *Process) {
	if awaitEnd(ctx, p.card.Keeper, p.card.Born) == nil && !p.isGone() {
		h.options.Log.Warn("the keeper of a plugin process died", "pid", p.card.PID, "keeper", p.card.Keeper)
		h.drain(ctx, p)
	}
}

// attached tells go-plugin about a process that this package looks after. Its own way to wait polls.
type attached struct{ p *Process }

func (a attached) Wait(context.Context) error { <-a.p.ended; return nil }
func (a attached) Kill(context.Context) error { return nil }
func (a attached) ID() string                 { return fmt.Sprint(a.p.card.PID) }

func (a attached) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

func (a attached) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// detach closes the connection and leaves the process alone.
func (p *Process) detach() {
	p.lose()
	p.cancel()
	<-p.ended
	_ = p.conn.Close()
}

// stopTime is how long an idle plugin process and its keeper have to end.
const stopTime = 5 * time.Second

// stop ends the process if it carries no attempt, waits for its end, and detaches.
func (p *Process) stop(ctx context.Context) error {
	live, err := p.Stop(ctx, false)
	p.detach()
	// A connection that was given up as the plugin ended reports that as if the caller had cancelled.
	gone := errors.Is(err, sdk.ErrGone) || errors.Is(err, context.Canceled) && ctx.Err() == nil
	if live > 0 || err != nil && !gone {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	for _, pid := range []int{p.card.PID, p.card.Keeper} {
		if err := awaitEnd(ctx, pid, p.card.Born); err != nil {
			return fmt.Errorf("wait for the end of plugin process %d: %w", pid, err)
		}
	}
	return nil
}

// awaitEnd waits for the end of a process that was there at a time since boot.
func awaitEnd(ctx context.Context, pid int, at int64) error {
	h, err := proc.Open(pid)
	if err != nil {
		return nil // it has ended
	}
	defer h.Close()
	if s, err := proc.ReadStat(pid); err != nil || s.Born > at {
		return nil
	}
	return h.Ended(ctx)
}
