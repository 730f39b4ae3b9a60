package control

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/alert"
	"flowctl/engine/core"
)

const (
	// PlatformEvery is how often Platform is to look, and ping the watchdog.
	PlatformEvery = 30 * time.Second
	// lasting is how long agents may be too few before an event tells of it: they come back after a restart.
	lasting = time.Minute
	// knownFor is how long an agent counts that is not seen any more.
	knownFor = 7 * 24 * time.Hour
	// pingTime is how long the watchdog has to answer.
	pingTime = 10 * time.Second
)

// Platform looks, in each round, after the installation itself, until ctx or the loop ends: whether there are enough agents, and whether a
// host gives too many attempts back. It pings the watchdog while ready says nothing.
func Platform(ctx context.Context, l *Loop, ready func() error, rounds <-chan time.Time) {
	p := platform{loop: l, ready: ready, since: map[string]period.Instant{}, told: map[string]flow.Severity{}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.ended:
			return
		case <-rounds:
		}
		if err := p.round(ctx); err != nil && ctx.Err() == nil {
			l.Log.Warn("the installation could not be checked", "err", err)
		}
	}
}

type platform struct {
	loop  *Loop
	ready func() error
	since map[string]period.Instant // subjects that are wrong, and since when
	told  map[string]flow.Severity
}

// wrong is something about the installation that a monitor finds.
type wrong struct {
	event engine.Event
	after time.Duration // it may last so long
}

func (p *platform) round(ctx context.Context) error {
	now := period.At(p.loop.Now())
	agents, err := p.loop.Store.Agents(ctx)
	if err != nil {
		return err
	}
	var project *flow.Project
	var here []string
	known := 0
	err = p.loop.Query(ctx, func(m *core.Machine) {
		if rev := m.Active(); rev != nil {
			project = rev.Project
		}
		for i := range agents {
			connected := m.AgentState(agents[i].Name).Connected
			if connected {
				here = append(here, agents[i].Name)
			}
			if connected || period.At(agents[i].LastSeen).Add(knownFor) > now {
				known++
			}
		}
	})
	if err != nil || project == nil {
		return err
	}
	found := tooFew(&project.Monitors, len(here), known)
	storms, err := p.storms(ctx, &project.Monitors, now)
	if err != nil {
		return err
	}
	standing, err := p.tell(ctx, append(found, storms...), now)
	if err != nil {
		return err
	}
	stuck := false
	err = p.loop.atDesk(ctx, func(d *alert.Desk, now period.Instant) error {
		for _, name := range here {
			d.Over(now, alert.PlatformSubject(flow.AgentLost, name), "it is connected again")
		}
		for _, kind := range []flow.Event{flow.TooFewAgents, flow.RedispatchStorm} {
			for _, subject := range d.Standing(kind) {
				if !standing[subject] {
					d.Over(now, subject, "it is as it should be again")
				}
			}
		}
		stuck = len(d.Standing(flow.OutboxStuck)) > 0
		return nil
	})
	if err == nil && project.Watchdog != nil && !stuck && p.ready() == nil {
		p.ping(ctx, project.Watchdog.URL)
	}
	return err
}

// tooFew compares the connected agents with what the monitor wants: without one, two thirds of those that are known, and at least a third.
func tooFew(m *flow.Monitors, connected, known int) []wrong {
	severity := flow.Severity("")
	wants := ""
	switch t := m.Agents; {
	case t != nil && connected < t.Critical:
		severity, wants = flow.Critical, fmt.Sprintf("at least %d", t.Critical)
	case t != nil && connected < t.Major:
		severity, wants = flow.Major, fmt.Sprintf("at least %d", t.Major)
	case t != nil:
	case 3*connected < known:
		severity, wants = flow.Critical, fmt.Sprintf("a third of the %d that joined", known)
	case 3*connected < 2*known:
		severity, wants = flow.Major, fmt.Sprintf("two thirds of the %d that joined", known)
	}
	if severity == "" {
		return nil
	}
	return []wrong{{engine.Event{Kind: flow.TooFewAgents, Severity: severity, Detail: fmt.Sprintf("%d agents are connected; wanted: %s", connected, wants)}, lasting}}
}

// stormsMost is how many redispatches a round looks at; more than any threshold makes sense for.
const stormsMost = 1000

// storms counts, by host, how many attempts were given back lately.
func (p *platform) storms(ctx context.Context, m *flow.Monitors, now period.Instant) ([]wrong, error) {
	rows, _, err := p.loop.Store.Events(ctx, engine.EventQuery{Kind: flow.Redispatched, Limit: stormsMost})
	if err != nil {
		return nil, err
	}
	var found []wrong
	for _, w := range []struct {
		span  time.Duration
		limit flow.Threshold
	}{
		{10 * time.Minute, *cmp.Or(m.Redispatches10m, &flow.Threshold{Major: 3, Critical: 5})},
		{30 * time.Minute, *cmp.Or(m.Redispatches30m, &flow.Threshold{Major: 10, Critical: 15})},
	} {
		count := map[string]int{}
		var hosts []string
		for i := range rows {
			if a := rows[i].Agent; a != "" && rows[i].At.Add(w.span) > now {
				if count[a] == 0 {
					hosts = append(hosts, a)
				}
				count[a]++
			}
		}
		for _, host := range hosts {
			severity := flow.Severity("")
			switch n := count[host]; {
			case w.limit.Critical > 0 && n > w.limit.Critical:
				severity = flow.Critical
			case w.limit.Major > 0 && n > w.limit.Major:
				severity = flow.Major
			default:
				continue
			}
			found = append(found, wrong{event: engine.Event{
				Kind: flow.RedispatchStorm, Agent: host, Severity: severity, Detail: fmt.Sprintf("%d attempts within %s", count[host], w.span),
			}})
		}
	}
	return found, nil
}

// tell makes events of what has lasted, once for each severity it comes to, and returns the subjects of all that was found.
func (p *platform) tell(ctx context.Context, found []wrong, now period.Instant) (standing map[string]bool, err error) {
	standing = map[string]bool{}
	for _, w := range found {
		subject := alert.PlatformSubject(w.event.Kind, w.event.Agent)
		standing[subject] = true
		if p.since[subject] == 0 {
			p.since[subject] = now
		}
		told := p.told[subject]
		if p.since[subject].Add(w.after) > now || told != "" && alert.Worse(told, w.event.Severity) == told {
			continue
		}
		e := w.event
		e.Key = fmt.Sprintf("%s/%d/%s", e.Agent, p.since[subject], e.Severity)
		if _, err := p.loop.Do(ctx, core.Observed{Event: e}); err != nil {
			return nil, err
		}
		p.told[subject] = e.Severity
	}
	for subject := range p.since {
		if !standing[subject] {
			delete(p.since, subject)
			delete(p.told, subject)
		}
	}
	return standing, nil
}

// ping tells an outsider that all is well.
func (p *platform) ping(ctx context.Context, url string) {
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err == nil {
		var answer *http.Response
		if answer, err = http.DefaultClient.Do(r); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode >= http.StatusBadRequest {
				err = fmt.Errorf("it answered %s", answer.Status)
			}
		}
	}
	if err != nil {
		p.loop.Log.Warn("the watchdog could not be pinged", "err", err)
	}
}
