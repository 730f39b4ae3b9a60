package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"flowctl/engine"
	"flowctl/engine/agent"
	"flowctl/engine/api"
	"flowctl/engine/control"
	"flowctl/engine/gate"
	"flowctl/engine/gitsync"
	"flowctl/engine/hub"
	"flowctl/engine/logs"
	"flowctl/engine/store/sqlite"
	"flowctl/plugins/host"
)

// localAgent is the name of the agent within the server.
const localAgent = "local"

// server is everything of one `flowctl server`.
type server struct {
	serverOptions
	store    *sqlite.Store
	output   *logs.Logs
	follower *control.Follower
	hub      *hub.Hub
	service  *control.Service
	channels *host.Host
	loop     *control.Loop
	gates    *gate.Asker
	handler  http.Handler
	apiLis   net.Listener
	agentLis net.Listener
	token    string
}

// openServer takes the data folder and the ports, and rebuilds the state.
func openServer(ctx context.Context, o serverOptions) (_ *server, err error) {
	s := &server{serverOptions: o}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if s.store, err = sqlite.Open(ctx, filepath.Join(o.data, "flowctl.db")); err != nil {
		return nil, err
	}
	if s.token, err = secretIn(o.data, "admin-token"); err != nil {
		return nil, err
	}
	if s.output, err = logs.Open(filepath.Join(o.data, "logs"), s.now); err != nil {
		return nil, err
	}
	if s.apiLis, err = net.Listen("tcp", o.listen); err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	if s.agentLis, err = net.Listen("tcp", o.agents); err != nil {
		return nil, fmt.Errorf("--agents: %w", err)
	}
	if err := s.openEngine(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *server) openEngine(ctx context.Context) error {
	source, err := gitsync.Open(ctx, gitsync.Options{
		Repo: s.repo, Branch: s.branch, Path: s.path, Poll: s.poll, Worktree: s.worktree, Log: s.log,
		Mirror: filepath.Join(s.data, "mirror"),
	})
	if err != nil {
		return err
	}
	s.follower = &control.Follower{Source: source, Store: s.store, Now: s.now, Log: s.log, Compiler: newCompiler()}
	if err := s.follower.Open(ctx); err != nil {
		return err
	}
	s.hub, err = hub.New(ctx, hub.Options{
		Dir: filepath.Join(s.data, "ca"), Store: s.store, Logs: s.output, URL: s.url(), Log: s.log, Now: s.now,
	})
	if err != nil {
		return err
	}
	secret, err := secretIn(s.data, "gate-secret")
	if err != nil {
		return err
	}
	key, err := secretIn(s.data, "alert-secret")
	if err != nil {
		return err
	}
	s.gates = gate.New(gate.Options{
		Secret: gate.Secret(secret), URL: first(s.public, s.url()), Log: s.log,
		Told: func(ctx context.Context, r engine.GateReport) error { return s.loop.Gate(ctx, r) },
	})
	s.service = &control.Service{
		Store: s.store, Follower: s.follower, Output: s.output, KeepLogs: s.keepLogs(), Trust: s.hub, Gates: gate.Secret(secret),
		Caller: api.Caller, Now: s.now, Key: []byte(key),
	}
	dispatcher, err := s.openChannels()
	if err != nil {
		return err
	}
	s.loop, err = control.New(ctx, control.Options{
		Store: s.store, Fleet: s.hub, Revision: s.follower.Revision, Gates: s.gates.Ask, Ended: s.output.End,
		Deliver: dispatcher.Send, RedispatchAfter: s.redispatchAfter, Now: s.now, Log: s.log,
	})
	if err != nil {
		return err
	}
	if !s.noLocalAgent {
		s.service.Local = localAgent
	}
	s.service.Serve(s.loop)
	s.handler = api.NewServer(api.Options{
		Service: s.service, Token: s.token, Acknowledge: s.service.AckToken, Ready: s.ready, Log: s.log, Now: s.now,
	})
	return nil
}

// pluginDir is where executables of third-party plugins are, for the server's channels and the local agent.
func (s *server) pluginDir() string { return first(s.plugins, filepath.Join(s.data, "plugins")) }

func (s *server) url() string { return "http://" + s.apiLis.Addr().String() }

// ready says why the server cannot do its work yet; nil = it can.
func (s *server) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.service.Ready(ctx); err != nil {
		return err
	}
	if s.noLocalAgent {
		return nil
	}
	list, err := s.service.Agents(ctx, engine.Page{Limit: 1000})
	if err != nil {
		return err
	}
	for _, a := range list.Items {
		if a.Name == localAgent && a.State == "connected" {
			return nil
		}
	}
	return errors.New("the local agent has not connected yet")
}

// share limits the server, or an agent that is a process of its own, to half of the cores, unless GOMAXPROCS says otherwise. Its work is many short steps: on all cores, its idle
// threads look for more while the tasks of this host could run, and a chain of small tasks takes a fifth longer.
//
// The garbage of these steps is collected when the heap has five times what is live: that is little, so memory stays small.
func share() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/2))
	}
}

// run serves until ctx ends or a part fails. Running attempts go on, and are found again by the next start.
func (s *server) run(ctx context.Context) error {
	if err := os.WriteFile(filepath.Join(s.data, "server-url"), []byte(s.url()+"\n"), 0o600); err != nil {
		return fmt.Errorf("note the server's address: %w", err)
	}
	share()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var parts sync.WaitGroup
	start := func(name string, run func(context.Context) error) {
		parts.Go(func() {
			if err := run(ctx); err != nil {
				stop(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	loopCtx, stopLoop := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoop()
	loopEnded := make(chan struct{})
	go func() {
		defer close(loopEnded)
		if err := s.loop.Run(loopCtx); err != nil {
			stop(fmt.Errorf("scheduler: %w", err))
		}
	}()
	start("agents", func(context.Context) error { return s.hub.Serve(s.agentLis, s.loop) })
	start("api", func(ctx context.Context) error { return api.Serve(ctx, s.apiLis, s.handler) })
	start("repository", func(ctx context.Context) error { s.follower.Run(ctx, s.loop); return nil })
	start("gates", s.gates.Run)
	start("monitor", func(ctx context.Context) error {
		rounds := time.NewTicker(control.MonitorEvery)
		defer rounds.Stop()
		control.Monitor(ctx, s.loop, rounds.C)
		return nil
	})
	start("logs", s.sweepLogs)
	start("platform", func(ctx context.Context) error {
		rounds := time.NewTicker(control.PlatformEvery)
		defer rounds.Stop()
		control.Platform(ctx, s.loop, s.ready, rounds.C)
		return nil
	})
	if !s.noLocalAgent {
		start("local agent", s.runLocalAgent)
	}
	s.out("flowctl server: API %s, agents %s, data %s\n", s.url(), s.agentLis.Addr(), s.data)
	<-ctx.Done()
	s.log.Info("stopping; running tasks go on")
	s.hub.Close()
	parts.Wait()
	s.service.Serve(nil)
	stopLoop()
	<-loopEnded
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// runLocalAgent runs the agent of this process. It dials the port for agents like any other.
func (s *server) runLocalAgent(ctx context.Context) error {
	o := agent.Options{
		Name: localAgent, Dir: filepath.Join(s.data, "agent"), Server: s.agentLis.Addr().String(), Slots: s.slots,
		MaxLog: s.maxLog.bytes, Version: version, Log: s.log, Now: s.now,
	}
	if !agent.Joined(o.Dir) || agent.Expired(o.Dir, s.now()) {
		t, err := s.hub.Token(ctx, time.Minute, localAgent, engine.Grant{})
		if err != nil {
			return err
		}
		o.Token = t.Token
	}
	return runAgent(ctx, o, s.pluginDir())
}

// close gives back what was opened. Nothing is written any more, so its errors mean nothing.
func (s *server) close() {
	if s.apiLis != nil {
		_ = s.apiLis.Close()
	}
	if s.agentLis != nil {
		_ = s.agentLis.Close()
	}
	if s.channels != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		_ = s.channels.Close(ctx)
		cancel()
	}
	if s.output != nil {
		_ = s.output.Close()
	}
	if s.store != nil {
		_ = s.store.Close()
	}
}

// secretIn returns the secret that a file of the data folder holds; a fresh data folder gets one.
func secretIn(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(b))) > 0 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	secret := hex.EncodeToString(raw)
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return secret, nil
}
