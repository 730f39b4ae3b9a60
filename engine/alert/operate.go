package alert

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// Ack says that somebody looks after some alerts: nobody else is told because they wait. Those that are closed or acknowledged stay as
// they are. It returns the alerts, in the order of their numbers.
func (d *Desk) Ack(now period.Instant, ids []engine.AlertID, by string) []engine.Alert {
	d.now = max(d.now, now)
	acked := d.acknowledge(ids, by)
	for _, a := range acked {
		d.log(by, "alerts ack", fmt.Sprintf("alert %d", a.ID), a.Subject)
	}
	return acked
}

func (d *Desk) acknowledge(ids []engine.AlertID, by string) (acked []engine.Alert) {
	for _, id := range slices.Sorted(slices.Values(ids)) {
		a := d.alerts[id]
		if a == nil || a.Acked != 0 {
			continue
		}
		a.Acked, a.AckedBy = d.now, by
		d.touchAlert(a)
		acked = append(acked, *a)
	}
	return acked
}

func (d *Desk) log(by, verb, target, detail string) {
	d.out.Operations = append(d.out.Operations, engine.Operation{At: d.now, By: by, Verb: verb, Target: target, Detail: detail})
}

// Standing returns the subjects of the open alerts about an event, in the order of their opening.
func (d *Desk) Standing(kind flow.Event) (subjects []string) {
	for _, id := range slices.Sorted(maps.Keys(d.alerts)) {
		if a := d.alerts[id]; a.Event == kind {
			subjects = append(subjects, a.Subject)
		}
	}
	return subjects
}

// SeverityOf returns the severity of the open alert that a subject opened; empty = there is none.
func (d *Desk) SeverityOf(subject string) flow.Severity {
	if a := d.root(engine.Item{Subject: subject}); a != nil {
		return a.Severity
	}
	return ""
}

// Over closes the alert that a subject opened, if there is one, and tells those who were told of it: what it tells of is over.
func (d *Desk) Over(now period.Instant, subject, why string) {
	d.now = max(d.now, now)
	if a := d.root(engine.Item{Subject: subject}); a != nil {
		d.close(a, why)
		h := &Happening{Event: engine.Event{Kind: flow.Recovered, Key: fmt.Sprintf("over/%d", a.ID)}}
		d.news(h, engine.Item{Event: flow.Recovered, Subject: subject, At: d.now, Detail: why}, Route{To: listeners(a)})
	}
}

// Silence keeps receivers from being told of a flow or a task until an instant. What is on its way is told all the same.
func (d *Desk) Silence(now period.Instant, s engine.Silence) engine.Silence {
	d.now = max(d.now, now)
	d.lastSilence++
	s.ID, s.At = d.lastSilence, d.now
	d.silences[s.ID] = &s
	d.out.Silences = append(d.out.Silences, s)
	d.log(s.By, "alerts silence", s.Target, fmt.Sprintf("until %s: %s", s.Until.Time().Format(time.RFC3339), s.Why))
	return s
}

// Lift ends a silence early: what it held back is told now, unless it is over.
func (d *Desk) Lift(now period.Instant, id engine.SilenceID, by string) (engine.Silence, error) {
	d.now = max(d.now, now)
	s := d.silences[id]
	if s == nil || s.Until <= d.now {
		return engine.Silence{}, engine.Errorf(engine.NotFound, "no silence %d is in force: see flowctl get silences", id)
	}
	s.Until = d.now
	d.out.Silences = append(d.out.Silences, *s)
	d.log(by, "alerts silence --lift", s.Target, fmt.Sprintf("silence %d", id))
	for _, v := range d.deliveries {
		if v.Silence == id {
			v.NextAt = d.now
			d.dirtyDeliveries[v.ID] = true
			d.timers.set(d.now, timer{delivery: v.ID})
		}
	}
	lifted := *s
	delete(d.silences, id)
	return lifted, nil
}

// Override lets somebody stand in on call for some time.
func (d *Desk) Override(now period.Instant, v engine.Override) engine.Override {
	d.now = max(d.now, now)
	d.lastOverride++
	v.ID, v.At, v.From = d.lastOverride, d.now, max(v.From, d.now) // what was told before stays explained
	d.overrides = append(slices.DeleteFunc(d.overrides, func(o engine.Override) bool { return o.To <= d.now }), v)
	d.out.Overrides = append(d.out.Overrides, v)
	d.log(v.By, "oncall override", v.Team, fmt.Sprintf("%s from %s to %s: %s", v.Person, v.From.Time().Format(time.RFC3339), v.To.Time().Format(time.RFC3339), v.Why))
	return v
}

// EndOverride takes an override back, or ends it early.
func (d *Desk) EndOverride(now period.Instant, id engine.OverrideID, by string) (engine.Override, error) {
	d.now = max(d.now, now)
	i := slices.IndexFunc(d.overrides, func(v engine.Override) bool { return v.ID == id && v.To > d.now })
	if i < 0 {
		return engine.Override{}, engine.Errorf(engine.NotFound, "no override %d is in force or to come: see flowctl get overrides", id)
	}
	v := &d.overrides[i]
	v.To = d.now // before it begins, when it is taken back
	d.out.Overrides = append(d.out.Overrides, *v)
	d.log(by, "oncall override --remove", v.Team, fmt.Sprintf("override %d, of %s", id, v.Person))
	return *v, nil
}

// Subscribe tells a person of a flow or a task from now on, or no more.
func (d *Desk) Subscribe(now period.Instant, s engine.Subscription) engine.Subscription {
	d.now = max(d.now, now)
	s.At = d.now
	at := slices.IndexFunc(d.subs, func(x engine.Subscription) bool { return x.Target == s.Target && x.Person == s.Person })
	switch {
	case s.Removed && at >= 0:
		d.subs = slices.Delete(d.subs, at, at+1)
		d.log(s.By, "alerts subscribe --remove", s.Target, s.Person)
	case !s.Removed && at < 0:
		d.subs = append(d.subs, s)
		slices.SortFunc(d.subs, func(a, b engine.Subscription) int {
			return strings.Compare(a.Target+" "+a.Person, b.Target+" "+b.Person)
		})
		d.log(s.By, "alerts subscribe", s.Target, s.Person)
	default:
		return s
	}
	d.out.Subscriptions = append(d.out.Subscriptions, s)
	return s
}

// Subscriptions returns all, for Router.
func (d *Desk) Subscriptions() []engine.Subscription { return slices.Clone(d.subs) }
