package alert

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"time"

	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

const (
	// gather is how long a message waits for more that its receiver is to be told.
	gather = time.Second
	// retries is how often a delivery is tried again, and retryAfter when for the first time; each later time waits three times longer.
	retries    = 3
	retryAfter = 5 * time.Second
	// repeatAfter is when receivers are told again of an alert that nobody acknowledged, and repeats how often.
	repeatAfter = 4 * time.Hour
	repeats     = 6
	// taskAge and platformAge are when an alert is closed of which nothing tells that it is over.
	taskAge     = 7 * 24 * time.Hour
	platformAge = 24 * time.Hour
	// stuckAfter is how long a delivery may wait beyond its time.
	stuckAfter = 5 * time.Minute
	// channelMost is how many messages one channel is given at once.
	channelMost = 16
	// itemsMost bounds what one message lists, membersMost what an alert remembers.
	itemsMost   = 200
	membersMost = 1000
)

// pile is what messages are gathered and counted by: what is critical neither waits behind other trouble nor hides in its list.
type pile struct {
	to       engine.Told
	critical bool
}

func pileOf(to engine.Told, s flow.Severity) pile { return pile{to, s == flow.Critical} }

// burst is how many messages one address gets of a pile within burstTime by a kind of channel; what is more is gathered for longer.
func burst(kind flow.ChannelKind) int {
	if kind == flow.Phone || kind == flow.SMS {
		return 3
	}
	return 30
}

const burstTime = time.Minute

// Happening is an event with the run it is about and the project of its revision.
type Happening struct {
	engine.Event
	Of      *engine.Run   // nil: of no run
	Project *flow.Project // nil: the active one
	Commit  string        // of the run's revision
}

// Desk turns events into alerts and deliveries. It is a pure machine like the scheduler's core: the same calls at the same instants
// make the same rows, it does no I/O, and one goroutine owns it. Rows go to the store with the changes that caused them; what is due to
// be sent is handed out once they are durable.
type Desk struct {
	now      period.Instant
	project  *flow.Project // the active one; nil = none yet
	programs expr.Programs

	alerts     map[engine.AlertID]*engine.Alert
	subjects   map[string]engine.AlertID // flow/task@period of what is part of an alert, or causes it
	deliveries map[engine.DeliveryID]*engine.Delivery
	open       map[pile]engine.DeliveryID     // deliveries that still grow
	sent       map[pile][]period.Instant      // newest messages
	flying     map[engine.DeliveryID]bool     // handed out, and not answered
	busy       map[string]int                 // how many of them by channel
	queues     map[string][]engine.DeliveryID // due, but the channel is busy
	silences   map[engine.SilenceID]*engine.Silence
	subs       []engine.Subscription
	overrides  []engine.Override // that may still be in force, by number
	stuck      bool              // an alert tells of it
	timers     timers

	lastAlert    engine.AlertID
	lastDelivery engine.DeliveryID
	lastSilence  engine.SilenceID
	lastOverride engine.OverrideID

	dirtyAlerts     map[engine.AlertID]bool
	dirtyDeliveries map[engine.DeliveryID]bool
	out             engine.Changes // rows that are final, and all else beside the dirty ones
	due             []engine.DeliveryID
}

// NewDesk rebuilds a desk from what is stored. What was handed out before a restart is sent again.
func NewDesk(now period.Instant, o *engine.Outbox) *Desk {
	d := &Desk{
		now: now, alerts: map[engine.AlertID]*engine.Alert{}, subjects: map[string]engine.AlertID{},
		deliveries: map[engine.DeliveryID]*engine.Delivery{}, open: map[pile]engine.DeliveryID{},
		sent: map[pile][]period.Instant{}, flying: map[engine.DeliveryID]bool{}, busy: map[string]int{}, queues: map[string][]engine.DeliveryID{}, silences: map[engine.SilenceID]*engine.Silence{},
		subs: slices.Clone(o.Subscriptions), lastAlert: o.LastAlert, lastDelivery: o.LastDelivery, lastSilence: o.LastSilence,
		dirtyAlerts: map[engine.AlertID]bool{}, dirtyDeliveries: map[engine.DeliveryID]bool{},
	}
	for i := range o.Silences {
		if s := o.Silences[i]; s.Until > now {
			d.silences[s.ID] = &s
		}
	}
	d.lastOverride = o.LastOverride
	d.overrides = slices.DeleteFunc(slices.Clone(o.Overrides), func(v engine.Override) bool { return v.To <= now })
	for i := range o.Alerts {
		a := o.Alerts[i]
		d.alerts[a.ID] = &a
		d.know(&a)
		d.timers.set(now, timer{alert: a.ID})
	}
	for i := range o.Deliveries {
		v := o.Deliveries[i]
		d.deliveries[v.ID] = &v
		if v.NextAt > now && d.grows(&v) { // it cannot have been sent
			d.open[pileOf(v.To, v.Severity)] = v.ID
		}
		d.timers.set(max(now, v.NextAt), timer{delivery: v.ID})
	}
	return d
}

// Activate makes a project the one whose people, teams and channels are used from now on.
func (d *Desk) Activate(p *flow.Project) { d.project = p }

// know lets what follows from an alert join it.
func (d *Desk) know(a *engine.Alert) {
	d.subjects[base(a.Subject)] = a.ID
	for _, s := range append(slices.Clone(a.Members), a.Causes...) {
		if _, taken := d.subjects[base(s)]; !taken {
			d.subjects[base(s)] = a.ID
		}
	}
}

func (d *Desk) forget(a *engine.Alert) {
	for _, s := range append(append([]string{a.Subject}, a.Members...), a.Causes...) {
		if d.subjects[base(s)] == a.ID {
			delete(d.subjects, base(s))
		}
	}
	delete(d.alerts, a.ID)
}

// base is the name of a task run without its version.
func base(subject string) string {
	name, _, _ := strings.Cut(subject, "#")
	return name
}

func (d *Desk) touchAlert(a *engine.Alert) { d.dirtyAlerts[a.ID] = true }

// Tell takes an event in.
func (d *Desk) Tell(now period.Instant, h *Happening) {
	d.now = max(d.now, now)
	p := cmp.Or(h.Project, d.project)
	if p == nil {
		return
	}
	router := &Router{Project: p, Subscriptions: d.subs, Overrides: d.overrides, Programs: &d.programs}
	route := router.Route(occasion(h, p), d.now)
	item := itemOf(h)
	switch {
	case h.Kind == flow.Recovered:
		d.recovered(h, item, route)
	case h.Kind == flow.Killed && d.root(item) != nil:
		d.close(d.root(item), "it was killed")
		d.news(h, item, route)
	case route.Trouble:
		d.trouble(h, item, route)
	default:
		d.news(h, item, route)
	}
}

// root returns the open alert that was opened by a subject.
func (d *Desk) root(item engine.Item) *engine.Alert {
	a := d.alerts[d.subjects[base(item.Subject)]]
	if a == nil || base(a.Subject) != base(item.Subject) {
		return nil
	}
	return a
}

// trouble opens an alert or joins one, and tells those of it who were not told in the same way.
func (d *Desk) trouble(h *Happening, item engine.Item, route Route) {
	a := d.joined(item)
	if a == nil {
		d.lastAlert++
		a = &engine.Alert{
			ID: d.lastAlert, Key: h.Key, Event: h.Kind, Severity: route.Severity, Flow: h.Flow, Task: h.Task, Run: h.Run,
			Subject: item.Subject, Detail: h.Detail, Causes: h.Causes, Opened: d.now, Events: 1, Updated: d.now,
		}
		d.alerts[a.ID] = a
	} else {
		a.Events++
		if a.Severity == flow.Minor && route.Severity != flow.Minor {
			a.Pressing = d.now
		}
		a.Severity, a.Updated = Worse(a.Severity, route.Severity), d.now
		if len(a.Members) < membersMost && !slices.Contains(a.Members, item.Subject) && item.Subject != a.Subject {
			a.Members = append(a.Members, item.Subject)
		}
	}
	d.know(a)
	d.touchAlert(a)
	d.watch(a)
	silence := d.silenced(h)
	for _, to := range route.To {
		told := toldOf(to)
		again := slices.Contains(a.Told, told)
		if again && (to.Kind == flow.Phone || to.Kind == flow.SMS) {
			continue // one call and one text for all that has one cause
		}
		if !again {
			a.Told = append(a.Told, told)
		}
		d.deliver(h.Key, told, to.Severity, to.Reasons, item, a.ID, silence)
	}
}

// joined returns the open alert that an event is part of: of its own subject, or of what it follows from.
func (d *Desk) joined(item engine.Item) *engine.Alert {
	for _, s := range append([]string{item.Subject}, item.Causes...) {
		if a := d.alerts[d.subjects[base(s)]]; a != nil {
			return a
		}
	}
	return nil
}

// recovered closes the alert that a subject opened and tells those who were told of it. Nobody is called.
func (d *Desk) recovered(h *Happening, item engine.Item, route Route) {
	if a := d.root(item); a != nil {
		d.close(a, "it recovered")
		route.To = append(route.To, listeners(a)...)
	}
	d.news(h, item, route)
}

// listeners are those who were told of an alert and are to be told that it is over.
func listeners(a *engine.Alert) (all []Addressee) {
	for _, told := range a.Told {
		if told.Kind != flow.Phone {
			all = append(all, Addressee{
				Channel: told.Channel, Kind: told.Kind, Person: told.Person, Name: told.Name, Address: told.Address,
				Severity: a.Severity, Reasons: []string{"was told of the alert"},
			})
		}
	}
	return all
}

// news tells of what needs nobody's attention.
func (d *Desk) news(h *Happening, item engine.Item, route Route) {
	silence := d.silenced(h)
	seen := map[engine.Told]bool{}
	for _, to := range route.To {
		if told := toldOf(to); !seen[told] {
			seen[told] = true
			d.deliver(h.Key, told, to.Severity, to.Reasons, item, 0, silence)
		}
	}
}

func (d *Desk) close(a *engine.Alert, why string) {
	a.Closed, a.Why = d.now, why
	d.forget(a)
	delete(d.dirtyAlerts, a.ID)
	d.out.Alerts = append(d.out.Alerts, *a)
}

// silenced returns the silence that covers an event.
func (d *Desk) silenced(h *Happening) *engine.Silence {
	if h.Flow == "" {
		return nil
	}
	var found *engine.Silence
	for _, s := range d.silences {
		if s.Until > d.now && s.Covers(h.Flow, h.Task) && (found == nil || s.Until > found.Until || s.Until == found.Until && s.ID < found.ID) {
			found = s
		}
	}
	return found
}

// deliver tells a receiver of an item: in a message that has not gone yet, or in a new one.
func (d *Desk) deliver(key string, to engine.Told, s flow.Severity, reasons []string, item engine.Item, alert engine.AlertID, silence *engine.Silence) {
	p := pileOf(to, s)
	if v := d.deliveries[d.open[p]]; v != nil && silence == nil && d.grows(v) {
		v.Severity = Worse(v.Severity, s)
		add(v, item, alert, reasons)
		d.dirtyDeliveries[v.ID] = true
		return
	}
	v := d.post(key, to, s, reasons)
	add(v, item, alert, nil)
	switch {
	case silence == nil:
		d.open[p] = v.ID
		v.NextAt = d.slot(to, s)
	case alert == 0:
		v.Silence, v.State, v.Done, v.Message = silence.ID, engine.DeliverySilenced, d.now, "silenced by "+silence.By+": "+silence.Why
		d.finish(v)
		return
	default:
		v.Silence, v.NextAt = silence.ID, silence.Until
	}
	d.timers.set(v.NextAt, timer{delivery: v.ID})
}

// post makes a delivery.
func (d *Desk) post(key string, to engine.Told, s flow.Severity, reasons []string) *engine.Delivery {
	d.lastDelivery++
	v := &engine.Delivery{
		ID: d.lastDelivery, Key: strings.TrimSuffix(key+"/"+to.Channel+"/"+to.Address, "/"), To: to, Severity: s,
		Reasons: slices.Clone(reasons), State: engine.DeliveryPending, At: d.now, NextAt: d.now,
	}
	d.deliveries[v.ID] = v
	d.dirtyDeliveries[v.ID] = true
	return v
}

func (d *Desk) grows(v *engine.Delivery) bool {
	return v.State == engine.DeliveryPending && v.Tries == 0 && !d.flying[v.ID] && v.Silence == 0
}

func add(v *engine.Delivery, item engine.Item, alert engine.AlertID, reasons []string) {
	if len(v.Items) < itemsMost {
		v.Items = append(v.Items, item)
	} else {
		v.More++
	}
	if alert != 0 && !slices.Contains(v.Alerts, alert) {
		v.Alerts = append(v.Alerts, alert)
	}
	for _, r := range reasons {
		if !slices.Contains(v.Reasons, r) && len(v.Reasons) < 10 {
			v.Reasons = append(v.Reasons, r)
		}
	}
}

// slot returns when the next message for an address may go: after a moment to gather, and later when many of its pile have gone lately.
func (d *Desk) slot(to engine.Told, s flow.Severity) period.Instant {
	at, p := d.now.Add(gather), pileOf(to, s)
	times := slices.DeleteFunc(d.sent[p], func(t period.Instant) bool { return t.Add(burstTime) <= d.now })
	if len(times) == 0 {
		delete(d.sent, p)
		return at
	}
	d.sent[p] = times
	if n := burst(to.Kind); len(times) >= n {
		at = max(at, times[len(times)-n].Add(burstTime))
	}
	return at
}

func toldOf(a Addressee) engine.Told {
	return engine.Told{Channel: a.Channel, Kind: a.Kind, Person: a.Person, Name: a.Name, Address: a.Address}
}

func occasion(h *Happening, p *flow.Project) *Occasion {
	o := &Occasion{Kind: h.Kind, Severity: h.Severity, Flow: h.Flow, Task: h.Task, Backfill: h.Backfill != 0, By: h.By, Owner: h.Owner}
	if f := p.Flow(h.Flow); f != nil && h.Of != nil {
		o.Values = Values(f, h.Task, h.Of, h.Commit)
	}
	return o
}

// Values are what the conditions of a rule see of a run.
func Values(f *flow.Flow, task string, r *engine.Run, commit string) *expr.Values {
	var matrix map[string]string
	if t := f.Task(task); t != nil {
		matrix = t.Matrix
	}
	return r.Values(f, task, matrix, commit)
}

func itemOf(h *Happening) engine.Item {
	i := engine.Item{
		Event: h.Kind, Flow: h.Flow, Task: h.Task, Run: h.Run, Attempt: h.Attempt, At: h.At, Detail: h.Detail, Causes: h.Causes,
	}
	switch {
	case h.Of != nil:
		i.Subject, i.Period = h.Of.Name(h.Task), h.Of.Label
	case h.Backfill != 0:
		i.Subject = fmt.Sprintf("backfill %d", h.Backfill)
	case h.Flow != "":
		i.Subject = h.Flow
	default:
		i.Subject = PlatformSubject(&h.Event)
	}
	return i
}

// PlatformSubject names what an event of the installation is about.
func PlatformSubject(e *engine.Event) string {
	switch {
	case e.System != "":
		return word(e.Kind) + ": " + e.System
	case e.Kind == flow.AgentLost:
		return "agent " + e.Agent
	case e.Agent != "":
		return word(e.Kind) + " on " + e.Agent
	}
	return word(e.Kind)
}

// timer is when an alert or a delivery is to be looked at.
type timer struct {
	at       period.Instant
	alert    engine.AlertID
	delivery engine.DeliveryID
}

// timers is a heap, earliest first. A timer that is not needed any more does nothing.
type timers []timer

func (t *timers) set(at period.Instant, x timer) {
	x.at = at
	heap.Push(t, x)
}

// Len is for container/heap.
func (t timers) Len() int { return len(t) }

// Less is for container/heap.
func (t timers) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(t[i].at, t[j].at), cmp.Compare(t[i].delivery, t[j].delivery), cmp.Compare(t[i].alert, t[j].alert)) < 0
}

// Swap is for container/heap.
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }

// Push is for container/heap.
func (t *timers) Push(x any) { *t = append(*t, x.(timer)) }

// Pop is for container/heap.
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}
