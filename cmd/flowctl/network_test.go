//go:build linux

package main_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
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
)

// TestCrashOverNetworks runs agents in network namespaces of their own, cuts, delays and restores their links, and kills agents, the server,
// plugin processes, keepers and tasks at random instants. The processes of every task append their fencing token to one file, again and
// again, as does a child that has left their session. In the end no token of a task follows a larger one: no two attempts of it overlapped. Every run ended.
//
// FLOWCTL_CRASH_KILLS is the number of faults, FLOWCTL_CRASH_SEED replays their choice. Links are delayed by a relay at the server's end, as
// not every kernel has netem. In a cut packets vanish, as both ends send them to a device that is not there; an unplugged link is down, which is noticed at once.
func TestCrashOverNetworks(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for leases to end")
	}
	wantNamespaces(t)
	faults := number(t, "FLOWCTL_CRASH_KILLS", 20)
	seed := uint64(number(t, "FLOWCTL_CRASH_SEED", int(time.Now().UnixNano()%1_000_000)))
	t.Logf("FLOWCTL_CRASH_SEED=%d FLOWCTL_CRASH_KILLS=%d", seed, faults)

	n := newNetwork(t, seed, 3)
	stop := n.work()
	n.awaitBegins(8)
	n.killAgent(n.links[0], leaseOver) // its leases end while it is down
	n.cut(n.links[1], streamOver)      // its leases end while it is unheard
	for range faults {
		time.Sleep(time.Duration(n.random.IntN(1000)) * time.Millisecond) // the random instant is the test
		n.fault()
	}
	n.healing.Wait()
	stop()
	if t.Failed() {
		return
	}
	n.check()
	for _, l := range n.links {
		l.agent.terminate(t)
	}
	n.server.terminate(t)
	n.awaitNoProcess(20 * time.Second)
}

const (
	// networkLease is lost_after of the test's tasks.
	networkLease = 2 * time.Second
	// leaseOver is longer than the server waits for a lease, from the end of a stream on.
	leaseOver = networkLease + 6*time.Second
	// streamOver is longer than that from a cut on: both ends take some time to notice it.
	streamOver = leaseOver + 12*time.Second
)

// wantNamespaces skips the test where it cannot make network namespaces.
func wantNamespaces(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("there is no ip: scripts/peers installs iproute2")
	}
	if os.Getuid() != 0 {
		t.Skip("network namespaces are for root only")
	}
	name := fmt.Sprintf("flowctl-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Skipf("no network namespace can be made here: %s", bytes.TrimSpace(out))
	}
	ip(t, "netns", "del", name)
}

func ip(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// network is a server whose agents are in other networks.
type network struct {
	*crash
	links   []*link
	healing sync.WaitGroup // of faults that pass
	faulty  atomic.Int64   // links that have one
}

// link is an agent and its way to the server: a pair of devices, and a relay at the server's end.
type link struct {
	name, space, device string
	here, there         string // IP addresses at the server's and the agent's end
	*relay

	fault sync.Mutex // held while a fault lasts
	agent *process
}

func newNetwork(t *testing.T, seed uint64, agents int) *network {
	trace := &trace{path: filepath.Join(t.TempDir(), "trace")}
	n := &network{crash: &crash{
		site: newSite(t, networkRepository(trace.path)), trace: trace, random: rand.New(rand.NewPCG(seed, 1)),
		count: map[string]int{}, halved: map[string]bool{}, nudges: make(chan struct{}),
	}}
	n.startServerAgain()
	n.awaitReady(n.server)
	n.svc = n.client()
	for i := range agents {
		n.links = append(n.links, n.newLink(i))
	}
	for _, l := range n.links {
		token, err := n.svc.AgentToken(t.Context(), engine.AgentTokenRequest{TTLS: 60})
		if err != nil {
			t.Fatal(err)
		}
		n.startOn(l, "--token", token.Token)
	}
	n.awaitAgents(agents)
	return n
}

// awaitAgents waits until all agents are connected.
func (n *network) awaitAgents(want int) {
	n.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(pause) {
		l, err := n.svc.Agents(n.t.Context(), engine.Page{})
		if err != nil {
			n.t.Fatal(err)
		}
		if len(slices.DeleteFunc(l.Items, func(a engine.AgentView) bool { return a.State != "connected" })) == want {
			return
		}
	}
	n.t.Fatal("the agents have not joined")
}

func (n *network) startServerAgain() { n.server = n.startServer("--no-local-agent") }

// newLink makes a network for one agent.
func (n *network) newLink(i int) *link {
	id := os.Getpid() % 100_000
	l := &link{
		name: fmt.Sprintf("agent-%d", i), space: fmt.Sprintf("flowctl-%d-%d", id, i), device: fmt.Sprintf("fc%d-%d", id, i),
	}
	l.here = fmt.Sprintf("10.%d.%d.%d", 200+id%50, id/50%250, 4*i+1)
	l.there = fmt.Sprintf("10.%d.%d.%d", 200+id%50, id/50%250, 4*i+2)
	ip(n.t, "netns", "add", l.space)
	n.t.Cleanup(func() { ip(n.t, "netns", "del", l.space) })
	ip(n.t, "link", "add", l.device, "type", "veth", "peer", "name", "eth0", "netns", l.space)
	ip(n.t, "addr", "add", l.here+"/30", "dev", l.device)
	ip(n.t, "link", "set", l.device, "up")
	ip(n.t, "-n", l.space, "addr", "add", l.there+"/30", "dev", "eth0")
	ip(n.t, "-n", l.space, "link", "set", "eth0", "up")
	ip(n.t, "-n", l.space, "link", "set", "lo", "up")
	l.relay = newRelay(n.t, l.here, n.agents)
	return l
}

// startOn starts the agent of a link, in its network.
func (n *network) startOn(l *link, flags ...string) {
	n.t.Helper()
	l.agent = n.startCommand(l.name, append([]string{
		"ip", "netns", "exec", l.space, os.Getenv(binaryVariable), "agent", "--max-load", "0", "--min-free-memory", "0", "--server", l.address, "--name", l.name,
		"--data", filepath.Join(n.dir, l.name), "--slots", "20",
	}, flags...)...)
}

// work asks for runs until stop is called, which waits until all of them have ended.
func (n *network) work() (stop func()) {
	stopping := make(chan struct{})
	var workers sync.WaitGroup
	for i := range 8 {
		workers.Go(func() {
			for {
				select {
				case <-stopping:
					return
				default:
					n.run(n.t.Context(), []string{"restart", "restart", "wait", "fail"}[i%4])
				}
			}
		})
	}
	return func() {
		close(stopping)
		workers.Wait()
	}
}

// awaitBegins waits until some attempts have begun.
func (n *network) awaitBegins(want int) {
	n.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(pause) {
		if text, _ := os.ReadFile(n.trace.path); bytes.Count(text, []byte(" begin\n")) >= want {
			return
		}
	}
	n.t.Fatal("nothing begins")
}

// fault lets something go wrong, which is mended a while later.
func (n *network) fault() {
	l := n.links[n.random.IntN(len(n.links))]
	short := time.Duration(n.random.IntN(3000)) * time.Millisecond
	switch what := n.random.IntN(11); what {
	case 0:
		n.count["server"]++
		n.kill(n.server)
		time.Sleep(short / 4)
		n.startServerAgain()
	case 1:
		n.killAgent(l, short)
	case 2:
		n.killAgent(l, leaseOver)
	case 3:
		n.cut(l, short)
	case 4:
		n.cut(l, streamOver)
	case 5:
		n.unplug(l, 3*short)
	case 6:
		n.slow(l, short, time.Duration(n.random.IntN(400))*time.Millisecond)
	case 7, 8:
		n.killTask()
	case 9:
		n.tally("plugin", n.killPlugin(filepath.Join(n.dir, l.name, "plugins"), "runner-shell"))
	case 10:
		n.tally("keeper", n.killKeeper(filepath.Join(n.dir, l.name, "plugins")))
	}
}

func (n *network) tally(what string, happened bool) {
	if happened {
		n.count[what]++
	}
}

// during lets a fault of a link begin and, a while later, end. A link has one at a time, and one link has none, so that the work goes on.
func (n *network) during(what string, l *link, lasts time.Duration, begin, end func()) {
	if n.faulty.Add(1) == int64(len(n.links)) || !l.fault.TryLock() {
		n.faulty.Add(-1)
		return
	}
	n.count[what]++
	begin()
	n.healing.Go(func() {
		time.Sleep(lasts)
		end()
		l.fault.Unlock()
		n.faulty.Add(-1)
	})
}

func (n *network) killAgent(l *link, down time.Duration) {
	n.during("agent", l, down, func() { n.kill(l.agent) }, func() { n.startOn(l) })
}

func (n *network) unplug(l *link, lasts time.Duration) {
	n.during("unplug", l, lasts, func() { ip(n.t, "link", "set", l.device, "down") }, func() { ip(n.t, "link", "set", l.device, "up") })
}

// nobody is the hardware address of no device.
const nobody = "02:00:00:00:00:99"

func (n *network) cut(l *link, lasts time.Duration) {
	n.during("cut", l, lasts, func() {
		ip(n.t, "neigh", "replace", l.there, "lladdr", nobody, "dev", l.device, "nud", "permanent")
		ip(n.t, "-n", l.space, "neigh", "replace", l.here, "lladdr", nobody, "dev", "eth0", "nud", "permanent")
	}, func() {
		ip(n.t, "neigh", "del", l.there, "dev", l.device)
		ip(n.t, "-n", l.space, "neigh", "del", l.here, "dev", "eth0")
	})
}

func (n *network) slow(l *link, lasts, delay time.Duration) {
	n.during("delay", l, lasts, func() { l.delay.Store(int64(delay)) }, func() { l.delay.Store(0) })
}

// killTask kills one process of some task.
func (n *network) killTask() {
	var all []int
	for pid := range n.processes() {
		environment, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if bytes.Contains(environment, []byte("\x00FLOWCTL_FENCE=")) {
			all = append(all, pid)
		}
	}
	if len(all) > 0 {
		slices.Sort(all)
		n.tally("task", syscall.Kill(all[n.random.IntN(len(all))], syscall.SIGKILL) == nil)
	}
}

// check wants that tokens only grow, and that all ended as their tasks say.
func (n *network) check() {
	text, err := os.ReadFile(n.trace.path)
	if err != nil {
		n.t.Fatal(err)
	}
	newest, attempts := map[string]int{}, map[string]int{}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		w := strings.Fields(line)
		if len(w) != 3 {
			n.t.Fatalf("line %d of the trace: %q", i+1, line)
		}
		fence, err := strconv.Atoi(w[1])
		switch {
		case err != nil || fence < newest[w[0]]:
			n.t.Fatalf("line %d of the trace: %q after the token %d", i+1, line, newest[w[0]])
		case fence > newest[w[0]]:
			newest[w[0]] = fence
			attempts[w[0]]++
			if w[2] != "begin" {
				n.t.Errorf("line %d of the trace: %q is the first of its attempt", i+1, line)
			}
		case w[2] == "begin":
			n.t.Errorf("line %d of the trace: %q begins again", i+1, line)
		}
	}
	again := 0
	for _, k := range attempts {
		if k > 1 {
			again++
		}
	}
	lost := n.checkEnds()
	n.t.Logf("%d task runs, %d of them with several attempts, %d attempts lost with their agents; faults: %v", len(newest), again, lost, n.count)
	if lost == 0 || again == 0 {
		n.t.Error("no lease ended: the test proves nothing")
	}
}

// checkEnds compares the ends of all runs with what their tasks allow, and returns how many attempts were given up with their agents.
func (n *network) checkEnds() (lost int) {
	runs := every(n.t, func(p engine.Page) (*engine.List[engine.RunView], error) {
		return n.svc.Runs(n.t.Context(), engine.RunsQuery{Page: p})
	})
	last := map[string]engine.AttemptView{}
	for _, a := range every(n.t, func(p engine.Page) (*engine.List[engine.AttemptView], error) {
		return n.svc.Attempts(n.t.Context(), engine.AttemptsQuery{Page: p})
	}) {
		if a.Code == engine.CodeAgentLost {
			lost++
			if strings.HasPrefix(a.TaskRun, "wait/") {
				n.t.Errorf("%s does not wait for its agent: %s", a.TaskRun, a.Message)
			}
		}
		if key := fmt.Sprint(a.Run, a.TaskRun); a.ID > last[key].ID {
			last[key] = a
		}
	}
	for _, a := range last {
		if a.State != engine.Succeeded && (a.Code != engine.CodeAgentLost || !strings.HasPrefix(a.TaskRun, "fail/")) {
			n.t.Errorf("%s ended as %s %s: %s", a.TaskRun, a.State, a.Code, a.Message)
		}
	}
	for _, r := range runs {
		if r.State == engine.RunActive {
			n.t.Errorf("%s has not ended", r.Name)
		}
	}
	return lost
}

// networkTask writes its token for as long as it lives, and so does a child that has left its session.
const networkTask = `#!/bin/sh
key="$FLOWCTL_FLOW/$FLOWCTL_TASK/$ID $FLOWCTL_FENCE"
echo "$key begin" >> "$TRACE"
setsid sh -c 'while :; do echo "$0 child" >> "$TRACE"; sleep 0.05; done' "$key" &
i=0
while [ $i -lt $1 ]; do
  i=$((i + 1))
  echo "$key goes-on" >> "$TRACE"
  sleep 0.02
done
echo "$key end" >> "$TRACE"
`

// networkRepository holds a flow for each of the ways to deal with a lost agent.
func networkRepository(trace string) map[string][]byte {
	files := map[string][]byte{
		"flowctl.yaml": []byte("version: 1\ntimezone: UTC\n"),
		"teams.yaml":   []byte("people:\n  alice: {name: Alice}\nteams:\n  data: {members: [alice]}\n"),
		"task.sh":      []byte(networkTask),
	}
	for name, policy := range map[string]string{
		"wait": "wait", "restart": "restart, lost_after: " + networkLease.String(), "fail": "fail, lost_after: " + networkLease.String(),
	} {
		files[name+".yaml"] = fmt.Appendf(nil, `flow: %s
team: data
params: {id: ""}
defaults: {retry: {limit: 1000, delay: 0s}, env: {TRACE: %q, ID: "${{ params.id }}"}, on_agent_lost: %s}
tasks:
  short: {run: ./task.sh 50}
  long: {run: ./task.sh 600} # it outlives the lease, and the server's patience
`, name, trace, policy)
	}
	return files
}
