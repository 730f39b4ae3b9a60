package core

import (
	"strings"
	"testing"

	"flowctl/engine"
)

// joinHost lets an agent join with what its machine has for tasks.
func (w *world) joinHost(name string, slots int, h engine.Host) {
	w.fleet[name] = map[engine.AttemptID]*engine.Assignment{}
	w.do(AgentJoined{Hello: engine.Hello{Name: name, BootID: "b", Slots: slots, Host: h}})
}

func (w *world) wantBlocked(run engine.RunID, task, want string) {
	w.t.Helper()
	bs := w.m.Blockers(run)[task]
	if len(bs) != 1 || bs[0].Message != want {
		w.t.Fatalf("%s is explained as %+v, want %q", task, bs, want)
	}
}

func TestTasksRunAsUsersThatTheAgentAllows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate("accounts: {etl: {user: etl-prod, teams: [data]}}\n---\nflow: f\nteam: data\ntasks: {x: {run: 'true', run_as: etl}, y: {run: 'true'}}\n")
	w.joinHost("a", 4, engine.Host{Users: []string{"etl"}}) // the user counts, not the name of the account
	w.do(StartRun{Flow: "f"})
	label := w.rows.Runs[1].Label
	w.wantHeld("f/y@" + label)
	w.wantBlocked(1, "x", "no eligible agent: a does not run tasks as etl-prod")
	w.joinHost("b", 4, engine.Host{Users: []string{"other", "etl-prod"}})
	if len(w.fleet["b"]) != 1 {
		t.Fatalf("b was not given x: %v", w.held())
	}
	for _, as := range w.fleet["b"] {
		if as.RunAs != "etl-prod" {
			t.Errorf("it is to run as %q", as.RunAs)
		}
	}
}

func TestTasksAreGivenWhatTheyNeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate("flow: f\nteam: data\ntasks:\n" +
		"  big: {run: 'true', resources: {cpu: 3, memory: 2GiB}}\n" +
		"  huge: {run: 'true', resources: {cpu: 16}}\n" +
		"  more: {run: 'true', needs: [], resources: {memory: 3GiB}}\n" +
		"  small: {run: 'true'}\n")
	host := engine.Host{TaskCPU: 4000, TaskMemory: 4 << 30}
	w.joinHost("a", 8, host)
	w.do(StartRun{Flow: "f"})
	label := w.rows.Runs[1].Label
	w.wantHeld("f/big@"+label, "f/small@"+label)
	w.wantBlocked(1, "huge", "no eligible agent: a has 4 cores, 16 are wanted")
	w.wantBlocked(1, "more", "all slots of the eligible agents are taken, or too little is left there: a has 1 cores and 2048 MiB of memory left")

	w.do(AgentLost{Agent: "a"})
	w.rebuild() // what attempts take is known from the rows
	held := w.fleet["a"]
	w.joinHost("a", 8, host)
	w.fleet["a"] = held
	for id := range held {
		w.do(Reported{Agent: "a", Reports: []engine.Report{{Attempt: id, Kind: engine.ReportStarted}}})
	}
	w.wantState("f/more@"+label, engine.Ready)
	w.finish("f/big@"+label, engine.Succeeded)
	w.wantState("f/more@"+label, engine.Assigned)

	w.joinHost("c", 1, engine.Host{}) // of one that does not tell, nothing is known against it
	w.wantState("f/huge@"+label, engine.Assigned)
	if s := w.m.AgentState("a"); !strings.Contains(strings.Join(w.held(), " "), "f/huge@") || len(s.Live) != 2 {
		t.Errorf("held %v, a has %d", w.held(), len(s.Live))
	}
}
