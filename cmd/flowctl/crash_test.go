//go:build linux

package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/plugins/keeper"
)

// TestCrash kills processes of a working system with SIGKILL at random instants, restarts what does not come back by
// itself, and in the end wants that every run happened exactly once.
//
// The system is a server with its local agent and a second agent. FLOWCTL_CRASH_KILLS is the number of kills;
// FLOWCTL_CRASH_SEED replays the choice of victims and delays. Every kill waits until a task is running.
//
// A plugin process and its keeper are never both killed while an attempt lives that was started by them: with both gone nobody
// is left who could know its exit code, and it fails as "lost", which is documented.
func TestCrash(t *testing.T) {
	kills := number(t, "FLOWCTL_CRASH_KILLS", 12)
	if testing.Short() {
		kills = 4
	}
	seed := uint64(number(t, "FLOWCTL_CRASH_SEED", int(time.Now().UnixNano()%1_000_000)))
	t.Logf("FLOWCTL_CRASH_SEED=%d FLOWCTL_CRASH_KILLS=%d", seed, kills)

	c := newCrash(t, seed)
	c.joinAgent()

	began := time.Now()
	stop := c.work()
	for done := 0; done < kills; {
		if c.strike() {
			done++
		}
	}
	struck := time.Since(began)
	stop()
	if t.Failed() {
		c.tell(t)
		return
	}
	c.awaitReady(c.server)
	c.check()
	t.Logf("%d kills in %v, all settled after %v: %v", kills, struck.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), c.count)

	before := c.state()
	c.agent.terminate(t)
	c.server.terminate(t)
	c.awaitNoProcess(20 * time.Second)
	c.server = c.startServer("--slots", "6")
	c.awaitReady(c.server)
	if after := c.state(); !slices.Equal(before, after) {
		t.Errorf("a restart found something to do: %d lines of state before, %d after", len(before), len(after))
	}
	c.server.terminate(t)
	c.awaitNoProcess(20 * time.Second)
	c.checkLogs()
}

// newCrash starts a server.
func newCrash(t *testing.T, seed uint64) *crash {
	trace := &trace{path: filepath.Join(t.TempDir(), "trace")}
	c := &crash{site: newSite(t, crashRepository(trace.path)), trace: trace, random: rand.New(rand.NewPCG(seed, 1))}
	c.count, c.halved, c.nudges = map[string]int{}, map[string]bool{}, make(chan struct{}, 1)
	c.server = c.startServer("--slots", "6")
	c.awaitReady(c.server)
	c.svc = c.client()
	return c
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// crash is a system that is being killed while it works.
type crash struct {
	*site
	trace  *trace
	random *rand.Rand
	svc    engine.Service
	server *process
	agent  *process
	count  map[string]int  // kills by victim
	halved map[string]bool // folders of plugin processes of which one half was killed

	nudges   chan struct{} // ask for some runs now
	requests atomic.Int64  // number of the last request
	lookups  atomic.Int64  // submissions whose answer was lost

	mu        sync.Mutex
	runs      []request
	days      []string // that were backfilled
	backfills []engine.BackfillID
}

// request is a run that was asked for.
type request struct {
	flow, id string
	run      engine.RunID
}

func (c *crash) joinAgent() {
	c.t.Helper()
	token, err := c.svc.AgentToken(c.t.Context(), engine.AgentTokenRequest{TTLS: 60})
	if err != nil {
		c.t.Fatal(err)
	}
	c.startAgent("--name", "second", "--token", token.Token)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(pause) {
		l, err := c.svc.Agents(c.t.Context(), engine.Page{})
		if err != nil {
			c.t.Fatal(err)
		}
		if len(l.Items) == 2 && l.Items[0].State == "connected" && l.Items[1].State == "connected" {
			return
		}
	}
	c.t.Fatal("the second agent has not joined")
}

func (c *crash) startAgent(flags ...string) {
	c.t.Helper()
	c.agent = c.start("agent", append([]string{"agent", "--server", c.agents, "--data", filepath.Join(c.dir, "second"), "--slots", "6", "--max-load", "0", "--min-free-memory", "0"}, flags...)...)
}

// strike kills something while work is running and runs are being asked for, and restarts it. It is false when the victim ended in good
// order, or was not there.
func (c *crash) strike() bool {
	victim := victims[c.random.IntN(len(victims))]
	delay := time.Duration(c.random.IntN(700)) * time.Millisecond
	if c.random.IntN(4) == 0 {
		delay /= 20 // while others are still coming back
	}
	down := time.Duration(c.random.IntN(4)*c.random.IntN(50)) * time.Millisecond
	asking := time.Duration(c.random.IntN(5000)) * time.Microsecond
	time.Sleep(delay) // the random instant is the test
	c.awaitWork()
	c.nudges <- struct{}{}
	time.Sleep(asking)
	if !victim.strike(c, down) {
		c.count["not killed: "+victim.name]++
		return false
	}
	c.count[victim.name]++
	return true
}

// victims are what a strike can kill, and then restarts after a while in which it is down.
var victims = []struct {
	name   string
	strike func(c *crash, down time.Duration) (killed bool)
}{
	{"server", func(c *crash, down time.Duration) bool {
		c.kill(c.server)
		time.Sleep(down)
		c.startAgain()
		return true
	}},
	{"server twice", func(c *crash, down time.Duration) bool {
		c.kill(c.server)
		c.startAgain()
		time.Sleep(down) // and down it goes while it is starting
		c.kill(c.server)
		c.startAgain()
		return true
	}},
	{"server in good order", func(c *crash, down time.Duration) bool {
		c.awaitReady(c.server) // before that, SIGTERM ends it as SIGKILL does
		c.server.terminate(c.t)
		c.startAgain()
		return false
	}},
	{"agent", func(c *crash, down time.Duration) bool {
		c.kill(c.agent)
		time.Sleep(down)
		c.startAgent()
		return true
	}},
	{"server and agent", func(c *crash, down time.Duration) bool {
		c.kill(c.server)
		c.kill(c.agent)
		time.Sleep(down)
		c.startAgent()
		c.startAgain()
		return true
	}},
	{"plugin of the server", func(c *crash, _ time.Duration) bool { return c.killPlugin(c.localPlugins(), "runner-shell") }},
	{"plugin of the agent", func(c *crash, _ time.Duration) bool { return c.killPlugin(c.secondPlugins(), "runner-shell") }},
	{"python plugin", func(c *crash, _ time.Duration) bool { return c.killPlugin(c.localPlugins(), "runner-python") }},
	{"sensor plugin", func(c *crash, _ time.Duration) bool { return c.killPlugin(c.localPlugins(), "sensor-file") }},
	{"keeper of the server", func(c *crash, _ time.Duration) bool { return c.killKeeper(c.localPlugins()) }},
	{"keeper of the agent", func(c *crash, _ time.Duration) bool { return c.killKeeper(c.secondPlugins()) }},
	{"server and its plugin", func(c *crash, down time.Duration) bool {
		c.kill(c.server)
		c.killPlugin(c.localPlugins(), "runner-shell")
		time.Sleep(down)
		c.startAgain()
		return true
	}},
	{"agent and its plugin", func(c *crash, down time.Duration) bool {
		c.kill(c.agent)
		c.killPlugin(c.secondPlugins(), "runner-shell")
		time.Sleep(down)
		c.startAgent()
		return true
	}},
	{"agent and its keeper", func(c *crash, down time.Duration) bool {
		c.kill(c.agent)
		c.killKeeper(c.secondPlugins())
		time.Sleep(down)
		c.startAgent()
		return true
	}},
}

// kill kills a process, which must not have ended by itself.
func (c *crash) kill(p *process) {
	c.t.Helper()
	select {
	case <-p.ended:
		c.t.Errorf("flowctl %s ended by itself: %v", p.cmd.Args[1], p.state)
	default:
		p.kill()
	}
}

func (c *crash) startAgain() { c.server = c.startServer("--slots", "6") }

func (c *crash) localPlugins() string { return filepath.Join(c.data, "agent", "plugins") }

func (c *crash) secondPlugins() string { return filepath.Join(c.dir, "second", "plugins") }

func (c *crash) killPlugin(plugins, name string) bool {
	return c.killHalf(plugins, name, func(r keeper.Reattach) int { return r.PID })
}

func (c *crash) killKeeper(plugins string) bool {
	return c.killHalf(plugins, "runner-shell", func(r keeper.Reattach) int { return r.Keeper })
}

// killHalf kills a plugin process or its keeper, where both live. When there are none it waits a little: somebody may be about to
// start them.
func (c *crash) killHalf(plugins, name string, half func(keeper.Reattach) int) bool {
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(pause) {
		folders, _ := filepath.Glob(filepath.Join(plugins, name, "*"))
		for _, folder := range folders {
			card, err := keeper.ReadReattach(folder)
			if err != nil || c.halved[folder] || !c.mine(card.PID) || !c.mine(card.Keeper) {
				continue
			}
			c.halved[folder] = true
			return syscall.Kill(half(card), syscall.SIGKILL) == nil
		}
	}
	return false
}

// mine tells whether a process is one of the test's plugin processes or keepers, and lives.
func (c *crash) mine(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(line), os.Getenv(binaryVariable)+"\x00plugin\x00")
}

// work submits runs and backfills until stop is called, which waits until all that was submitted has ended.
func (c *crash) work() (stop func()) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Minute)
	stopping := make(chan struct{})
	var workers sync.WaitGroup
	worker := func(step func(ctx context.Context, n int)) {
		workers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				select {
				case <-stopping:
					return
				default:
					step(ctx, n)
				}
			}
		})
	}
	for w := range 4 {
		worker(func(ctx context.Context, n int) { c.run(ctx, repeated[(n+w)%len(repeated)]) })
	}
	worker(func(ctx context.Context, _ int) { c.run(ctx, "slow") })
	worker(c.backfill)
	workers.Go(func() {
		for {
			select {
			case <-stopping:
				return
			case <-c.nudges:
				for range 3 {
					workers.Go(func() { c.run(ctx, "tiny") })
				}
			}
		}
	})
	return func() {
		close(stopping)
		workers.Wait()
		if ctx.Err() != nil {
			c.t.Error("the work did not end in time")
		}
		cancel()
	}
}

// run asks for one run and waits for its end.
func (c *crash) run(ctx context.Context, flow string) {
	r := request{flow: flow, id: strconv.FormatInt(c.requests.Add(1), 10)}
	asked := engine.StartRun{Target: flow, Params: map[string]string{"id": r.id}}
	r.run = submitted(ctx, c, func() (engine.RunID, error) {
		v, err := c.svc.StartRun(ctx, asked)
		if err != nil {
			return 0, err
		}
		return v.ID, nil
	}, func() (engine.RunID, error) {
		l, err := c.svc.Runs(ctx, engine.RunsQuery{Target: flow})
		if err != nil {
			return 0, err
		}
		for _, v := range l.Items {
			if v.Params["id"] == r.id {
				return v.ID, nil
			}
		}
		return 0, nil
	})
	if r.run == 0 {
		return
	}
	c.mu.Lock()
	c.runs = append(c.runs, r)
	c.mu.Unlock()
	watch := func(f func(engine.RunDetail) error) {
		c.persist(ctx, func() error { return c.svc.WatchRun(ctx, r.run, f) })
	}
	if flow == "logs" {
		c.followLog(ctx, watch)
	}
	watch(func(engine.RunDetail) error { return nil })
}

// errFound ends a watch that has seen what it waited for.
var errFound = errors.New("found")

// followLog reads the log of a run's only task while it is written.
func (c *crash) followLog(ctx context.Context, watch func(func(engine.RunDetail) error)) {
	var task engine.TaskRunView
	watch(func(d engine.RunDetail) error {
		if task = d.Tasks[0]; task.Attempt != 0 && task.State != engine.Waiting {
			return errFound
		}
		return nil
	})
	var log bytes.Buffer
	c.persist(ctx, func() error { return c.svc.Logs(ctx, task.Attempt, int64(log.Len()), true, &log) })
	if want := logOf(task.Task, crashFlows["logs"].tasks[task.Task].lines); ctx.Err() == nil && log.String() != want {
		c.t.Errorf("following the log of %s gave %d bytes, want %d", task.Name, log.Len(), len(want))
	}
}

// backfill asks for one day of the scheduled flows and waits for its end.
func (c *crash) backfill(ctx context.Context, n int) {
	date := time.Date(2024, 1, 1+n, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	asked := engine.BackfillRequest{Flows: scheduled, From: date, To: date}
	id := c.submitBackfill(ctx, asked)
	if id == 0 {
		return
	}
	c.mu.Lock()
	c.days, c.backfills = append(c.days, date), append(c.backfills, id)
	c.mu.Unlock()
	c.persist(ctx, func() error { return c.svc.WatchBackfill(ctx, id, func(engine.BackfillView) error { return nil }) })
}

// submitBackfill asks for a backfill. No two begin on the same day.
func (c *crash) submitBackfill(ctx context.Context, asked engine.BackfillRequest) engine.BackfillID {
	return submitted(ctx, c, func() (engine.BackfillID, error) {
		v, err := c.svc.StartBackfill(ctx, asked)
		if err != nil {
			return 0, err
		}
		return v.ID, nil
	}, func() (engine.BackfillID, error) {
		l, err := c.svc.Backfills(ctx, engine.Page{})
		if err != nil {
			return 0, err
		}
		for _, v := range l.Items {
			if v.From == asked.From {
				return v.ID, nil
			}
		}
		return 0, nil
	})
}

// submitted asks for something until it is there. When the answer to a request is lost it is looked up first: nothing is asked for
// twice. It is 0 when ctx ended first.
func submitted[ID ~int64](ctx context.Context, c *crash, ask, look func() (ID, error)) (id ID) {
	for ctx.Err() == nil {
		var err error
		if id, err = ask(); err == nil {
			return id
		}
		if !c.passing(ctx, err) {
			return 0
		}
		c.lookups.Add(1)
		c.persist(ctx, func() error {
			id, err = look()
			return err
		})
		if id != 0 {
			return id
		}
	}
	return 0
}

// persist calls f until it succeeds, through any number of deaths of the server.
func (c *crash) persist(ctx context.Context, f func() error) {
	for ctx.Err() == nil {
		err := f()
		if err == nil || errors.Is(err, errFound) || !c.passing(ctx, err) {
			return
		}
	}
}

// passing tells, after a pause, whether an error is the server's absence. Any other fails the test.
func (c *crash) passing(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != engine.Unavailable {
		c.t.Errorf("the server answers: %v", err)
		return false
	}
	time.Sleep(pause)
	return true
}

// awaitWork waits until some task is running.
func (c *crash) awaitWork() {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(pause) {
		if c.trace.running(c.t) > 0 {
			return
		}
	}
	c.tell(c.t)
	c.t.Fatal("no task is running for 20 seconds")
}
