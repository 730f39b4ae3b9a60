package sdk

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// ProtocolVersion is the version of plugin.proto that this SDK speaks.
const ProtocolVersion = 1

// The environment of a plugin process.
const (
	// EnvDir names the folder in which the plugin process keeps what outlives it.
	EnvDir = "FLOWCTL_PLUGIN_DIR"
	// EnvIdle is how long the process stays without host and attempts, as a Go duration; 0 = for ever.
	EnvIdle = "FLOWCTL_PLUGIN_IDLE"
)

// DefaultIdle is how long a plugin process stays without host and attempts when EnvIdle does not say.
const DefaultIdle = 10 * time.Minute

// Handshake is the first thing that host and plugin agree on. The cookie is no secret: it keeps people from starting a plugin
// by hand and wondering.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion: ProtocolVersion, MagicCookieKey: "FLOWCTL_PLUGIN", MagicCookieValue: "7f2b6c1e-flowctl-plugin",
	}
}

// PluginSet is the one thing that a plugin process serves; the host dispenses a *Client under the name "flowctl".
func PluginSet() plugin.PluginSet { return plugin.PluginSet{"flowctl": &grpcPlugin{}} }

type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	served Plugin
	life   *life
}

func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	register(s, p.served, p.life)
	return nil
}

func (p *grpcPlugin) GRPCClient(ctx context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return NewClient(ctx, conn)
}

// lastWords is how long the calls in progress have when the process ends.
const lastWords = time.Second

// Serve serves p until the host stops the process, or until no host was there for a while and no attempt is left.
// It returns the exit code for main.
func Serve(p Plugin) int {
	idle := DefaultIdle
	if s := os.Getenv(EnvIdle); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: want a duration such as 10m: %v\n", EnvIdle, err)
			return 1
		}
		idle = d
	}
	l := newLife(p, idle)
	config := serveConfig(p, l)
	out := &output{own: files{os.Stdout, os.Stderr}}
	config.GRPCServer = func(opts []grpc.ServerOption) *grpc.Server {
		s := newServer(append(opts, grpc.ChainUnaryInterceptor(out.restore)))
		go func() {
			<-l.done
			late := time.AfterFunc(lastWords, s.Stop)
			defer late.Stop()
			s.GracefulStop() // who waits for the last attempt hears of its end
		}()
		return s
	}
	plugin.Serve(config)
	return 0
}

// output is what the process prints to. go-plugin replaces that by pipes to a host, before the first call: a process without a host would wait
// when they are full. Its keeper takes what it prints.
type output struct {
	own   files
	once  sync.Once
	pipes files // kept open
}

type files struct{ stdout, stderr *os.File }

func (o *output) restore(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	o.once.Do(func() {
		o.pipes = files{os.Stdout, os.Stderr}
		os.Stdout, os.Stderr = o.own.stdout, o.own.stderr
	})
	return handler(ctx, request)
}

// ServeTest serves p in this process until ctx ends, and returns how to attach to it. Package sdktest wraps it.
func ServeTest(ctx context.Context, p Plugin) (attach *plugin.ReattachConfig, closed <-chan struct{}) {
	ready, done := make(chan *plugin.ReattachConfig, 1), make(chan struct{})
	config := serveConfig(p, newLife(p, 0))
	config.GRPCServer = newServer
	config.Logger = hclog.NewNullLogger() // it calls every end an error
	config.Test = &plugin.ServeTestConfig{Context: ctx, ReattachConfigCh: ready, CloseCh: done}
	go plugin.Serve(config)
	return <-ready, done
}

func serveConfig(p Plugin, l *life) *plugin.ServeConfig {
	return &plugin.ServeConfig{
		HandshakeConfig: Handshake(),
		Plugins:         plugin.PluginSet{"flowctl": &grpcPlugin{served: p, life: l}},
		Logger:          hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr}),
	}
}

// workers is how many goroutines a server keeps for calls. Starting a process takes a deep stack, which a new goroutine has to grow.
const workers = 16

// newServer makes a server for a local socket: many concurrent streams, and windows wide enough for logs.
func newServer(opts []grpc.ServerOption) *grpc.Server {
	return grpc.NewServer(append(opts, grpc.MaxConcurrentStreams(1<<20), grpc.InitialWindowSize(1<<20),
		grpc.InitialConnWindowSize(8<<20), grpc.NumStreamWorkers(workers))...)
}
