package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flowctl/engine"
)

const producerAndConsumer = `flow: make
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
	x: {run: "true", outputs: ["/lake/dt=${{ ds }}/"]}
---
flow: use
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
	x: {run: "true", inputs: ["/lake/dt=${{ ds }}/"]}
	y: {run: "true", inputs: ["/lake/dt=${{ ds }}/"]}
`

func TestASuccessIsLookedAtAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 4)
	w.activate(producerAndConsumer)
	w.do(StartRun{By: "ann", Flow: "use"})
	if w.probes != 1 {
		t.Fatalf("%d probes of one path that two task runs wait for", w.probes)
	}
	w.sleep(10 * probeEvery)
	if w.probes != 11 {
		t.Fatalf("%d probes, want one and then one every %v", w.probes, probeEvery)
	}
	w.do(StartRun{By: "ann", Flow: "make"})
	w.sleep(time.Second)
	w.paths["/lake/dt=2026-11-19/"] = true
	w.finish("make/x@2026-11-19", engine.Succeeded)
	w.wantHeld("use/x@2026-11-19", "use/y@2026-11-19")
	if w.probes != 12 {
		t.Fatalf("%d probes, want one more", w.probes)
	}
}

// TestAPathThatAppearsWhileItIsLookedAt: the answer that is under way may be older than the success.
func TestAPathThatAppearsWhileItIsLookedAt(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, producerAndConsumer)
	c.handle(StartRun{Flow: "use"})
	c.handle(StartRun{Flow: "make"})
	c.handle(Reported{Agent: "one", Reports: []engine.Report{{Attempt: 1, Kind: engine.ReportFinished, Result: engine.Result{State: engine.Succeeded}}}})
	if len(c.asked) != 1 {
		t.Fatalf("asked %v", c.asked)
	}
	c.answer(1)
	if len(c.asked) != 1 {
		t.Fatalf("after a stale answer the path is to be looked at again at once; asked %v", c.asked)
	}
	c.answer(1)
	if len(c.asked) != 0 {
		t.Fatalf("asked %v", c.asked)
	}
}

func TestAFailingCheckIsRetriedThenToldOncePerOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-20T12:00:00Z")
	w.join("one", 4)
	w.activate(producerAndConsumer)
	path := "/lake/dt=2026-11-19/"
	w.broken[path] = "name node in safe mode"
	w.do(StartRun{By: "ann", Flow: "use"})
	w.sleep(checkRetries*retryEvery - time.Second)
	w.wantEvents()
	w.sleep(time.Hour)
	key := fmt.Sprintf("slow_checks//%s/%d", path, w.rows.Runs[1].Created)
	w.wantEvents(key)
	if e := w.rows.Events[key]; e.Agent != "one" || e.Detail != path+" could not be checked: name node in safe mode" {
		t.Fatalf("event %+v", e)
	}
	before := w.probes
	w.sleep(10 * time.Minute)
	if n := w.probes - before; n != 20 {
		t.Fatalf("%d probes in 10 minutes of an outage", n)
	}
	w.broken[path] = ""
	w.sleep(probeEvery)
	w.broken[path] = "again"
	w.sleep(time.Hour)
	if len(w.rows.Events) != 2 {
		t.Fatalf("events %v", w.rows.Events)
	}
	w.broken[path], w.paths[path] = "", true
	w.sleep(probeEvery)
	w.wantHeld("use/x@2026-11-19", "use/y@2026-11-19")
}

// crowd is a machine whose agents are asked about many paths; what they were asked and have not answered is in asked.
type crowd struct {
	m      *Machine
	w      *world
	asked  []string
	calls  int // of at most ProbeBatch paths
	paths  int
	agents []string // of asked
	exists map[string]bool
}

func newCrowd(t testing.TB, docs string) *crowd {
	w := newWorld(t, "2026-11-20T12:00:00Z")
	c := &crowd{m: w.m, w: w, exists: map[string]bool{}}
	c.handle(Activated{Revision: w.compile(docs)})
	c.handle(AgentJoined{Hello: engine.Hello{Name: "one", BootID: "1", Slots: 1000}})
	return c
}

// handle applies an event and returns the attempts that it gave to agent one.
func (c *crowd) handle(ev Event) (started []engine.AttemptID) {
	if _, err := c.m.Handle(c.w.now, ev); err != nil {
		c.w.t.Fatalf("%T: %v", ev, err)
	}
	out := c.m.Take()
	for _, name := range sortedKeys(out.Probe) {
		for call := range slices.Chunk(out.Probe[name], ProbeBatch) {
			c.calls++
			c.paths += len(call)
		}
		for _, p := range out.Probe[name] {
			c.asked, c.agents = append(c.asked, p), append(c.agents, name)
		}
	}
	for _, as := range out.Assign["one"] {
		started = append(started, as.Attempt)
	}
	c.m.Done()
	return started
}

// answer answers for the first n paths that were asked about.
func (c *crowd) answer(n int) {
	byAgent := map[string][]engine.PathState{}
	for i := range n {
		byAgent[c.agents[i]] = append(byAgent[c.agents[i]], engine.PathState{Path: c.asked[i], Exists: c.exists[c.asked[i]]})
	}
	c.asked, c.agents = c.asked[n:], c.agents[n:]
	for _, name := range sortedKeys(byAgent) {
		c.handle(Probed{Agent: name, Paths: byAgent[name]})
	}
}

// wait starts runs of a thousand task runs until n wait, each for a path of its own.
func (c *crowd) wait(n int) {
	for i := range n / 1000 {
		c.handle(StartRun{Flow: "wait", Params: map[string]string{"n": fmt.Sprint(i)}})
	}
}

func crowdFlows() string {
	var b strings.Builder
	b.WriteString("flow: go\nteam: data\nparams: {n: '0'}\ntasks:\n  x: {run: 'true', outputs: ['/p/999/${{ params.n }}/']}\n---\n")
	b.WriteString("flow: wait\nteam: data\nparams: {n: '0'}\ntasks:\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "  t%d: {run: 'true', inputs: ['/p/%d/${{ params.n }}/']}\n", i, i)
	}
	return b.String()
}

func TestManyPathsMakeFewCalls(t *testing.T) {
	t.Parallel()
	const n = 100_000
	c := newCrowd(t, crowdFlows())
	c.wait(n)
	if len(c.asked) != probesAtOnce || c.calls > probesAtOnce/ProbeBatch {
		t.Fatalf("%d paths are asked about at once, in %d calls", len(c.asked), c.calls)
	}
	// A success overtakes the backlog.
	first := c.handle(StartRun{Flow: "go", Params: map[string]string{"n": "99"}})[0]
	c.handle(Reported{Agent: "one", Reports: []engine.Report{{Attempt: first, Kind: engine.ReportFinished, Result: engine.Result{State: engine.Succeeded}}}})
	c.exists["/p/999/99/"] = true
	c.answer(ProbeBatch)
	if len(c.m.attempts) != 0 {
		t.Fatalf("%d attempts", len(c.m.attempts))
	}
	if c.asked[probesAtOnce-ProbeBatch] != "/p/999/99/" {
		t.Fatalf("the path that a success has made is not the next: %s", c.asked[probesAtOnce-ProbeBatch])
	}
	for len(c.asked) > 0 {
		if len(c.asked) > probesAtOnce {
			t.Fatalf("%d paths are asked about at once", len(c.asked))
		}
		c.answer(min(ProbeBatch, len(c.asked)))
	}
	if c.calls != n/ProbeBatch || c.paths != n {
		t.Fatalf("%d calls for %d paths in the first round", c.calls, c.paths)
	}
	if len(c.m.attempts) != 1 {
		t.Fatalf("%d attempts, want that of the one path that is there", len(c.m.attempts))
	}
	// Each distinct path once more every 30 seconds, and nothing between.
	c.calls, c.paths = 0, 0
	c.w.now = c.w.now.Add(probeEvery)
	c.handle(Tick{})
	for len(c.asked) > 0 {
		c.answer(min(ProbeBatch, len(c.asked)))
	}
	if c.calls != n/ProbeBatch || c.paths != n-1 {
		t.Fatalf("%d calls for %d paths in the second round", c.calls, c.paths)
	}
	c.w.now = c.w.now.Add(probeEvery - time.Second)
	c.handle(Tick{})
	if c.paths != n-1 {
		t.Fatalf("asked before the time")
	}
}

func TestProbesAreSpreadOverAgents(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, crowdFlows())
	c.handle(AgentJoined{Hello: engine.Hello{Name: "two", BootID: "1", Slots: 1}})
	c.wait(10_000)
	byAgent := map[string]int{}
	for _, name := range c.agents {
		byAgent[name]++
	}
	if byAgent["one"] != probesAtOnce || byAgent["two"] != probesAtOnce {
		t.Fatalf("asked %v", byAgent)
	}
	c.handle(AgentLost{Agent: "two"}) // what it was asked is asked of the other, in turn
	seen := map[string]bool{}
	for i := len(c.agents) - 1; i >= 0; i-- {
		if c.agents[i] == "two" {
			c.asked, c.agents = slices.Delete(c.asked, i, i+1), slices.Delete(c.agents, i, i+1)
		}
	}
	for len(c.asked) > 0 {
		n := min(ProbeBatch, len(c.asked))
		for _, p := range c.asked[:n] {
			seen[p] = true
		}
		c.answer(n)
	}
	if len(seen) != 10_000 {
		t.Fatalf("%d paths were looked at", len(seen))
	}
}
