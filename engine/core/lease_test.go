package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

const leasedYAML = `flow: f
team: data
tasks:
  w: {run: 'true', retry: {limit: 5, delay: 0s}}
  r: {run: 'true', on_agent_lost: restart}
  q: {run: 'true', on_agent_lost: restart, lost_after: 1m}
  x: {run: 'true', on_agent_lost: fail, retry: {limit: 5, delay: 0s}}
`

// leased is a world in which one agent executes a task of each kind, and a second one is there.
func leased(t *testing.T) (w *world, label string) {
	w = newWorld(t, "2026-11-19T12:00:00Z")
	w.activate(leasedYAML)
	w.join("one", 4)
	w.do(StartRun{Flow: "f"})
	label = w.rows.Runs[1].Label
	w.wantHeld("f/q@"+label, "f/r@"+label, "f/w@"+label, "f/x@"+label)
	for id, as := range w.fleet["one"] {
		want := map[string]time.Duration{"w": 0, "r": 10 * time.Minute, "q": time.Minute, "x": 10 * time.Minute}[as.Task]
		if got := time.Duration(as.Lease) * time.Microsecond; got != want {
			t.Errorf("attempt %d of %s has a lease of %v, want %v", id, as.Task, got, want)
		}
	}
	w.join("two", 4)
	return w, label
}

// lost takes the agent away and returns the silences that the machine asks for.
func (w *world) lost(agent string) []Silent {
	w.silences = nil
	w.do(AgentLost{Agent: agent})
	return w.silences
}

func (w *world) standing(task string) string {
	row := w.rows.TaskRuns[engine.TaskRunKey{Run: 1, Task: task}]
	return fmt.Sprintf("%s %s %d", row.State, row.Code, row.Attempts)
}

func (w *world) wantStanding(states ...string) {
	w.t.Helper()
	var got []string
	for _, task := range []string{"q", "r", "w", "x"} {
		got = append(got, w.standing(task))
	}
	if fmt.Sprint(got) != fmt.Sprint(states) {
		w.t.Fatalf("the tasks q, r, w and x are\n%q, want\n%q", got, states)
	}
}

func TestALostAgentsLeasesEnd(t *testing.T) {
	t.Parallel()
	w, label := leased(t)
	silences := w.lost("one")
	want := []Silent{{"one", 1, 65*time.Second + 600*time.Millisecond}, {"one", 1, 611 * time.Second}}
	if fmt.Sprint(silences) != fmt.Sprint(want) {
		t.Fatalf("silences %v, want %v", silences, want)
	}
	w.sleep(5 * time.Hour) // the time of day decides nothing
	w.wantStanding("assigned  1", "assigned  1", "assigned  1", "assigned  1")

	w.do(silences[0])
	w.wantStanding("assigned  2", "assigned  1", "assigned  1", "assigned  1")
	if agent := w.agentOf("f/q@" + label); agent != "one two" {
		t.Fatalf("q is held by %s", agent)
	}
	w.do(silences[1])
	w.wantStanding("assigned  2", "assigned  2", "assigned  1", "failed agent_lost 1")
	if !strings.Contains(w.rows.TaskRuns[engine.TaskRunKey{Run: 1, Task: "x"}].Message, "agent one was lost, and the lease of 10m0s has ended") {
		t.Errorf("x: %+v", w.rows.TaskRuns[engine.TaskRunKey{Run: 1, Task: "x"}])
	}
	if _, told := w.rows.Events[fmt.Sprintf("%s/1/x", flow.Failed)]; !told {
		t.Error("nobody was told of the failure of x")
	}

	w.join("one", 4) // what it still executes there is killed, but for the one that waited
	if n := len(w.fleet["one"]); n != 1 {
		t.Errorf("the agent that came back executes %d attempts", n)
	}
	w.drain()
	w.wantStanding("succeeded  2", "succeeded  2", "succeeded  1", "failed agent_lost 1")
}

func TestAnAgentThatCameBackKeepsItsAttempts(t *testing.T) {
	t.Parallel()
	w, _ := leased(t)
	first := w.lost("one")
	w.join("one", 4)
	w.do(first[0])
	w.wantStanding("running  1", "running  1", "running  1", "running  1")
	second := w.lost("one")
	for _, s := range first { // of the loss before
		w.do(s)
	}
	w.wantStanding("running  1", "running  1", "running  1", "running  1")
	w.do(second[0])
	w.wantStanding("assigned  2", "running  1", "running  1", "running  1")
}

func TestANewServerCountsLeasesAnew(t *testing.T) {
	t.Parallel()
	w, _ := leased(t)
	old := w.lost("one")
	w.silences = nil
	w.rebuild()
	if len(w.silences) != 2 || w.silences[0].After != old[0].After {
		t.Fatalf("the new server asks for %v", w.silences)
	}
	w.join("two", 4)
	w.do(w.silences[1])
	w.wantStanding("assigned  2", "assigned  2", "assigned  1", "failed agent_lost 1")
}

func TestWhoseEndWasAskedForIsKilledWithItsAgent(t *testing.T) {
	t.Parallel()
	w, _ := leased(t)
	w.deaf = true
	w.do(Kill{By: "ann", Run: 1})
	silences := w.lost("one")
	w.do(silences[len(silences)-1])
	w.wantStanding("killed killed 1", "killed killed 1", "killing killed 1", "killed killed 1")
}

// TestARebootEndsALease: the machine's restart ended what it executed, whatever the lease says.
func TestARebootEndsALease(t *testing.T) {
	t.Parallel()
	w, _ := leased(t)
	w.lost("one")
	clear(w.fleet["one"])
	w.do(AgentJoined{Hello: engine.Hello{Name: "one", BootID: "later", Slots: 4}})
	w.wantStanding("assigned  2", "assigned  2", "assigned  2", "failed agent_lost 1")
}

// agentOf names the agents that hold a task run.
func (w *world) agentOf(name string) string {
	var all []string
	for _, agent := range sortedKeys(w.fleet) {
		for _, as := range w.fleet[agent] {
			if as.Flow+"/"+as.Task+"@"+as.PeriodLabel == name {
				all = append(all, agent)
			}
		}
	}
	return strings.Join(all, " ")
}
