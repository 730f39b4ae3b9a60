package core

import (
	"testing"

	"flowctl/engine"
)

// TestTheLeastBusyAgentIsChosen: by the taken slots at once, and by what else its machine does as far as it told.
func TestTheLeastBusyAgentIsChosen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate("flow: f\nteam: data\ntasks: {x: {run: 'true'}}\n")
	hello := func(name string, slots int, load int64) {
		w.fleet[name] = map[engine.AttemptID]*engine.Assignment{}
		w.do(AgentJoined{Hello: engine.Hello{
			Name: name, BootID: "b", Slots: slots, Host: engine.Host{CPU: 4000}, Beat: engine.Beat{Load: load},
		}})
	}
	given := func(want ...string) {
		t.Helper()
		for _, name := range want {
			before := len(w.fleet[name])
			w.do(StartRun{Flow: "f", Extra: true})
			if len(w.fleet[name]) != before+1 {
				t.Fatalf("%s was not chosen: %v", name, w.held())
			}
		}
	}
	hello("a", 8, 3000) // three quarters of its cores are busy
	hello("b", 4, 0)
	given("b", "b", "b") // until three quarters of its slots are taken: then they are equal
	given("a", "a")      // the first by name
	w.do(AgentBeat{Agent: "a", Beat: engine.Beat{Load: 40000}})
	w.do(AgentBeat{Agent: "unknown"})
	given("b")
	hello("c", 1, 0)
	given("c", "a") // b and c are full
	if s := w.m.AgentState("a"); s.Beat.Load != 40000 || s.BeatAt != w.now || len(s.Live) != 3 {
		t.Errorf("state %+v", s)
	}
}
