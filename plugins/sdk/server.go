package sdk

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "flowctl/plugins/proto"
)

// register serves p's services on s.
func register(s grpc.ServiceRegistrar, p Plugin, l *life) {
	pb.RegisterPluginServer(s, &pluginServer{plugin: p, life: l})
	if r, ok := p.(Runner); ok {
		pb.RegisterRunnerServer(s, &runnerServer{runner: r})
	}
	if c, ok := p.(Sensor); ok {
		pb.RegisterSensorServer(s, &sensorServer{sensor: c})
	}
	if c, ok := p.(Channel); ok {
		pb.RegisterChannelServer(s, &channelServer{channel: c})
	}
}

type pluginServer struct {
	pb.UnimplementedPluginServer
	plugin Plugin
	life   *life
}

func (s *pluginServer) Describe(context.Context, *pb.DescribeRequest) (*pb.Description, error) {
	d := s.plugin.Describe()
	_, leases := s.plugin.(Leaser)
	return &pb.Description{Name: d.Name, Version: d.Version, Kind: d.Kind, Schema: string(d.Schema), Leases: leases}, nil
}

func (s *pluginServer) Validate(_ context.Context, r *pb.ValidateRequest) (*pb.ValidateReply, error) {
	reply := &pb.ValidateReply{}
	for _, p := range s.plugin.Validate(json.RawMessage(r.With)) {
		reply.Problems = append(reply.Problems, &pb.Problem{Path: p.Path, Message: p.Message})
	}
	return reply, nil
}

func (s *pluginServer) Session(_ *pb.SessionRequest, stream grpc.ServerStreamingServer[pb.SessionEvent]) error {
	s.life.attach()
	defer s.life.detach()
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	select {
	case <-stream.Context().Done():
		return nil
	case <-s.life.done:
		return status.Error(codes.Unavailable, "the plugin is ending")
	}
}

func (s *pluginServer) Stop(_ context.Context, r *pb.StopRequest) (*pb.StopReply, error) {
	return &pb.StopReply{Live: int64(s.life.stop(r.Drain))}, nil
}

type runnerServer struct {
	pb.UnimplementedRunnerServer
	runner Runner
}

func (s *runnerServer) Start(r *pb.StartRequest, stream grpc.ServerStreamingServer[pb.WaitEvent]) error {
	spec := Spec{
		Attempt: r.Attempt, Work: r.Work, Dir: r.Dir, Text: r.Text, File: r.File, With: json.RawMessage(r.With), Env: r.Env,
		Timeout: time.Duration(r.TimeoutUs) * time.Microsecond, Grace: time.Duration(r.GraceUs) * time.Microsecond,
		Lease: time.Duration(r.LeaseUs) * time.Microsecond,
	}
	if len(r.Args) > 0 {
		spec.Args = make([]Arg, len(r.Args))
		for i, a := range r.Args {
			spec.Args[i] = Arg{Name: a.Name, Value: a.Value}
		}
	}
	if err := s.runner.Start(stream.Context(), spec); err != nil {
		return toStatus(err)
	}
	out := &events{stream: stream, start: true}
	early := time.AfterFunc(startDelay, out.started)
	defer early.Stop()
	return s.await(r.Work, 0, out)
}

func (s *runnerServer) Wait(r *pb.WaitRequest, stream grpc.ServerStreamingServer[pb.WaitEvent]) error {
	return s.await(r.Work, r.Offset, &events{stream: stream})
}

func (s *runnerServer) await(work string, offset int64, out *events) error {
	event := &pb.WaitEvent{} // send serialises before it returns: one event serves all chunks
	result, err := s.runner.Wait(out.stream.Context(), work, offset, func(offset int64, data []byte) error {
		event.Offset, event.Data = offset, data
		return out.send(event)
	})
	if err != nil {
		return toStatus(err)
	}
	return out.send(&pb.WaitEvent{Result: &pb.Result{
		State: result.State, Code: result.Code, Message: result.Message, ExitCode: int32(result.ExitCode),
		MaxRss: result.MaxRSS, ReadBytes: result.Read, WrittenBytes: result.Written, CpuUs: result.CPU.Microseconds(),
	}})
}

// startDelay is how long the news of a start waits for company: an attempt that is over by then costs one event.
const startDelay = 5 * time.Millisecond

// events sends the events of an attempt. The first one of a Start says that it started.
type events struct {
	mu     sync.Mutex
	stream grpc.ServerStreamingServer[pb.WaitEvent]
	start  bool // to be told
}

func (e *events) send(event *pb.WaitEvent) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	event.Started, e.start = e.start, false
	return e.stream.Send(event)
}

// started tells the start alone, unless it was told.
func (e *events) started() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.start {
		e.start = false
		_ = e.stream.Send(&pb.WaitEvent{Started: true}) // what breaks the stream is found by the next event
	}
}

func (s *runnerServer) Signal(ctx context.Context, r *pb.SignalRequest) (*pb.SignalReply, error) {
	how := Terminate
	if r.Now {
		how = Kill
	}
	if err := s.runner.Signal(ctx, r.Work, how); err != nil {
		return nil, toStatus(err)
	}
	return &pb.SignalReply{}, nil
}

func (s *runnerServer) Renew(ctx context.Context, r *pb.RenewRequest) (*pb.RenewReply, error) {
	leaser, ok := s.runner.(Leaser)
	if !ok {
		return nil, status.Error(codes.Unimplemented, "this runner holds no leases")
	}
	if err := leaser.Renew(ctx, r.Work, time.Duration(r.LeaseUs)*time.Microsecond); err != nil {
		return nil, toStatus(err)
	}
	return &pb.RenewReply{}, nil
}

func (s *runnerServer) Recover(ctx context.Context, r *pb.RecoverRequest) (*pb.RecoverReply, error) {
	found, err := s.runner.Recover(ctx, r.Work)
	if err != nil {
		return nil, toStatus(err)
	}
	return &pb.RecoverReply{Started: found != NotStarted, Finished: found == Finished}, nil
}

type sensorServer struct {
	pb.UnimplementedSensorServer
	sensor Sensor
}

func (s *sensorServer) Check(ctx context.Context, r *pb.CheckRequest) (*pb.CheckReply, error) {
	states, err := s.sensor.Check(ctx, r.Base, r.Paths)
	if err != nil {
		return nil, toStatus(err)
	}
	reply := &pb.CheckReply{States: make([]*pb.PathState, len(states))}
	for i, state := range states {
		reply.States[i] = &pb.PathState{Exists: state.Exists, Error: state.Error, Version: state.Version}
	}
	return reply, nil
}

type channelServer struct {
	pb.UnimplementedChannelServer
	channel Channel
}

func (s *channelServer) Capabilities(ctx context.Context, r *pb.CapabilitiesRequest) (*pb.ChannelCapabilities, error) {
	c, err := s.channel.Capabilities(ctx, json.RawMessage(r.With))
	if err != nil {
		return nil, toStatus(err)
	}
	return &pb.ChannelCapabilities{Address: c.Address, Acknowledges: c.Acknowledges, MaxLength: int64(c.MaxLength)}, nil
}

func (s *channelServer) Send(ctx context.Context, r *pb.SendRequest) (*pb.Receipt, error) {
	receipt, err := s.channel.Send(ctx, Notification{
		Key: r.Key, With: json.RawMessage(r.With), Severity: r.Severity, Event: r.Event, Subject: r.Subject, Short: r.Short,
		Text: r.Text, HTML: r.Html, At: time.UnixMicro(r.AtUs).UTC(),
		Receiver: Receiver{Name: r.GetReceiver().GetName(), Address: r.GetReceiver().GetAddress(), Kind: r.GetReceiver().GetKind()},
		Flow:     r.Flow, Task: r.Task, Run: r.Run, Period: r.Period, Link: r.Link, AckURL: r.AckUrl, AckToken: r.AckToken,
		LogTail: r.LogTail, Blockers: r.Blockers,
	})
	if err != nil {
		return nil, toStatus(err)
	}
	return &pb.Receipt{
		Delivered: receipt.Delivered, Retryable: receipt.Retryable, Unanswered: receipt.Unanswered,
		Acknowledged: receipt.Acknowledged, Message: receipt.Message, Id: receipt.ID,
	}, nil
}
