package dsl

import (
	"slices"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// hears tells whether a receiver can be reached by one of some kinds of channels, whoever is on call. Without any channel declared, addresses
// alone decide.
func (c *catalog) hears(r flow.Receiver, kinds []flow.ChannelKind) bool {
	switch {
	case r.Channel != "":
		return true
	case r.Address != "":
		return slices.ContainsFunc(kinds, func(kind flow.ChannelKind) bool {
			return c.delivers(kind) && strings.Contains(r.Address, "@") == (kind == flow.Email)
		})
	case r.Oncall != "":
		return len(c.persons(r)) > 0 && c.missed(r, kinds) == ""
	}
	return slices.ContainsFunc(c.persons(r), func(name string) bool { return c.reaches(name, kinds) })
}

// reaches tells whether a person has an address for one of some kinds of channels.
func (c *catalog) reaches(name string, kinds []flow.ChannelKind) bool {
	return slices.ContainsFunc(kinds, func(kind flow.ChannelKind) bool { return c.delivers(kind) && c.people[name].Address(kind) != "" })
}

// missed returns the first person whom a receiver can mean and who cannot be reached, empty when there is none.
func (c *catalog) missed(r flow.Receiver, kinds []flow.ChannelKind) string {
	for _, name := range c.persons(r) {
		if !c.reaches(name, kinds) {
			return name
		}
	}
	return ""
}

// gap says why nobody hears of what goes to some receivers; empty when somebody does, or when a name of theirs does not exist.
func (c *catalog) gap(receivers []flow.Receiver, kinds []flow.ChannelKind) string {
	gap := "no receiver has an address for " + join(kinds)
	for _, r := range receivers {
		if !c.known(r) || c.hears(r, kinds) {
			return ""
		}
		if who := c.missed(r, kinds); r.Oncall != "" && who != "" {
			gap = who + ", who is on call in " + r.Oncall + " at times, has no address for " + join(kinds)
		}
	}
	return gap
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
		names = slices.Clone(t.Members)
	} else if t := c.teams[r.Oncall]; t != nil && t.Oncall != nil {
		names = slices.Clone(t.Oncall.Order)
		for _, o := range t.Oncall.Overrides {
			names = append(names, o.Who)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return c.people[name] == nil })
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
		if gap := l.gap(r.Notify, r.Severity.Kinds()); gap != "" {
			l.noReceiver(r.Pos, l.gravity(r.Severity), "nobody hears of this rule: "+gap)
		}
	}
}

// gravity is that of a finding about an event which nobody hears of.
func (c *catalog) gravity(s flow.Severity) diag.Severity {
	if s == flow.Critical && len(c.channels) > 0 {
		return diag.Error
	}
	return diag.Warning
}

// unheardSteps reports steps of an escalation that tell nobody: of critical alerts, or only of major ones, which ring nobody.
func (l *lookup) unheardSteps(steps []flow.Escalation) {
	for _, e := range steps {
		for _, s := range []flow.Severity{flow.Critical, flow.Major} {
			if gap := l.gap(e.Notify, s.Kinds()); gap != "" {
				l.noReceiver(e.Pos, l.gravity(s), "nobody hears of this step, when the alert is "+string(s)+": "+gap)
				break
			}
		}
	}
}

// unheardAdmins reports when nobody hears of critical events of the installation, and what by their severity they should be told by as well.
func (l *lookup) unheardAdmins(admins []text) {
	if len(l.channels) == 0 || len(admins) == 0 {
		return
	}
	var members, called []flow.Receiver // by email; by phone and SMS
	for _, name := range admins {
		team := flow.Receiver{Team: name.value}
		members = append(members, team)
		if t := l.teams[name.value]; t != nil && t.Oncall != nil {
			called = append(called, flow.Receiver{Oncall: name.value})
		} else {
			called = append(called, team)
		}
	}
	at := admins[0].at
	email, rest := []flow.ChannelKind{flow.Email}, []flow.ChannelKind{flow.Phone, flow.SMS}
	if l.gap(members, email) != "" && l.gap(called, rest) != "" {
		l.noReceiver(at, diag.Error, "nobody hears of critical events of the installation: no admin has an address for "+join(flow.Critical.Kinds()))
		return
	}
	var gaps []string
	for _, kind := range rest {
		if gap := l.gap(called, []flow.ChannelKind{kind}); gap != "" && l.delivers(kind) {
			gaps = append(gaps, gap)
		}
	}
	if len(gaps) > 0 {
		l.noReceiver(at, diag.Warning, "critical events of the installation want calls and texts too: "+strings.Join(gaps, "; "))
	}
}

func join(kinds []flow.ChannelKind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, ", ")
}

func (l *lookup) noReceiver(at flow.Pos, severity diag.Severity, message string) {
	d := errorAt(at, diag.NoAlertReceiver, "give somebody an address in `people`, or name another receiver", message)
	d.Severity = severity
	l.found = append(l.found, finding{Diagnostic: d})
}

// checkHeard reports where nobody hears of a failure. One finding stands for all tasks of a flow that say nothing of alerts.
func (b *builder) checkHeard(a *flow.Alerts, at flow.Pos, what string) {
	if b.catalog.teams[b.flow.Team] == nil || b.heard(a) {
		return
	}
	severity := flow.Minor
	if len(a.Phone) > 0 && !a.OwnerOnly {
		severity = flow.Critical
	}
	l := b.lookup()
	l.noReceiver(at, l.gravity(severity), "nobody hears when "+what+" fails")
	b.findings = append(b.findings, l.found...)
}

// checkTexts warns where a flow's priority wants texts that nobody can get.
func (b *builder) checkTexts(a *flow.Alerts, at flow.Pos) {
	if b.catalog.teams[b.flow.Team] == nil || !b.heard(a) {
		return
	}
	texts := b.texts(a)
	if gap := b.catalog.gap(texts, []flow.ChannelKind{flow.SMS}); gap != "" && len(texts) > 0 {
		l := b.lookup()
		l.noReceiver(at, diag.Warning, "nobody gets a text when a task of "+b.flow.Name+" fails, as its priority wants: "+gap)
		b.findings = append(b.findings, l.found...)
	}
}

// texts returns who is told of a failed task by SMS because of the flow's priority; nobody without a channel for that.
func (b *builder) texts(a *flow.Alerts) []flow.Receiver {
	if b.flow.Priority > 4 || !a.Default && !a.OwnerOnly || len(b.catalog.channels) == 0 || !b.catalog.delivers(flow.SMS) {
		return nil
	}
	if a.OwnerOnly {
		return []flow.Receiver{b.owner()}
	}
	if t := b.catalog.teams[b.flow.Team]; t.Oncall != nil {
		return []flow.Receiver{{Oncall: b.flow.Team}}
	}
	if b.flow.Owner != "" {
		return []flow.Receiver{{Person: b.flow.Owner}}
	}
	return []flow.Receiver{{Team: b.flow.Team}}
}

// owner is the person that the flow names, else who is on call in the team, else the team.
func (b *builder) owner() flow.Receiver {
	switch t := b.catalog.teams[b.flow.Team]; {
	case b.flow.Owner != "":
		return flow.Receiver{Person: b.flow.Owner}
	case t.Oncall != nil:
		return flow.Receiver{Oncall: b.flow.Team}
	}
	return flow.Receiver{Team: b.flow.Team}
}

// heard tells whether somebody may hear of a failed task. Rules are looked at where they are written.
func (b *builder) heard(a *flow.Alerts) bool {
	c := b.catalog
	hears := func(kind flow.ChannelKind) func(flow.Receiver) bool {
		return func(r flow.Receiver) bool { return !c.known(r) || c.hears(r, []flow.ChannelKind{kind}) }
	}
	kinds := []flow.ChannelKind{flow.Email}
	if b.flow.Priority <= 4 {
		kinds = append(kinds, flow.SMS)
	}
	switch {
	case a.OwnerOnly && len(c.channels) == 0:
		return true
	case a.OwnerOnly:
		return c.hears(b.owner(), kinds)
	case len(a.Rules) > 0, slices.ContainsFunc(a.Phone, hears(flow.Phone)), slices.ContainsFunc(a.SMS, hears(flow.SMS)), slices.ContainsFunc(a.Email, hears(flow.Email)):
		return true
	}
	return a.Default && (len(c.channels) == 0 || c.hears(flow.Receiver{Team: b.flow.Team}, kinds))
}
