package alert

import (
	"cmp"
	"container/heap"
	"fmt"
	"maps"
	"slices"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// NextWake returns the instant at which the next Tick is due, false when only events can move anything.
func (d *Desk) NextWake() (period.Instant, bool) {
	if len(d.timers) == 0 {
		return 0, false
	}
	return d.timers[0].at, true
}

// Tick lets time pass: messages become due, nobody has acknowledged in time, alerts grow old.
func (d *Desk) Tick(now period.Instant) {
	d.now = max(d.now, now)
	for len(d.timers) > 0 && d.timers[0].at <= d.now {
		t := d.timers[0]
		heap.Pop(&d.timers)
		if t.delivery != 0 {
			d.ripe(t.delivery)
		} else {
			d.age(t.alert)
		}
	}
}

// ripe looks at a delivery whose time may have come.
func (d *Desk) ripe(id engine.DeliveryID) {
	v := d.deliveries[id]
	switch {
	case v == nil:
		return
	case d.flying[id]:
		d.overdue(v)
		return
	case v.NextAt > d.now: // it was put off
		return
	case v.Silence != 0 && d.silenceOver(v):
		return
	}
	v.Silence = 0
	d.flying[id] = true
	if p := pileOf(v.To, v.Severity); d.open[p] == id {
		delete(d.open, p)
	}
	d.dirtyDeliveries[id] = true
	d.queues[v.To.Channel] = append(d.queues[v.To.Channel], id)
	d.launch(v.To.Channel)
	d.timers.set(d.now.Add(stuckAfter), timer{delivery: id})
}

// launch hands out the next messages of a channel.
func (d *Desk) launch(channel string) {
	queue := d.queues[channel]
	for len(queue) > 0 && d.busy[channel] < channelMost {
		v := d.deliveries[queue[0]]
		queue = queue[1:]
		d.busy[channel]++
		d.due = append(d.due, v.ID)
		p := pileOf(v.To, v.Severity)
		d.sent[p] = append(d.sent[p], d.now)
	}
	d.queues[channel] = queue
	if len(queue) == 0 {
		delete(d.queues, channel)
	}
}

// silenceOver ends a delivery that a silence held back when all that it tells of is over by now.
func (d *Desk) silenceOver(v *engine.Delivery) bool {
	if slices.ContainsFunc(v.Alerts, func(a engine.AlertID) bool { return d.alerts[a] != nil }) {
		return false
	}
	v.State, v.Done, v.NextAt, v.Message = engine.DeliverySilenced, d.now, 0, "it was over before the silence was"
	d.finish(v)
	return true
}

// overdue tells of a delivery that has been on its way for so long that something is stuck.
func (d *Desk) overdue(v *engine.Delivery) {
	d.timers.set(d.now.Add(stuckAfter), timer{delivery: v.ID})
	if d.stuck {
		return
	}
	d.stuck = true
	waiting := 0
	for _, w := range d.deliveries {
		if w.At.Add(stuckAfter) <= d.now {
			waiting++
		}
	}
	d.report(engine.Event{
		Kind: flow.OutboxStuck, Key: fmt.Sprintf("%d", v.ID),
		Detail: fmt.Sprintf("%d messages wait since %s or later, the first of them by %s", waiting, v.At.Time().Format(time.RFC3339), v.To.Channel),
	}, 0)
}

// unstick ends the alert about a stuck outbox once nothing has been on its way for long. After a restart nothing has.
func (d *Desk) unstick() {
	for id := range d.flying {
		if d.stuck && d.deliveries[id].At.Add(stuckAfter) <= d.now {
			return
		}
	}
	d.stuck = false
	for _, subject := range d.Standing(flow.OutboxStuck) {
		d.Over(d.now, subject, "messages are delivered again")
	}
}

// report makes an event of alerting itself and tells of it.
func (d *Desk) report(e engine.Event, about engine.DeliveryID) {
	e.At, e.Key = d.now, string(e.Kind)+"/"+e.Key
	d.out.Events = append(d.out.Events, e)
	first := d.lastDelivery
	d.Tell(d.now, &Happening{Event: e})
	for id := first + 1; id <= d.lastDelivery; id++ {
		if v := d.deliveries[id]; v != nil {
			v.About = about
		}
	}
}

// Due returns what is to be sent now, and forgets it: every one is to be answered by Sent.
func (d *Desk) Due() []engine.Delivery {
	if len(d.due) == 0 {
		return nil
	}
	list := make([]engine.Delivery, 0, len(d.due))
	for _, id := range d.due {
		if v := d.deliveries[id]; v != nil {
			list = append(list, *v)
		}
	}
	d.due = d.due[:0]
	return list
}

// Receipt is what became of a delivery that was handed out.
type Receipt struct {
	ID           engine.DeliveryID
	Delivered    bool
	Retryable    bool
	Unanswered   bool // nobody was there: somebody else is told
	Acknowledged bool
	Message      string
	Receipt      string
}

// Sent takes the answer to a delivery in.
func (d *Desk) Sent(now period.Instant, r Receipt) {
	d.now = max(d.now, now)
	v := d.deliveries[r.ID]
	if v == nil || !d.flying[r.ID] {
		return
	}
	delete(d.flying, r.ID)
	d.busy[v.To.Channel]--
	d.launch(v.To.Channel)
	d.unstick()
	v.Tries++
	v.Message = r.Message
	switch {
	case r.Delivered:
		v.State, v.Done, v.NextAt, v.Receipt = engine.DeliveryDelivered, d.now, 0, r.Receipt
		d.finish(v)
		if r.Acknowledged {
			d.acknowledge(v.Alerts, v.To.Name)
		}
	case r.Retryable && v.Tries <= retries:
		wait := retryAfter
		for range v.Tries - 1 {
			wait *= 3
		}
		v.NextAt = d.now.Add(wait)
		d.dirtyDeliveries[v.ID] = true
		d.timers.set(v.NextAt, timer{delivery: v.ID})
	default:
		v.State, v.Done, v.NextAt = engine.DeliveryFailed, d.now, 0
		d.finish(v)
		d.undelivered(v, r.Unanswered)
	}
}

// undelivered tells somebody else: at once the next of the team's escalation when nobody answered, the admins by email, and when that is
// what failed, the admins by the next kind of channel.
func (d *Desk) undelivered(v *engine.Delivery, unanswered bool) {
	if unanswered {
		taken := false
		for _, id := range v.Alerts {
			taken = d.escalate(d.alerts[id]) || taken
		}
		if taken {
			return
		}
	}
	if v.About != 0 {
		d.fallBack(v)
		return
	}
	d.report(engine.Event{
		Kind: flow.DeliveryFailed, Key: fmt.Sprintf("%d", v.ID),
		Detail: fmt.Sprintf("%s was not told by %s of %s: %s", v.To.Name, v.To.Channel, Headline(v), v.Message),
	}, v.ID)
}

// fallBack tells the admins that alerts are not delivered, by the kinds of channels after the one that failed.
func (d *Desk) fallBack(failed *engine.Delivery) {
	if d.project == nil {
		return
	}
	order := []flow.ChannelKind{flow.Email, flow.SMS, flow.Phone, flow.Webhook}
	for _, kind := range order[slices.Index(order, failed.To.Kind)+1:] {
		b := &routing{Router: &Router{Project: d.project, Overrides: d.overrides, Programs: &d.programs}, at: d.now}
		why := failed.To.Channel + " failed"
		if kind == flow.Webhook {
			for _, name := range sortedKeys(d.project.Channels) {
				if d.project.Channels[name].Kind == flow.Webhook {
					b.receiver(flow.Receiver{Channel: name}, nil, failed.Severity, why)
				}
			}
		}
		for _, team := range d.project.Admins {
			who := flow.Receiver{Team: team}
			if t := d.project.Teams[team]; t != nil && t.Oncall != nil && kind != flow.Email {
				who = flow.Receiver{Oncall: team}
			}
			b.receiver(who, []flow.ChannelKind{kind}, failed.Severity, "admins, "+why)
		}
		if len(b.route.To) == 0 {
			continue
		}
		for _, to := range b.route.To {
			v := d.post(failed.Key, toldOf(to), failed.Severity, to.Reasons)
			v.Items, v.More, v.Alerts, v.About = failed.Items, failed.More, failed.Alerts, failed.About
			d.timers.set(v.NextAt, timer{delivery: v.ID})
		}
		return
	}
}

// finish lets go of a delivery that is over; its last row goes to the store.
func (d *Desk) finish(v *engine.Delivery) {
	delete(d.deliveries, v.ID)
	delete(d.dirtyDeliveries, v.ID)
	d.out.Deliveries = append(d.out.Deliveries, *v)
}

// watch sets the next timer of an alert: for the next step of its escalation, for telling again, or for its end.
func (d *Desk) watch(a *engine.Alert) {
	if at, ok := d.stepAt(a); ok {
		d.timers.set(max(at, d.now), timer{alert: a.ID})
	}
	if at, ok := repeatAt(a); ok {
		d.timers.set(max(at, d.now), timer{alert: a.ID})
	}
	d.timers.set(a.Updated.Add(ageOf(a)), timer{alert: a.ID})
}

func ageOf(a *engine.Alert) time.Duration {
	if a.Flow == "" {
		return platformAge
	}
	return taskAge
}

// steps are those of the team that an alert belongs to. A minor one has none: it is told by email, which nobody has to read within minutes.
func (d *Desk) steps(a *engine.Alert) []flow.Escalation {
	if d.project == nil || a.Severity == flow.Minor {
		return nil
	}
	if f := d.project.Flow(a.Flow); f != nil {
		if t := d.project.Teams[f.Team]; t != nil {
			return t.Escalation
		}
		return nil
	}
	for _, name := range d.project.Admins {
		if t := d.project.Teams[name]; t != nil && len(t.Escalation) > 0 {
			return t.Escalation
		}
	}
	return nil
}

func (d *Desk) stepAt(a *engine.Alert) (period.Instant, bool) {
	steps := d.steps(a)
	if a.Acked != 0 || a.Step >= len(steps) {
		return 0, false
	}
	return pressing(a).Add(steps[a.Step].After), true
}

// pressing returns since when somebody is expected to acknowledge an alert that is more than minor.
func pressing(a *engine.Alert) period.Instant { return cmp.Or(a.Pressing, a.Opened) }

func repeatAt(a *engine.Alert) (period.Instant, bool) {
	if a.Acked != 0 || a.Severity == flow.Minor || a.Flow == "" || a.Repeats >= repeats {
		return 0, false
	}
	return pressing(a).Add(time.Duration(a.Repeats+1) * repeatAfter), true
}

// age looks at an alert whose time may have come.
func (d *Desk) age(id engine.AlertID) {
	a := d.alerts[id]
	if a == nil {
		return
	}
	if a.Updated.Add(ageOf(a)) <= d.now {
		d.close(a, "nothing more was heard of it")
		return
	}
	if at, ok := d.stepAt(a); ok && at <= d.now {
		d.escalate(a)
	}
	if at, ok := repeatAt(a); ok && at <= d.now {
		a.Repeats++
		d.touchAlert(a)
		note := fmt.Sprintf("nobody has acknowledged it since %s", a.Opened.Time().Format(time.RFC3339))
		for _, told := range a.Told {
			d.remind(a, told, fmt.Sprintf("%s/repeat/%d", a.Key, a.Repeats), note, []string{"was told of the alert"})
		}
	}
	d.watch(a)
}

// escalate takes the next step of the escalation of an alert that nobody acknowledged; false = there is none.
func (d *Desk) escalate(a *engine.Alert) bool {
	if a == nil || a.Acked != 0 {
		return false
	}
	steps := d.steps(a)
	if a.Step >= len(steps) {
		return false
	}
	step := &steps[a.Step]
	a.Step++
	d.touchAlert(a)
	route := (&Router{Project: d.project, Overrides: d.overrides, Programs: &d.programs}).Escalate(step, a.Severity, d.now)
	for _, to := range route.To {
		told := toldOf(to)
		if !slices.Contains(a.Told, told) {
			a.Told = append(a.Told, told)
		}
		d.remind(a, told, fmt.Sprintf("%s/escalation/%d", a.Key, a.Step), "nobody has acknowledged it yet", to.Reasons)
	}
	d.watch(a)
	return true
}

// remind tells a receiver of an alert as a whole. It is held back by a silence as the alert itself.
func (d *Desk) remind(a *engine.Alert, to engine.Told, key, note string, reasons []string) {
	silence := d.silenced(&Happening{Event: engine.Event{Flow: a.Flow, Task: a.Task}})
	if silence != nil {
		return // what the silence holds back is told at its end
	}
	v := d.post(key, to, a.Severity, reasons)
	v.Note, v.NextAt, v.Alerts = note, d.slot(to, a.Severity), []engine.AlertID{a.ID}
	v.Items = append(v.Items, engine.Item{
		Event: a.Event, Subject: a.Subject, Flow: a.Flow, Task: a.Task, Run: a.Run, At: a.Opened, Detail: a.Detail, Causes: a.Causes,
	})
	for _, m := range a.Members[:min(len(a.Members), itemsMost-1)] {
		v.Items = append(v.Items, engine.Item{Event: "", Subject: m, At: a.Updated})
	}
	v.More = max(0, a.Events-len(v.Items))
	d.timers.set(v.NextAt, timer{delivery: v.ID})
}

// Take moves the rows that changed since the last call into c.
func (d *Desk) Take(c *engine.Changes) {
	for _, id := range slices.Sorted(maps.Keys(d.dirtyAlerts)) {
		c.Alerts = append(c.Alerts, *d.alerts[id])
	}
	for _, id := range slices.Sorted(maps.Keys(d.dirtyDeliveries)) {
		c.Deliveries = append(c.Deliveries, *d.deliveries[id])
	}
	c.Alerts = append(c.Alerts, d.out.Alerts...)
	c.Deliveries = append(c.Deliveries, d.out.Deliveries...)
	c.Silences = append(c.Silences, d.out.Silences...)
	c.Subscriptions = append(c.Subscriptions, d.out.Subscriptions...)
	c.Overrides = append(c.Overrides, d.out.Overrides...)
	c.Events = append(c.Events, d.out.Events...)
	c.Operations = append(c.Operations, d.out.Operations...)
	clear(d.dirtyAlerts)
	clear(d.dirtyDeliveries)
	d.out.Reset()
}
