package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "flowctl/plugins/proto"
)

// Client is the host's end of a plugin process. It implements Runner, Sensor and Channel; which of them works depends on the
// plugin's kind.
type Client struct {
	plugin  pb.PluginClient
	runner  pb.RunnerClient
	sensor  pb.SensorClient
	channel pb.ChannelClient
	desc    Description

	mu      sync.Mutex
	started map[string]*started // by work folder: what Start began and Wait has not taken over
}

// started is the stream of a Start. It has a context of its own, since it lives on when Start has returned.
type started struct {
	stream grpc.ServerStreamingClient[pb.WaitEvent]
	first  *pb.WaitEvent // the event that told the start, with what else it holds
	cancel context.CancelFunc
}

// NewClient asks the plugin at the other end of conn for its description and returns its client.
func NewClient(ctx context.Context, conn grpc.ClientConnInterface) (*Client, error) {
	c := &Client{
		plugin: pb.NewPluginClient(conn), runner: pb.NewRunnerClient(conn), sensor: pb.NewSensorClient(conn),
		channel: pb.NewChannelClient(conn), started: map[string]*started{},
	}
	d, err := c.plugin.Describe(ctx, &pb.DescribeRequest{})
	if err != nil {
		return nil, fromStatus(err)
	}
	c.desc = Description{Name: d.Name, Version: d.Version, Kind: d.Kind, Schema: json.RawMessage(d.Schema), Leases: d.Leases}
	return c, nil
}

// Describe returns what the plugin said of itself when the client was made.
func (c *Client) Describe() Description { return c.desc }

// Validate asks the plugin. A plugin that does not answer has that as its one problem.
func (c *Client) Validate(with json.RawMessage) []Problem {
	problems, err := c.Problems(context.Background(), with)
	if err != nil {
		return []Problem{{Message: fmt.Sprintf("plugin %s cannot validate: %v", c.desc.Name, err)}}
	}
	return problems
}

// Problems is Validate, bounded by ctx.
func (c *Client) Problems(ctx context.Context, with json.RawMessage) ([]Problem, error) {
	r, err := c.plugin.Validate(ctx, &pb.ValidateRequest{With: string(with)})
	if err != nil {
		return nil, fromStatus(err)
	}
	problems := make([]Problem, len(r.Problems))
	for i, p := range r.Problems {
		problems[i] = Problem{Path: p.Path, Message: clip(p.Message)}
	}
	return problems, nil
}

// Session tells the plugin that its host is there, and blocks until ctx ends or the plugin does.
func (c *Client) Session(ctx context.Context) error {
	stream, err := c.plugin.Session(ctx, &pb.SessionRequest{})
	if err != nil {
		return fromStatus(err)
	}
	for {
		if _, err := stream.Recv(); err != nil {
			return fromStatus(err)
		}
	}
}

// Stop ends the plugin process if it carries no attempt; with drain, it also takes no new ones and ends after the last.
// It returns the number of attempts that keep it from ending now.
func (c *Client) Stop(ctx context.Context, drain bool) (int, error) {
	r, err := c.plugin.Stop(ctx, &pb.StopRequest{Drain: drain})
	if err != nil {
		return 0, fromStatus(err)
	}
	return int(r.Live), nil
}

// Start implements Runner. The events that follow the start wait for the first Wait.
func (c *Client) Start(ctx context.Context, s Spec) error {
	if s.Lease != 0 && !c.desc.Leases {
		return fmt.Errorf("runner %s holds no leases: its tasks can only have on_agent_lost: wait: %w", c.desc.Name, ErrInvalid)
	}
	args := make([]*pb.Arg, len(s.Args))
	for i, a := range s.Args {
		args[i] = &pb.Arg{Name: a.Name, Value: a.Value}
	}
	begun := &started{}
	streamCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	begun.cancel = cancel
	stop := context.AfterFunc(ctx, cancel)
	var err error
	begun.stream, err = c.runner.Start(streamCtx, &pb.StartRequest{
		Attempt: s.Attempt, Work: s.Work, Dir: s.Dir, Text: s.Text, File: s.File, Args: args, With: string(s.With),
		Env: s.Env, TimeoutUs: s.Timeout.Microseconds(), GraceUs: s.Grace.Microseconds(),
		LeaseUs: s.Lease.Microseconds(),
	})
	if err == nil {
		begun.first, err = begun.stream.Recv()
	}
	if !stop() && err == nil { // ctx ended, and the stream with it
		err = ctx.Err()
	}
	if err != nil {
		cancel()
		return fromStatus(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.started[s.Work]; old != nil {
		old.cancel()
	}
	c.started[s.Work] = begun
	return nil
}

// events returns the stream of an attempt's log from an offset: the one that its Start began, or a new one.
func (c *Client) events(ctx context.Context, work string, offset int64) (begun *started, free func(), err error) {
	c.mu.Lock()
	begun = c.started[work]
	delete(c.started, work)
	c.mu.Unlock()
	if begun != nil && offset == 0 {
		stop := context.AfterFunc(ctx, begun.cancel)
		return begun, func() { stop(); begun.cancel() }, nil
	}
	if begun != nil {
		begun.cancel()
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := c.runner.Wait(ctx, &pb.WaitRequest{Work: work, Offset: offset})
	return &started{stream: stream}, cancel, err
}

// Wait implements Runner.
func (c *Client) Wait(ctx context.Context, work string, offset int64, log func(int64, []byte) error) (Result, error) {
	begun, free, err := c.events(ctx, work, offset)
	defer free()
	if err != nil {
		return Result{}, fromStatus(err)
	}
	e := begun.first
	for {
		if e == nil {
			e, err = begun.stream.Recv()
		}
		if errors.Is(err, io.EOF) {
			return Result{}, fmt.Errorf("plugin %s ended the log without a result: %w", c.desc.Name, ErrGone)
		}
		if err != nil {
			return Result{}, fromStatus(err)
		}
		if len(e.Data) > 0 {
			if err := log(e.Offset, e.Data); err != nil {
				return Result{}, err
			}
		}
		if r := e.Result; r != nil {
			if r.State != Succeeded && r.State != Failed && r.State != Killed {
				return Result{State: Failed, Code: CodeLost, ExitCode: -1, Message: fmt.Sprintf("runner %s says that it ended as %.100q, which is no state: how it ended is not known", c.desc.Name, r.State)}, nil
			}
			return Result{
				State: r.State, Code: clip(r.Code), Message: clip(r.Message), ExitCode: int(r.ExitCode), MaxRSS: r.MaxRss, Read: r.ReadBytes, Written: r.WrittenBytes,
				CPU: time.Duration(r.CpuUs) * time.Microsecond,
			}, nil
		}
		e = nil
	}
}

// Signal implements Runner.
func (c *Client) Signal(ctx context.Context, work string, how Signal) error {
	_, err := c.runner.Signal(ctx, &pb.SignalRequest{Work: work, Now: how == Kill})
	return fromStatus(err)
}

// Renew implements Leaser.
func (c *Client) Renew(ctx context.Context, work string, lease time.Duration) error {
	_, err := c.runner.Renew(ctx, &pb.RenewRequest{Work: work, LeaseUs: lease.Microseconds()})
	return fromStatus(err)
}

// Recover implements Runner.
func (c *Client) Recover(ctx context.Context, work string) (Recovered, error) {
	r, err := c.runner.Recover(ctx, &pb.RecoverRequest{Work: work})
	switch {
	case err != nil:
		return NotStarted, fromStatus(err)
	case r.Finished:
		return Finished, nil
	case r.Started:
		return Running, nil
	}
	return NotStarted, nil
}

// Check implements Sensor.
func (c *Client) Check(ctx context.Context, base string, paths []string) ([]PathState, error) {
	r, err := c.sensor.Check(ctx, &pb.CheckRequest{Base: base, Paths: paths})
	if err != nil {
		return nil, fromStatus(err)
	}
	if len(r.States) != len(paths) {
		return nil, fmt.Errorf("sensor %s answered for %d of %d paths", c.desc.Name, len(r.States), len(paths))
	}
	states := make([]PathState, len(paths))
	for i, s := range r.States {
		states[i] = PathState{Exists: s.Exists, Error: clip(s.Error), Version: s.Version}
	}
	return states, nil
}

// Capabilities implements Channel.
func (c *Client) Capabilities(ctx context.Context, with json.RawMessage) (Capabilities, error) {
	r, err := c.channel.Capabilities(ctx, &pb.CapabilitiesRequest{With: string(with)})
	if err != nil {
		return Capabilities{}, fromStatus(err)
	}
	return Capabilities{Address: r.Address, Acknowledges: r.Acknowledges, MaxLength: int(max(r.MaxLength, 0))}, nil
}

// Send implements Channel.
func (c *Client) Send(ctx context.Context, n Notification) (Receipt, error) {
	r, err := c.channel.Send(ctx, &pb.SendRequest{
		Key: n.Key, With: string(n.With), Severity: n.Severity, Event: n.Event, Subject: n.Subject, Short: n.Short,
		Text: n.Text, Html: n.HTML, AtUs: n.At.UnixMicro(),
		Receiver: &pb.Receiver{Name: n.Receiver.Name, Address: n.Receiver.Address, Kind: n.Receiver.Kind},
		Flow:     n.Flow, Task: n.Task, Run: n.Run, Period: n.Period, Link: n.Link, AckUrl: n.AckURL, AckToken: n.AckToken,
		LogTail: n.LogTail, Blockers: n.Blockers,
	})
	if err != nil {
		return Receipt{}, fromStatus(err)
	}
	return Receipt{
		Delivered: r.Delivered, Retryable: r.Retryable, Unanswered: r.Unanswered, Acknowledged: r.Acknowledged,
		Message: clip(r.Message), ID: clip(r.Id),
	}, nil
}

// toStatus and fromStatus carry the class of an error over the socket.
func toStatus(err error) error {
	code := codes.Internal
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnknown):
		code = codes.NotFound
	case errors.Is(err, ErrInvalid):
		code = codes.InvalidArgument
	case errors.Is(err, ErrGone):
		code = codes.Unavailable
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	}
	return status.Error(code, err.Error())
}

func fromStatus(err error) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	message := clip(s.Message())
	switch s.Code() {
	case codes.NotFound:
		return &remoteError{message, ErrUnknown}
	case codes.InvalidArgument:
		return &remoteError{message, ErrInvalid}
	case codes.Unavailable:
		return &remoteError{message, ErrGone}
	case codes.Canceled:
		return &remoteError{message, context.Canceled}
	case codes.DeadlineExceeded:
		return &remoteError{message, context.DeadlineExceeded}
	}
	return errors.New(message)
}

// maxText is how long a text for people can be that comes from a plugin, in bytes: it ends up in stores and mails.
const maxText = 16 << 10

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// remoteError is an error from the other end with its class restored.
type remoteError struct {
	message string
	class   error
}

func (e *remoteError) Error() string { return e.message }
func (e *remoteError) Unwrap() error { return e.class }
