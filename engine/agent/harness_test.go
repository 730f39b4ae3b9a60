package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flowctl/engine"
	"flowctl/engine/hub"
	"flowctl/engine/logs"
	"flowctl/plugins/sdk"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "plugin" {
		os.Exit(servePlugin(os.Args[2:]))
	}
	if len(os.Args) > 2 && os.Args[1] == "agent" {
		os.Exit(serveAgent(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// memory is a hub.Store.
type memory struct {
	mu     sync.Mutex
	agents map[string]engine.Agent
	tokens map[string]*engine.JoinToken
	files  map[engine.RevisionID][]engine.File
	blobs  map[string][]byte
	reads  int               // of blobs
	puts   chan engine.Agent // of PutAgent; nil = nobody wants to know
}

func newMemory() *memory {
	return &memory{
		agents: map[string]engine.Agent{}, tokens: map[string]*engine.JoinToken{},
		files: map[engine.RevisionID][]engine.File{}, blobs: map[string][]byte{},
	}
}

func (m *memory) PutAgent(_ context.Context, a *engine.Agent) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.agents[a.Name] = *a
	if m.puts != nil {
		m.puts <- *a
	}
	return nil
}

func (m *memory) Agents(context.Context) ([]engine.Agent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []engine.Agent
	for _, a := range m.agents {
		all = append(all, a)
	}
	return all, nil
}

func (m *memory) PutToken(_ context.Context, t *engine.JoinToken) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens[t.Hash] = t
	return nil
}

func (m *memory) UseToken(_ context.Context, hash string, now time.Time) (*engine.JoinToken, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tokens[hash]
	delete(m.tokens, hash)
	if t == nil || now.After(t.Expires) {
		return nil, engine.Errorf(engine.Unauthorized, "no such token")
	}
	return t, nil
}

func (m *memory) Files(_ context.Context, id engine.RevisionID) ([]engine.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.files[id], nil
}

func (m *memory) Blob(_ context.Context, hash string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	data, ok := m.blobs[hash]
	if !ok {
		return nil, errors.New("no such blob")
	}
	return data, nil
}

// put adds a file to a revision.
func (m *memory) put(rev engine.RevisionID, path string, mode uint32, content string) {
	sum := sha256.Sum256([]byte(content))
	hash := hex.EncodeToString(sum[:])
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[hash] = []byte(content)
	m.files[rev] = append(m.files[rev], engine.File{Path: path, Mode: mode, Hash: hash, Size: int64(len(content))})
}

// events is an engine.FleetEvents that hands everything to the test, in order.
type events struct{ ch chan any }

type joined struct{ hello engine.Hello }

type lost struct{ agent string }

func (e events) Joined(_ context.Context, h engine.Hello) error { e.ch <- joined{h}; return nil }
func (e events) Lost(_ context.Context, agent string)           { e.ch <- lost{agent} }

func (e events) Reported(_ context.Context, _ string, rs []engine.Report) error {
	for _, r := range rs {
		e.ch <- r
	}
	return nil
}

func (e events) Beaten(context.Context, string, engine.Beat) error { return nil }

func (e events) Probed(_ context.Context, _ string, ps []engine.PathState) error {
	e.ch <- ps
	return nil
}

// next waits for the next event, which must be a T.
func next[T any](t testing.TB, e events) T {
	t.Helper()
	select {
	case got := <-e.ch:
		if want, ok := got.(T); ok {
			return want
		}
		t.Fatalf("got %T %+v, want %T", got, got, *new(T))
	case <-time.After(time.Minute):
		t.Fatalf("nothing happened, want %T", *new(T))
	}
	panic("unreachable")
}

// nextReport waits for a report of a kind.
func nextReport(t testing.TB, e events, id engine.AttemptID, kind engine.ReportKind) engine.Report {
	t.Helper()
	r := next[engine.Report](t, e)
	if r.Attempt != id || r.Kind != kind {
		t.Fatalf("got report %+v, want kind %d of attempt %d", r, kind, id)
	}
	return r
}

// rig is a server's end and what its agents are made of.
type rig struct {
	t      testing.TB
	dir    string
	store  *memory
	sink   engine.FleetEvents
	events events // the sink of most tests
	logs   *logs.Logs
	hub    *hub.Hub
	addr   string
	close  func() // ends the hub
	plugin *plugin
	life   time.Duration // of certificates; 0 = the usual
}

func newRig(t testing.TB) *rig {
	t.Helper()
	e := events{make(chan any, 1000)}
	r := newRigFor(t, e)
	r.events = e
	return r
}

// newRigFor is a rig whose events go to sink.
func newRigFor(t testing.TB, sink engine.FleetEvents) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), store: newMemory(), sink: sink, plugin: newPlugin()}
	r.store.put(1, "flows/hello.sh", 0o755, "echo hello\n")
	r.openLogs()
	r.serve("127.0.0.1:0")
	return r
}

func (r *rig) openLogs() {
	r.t.Helper()
	l, err := logs.Open(filepath.Join(r.dir, "logs"), time.Now)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = l.Close() })
	r.logs = l
}

// serve starts the server's end, again after close.
func (r *rig) serve(addr string) {
	r.t.Helper()
	h, err := hub.New(r.t.Context(), hub.Options{
		Dir: filepath.Join(r.dir, "ca"), Store: r.store, Logs: r.logs, URL: "http://server", Log: quiet(), Now: time.Now,
		Life: r.life,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		r.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(lis, r.sink) }()
	r.hub, r.addr = h, lis.Addr().String()
	r.close = sync.OnceFunc(func() {
		h.Close()
		if err := <-served; err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(r.close)
}

func (r *rig) token() string {
	r.t.Helper()
	token, err := r.hub.Token(r.t.Context(), time.Hour, "test", engine.Grant{})
	if err != nil {
		r.t.Fatal(err)
	}
	return token.Token
}

func (r *rig) options(name string) Options {
	return Options{
		Name: name, Dir: filepath.Join(r.dir, name), Server: r.addr, Labels: []string{"zone=a"}, Slots: 4, Version: "test",
		Plugins: r.plugin, Recheck: time.Millisecond, Log: quiet(), Now: time.Now,
	}
}

// run runs an agent until stop, which returns what Run did.
func (r *rig) run(o Options) (a *Agent, stop func() error) {
	r.t.Helper()
	a, err := New(o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	r.t.Cleanup(func() {
		if err := stop(); err != nil && !errors.Is(err, ErrRefused) {
			r.t.Error(err)
		}
	})
	return a, stop
}

// connected runs an agent that joins with a new token, until the server has taken it in.
func (r *rig) connected(name string) (a *Agent, stop func() error) {
	r.t.Helper()
	o := r.options(name)
	if !Joined(o.Dir) {
		o.Token = r.token()
	}
	a, stop = r.run(o)
	if h := next[joined](r.t, r.events).hello; h.Name != name {
		r.t.Fatalf("joined: %+v", h)
	}
	return a, stop
}

func (r *rig) log(id engine.AttemptID) string {
	r.t.Helper()
	var b writer
	if _, err := r.logs.Copy(id, 0, &b); err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

type writer []byte

func (w *writer) Write(p []byte) (int, error) { *w = append(*w, p...); return len(p), nil }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func assignment(id engine.AttemptID) *engine.Assignment {
	return &engine.Assignment{
		Attempt: id, Run: 7, Flow: "f", Task: "t", RunName: "f@2026-11-19", Version: 1, No: 2, Runner: "fake",
		Revision: 1, Tree: "tree1", Folder: "flows", Text: "true", Env: []string{"PATH=/task"},
	}
}

// plugin stands in for the plugins: a runner whose processes the test plays. It outlives the agents of a test, as plugin
// processes do.
type plugin struct {
	starts chan *played // every process that is started

	mu      sync.Mutex
	all     map[string]*played
	paths   map[string]bool // those that the sensor finds
	files   Sensor          // answers in its place; nil = none
	refusal error           // of Start
	silence error           // of Recover
	deaf    chan struct{}   // Recover answers when it is closed; nil = at once
}

// played is one attempt in the runner's hands.
type played struct {
	spec    sdk.Spec
	signals chan sdk.Signal
	// renewals are the ends that its lease is given.
	renewals chan time.Duration

	mu     sync.Mutex
	log    []byte
	result *sdk.Result
	change chan struct{} // closed at each change, and replaced
}

func newPlugin() *plugin {
	return &plugin{starts: make(chan *played, 1000), all: map[string]*played{}, paths: map[string]bool{}}
}

// runner is the plugin's process as one launch of it.
type runner struct {
	*plugin
}

func (p *plugin) Holder(ctx context.Context, name, user string, pins []string) (Runner, error) {
	return p.Runner(ctx, name, user, pins)
}

func (p *plugin) Runner(_ context.Context, name, _ string, _ []string) (Runner, error) {
	if name != "fake" {
		return nil, fmt.Errorf("no plugin flowctl-runner-%s", name)
	}
	return runner{plugin: p}, nil
}

func (p *plugin) Clear(context.Context, string, string) error { return nil }

func (p *plugin) Sensor(_ context.Context, name string, _ []string) (Sensor, error) {
	if name != "file" {
		return nil, fmt.Errorf("no plugin flowctl-sensor-%s", name)
	}
	if p.files != nil {
		return p.files, nil
	}
	return sensor{plugin: p}, nil
}

type sensor struct {
	plugin *plugin
}

func (s sensor) Check(_ context.Context, base string, paths []string) ([]sdk.PathState, error) {
	if filepath.Base(base) != "workspace" {
		return nil, fmt.Errorf("paths resolve against %s", base)
	}
	s.plugin.mu.Lock()
	defer s.plugin.mu.Unlock()
	states := make([]sdk.PathState, len(paths))
	for i, p := range paths {
		states[i].Exists = s.plugin.paths[p]
	}
	return states, nil
}

func (r runner) Start(_ context.Context, spec sdk.Spec) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refusal != nil {
		return r.refusal
	}
	if r.all[spec.Work] == nil {
		p := &played{spec: spec, signals: make(chan sdk.Signal, 10), renewals: make(chan time.Duration, 1000), change: make(chan struct{})}
		r.all[spec.Work] = p
		r.starts <- p
	}
	return nil
}

func (r runner) find(work string) *played {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[work]
}

func (r runner) Wait(ctx context.Context, work string, offset int64, log func(int64, []byte) error) (sdk.Result, error) {
	p := r.find(work)
	if p == nil {
		return sdk.Result{}, sdk.ErrUnknown
	}
	for {
		p.mu.Lock()
		data, result, change := slices.Clone(p.log[offset:]), p.result, p.change
		p.mu.Unlock()
		if len(data) > 0 {
			n := min(len(data), 32<<10)
			if err := log(offset, data[:n]); err != nil {
				return sdk.Result{}, err
			}
			offset += int64(n)
			continue
		}
		if result != nil {
			if result.State == "" {
				p.mu.Lock()
				p.result = nil
				p.mu.Unlock()
				return sdk.Result{}, sdk.ErrGone
			}
			return *result, nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return sdk.Result{}, ctx.Err()
		}
	}
}

func (r runner) Signal(_ context.Context, work string, how sdk.Signal) error {
	p := r.find(work)
	if p == nil {
		return sdk.ErrUnknown
	}
	p.signals <- how
	return nil
}

func (r runner) Renew(_ context.Context, work string, lease time.Duration) error {
	p := r.find(work)
	if p == nil {
		return sdk.ErrUnknown
	}
	p.renewals <- lease
	return nil
}

func (r runner) Recover(ctx context.Context, work string) (sdk.Recovered, error) {
	if r.deaf != nil {
		select {
		case <-r.deaf:
		case <-ctx.Done():
			return sdk.NotStarted, ctx.Err()
		}
	}
	found := r.find(work)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.silence != nil:
		return sdk.NotStarted, r.silence
	case found == nil:
		return sdk.NotStarted, nil
	}
	return sdk.Running, nil
}

// started waits for the next start.
func (r *rig) started() *played {
	r.t.Helper()
	select {
	case p := <-r.plugin.starts:
		return p
	case <-time.After(time.Minute):
		r.t.Fatal("nothing was started")
		return nil
	}
}

func (p *played) print(s string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, s...)
	p.changed()
}

func (p *played) exit(r sdk.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.result = &r
	p.changed()
}

// lose makes the present Wait fail as if the plugin process had been killed.
func (p *played) lose() { p.exit(sdk.Result{}) }

func (p *played) changed() {
	close(p.change)
	p.change = make(chan struct{})
}

var success = sdk.Result{State: sdk.Succeeded}

// folderOf is where assignment(id) works.
func (a *Agent) folderOf(id engine.AttemptID) string {
	return a.newAttempt(id, "fake", "tree1", nil).folder
}
