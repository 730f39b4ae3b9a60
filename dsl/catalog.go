package dsl

import (
	"strconv"

	"flowctl/dsl/flow"
)

// settings reads flowctl.yaml.
func (d *decoder) settings(n *node) *settingsDraft {
	s := &settingsDraft{at: d.src.pos(n)}
	versioned := false
	d.object(n, &settingsShape, func(key string, v *node) {
		switch key {
		case "version":
			versioned = true
			if v.kind != scalarNode || v.text != "1" {
				d.report(v, "type", "write `version: 1`", "this flowctl reads version 1, not %s", strconv.Quote(v.text))
			}
		case "timezone":
			s.timezone = d.text(v, "a time zone such as Asia/Shanghai")
		case "admins":
			s.admins = d.texts(v, "a list of teams")
		case "defaults":
			s.defaults = d.defaults(v)
		}
	})
	if !versioned && n.kind == mappingNode {
		d.report(n, "missing", "add `version: 1`", "flowctl.yaml does not say its version")
	}
	return s
}

// catalog reads a document of people, teams and calendars.
func (d *decoder) catalog(n *node, u *unit) {
	d.object(n, &catalogShape, func(key string, v *node) {
		switch key {
		case "people":
			d.pairs(v, "a mapping of names to people", func(name string, k, v *node) { d.person(u, text{name, d.src.pos(k)}, k, v) })
		case "teams":
			d.pairs(v, "a mapping of names to teams", func(name string, k, v *node) { d.team(u, text{name, d.src.pos(k)}, k, v) })
		case "calendars":
			d.pairs(v, "a mapping of names to calendars", func(name string, k, v *node) { d.calendar(u, text{name, d.src.pos(k)}, k, v) })
		}
	})
}

func (d *decoder) person(u *unit, name text, k, n *node) {
	d.checkName(name, k)
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
			if t.at.Line > 0 {
				u.zones = append(u.zones, t)
			}
		}
	})
	u.people = append(u.people, p)
}

func (d *decoder) team(u *unit, name text, k, n *node) {
	d.checkName(name, k)
	t := &teamDraft{name: name}
	members := false
	d.object(n, &teamShape, func(_ string, v *node) {
		members = true
		t.members = d.texts(v, "a list of people")
	})
	if n.kind == mappingNode && !members {
		d.report(k, "missing", "add `members: [NAME]`", "team %s has no members", strconv.Quote(name.value))
	}
	u.teams = append(u.teams, t)
}

func (d *decoder) calendar(u *unit, name text, k, n *node) {
	d.checkName(name, k)
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
	u.cals = append(u.cals, c)
}
