package simulate

import (
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
)

// unlimited is how many slots an agent has that never fills up.
const unlimited = 1 << 30

// host is a simulated agent with what it executes.
type host struct {
	engine.Hello
	connected bool
	absences  int
	held      map[engine.AttemptID]*execution
}

// execution is an attempt on a host.
type execution struct {
	lease  time.Duration  // how long it goes on when its host is lost; 0 = as long as it takes
	result *engine.Result // nil while it runs
}

// hosts makes the agents of a simulation: those that the outcomes declare, else one that can execute every task.
func hosts(p *flow.Project, given *flow.Outcomes, slots int) []*host {
	users := allUsers(p)
	if len(given.Agents) == 0 {
		if slots == 0 {
			slots = unlimited
		}
		return []*host{newHost(flow.Host{Name: "local", Slots: slots, Labels: allLabels(p)}, users)}
	}
	var all []*host
	for _, h := range given.Agents {
		all = append(all, newHost(h, users))
	}
	return all
}

// newHost makes a host that lets tasks run as all users, and has as much as they need.
func newHost(h flow.Host, users []string) *host {
	return &host{
		Hello: engine.Hello{Name: h.Name, BootID: "1", Slots: h.Slots, Labels: h.Labels, Host: engine.Host{Users: users}},
		held:  map[engine.AttemptID]*execution{},
	}
}

// allLabels returns every label that a task asks for.
func allLabels(p *flow.Project) []string {
	found := map[string]bool{}
	for _, f := range p.Flows {
		for _, t := range f.Tasks {
			for _, l := range t.Agents {
				found[l] = true
			}
		}
	}
	return sorted(found)
}

// allUsers returns the users of all accounts.
func allUsers(p *flow.Project) []string {
	found := map[string]bool{}
	for _, a := range p.Accounts {
		found[a.User] = true
	}
	return sorted(found)
}

// connect opens a host's stream; it tells what it holds.
func (w *world) connect(h *host) {
	if h.connected {
		return
	}
	h.connected = true
	hello := h.Hello
	for _, id := range sorted(h.held) {
		r := engine.Report{Attempt: id, Kind: engine.ReportStarted}
		if x := h.held[id]; x.result != nil {
			r.Kind, r.Result = engine.ReportFinished, *x.result
		}
		hello.Attempts = append(hello.Attempts, r)
	}
	w.handle(core.AgentJoined{Hello: hello}, Cause{Kind: ByAgent, Ref: h.Name})
}

// lose closes a host's stream. What it executes goes on, or until its lease ends.
func (w *world) lose(h *host) {
	if h.connected {
		h.connected = false
		h.absences++
		absence := h.absences
		for _, id := range sorted(h.held) {
			if x := h.held[id]; x.lease > 0 {
				w.later(w.now.Add(x.lease), func() {
					if !h.connected && h.absences == absence && x.result == nil {
						x.result = &engine.Result{State: engine.Failed, Code: engine.CodeAgentLost, ExitCode: -1}
					}
				})
			}
		}
		w.handle(core.AgentLost{Agent: h.Name}, Cause{Kind: ByAgent, Ref: h.Name})
	}
}

// begin lets a host execute an assignment.
func (w *world) begin(h *host, as *engine.Assignment) {
	if !h.connected || h.held[as.Attempt] != nil {
		return
	}
	x := &execution{lease: time.Duration(as.Lease) * time.Microsecond}
	h.held[as.Attempt] = x
	w.then(core.Reported{Agent: h.Name, Reports: []engine.Report{{Attempt: as.Attempt, Kind: engine.ReportStarted}}})
	f := w.project.Flow(as.Flow)
	t := f.Task(as.Task)
	length, result := w.behaviour.end(f, t, w.ledger.Runs[as.Run].Period, as.No)
	w.later(w.now.Add(length), func() { w.finish(h, as.Attempt, result) })
}

// finish ends an execution, unless it was killed before.
func (w *world) finish(h *host, id engine.AttemptID, result engine.Result) {
	x := h.held[id]
	if x == nil || x.result != nil {
		return
	}
	x.result = &result
	if h.connected {
		a := w.ledger.Attempts[id]
		r := w.ledger.Runs[a.Run]
		w.handle(core.Reported{Agent: h.Name, Reports: []engine.Report{{Attempt: id, Kind: engine.ReportFinished, Result: result}}},
			Cause{Kind: ByEnd, Ref: r.Name(a.Task), run: a.Run, task: a.Task, attempt: id})
	}
}

// kill ends an execution at once.
func (w *world) kill(h *host, id engine.AttemptID) {
	if !h.connected {
		return
	}
	report := engine.Report{Attempt: id, Kind: engine.ReportUnknown}
	if x := h.held[id]; x != nil {
		if x.result == nil {
			x.result = &engine.Result{State: engine.Killed, Code: engine.CodeKilled, ExitCode: -1}
		}
		report = engine.Report{Attempt: id, Kind: engine.ReportFinished, Result: *x.result}
	}
	w.then(core.Reported{Agent: h.Name, Reports: []engine.Report{report}})
}

// probe looks at paths. Each is answered alone, so that it is known which one released a task run.
func (w *world) probe(h *host, paths []string) {
	for _, p := range paths {
		w.then(core.Probed{Agent: h.Name, Paths: []engine.PathState{{Path: p, Exists: w.behaviour.exists(p, w.now)}}})
	}
}

// away tells whether an absence covers an instant.
func away(a flow.Absence, at period.Instant) bool { return a.From <= at && (a.To == 0 || at < a.To) }
