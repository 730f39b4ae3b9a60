package control

import (
	"cmp"
	"fmt"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
)

// What the monitors hold for too much where flowctl.yaml does not say (R29 has the numbers of delays; the shares are those at which hosts begin to swap
// and file systems to fail).
var (
	usualCPU        = flow.Threshold{Major: 99}
	usualMemory     = flow.Threshold{Major: 95, Critical: 98}
	usualDisk       = flow.Threshold{Major: 90, Critical: 95}
	usualGeneration = flow.Delay{Major: 10 * time.Minute, Critical: 15 * time.Minute}
	usualChecks     = flow.Delay{Major: 5 * time.Minute, Critical: 10 * time.Minute}
)

const (
	// busyFor is how long the cores of a host may all be busy, which batch work does, and crammedFor how long its memory may be full.
	busyFor    = 30 * time.Minute
	crammedFor = time.Minute
)

// wrong is something about the installation that a monitor finds.
type wrong struct {
	event engine.Event
	part  string        // of the subject, where several can be wrong
	after time.Duration // it may last so long
}

// above returns the severity of a number that should not be above a threshold; empty = it is not.
func above(t *flow.Threshold, n int) flow.Severity {
	switch {
	case t.Critical > 0 && n > t.Critical:
		return flow.Critical
	case t.Major > 0 && n > t.Major:
		return flow.Major
	}
	return ""
}

// over is above for durations.
func over(t *flow.Delay, d time.Duration) flow.Severity {
	switch {
	case t.Critical > 0 && d > t.Critical:
		return flow.Critical
	case t.Major > 0 && d > t.Major:
		return flow.Major
	}
	return ""
}

// tooFew compares the connected agents with what the monitor wants: without one, two thirds of those that are known, and at least a third.
func tooFew(m *flow.Monitors, connected, known int) []wrong {
	severity := flow.Severity("")
	wants := ""
	switch t := m.Agents; {
	case t != nil:
		severity, wants = below(t, connected)
	case 3*connected < known:
		severity, wants = flow.Critical, fmt.Sprintf("a third of the %d that joined", known)
	case 3*connected < 2*known:
		severity, wants = flow.Major, fmt.Sprintf("two thirds of the %d that joined", known)
	}
	if severity == "" {
		return nil
	}
	return []wrong{{event: engine.Event{
		Kind: flow.TooFewAgents, Severity: severity, Detail: fmt.Sprintf("%d agents are connected; wanted: %s", connected, wants),
	}, after: lasting}}
}

// below returns the severity of a number that should not be below a threshold, and what was wanted.
func below(t *flow.Threshold, n int) (flow.Severity, string) {
	switch {
	case n < t.Critical:
		return flow.Critical, fmt.Sprintf("at least %d", t.Critical)
	case n < t.Major:
		return flow.Major, fmt.Sprintf("at least %d", t.Major)
	}
	return "", ""
}

// tooFewServers compares the servers with what the monitor wants: nothing, without one.
func tooFewServers(m *flow.Monitors, up int) []wrong {
	if m.Servers == nil {
		return nil
	}
	severity, wants := below(m.Servers, up)
	if severity == "" {
		return nil
	}
	return []wrong{{event: engine.Event{Kind: flow.TooFewServers, Severity: severity, Detail: fmt.Sprintf("%d server is up; wanted: %s", up, wants)}, after: lasting}}
}

// exhausted looks at what the host of a connected agent has left. It is critical only where tasks run.
func exhausted(m *flow.Monitors, a *engine.Agent, s *core.AgentState) []wrong {
	if s.BeatAt == 0 {
		return nil
	}
	var found []wrong
	add := func(part string, t, usual *flow.Threshold, used int, after time.Duration, left string) {
		severity := above(cmp.Or(t, usual), used)
		if severity == "" {
			return
		}
		if len(s.Live) == 0 {
			severity = flow.Major
		}
		found = append(found, wrong{event: engine.Event{
			Kind: flow.HostExhausted, Agent: a.Name, Severity: severity,
			Detail: fmt.Sprintf("%d %% of the %s of %s are in use%s; %d attempts run there: see flowctl describe agent %s, or drain it",
				used, part, cmp.Or(a.Host.Name, a.Name), left, len(s.Live), a.Name),
		}, part: part, after: after})
	}
	if a.Host.CPU > 0 {
		add("cpu", m.CPU, &usualCPU, int(100*s.Beat.CPU/a.Host.CPU), busyFor, "")
	}
	if a.Host.Memory > 0 {
		add("memory", m.Memory, &usualMemory, share(s.Beat.MemoryFree, a.Host.Memory), crammedFor, ", "+gibibytes(s.Beat.MemoryFree)+" are left")
	}
	if s.Beat.Disk > 0 {
		add("disk", m.Disk, &usualDisk, share(s.Beat.DiskFree, s.Beat.Disk), 0, ", "+gibibytes(s.Beat.DiskFree)+" are left")
	}
	return found
}

// share returns how much of a whole is in use, in percent.
func share(free, whole int64) int { return int(100 - 100*float64(min(free, whole))/float64(whole)) }

func gibibytes(n int64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// slowGeneration tells of a run that is due and not made, and of a scheduler that did not answer in time.
func slowGeneration(m *flow.Monitors, f *flow.Flow, due, now period.Instant, answer time.Duration) []wrong {
	late, detail := answer, fmt.Sprintf("the scheduler did not answer for %s: look at its disk and its log", answer.Round(time.Second))
	if f != nil && now.Sub(due) > late {
		late = now.Sub(due)
		detail = fmt.Sprintf("the run of %s that was due at %s is not made yet: look at the server's log", f.Name, stamp(due))
	}
	severity := over(cmp.Or(m.Generation, &usualGeneration), late)
	if severity == "" {
		return nil
	}
	return []wrong{{event: engine.Event{Kind: flow.SlowGeneration, Severity: severity, Detail: detail}}}
}

// slowChecks tells of what agents do not answer in time. A check that fails has its own event; it only keeps the alert open.
func slowChecks(m *flow.Monitors, pending []core.Pending, now period.Instant) []wrong {
	var found []wrong
	for _, p := range pending {
		e := engine.Event{Kind: flow.SlowChecks, Agent: p.Agent}
		if p.Failure == "" {
			e.Severity = over(cmp.Or(m.Checks, &usualChecks), now.Sub(p.Since))
			e.Detail = fmt.Sprintf("the %s of %s was asked for at %s, and agent %s has not answered: what it reads may hang", p.Kind, p.Name, stamp(p.Since), p.Agent)
			if e.Severity == "" {
				continue
			}
		}
		found = append(found, wrong{event: e, part: string(p.Kind)})
	}
	return found
}
