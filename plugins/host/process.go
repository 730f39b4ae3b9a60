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
	"google.golang.org/grpc/backoff"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/keeper"
	"flowctl/plugins/sdk"
)

// Process is a connection to a plugin process. It implements sdk.Runner, sdk.Sensor and sdk.Channel, according to the plugin's kind.
// When the process dies or takes no more work, calls fail with sdk.ErrGone; then ask the Host again.
type Process struct {
	*sdk.Client
	title   string // of the plugin, for messages
	dir     string // its folder
	card    keeper.Reattach
	conn    *grpc.ClientConn
	answer  time.Duration      // Options.Answer
	cancel  context.CancelFunc // ends the session
	ended   chan struct{}      // closed when the session has ended
	suspect chan struct{}      // gets a value when the process was late

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

// Validate implements sdk.Plugin. A plugin that does not answer has that as its one problem.
func (p *Process) Validate(with json.RawMessage) (problems []sdk.Problem) {
	err := p.ask(context.Background(), "Validate", p.answer, func(ctx context.Context) (err error) {
		problems, err = p.Problems(ctx, with)
		return err
	})
	if err != nil {
		return []sdk.Problem{{Message: err.Error()}}
	}
	return problems
}

// Start implements sdk.Runner.
func (p *Process) Start(ctx context.Context, spec sdk.Spec) error {
	return p.ask(ctx, "Start", p.answer, func(ctx context.Context) error { return p.Client.Start(ctx, spec) })
}

// Wait implements sdk.Runner.
func (p *Process) Wait(ctx context.Context, work string, offset int64, log func(int64, []byte) error) (sdk.Result, error) {
	r, err := p.Client.Wait(ctx, work, offset, log)
	return r, p.noted(ctx, err)
}

// Signal implements sdk.Runner.
func (p *Process) Signal(ctx context.Context, work string, how sdk.Signal) error {
	return p.ask(ctx, "Signal", p.answer, func(ctx context.Context) error { return p.Client.Signal(ctx, work, how) })
}

// Renew implements sdk.Leaser.
func (p *Process) Renew(ctx context.Context, work string, lease time.Duration) error {
	return p.ask(ctx, "Renew", p.answer, func(ctx context.Context) error { return p.Client.Renew(ctx, work, lease) })
}

// Recover implements sdk.Runner.
func (p *Process) Recover(ctx context.Context, work string) (r sdk.Recovered, err error) {
	err = p.ask(ctx, "Recover", p.answer, func(ctx context.Context) error {
		r, err = p.Client.Recover(ctx, work)
		return err
	})
	return r, err
}

// Stop is sdk.Client's.
func (p *Process) Stop(ctx context.Context, drain bool) (live int, err error) {
	err = p.ask(ctx, "Stop", p.answer, func(ctx context.Context) error {
		live, err = p.Client.Stop(ctx, drain)
		return err
	})
	return live, err
}

// Check implements sdk.Sensor.
func (p *Process) Check(ctx context.Context, base string, paths []string) (states []sdk.PathState, err error) {
	err = p.ask(ctx, "Check", longer*p.answer, func(ctx context.Context) error {
		states, err = p.Client.Check(ctx, base, paths)
		return err
	})
	return states, err
}

// Capabilities implements sdk.Channel.
func (p *Process) Capabilities(ctx context.Context, with json.RawMessage) (c sdk.Capabilities, err error) {
	err = p.ask(ctx, "Capabilities", p.answer, func(ctx context.Context) error {
		c, err = p.Client.Capabilities(ctx, with)
		return err
	})
	return c, err
}

// Send implements sdk.Channel.
func (p *Process) Send(ctx context.Context, n sdk.Notification) (r sdk.Receipt, err error) {
	err = p.ask(ctx, "Send", longer*p.answer, func(ctx context.Context) error {
		r, err = p.Client.Send(ctx, n)
		return err
	})
	return r, err
}

// noted remembers that the process is gone when an error says so, and says whose error it is unless the plugin only refused what it was asked. A
// connection that we closed after the end says something else.
func (p *Process) noted(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() != nil || errors.Is(err, sdk.ErrInvalid) || errors.Is(err, sdk.ErrUnknown):
		return err
	case errors.Is(err, sdk.ErrGone):
		p.lose()
		return fmt.Errorf("%s ended or is ending: %w", p.title, err)
	case errors.Is(err, context.Canceled) && p.isGone():
		err = fmt.Errorf("%w: %v", sdk.ErrGone, err)
	}
	return fmt.Errorf("%s: %w", p.title, err)
}

func (p *Process) lose() { p.mark.Do(func() { close(p.gone) }) }

// attach connects to the process that a card describes.
func (h *Host) attach(ctx context.Context, dir, title string, card keeper.Reattach) (*Process, error) {
	if card.Protocol != sdk.ProtocolVersion {
		return nil, fmt.Errorf("it speaks protocol version %d, this flowctl speaks %d: get a build of the plugin for this flowctl", card.Protocol, sdk.ProtocolVersion)
	}
	p := &Process{
		title: title, dir: dir, card: card, answer: h.options.Answer, ended: make(chan struct{}),
		suspect: make(chan struct{}, 1), gone: make(chan struct{}),
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  sdk.Handshake(),
		Plugins:          sdk.PluginSet(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithInitialWindowSize(1 << 20), grpc.WithInitialConnWindowSize(8 << 20),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: h.options.Start}),
		},
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
	p.Client, err = h.describe(ctx, p)
	if err != nil {
		close(p.ended)
		_ = p.conn.Close()
		return nil, err
	}
	session, cancel := context.WithCancel(h.ctx)
	p.cancel = cancel
	h.tasks.Go(func() {
		if err := p.Session(session); session.Err() != nil || errors.Is(err, sdk.ErrGone) {
			p.lose()
		} else { // calls will tell when it ends
			h.options.Log.Warn("a plugin does not keep the session of its host", "plugin", title, "error", err)
		}
		close(p.ended)
	})
	h.tasks.Go(func() { h.guard(session, p) })
	h.tasks.Go(func() { h.examine(session, p) })
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

const (
	// stopAnswer is how long a process has to say that it ends, or that it has attempts.
	stopAnswer = 3 * time.Second
	// stopTime is how long an idle plugin process and its keeper have to end.
	stopTime = 5 * time.Second
)

// stop ends the process if it carries no attempt, waits for its end, and detaches. One that does not answer to that is killed.
func (p *Process) stop(ctx context.Context) error {
	bounded, done := context.WithTimeout(ctx, stopAnswer)
	defer done()
	live, err := p.Stop(bounded, false)
	p.detach()
	pids := []int{p.card.PID, p.card.Keeper}
	switch {
	case p.refuses(ctx, err):
		kill(p.dir, p.card.Keeper)
		pids = pids[:1] // the keeper may have attempts to wait for
	case ctx.Err() != nil:
		return err
	case live > 0:
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	for _, pid := range pids {
		if err := awaitEnd(ctx, pid, p.card.Born); err != nil {
			return fmt.Errorf("wait for the end of plugin process %d: %w", pid, err)
		}
	}
	return nil
}

// refuses tells from the error of Stop whether the process cannot be asked to end, although it is there and there is time. A connection that was
// given up as the plugin ended reports that as if the caller had cancelled.
func (p *Process) refuses(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() == nil && !errors.Is(err, sdk.ErrGone) && !errors.Is(err, context.Canceled)
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
