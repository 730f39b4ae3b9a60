package dsl

import (
	"slices"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// hears tells whether a receiver can be reached by one of some kinds of channels. Without any channel declared, addresses alone decide.
func (c *catalog) hears(r flow.Receiver, kinds []flow.ChannelKind) bool {
	return slices.ContainsFunc(kinds, func(kind flow.ChannelKind) bool {
		if r.Channel != "" {
			return true
		}
		if !c.delivers(kind) {
			return false
		}
		if r.Address != "" {
			return strings.Contains(r.Address, "@") == (kind == flow.Email)
		}
		return slices.ContainsFunc(c.persons(r), func(name string) bool { return c.people[name].Address(kind) != "" })
	})
}

// delivers tells whether there is a channel of a kind, or none at all.
func (c *catalog) delivers(kind flow.ChannelKind) bool {
	for _, ch := range c.channels {
		if ch.Kind == kind {
			return true
		}
	}
	return len(c.channels) == 0
}

// persons lists the people that a receiver can mean.
func (c *catalog) persons(r flow.Receiver) []string {
	names := []string{r.Person}
	if t := c.teams[r.Team]; t != nil {
		names = t.Members
	} else if t := c.teams[r.Oncall]; t != nil && t.Oncall != nil {
		names = t.Oncall.Order
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return c.people[name] == nil })
}

// known tells whether all names of a receiver exist; what does not is reported, and nothing else about it.
func (c *catalog) known(r flow.Receiver) bool {
	switch {
	case r.Person != "":
		return c.people[r.Person] != nil
	case r.Team != "":
		return c.teams[r.Team] != nil
	case r.Oncall != "":
		t := c.teams[r.Oncall]
		return t != nil && t.Oncall != nil
	}
	return true
}

// unheard reports what an alerts block sends to nobody.
func (l *lookup) unheard(a *alertsDraft) {
	for _, list := range []struct {
		kind      flow.ChannelKind
		receivers []flow.Receiver
	}{{flow.Phone, a.phone.value}, {flow.SMS, a.sms.value}, {flow.Email, a.email.value}} {
		for _, r := range list.receivers {
			if l.known(r) && !l.hears(r, []flow.ChannelKind{list.kind}) {
				l.noReceiver(r.Pos, diag.Warning, "the receiver has no address for "+string(list.kind)+", or there is no channel for it")
			}
		}
	}
	for _, r := range a.rules.value {
		if l.anyHears(r.Notify, r.Severity) {
			continue
		}
		severity := diag.Warning
		if r.Severity == flow.Critical && len(l.channels) > 0 {
			severity = diag.Error
		}
		l.noReceiver(r.Pos, severity, "nobody hears of this rule: no receiver has an address for "+kindsOf(r.Severity))
	}
}

// anyHears tells whether one of the receivers may be reached in the way of a severity. One that is reported already counts.
func (l *lookup) anyHears(list []flow.Receiver, s flow.Severity) bool {
	return slices.ContainsFunc(list, func(r flow.Receiver) bool { return !l.known(r) || l.hears(r, s.Kinds()) })
}

// admins wants one of the teams that look after the installation to hear of its critical events.
func (l *lookup) admins(teams []text) {
	var list []flow.Receiver
	for _, t := range teams {
		list = append(list, flow.Receiver{Team: t.value})
	}
	if len(list) > 0 && len(l.channels) > 0 && !l.anyHears(list, flow.Critical) {
		l.noReceiver(teams[0].at, diag.Error, "nobody hears of the installation's critical events: no admin has an address for "+kindsOf(flow.Critical))
	}
}

func kindsOf(s flow.Severity) string {
	var words []string
	for _, k := range s.Kinds() {
		words = append(words, string(k))
	}
	return strings.Join(words, ", ")
}

func (l *lookup) noReceiver(at flow.Pos, severity diag.Severity, message string) {
	d := errorAt(at, diag.NoAlertReceiver, "give somebody an address in `people`, or name another receiver", message)
	d.Severity = severity
	l.found = append(l.found, finding{Diagnostic: d})
}

// checkHeard warns where nobody hears of a failure. One warning stands for all tasks of a flow that say nothing of alerts.
func (b *builder) checkHeard(a *flow.Alerts, at flow.Pos, what string) {
	if b.catalog.teams[b.flow.Team] == nil || b.heard(a) {
		return
	}
	l := b.lookup()
	l.noReceiver(at, diag.Warning, "nobody hears when "+what+" fails")
	b.findings = append(b.findings, l.found...)
}

// heard tells whether somebody may hear of a failed task. Lists and rules are looked at where they are written; without channels, it is
// enough that the default rule is not switched off.
func (b *builder) heard(a *flow.Alerts) bool {
	if len(a.Phone)+len(a.SMS)+len(a.Email)+len(a.Rules) > 0 && !a.OwnerOnly {
		return true
	}
	if len(b.catalog.channels) == 0 {
		return a.Default || a.OwnerOnly
	}
	kinds := []flow.ChannelKind{flow.Email}
	if b.flow.Priority <= 4 {
		kinds = append(kinds, flow.SMS)
	}
	if a.OwnerOnly {
		owner := flow.Receiver{Person: b.flow.Owner}
		if b.flow.Owner == "" {
			owner = flow.Receiver{Oncall: b.flow.Team}
		}
		return b.catalog.hears(owner, kinds)
	}
	return a.Default && b.catalog.hears(flow.Receiver{Team: b.flow.Team}, kinds)
}
