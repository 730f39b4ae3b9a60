package control

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
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

// Platform looks, in each round, after the installation itself, until ctx or the loop ends: whether there are enough servers and agents, what
// their hosts have left, whether runs are made and paths checked in time, whether a host gives too many attempts back, and whether systems outside
// can be reached. It pings the watchdog while ready says nothing.
func Platform(ctx context.Context, l *Loop, ready func() error, rounds <-chan time.Time) {
	p := platform{loop: l, ready: ready, since: map[string]period.Instant{}}
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
	since map[string]period.Instant // what is wrong, by subject and part, and since when
	told  map[string]flow.Severity  // nil before the first round
	// before are the alerts that were open when the server was started: they were told of.
	before  map[string]flow.Severity
	project *flow.Project // the active one of the last round
	systems []core.System // that it needs
}

// watched are the events that end when a round does not find them any more.
var watched = []flow.Event{flow.TooFewAgents, flow.TooFewServers, flow.RedispatchStorm, flow.HostExhausted, flow.SlowGeneration, flow.SlowChecks, flow.ConnectionDown}

// serversUp is how many servers there are: one has the data folder to itself.
const serversUp = 1

// open returns the open alerts of what is watched, with their severities. Only they can be over at the end of a round: what is opened while it
// looks was not there to be seen.
func (p *platform) open(ctx context.Context) (map[string]flow.Severity, error) {
	found := map[string]flow.Severity{}
	err := p.loop.atDesk(ctx, func(d *alert.Desk, _ period.Instant) error {
		for _, kind := range watched {
			for _, subject := range d.Standing(kind) {
				found[subject] = d.SeverityOf(subject)
			}
		}
		return nil
	})
	return found, err
}

func (p *platform) round(ctx context.Context) error {
	asked := period.At(p.loop.Now())
	if err := p.sound(ctx); err != nil {
		return err
	}
	open, err := p.open(ctx)
	if err != nil {
		return err
	}
	if p.told == nil { // these were told before the server was started
		p.told, p.before = map[string]flow.Severity{}, maps.Clone(open)
	}
	now := period.At(p.loop.Now())
	agents, err := p.loop.Store.Agents(ctx)
	if err != nil {
		return err
	}
	var project *flow.Project
	var here []string
	var found []wrong
	err = p.loop.Query(ctx, func(m *core.Machine) {
		rev := m.Active()
		if rev == nil {
			return
		}
		project = rev.Project
		known := 0
		for i := range agents {
			state := m.AgentState(agents[i].Name)
			if state.Connected {
				here = append(here, agents[i].Name)
				found = append(found, exhausted(&project.Monitors, &agents[i], &state)...)
			}
			if state.Connected || period.At(agents[i].LastSeen).Add(knownFor) > now {
				known++
			}
		}
		found = append(found, tooFew(&project.Monitors, len(here), known)...)
		found = append(found, tooFewServers(&project.Monitors, serversUp)...)
		answered := period.At(p.loop.Now())
		f, due := m.Ungenerated(asked)
		found = append(found, slowGeneration(&project.Monitors, f, due, answered, answered.Sub(asked))...)
		found = append(found, slowChecks(&project.Monitors, m.Pendings(), answered)...)
		found = append(found, unavailable(&project.Monitors, m.Soundnesses(), answered)...)
	})
	if err != nil || project == nil {
		return err
	}
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
			d.Over(now, alert.PlatformSubject(&engine.Event{Kind: flow.AgentLost, Agent: name}), "it is connected again")
		}
		for _, subject := range slices.Sorted(maps.Keys(open)) {
			if !standing[subject] {
				d.Over(now, subject, "it is as it should be again")
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

// sound asks the systems outside. What is due by now is made then, too, even when the clock has just jumped.
func (p *platform) sound(ctx context.Context) error {
	var project *flow.Project
	err := p.loop.Query(ctx, func(m *core.Machine) {
		if rev := m.Active(); rev != nil {
			project = rev.Project
		}
	})
	if err != nil || project == nil {
		return err
	}
	if project != p.project {
		p.project, p.systems = project, outside(project)
	}
	_, err = p.loop.Do(ctx, core.Sound{Systems: p.systems, Slow: limits(&project.Monitors).Slow})
	return err
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
			severity := above(&w.limit, count[host])
			if severity == "" {
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
	wrongs := map[string]bool{}
	for _, w := range found {
		subject := alert.PlatformSubject(&w.event)
		standing[subject] = true
		if w.event.Severity == "" {
			continue // it has been told of
		}
		key := subject + "/" + w.part
		wrongs[key] = true
		if p.since[key] == 0 {
			p.since[key], p.told[key] = now, p.before[subject]
		}
		told := p.told[key]
		if p.since[key].Add(w.after) > now || told != "" && alert.Worse(told, w.event.Severity) == told {
			continue
		}
		e := w.event
		e.Key = fmt.Sprintf("%s/%d/%s", strings.TrimSuffix(cmp.Or(e.System, e.Agent)+"/"+w.part, "/"), p.since[key], e.Severity)
		if _, err := p.loop.Do(ctx, core.Observed{Event: e}); err != nil {
			return nil, err
		}
		p.told[key] = e.Severity
	}
	for key := range p.since {
		if !wrongs[key] {
			delete(p.since, key)
			delete(p.told, key)
		}
	}
	for subject := range p.before {
		if !standing[subject] {
			delete(p.before, subject)
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
