package control

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/engine/core"
	"flowctl/engine/gitsync"
	"flowctl/engine/logs"
	"flowctl/engine/store/sqlite"
	"flowctl/engine/store/storetest"
)

// fixture is a server without network: a real store, a folder of flows, and agents that do what a test says.
type fixture struct {
	t       *testing.T
	dir     string
	store   *storetest.Faulty
	service *Service
	fleet   *fleet
	gates   func([]engine.GateQuestion)
	outbox  *outbox // of the loops; nil = alerts wait
	loop    *Loop
	stop    context.CancelFunc
	ended   chan error // of the loop

	mu  sync.Mutex
	now time.Time
}

const (
	flowsRoot = "version: 1\ntimezone: UTC\n"
	people    = "people:\n  ann: {name: Ann, email: ann@example.com}\n---\nteams:\n  data: {members: [ann]}\n"
	shop      = "flow: shop\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks:\n  a: {run: 'true'}\n  b: {run: 'true', needs: [a]}\n"
)

func newFixture(t *testing.T) *fixture {
	f := &fixture{t: t, dir: t.TempDir(), fleet: &fleet{held: map[engine.AttemptID]*engine.Assignment{}}}
	f.now = time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC)
	f.write("flowctl.yaml", flowsRoot)
	f.write("people.yaml", people)
	f.write("shop.yaml", shop)
	store, err := sqlite.Open(t.Context(), filepath.Join(f.dir, "data", "flowctl.db"))
	f.must(err)
	t.Cleanup(func() { f.must(store.Close()) })
	f.store = &storetest.Faulty{Store: store}
	source, err := gitsync.Open(t.Context(), gitsync.Options{Repo: filepath.Join(f.dir, "flows"), Worktree: true})
	f.must(err)
	output, err := logs.Open(filepath.Join(f.dir, "logs"), time.Now)
	f.must(err)
	t.Cleanup(func() { f.must(output.Close()) })
	f.service = &Service{
		Store: f.store, Output: output, Now: f.clock, Caller: func(context.Context) string { return "ann" },
		Follower: &Follower{Source: source, Store: f.store, Now: f.clock, Log: slog.New(slog.DiscardHandler)},
	}
	f.must(f.service.Follower.Open(t.Context()))
	return f
}

// startFixture has its loop running, its flows active and one agent connected.
func startFixture(t *testing.T) *fixture {
	f := newFixture(t)
	f.start()
	t.Cleanup(f.end)
	f.sync("active")
	f.join()
	return f
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) write(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.dir, "flows", name)
	f.must(os.MkdirAll(filepath.Dir(path), 0o755))
	f.must(os.WriteFile(path, []byte(text), 0o644))
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// pass lets time pass and the machine see it.
func (f *fixture) pass(d time.Duration) {
	f.t.Helper()
	f.mu.Lock()
	f.now = f.now.Add(d)
	f.mu.Unlock()
	_, err := f.loop.Do(f.t.Context(), core.Tick{})
	f.must(err)
}

func (f *fixture) options() Options {
	o := Options{
		Store: f.store, Fleet: f.fleet, Revision: f.service.Follower.Revision, Gates: f.gates, Now: f.clock, Log: slog.New(slog.DiscardHandler),
	}
	if f.outbox != nil {
		o.Deliver = f.outbox.deliver
	}
	return o
}

// start makes a loop and runs it.
func (f *fixture) start() {
	f.t.Helper()
	loop, err := New(f.t.Context(), f.options())
	f.must(err)
	ctx, stop := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(ctx) }()
	f.loop, f.stop, f.ended = loop, stop, ended
	f.service.Serve(loop)
}

// end stops the loop, if it runs.
func (f *fixture) end() {
	f.stop()
	<-f.loop.ended
}

func (f *fixture) join() {
	f.t.Helper()
	h := engine.Hello{Name: "local", BootID: "1", Slots: 100}
	for _, id := range f.fleet.attempts() {
		h.Attempts = append(h.Attempts, engine.Report{Attempt: id, Kind: engine.ReportStarted})
	}
	_, err := f.loop.Do(f.t.Context(), core.AgentJoined{Hello: h})
	f.must(err)
}

func (f *fixture) sync(state string) *engine.RevisionView {
	f.t.Helper()
	v, err := f.service.Sync(f.t.Context())
	f.must(err)
	if v.State != state {
		f.t.Fatalf("the revision is %s, want %s: %v", v.State, state, v.Diagnostics)
	}
	return v
}

// executed names what agents execute, once all effects of what was acknowledged are performed: they follow the answers.
func (f *fixture) executed() []string {
	f.t.Helper()
	f.must(f.loop.Query(f.t.Context(), func(*core.Machine) {}))
	for paths := f.fleet.asked(); len(paths) > 0; paths = f.fleet.asked() {
		_, err := f.loop.Do(f.t.Context(), core.Probed{Agent: "local", Paths: paths})
		f.must(err)
		f.must(f.loop.Query(f.t.Context(), func(*core.Machine) {}))
	}
	return f.fleet.names()
}

// finish lets a task run named flow/task@label end.
func (f *fixture) finish(name string, state engine.State) {
	f.t.Helper()
	running := f.executed()
	id, ok := f.fleet.find(name)
	if !ok {
		f.t.Fatalf("%s is not executed; these are: %v", name, running)
	}
	f.fleet.drop(id)
	_, err := f.loop.Do(f.t.Context(), core.Reported{Agent: "local", Reports: []engine.Report{
		{Attempt: id, Kind: engine.ReportFinished, Result: engine.Result{State: state, Code: codeOf(state)}},
	}})
	f.must(err)
}

func codeOf(s engine.State) engine.ErrorCode {
	if s == engine.Failed {
		return engine.CodeExit
	}
	return ""
}

// drain lets everything succeed until nothing is executed.
func (f *fixture) drain() {
	f.t.Helper()
	for names := f.executed(); len(names) > 0; names = f.executed() {
		f.finish(names[0], engine.Succeeded)
	}
}

func (f *fixture) state(target string) engine.State {
	f.t.Helper()
	x, err := f.service.Explain(f.t.Context(), target)
	f.must(err)
	return x.Tasks[0].State
}

func (f *fixture) wantError(err error, code engine.Code, part string) {
	f.t.Helper()
	if !refused(err, code, part) {
		f.t.Fatalf("error %v, want %s with %q", err, code, part)
	}
}

func refused(err error, code engine.Code, part string) bool {
	var e *engine.Error
	return errors.As(err, &e) && e.Code == code && strings.Contains(e.Message, part)
}

// fleet notes what agents were told.
type fleet struct {
	mu   sync.Mutex
	held map[engine.AttemptID]*engine.Assignment
	kill []engine.AttemptID
	// paths says that all input paths are there: probes are answered by the test that asks what is executed.
	paths  bool
	probes []string
}

func (f *fleet) Assign(_ string, as []*engine.Assignment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range as {
		f.held[a.Attempt] = a
	}
}

func (f *fleet) Kill(_ string, ids []engine.AttemptID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kill = append(f.kill, ids...)
}

func (f *fleet) Probe(_ string, paths []string, _ []*flow.Plugin) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.paths {
		f.probes = append(f.probes, paths...)
	}
}

// asked returns the paths that agents were asked about, and have not answered for.
func (f *fleet) asked() []engine.PathState {
	f.mu.Lock()
	defer f.mu.Unlock()
	var states []engine.PathState
	for _, p := range f.probes {
		states = append(states, engine.PathState{Path: p, Exists: true})
	}
	f.probes = nil
	return states
}

func (f *fleet) Ack(string, []engine.AttemptID) {}

func (f *fleet) Recall(string, []engine.AttemptID) {}

func (f *fleet) attempts() []engine.AttemptID {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []engine.AttemptID
	for id := range f.held {
		ids = append(ids, id)
	}
	return ids
}

func (f *fleet) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := []string{}
	for _, a := range f.held {
		names = append(names, a.Flow+"/"+a.Task+"@"+a.PeriodLabel)
	}
	return names
}

func (f *fleet) find(name string) (engine.AttemptID, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, a := range f.held {
		if a.Flow+"/"+a.Task+"@"+a.PeriodLabel == name {
			return id, true
		}
	}
	return 0, false
}

func (f *fleet) drop(id engine.AttemptID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.held, id)
}
