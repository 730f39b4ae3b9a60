package core

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// refusedPause is how long a task run that an agent gave back is not offered again.
const refusedPause = 5 * time.Second

// agent is an agent that has been seen since the machine was made.
type agent struct {
	name      string
	boot      string
	offer     Offer
	slots     int
	cpu       int64 // thousandths of a core; 0 = not known
	beat      engine.Beat
	beatAt    period.Instant
	full      string // why it takes no attempt before its next beat; empty = it does
	connected bool
	live      map[engine.AttemptID]*taskRun
	probing   map[string][]*watch // by path
	asked     int                 // watches in probing
	filling   int                 // live attempts of backfills
	// What the live attempts were said to need.
	cpuTaken, memoryTaken int64
	seen                  engine.Presence // no agent = never since the restart
	drain                 engine.Drain    // no agent = it is not drained
	absence               int             // counts the losses of its stream
}

// free returns how many more attempts the agent may be given. Backfills leave a quarter of its slots alone, at least one when there are two,
// so that no scheduled run waits there for the end of what a backfill began.
func (a *agent) free(backfill bool) int {
	switch {
	case !a.connected || a.drain.Agent != "" || a.full != "":
		return 0
	case backfill:
		kept := min(max(1, a.slots/4), a.slots-1)
		return min(a.slots-len(a.live), a.slots-kept-a.filling)
	}
	return a.slots - len(a.live)
}

func (m *Machine) agent(name string) *agent {
	a := m.agents[name]
	if a == nil {
		a = &agent{name: name, live: map[engine.AttemptID]*taskRun{}, probing: map[string][]*watch{}}
		m.agents[name] = a
		m.fleet = append(m.fleet, a)
		slices.SortFunc(m.fleet, func(x, y *agent) int { return cmp.Compare(x.name, y.name) })
	}
	return a
}

// pick returns the agent that is least busy, the first by name of several, among those that can meet a demand and have room; the one that
// is shunned only when there is no other.
func (m *Machine) pick(d *Demand, backfill bool, shunned string) *agent {
	var best *agent
	var least int64
	for _, a := range m.fleet {
		if a.free(backfill) <= 0 || !a.offer.takes(d) || !a.fits(d) {
			continue
		}
		use := a.use()
		if best == nil || best.name == shunned || a.name != shunned && use < least {
			best, least = a, use
		}
	}
	return best
}

// hand links a live attempt to the agent that holds it.
func (a *agent) hand(t *taskRun) {
	t.agent = a
	a.live[t.attempt.ID] = t
	t.taken = DemandOf(t.run.rev.Project, t.def)
	a.cpuTaken += t.taken.CPU
	a.memoryTaken += t.taken.Memory
	if t.run.fills() {
		a.filling++
	}
}

// within tells whether a connected agent has all labels of a selector.
func (m *Machine) within(selector []string) bool {
	return slices.ContainsFunc(m.fleet, func(a *agent) bool { return a.connected && len(a.offer.lacks(selector)) == 0 })
}

// join takes an agent's account of itself: what it holds is compared with what the machine gave it.
func (m *Machine) join(h engine.Hello) {
	a := m.agent(h.Name)
	a.connected, a.boot, a.slots, a.cpu = true, h.BootID, h.Slots, h.Host.CPU
	a.offer = OfferOf(h.Labels, &h.Host)
	a.beat, a.beatAt, a.full = h.Beat, m.now, h.Beat.Full
	m.lookable = true
	m.present(a)
	known := make(map[engine.AttemptID]bool, len(h.Attempts))
	for _, r := range h.Attempts {
		known[r.Attempt] = true
	}
	m.reported(h.Name, h.Attempts)
	for _, id := range slices.Sorted(maps.Keys(a.live)) {
		if t := a.live[id]; !known[id] {
			m.missed(a, t)
		}
	}
	if len(a.live) > 0 {
		m.watchStarts()
	}
}

// missed deals with an attempt that its agent has no record of. An agent whose machine has not restarted since the assignment
// writes its record before it starts anything, so nothing started and the assignment can be sent again. Otherwise an
// unknown start is not taken for no start.
func (m *Machine) missed(a *agent, t *taskRun) {
	switch {
	case t.attempt.Boot != a.boot && t.lease() > 0:
		m.giveUp(t, "the machine of agent "+a.name+" was restarted")
	case t.attempt.Boot != a.boot || t.attempt.Started != 0:
		m.bury(t, "agent "+a.name+" has no record of it any more")
	case t.row.State == engine.Killing:
		m.finish(t, engine.Result{State: engine.Killed, Code: engine.CodeKilled, ExitCode: -1, Message: "killed before it started"})
	default:
		as, err := m.assignment(t)
		if err != nil {
			m.finish(t, engine.Result{State: engine.Failed, Code: engine.CodeBadExpression, ExitCode: -1, Message: err.Error()})
			return
		}
		m.send(t, as)
	}
}

// lose notes that an agent's stream is gone. Its attempts go on without it and are adopted when it returns.
func (m *Machine) lose(name string) {
	a := m.agents[name]
	if a == nil {
		return
	}
	a.connected = false
	m.away(a)
	m.awaitSilence(a)
	for _, path := range slices.Sorted(maps.Keys(a.probing)) {
		for _, w := range a.probing[path] {
			w.asked = false
			m.look(w)
		}
	}
	a.asked = 0
	clear(a.probing)
}

// declareDead ends as lost all that an agent holds. When the agent comes back after all, what it still executes is killed.
func (m *Machine) declareDead(ev DeclareDead) (any, error) {
	a := m.agents[ev.Agent]
	switch {
	case a != nil && a.connected:
		return nil, engine.Errorf(engine.Conflict, "agent %s is connected: stop it first, or kill what runs on it", ev.Agent)
	case a == nil || len(a.live) == 0:
		return nil, engine.Errorf(engine.Conflict, "agent %s holds nothing", ev.Agent)
	}
	ids := sortedKeys(a.live)
	why := "agent " + ev.Agent + " was declared dead by " + ev.By
	for _, id := range ids {
		if t := a.live[id]; t.lease() > 0 {
			m.giveUp(t, why)
		} else {
			m.bury(t, why)
		}
	}
	m.log(ev.By, "declare-dead", "agent "+ev.Agent, fmt.Sprintf("%d attempts", len(ids)))
	return ids, nil
}

// reported takes what an agent says of attempts. What the machine does not hold to be live on that agent is killed if it
// runs and forgotten if it has ended.
func (m *Machine) reported(agentName string, rs []engine.Report) {
	for i := range rs {
		r := &rs[i]
		t := m.attempts[r.Attempt]
		if t == nil || t.agent == nil || t.agent.name != agentName {
			if r.Kind == engine.ReportStarted || r.Kind == engine.ReportHeld {
				m.out.Kill[agentName] = append(m.out.Kill[agentName], r.Attempt)
			} else {
				m.out.Ack[agentName] = append(m.out.Ack[agentName], r.Attempt)
			}
			continue
		}
		switch r.Kind {
		case engine.ReportStarted:
			m.begin(t)
			continue
		case engine.ReportHeld:
			continue
		case engine.ReportFinished:
			m.finish(t, r.Result)
		case engine.ReportRefused:
			if t.attempt.Started != 0 { // it cannot have been given back
				m.bury(t, "given back after its start: "+r.Message)
			} else {
				m.refuse(t, r)
			}
		case engine.ReportUnknown:
			m.missed(t.agent, t)
			continue
		}
		m.out.Ack[agentName] = append(m.out.Ack[agentName], r.Attempt)
	}
}

// begin notes that an attempt's process runs.
func (m *Machine) begin(t *taskRun) {
	if t.attempt.Started != 0 {
		return
	}
	t.attempt.Started = m.now
	m.patrol(m.now.Add(longRunning))
	if t.row.Started == 0 {
		t.row.Started = m.now
	}
	m.touchAttempt(t)
	m.touchTask(t)
	if t.row.State == engine.Assigned {
		t.attempt.State = engine.Running
		m.move(t, engine.Running)
	} else { // killed before the start was known
		m.out.Kill[t.agent.name] = append(m.out.Kill[t.agent.name], t.attempt.ID)
	}
}

// end takes a live attempt off its agent and gives back what it held.
func (m *Machine) end(t *taskRun) {
	delete(m.attempts, t.attempt.ID)
	delete(t.agent.live, t.attempt.ID)
	t.agent.cpuTaken -= t.taken.CPU
	t.agent.memoryTaken -= t.taken.Memory
	if t.run.fills() {
		t.agent.filling--
	}
	t.agent = nil
	t.attempt.Finished = m.now
	m.touchAttempt(t)
	m.vacate(t)
	m.release(t)
}

// bury ends a live attempt of which nobody knows, nor will know, how it ended. Only its agent could have settled it by its outputs.
func (m *Machine) bury(t *taskRun, why string) {
	if t.def.Success == flow.SuccessOutputs && len(t.def.Outputs) > 0 {
		why += "; only that agent knows what its outputs were before, so they cannot settle it"
	}
	m.finish(t, engine.Result{State: engine.Failed, Code: engine.CodeLost, ExitCode: -1, Message: why})
}

// finish settles a live attempt, and its task run if no retry follows. A success whose code is lost is that of a zombie which its outputs
// settled.
func (m *Machine) finish(t *taskRun, res engine.Result) {
	m.end(t)
	t.since = 0
	a := &t.attempt
	lost := res.Code == engine.CodeLost
	if lost {
		m.tellOfAttempt(t, flow.Zombie, settled(t.row.State, res.State)+": "+res.Message)
		if res.State == engine.Succeeded {
			res.Code = ""
		}
	}
	a.State, a.Code, a.Message, a.ExitCode = res.State, res.Code, res.Message, res.ExitCode
	a.MaxRSS, a.CPU, a.Read, a.Written = res.MaxRSS, res.CPU, res.Read, res.Written
	if res.State == engine.Succeeded {
		t.row.Code, t.row.Message, t.row.Outputs = "", "", res.Outputs
		if t.row.Started == 0 {
			t.row.Started = m.now
		}
		if !lost { // else when it ended is not known
			m.clock(t)
			m.remark(t)
		}
		m.move(t, engine.Succeeded)
		return
	}
	if t.row.State != engine.Killing { // it says who wanted its end
		t.row.Code, t.row.Message = res.Code, res.Message
	}
	switch retry := t.def.Retry; {
	case t.row.State == engine.Killing:
		a.State = engine.Killed
		m.move(t, engine.Killed)
	case res.Code == engine.CodeAgentLost && t.def.OnAgentLost == flow.OnLostRestart:
		a.State = engine.Failed
		m.again(t, m.now, res.Message)
	case res.Code != engine.CodeAgentLost && t.row.Attempts <= retry.Limit:
		delay := retry.Delay
		for i := 1; i < t.row.Attempts && delay < retry.MaxDelay; i++ {
			delay = time.Duration(float64(delay) * retry.Backoff)
		}
		if retry.MaxDelay > 0 {
			delay = min(delay, retry.MaxDelay)
		}
		if a.State != engine.Killed {
			a.State = engine.Failed
		}
		m.again(t, m.now.Add(delay), res.Message)
	default:
		a.State = engine.Failed
		m.move(t, engine.Failed)
	}
	if !lost {
		m.remark(t)
	}
}

// settled says as what an attempt is settled that ends in a state, given the state that its task run was in.
func settled(was, ends engine.State) string {
	if was == engine.Killing && ends != engine.Succeeded {
		ends = engine.Killed
	}
	return "settled as " + string(ends)
}

// again lets a task run whose attempt failed have another one, from an instant on.
func (m *Machine) again(t *taskRun, at period.Instant, why string) {
	t.row.NextAt = at
	m.tellOfAttempt(t, flow.Retrying, why)
	m.move(t, engine.Retrying)
	m.sleep(t, at)
}

// retry lets a task run whose delay is over try again.
func (m *Machine) retry(t *taskRun) {
	t.row.NextAt = 0
	if m.held(t) || t.judge() != pass || m.refusal(t) != "" { // an upstream may be running anew
		m.move(t, engine.Waiting)
		m.stir(t)
		return
	}
	m.move(t, engine.Ready)
	m.enqueue(t)
}

// refuse takes back an attempt that the agent did not start. It does not count as a try. An agent that can take none is not asked again before it says
// that it can; others are, at once.
func (m *Machine) refuse(t *taskRun, r *engine.Report) {
	if r.Full {
		t.agent.full = r.Message
	}
	m.end(t)
	a := &t.attempt
	a.State, a.Code, a.ExitCode, a.Message = engine.Failed, engine.CodeRefused, -1, r.Message
	t.row.Attempts--
	if !r.Full {
		t.notBefore = m.now.Add(refusedPause)
	}
	if len(r.Missing) > 0 {
		a.Message = "input not there: " + strings.Join(r.Missing, ", ")
	} else {
		t.shunned = t.attempt.Agent
		m.tellOfAttempt(t, flow.Redispatched, r.Message)
	}
	if t.row.State == engine.Killing {
		m.move(t, engine.Killed)
		return
	}
	if len(t.paths) > 0 {
		t.missing = -1
	}
	m.move(t, engine.Waiting)
	m.stir(t)
	if at, ok := t.run.expiry(); ok && at <= m.now { // it counted as started when the run expired
		m.timers.set(at, timer{run: t.run.row.ID, task: -1})
	}
}
