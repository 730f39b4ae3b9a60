package dsl

import (
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// catalog reads a document of what flows refer to by name.
func (d *decoder) catalog(n *node, u *unit) {
	if u.catalog == nil {
		u.catalog = &catalogDraft{}
	}
	c := u.catalog
	d.object(n, &catalogShape, func(key string, v *node) {
		switch key {
		case "people":
			d.named(v, "people", func(name text, k, v *node) { d.person(c, name, v) })
		case "teams":
			d.named(v, "teams", func(name text, k, v *node) { d.team(c, name, k, v) })
		case "calendars":
			d.named(v, "calendars", func(name text, k, v *node) { d.calendar(c, name, v) })
		case "channels":
			d.named(v, "channels", func(name text, k, v *node) { d.channel(c, name, k, v) })
		case "accounts":
			d.named(v, "accounts", func(name text, k, v *node) { d.account(c, name, k, v) })
		case "secrets":
			d.named(v, "secrets", func(name text, k, v *node) { d.secret(c, name, k, v) })
		case "pools":
			d.named(v, "pools", func(name text, k, v *node) { d.poolOf(c, name, k, v) })
		case "connections":
			d.named(v, "connections", func(name text, k, v *node) { d.connection(c, name, k, v) })
		case "signals":
			d.named(v, "signals", func(name text, k, v *node) { d.signal(c, name, k, v) })
		case "templates":
			d.named(v, "templates", func(name text, k, v *node) { d.skeleton(c, name, v) })
		}
	})
}

// named visits the entries of a mapping whose keys are names.
func (d *decoder) named(n *node, what string, visit func(name text, k, v *node)) {
	d.pairs(n, "a mapping of names to "+what, func(key string, k, v *node) {
		name := text{key, d.src.pos(k)}
		d.checkName(name, k)
		visit(name, k, v)
	})
}

func (d *decoder) person(c *catalogDraft, name text, n *node) {
	p := &flow.Person{Key: name.value, Pos: name.at}
	d.object(n, &personShape, func(key string, v *node) {
		t := d.text(v, "text")
		switch key {
		case "name":
			p.Name = t.value
		case "email":
			p.Email = t.value
		case "sms":
			p.SMS = t.value
		case "phone":
			p.Phone = t.value
		case "timezone":
			p.Timezone = t.value
			c.zone(t)
		}
	})
	c.people = append(c.people, p)
}

// zone remembers a time zone to be checked; nothing is to be checked of one that could not be read.
func (c *catalogDraft) zone(t text) {
	if t.at.Line > 0 {
		c.zones = append(c.zones, t)
	}
}

func (d *decoder) calendar(u *catalogDraft, name text, n *node) {
	c := &calendarDraft{name: name, at: make(map[string]flow.Pos)}
	d.object(n, &calendarShape, func(key string, v *node) {
		c.at[key] = d.src.pos(v)
		values := make([]string, 0, len(v.items))
		for _, t := range d.texts(v, "a list") {
			values = append(values, t.value)
		}
		switch key {
		case "days":
			c.spec.Days = values
		case "exclude":
			c.spec.Exclude = values
		case "include":
			c.spec.Include = values
		}
	})
	u.calendars = append(u.calendars, c)
}

func (d *decoder) channel(c *catalogDraft, name text, k, n *node) {
	ch := &channelDraft{name: name}
	d.object(n, &channelShape, func(key string, v *node) {
		switch key {
		case "plugin":
			ch.plugin = d.text(v, "a plugin's name")
		case "kind":
			ch.kind = d.oneOf(v, string(flow.Phone), string(flow.SMS), string(flow.Email), string(flow.Webhook))
		case "default":
			ch.def = d.boolean(v)
		case "with":
			ch.with = d.with(v)
		}
	})
	d.require(k, n, "channel "+strconv.Quote(name.value), "plugin")
	c.channels = append(c.channels, ch)
}

// teamsOf reads which teams may use something.
func (d *decoder) teamsOf(c *catalogDraft, n *node) []string {
	teams := make([]string, 0, len(n.items))
	for _, t := range d.texts(n, "a list of teams") {
		teams = append(teams, t.value)
		c.allowed = append(c.allowed, t)
	}
	return teams
}

func (d *decoder) account(c *catalogDraft, name text, k, n *node) {
	a := &flow.Account{Name: name.value, User: name.value, Teams: []string{}, Pos: name.at}
	d.object(n, &accountShape, func(key string, v *node) {
		switch key {
		case "user":
			a.User = d.text(v, "the name of a user of the operating system").value
		case "teams":
			a.Teams = d.teamsOf(c, v)
		}
	})
	d.require(k, n, "account "+strconv.Quote(name.value), "teams")
	c.accounts = append(c.accounts, a)
}

func (d *decoder) secret(c *catalogDraft, name text, k, n *node) {
	s := &flow.Secret{Name: name.value, Teams: []string{}, Pos: name.at}
	d.object(n, &secretShape, func(_ string, v *node) { s.Teams = d.teamsOf(c, v) })
	d.require(k, n, "secret "+strconv.Quote(name.value), "teams")
	c.secrets = append(c.secrets, s)
}

func (d *decoder) poolOf(c *catalogDraft, name text, k, n *node) {
	p := &flow.Pool{Name: name.value, Pos: name.at}
	d.object(n, &poolShape, func(_ string, v *node) { p.Slots = d.integer(v, 1, maxSlots).value })
	d.require(k, n, "pool "+strconv.Quote(name.value), "slots")
	c.pools = append(c.pools, p)
}

const maxSlots = 1_000_000

func (d *decoder) connection(c *catalogDraft, name text, k, n *node) {
	x := &connectionDraft{name: name}
	d.object(n, &connectionShape, func(key string, v *node) {
		switch key {
		case "runner":
			x.runner = d.text(v, "a runner's name")
		case "teams":
			x.teams = d.texts(v, "a list of teams")
			c.allowed = append(c.allowed, x.teams...)
		case "with":
			x.with = d.with(v)
		}
	})
	d.require(k, n, "connection "+strconv.Quote(name.value), "runner", "teams")
	c.connections = append(c.connections, x)
}

func (d *decoder) signal(c *catalogDraft, name text, k, n *node) {
	s := &flow.Signal{Name: name.value, Spec: period.Spec{Every: "day"}, Teams: []string{}, Pos: name.at}
	d.object(n, &signalShape, func(key string, v *node) {
		switch key {
		case "every":
			if every := d.oneOf(v, "hour", "day", "week", "month").value; every != "" {
				s.Spec.Every = every
			}
		case "timezone":
			t := d.text(v, "a time zone such as Asia/Shanghai")
			s.Spec.Timezone = t.value
			c.zone(t)
		case "teams":
			s.Teams = d.teamsOf(c, v)
		}
	})
	d.require(k, n, "signal "+strconv.Quote(name.value), "every", "teams")
	c.signals = append(c.signals, s)
}

// receivers reads a list of those who hear of something.
func (d *decoder) receivers(n *node) []flow.Receiver {
	out := make([]flow.Receiver, 0, len(n.items))
	for _, t := range d.texts(n, "a list of receivers") {
		r, ok := receiver(t)
		if !ok {
			d.reportAt(t.at, diag.WrongType, "write a person, an address, team:NAME, oncall:TEAM, oncall:TEAM:secondary or channel:NAME",
				strconv.Quote(t.value)+" is no receiver")
			continue
		}
		out = append(out, r)
	}
	return out
}

// receiver reads one receiver; whether its names exist is not known yet.
func receiver(t text) (flow.Receiver, bool) {
	r := flow.Receiver{Pos: t.at}
	kind, name, prefixed := strings.Cut(t.value, ":")
	switch {
	case prefixed && kind == "team":
		r.Team = name
	case prefixed && kind == "oncall":
		var which string
		r.Oncall, which, r.Secondary = strings.Cut(name, ":")
		if r.Secondary && which != "secondary" {
			if which != "primary" {
				return r, false
			}
			r.Secondary = false
		}
		name = r.Oncall
	case prefixed && kind == "channel":
		r.Channel = name
	case isAddress(t.value):
		r.Address = t.value
		return r, true
	default:
		r.Person, name = t.value, t.value
	}
	return r, isName(name)
}

// isAddress tells an e-mail address or a phone number from a name.
func isAddress(s string) bool {
	if before, after, ok := strings.Cut(s, "@"); ok {
		return before != "" && after != "" && !strings.ContainsAny(s, " \t\n:")
	}
	digits, ok := strings.CutPrefix(s, "+")
	return ok && digits != "" && strings.Trim(digits, "0123456789 -") == ""
}
