package dsl

import (
	"slices"
	"strconv"
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// catalog is what flows are built on: the settings and everything they refer to by name. It is replaced, never changed, when one of its
// files changes.
type catalog struct {
	units     []*unit // that it was made of
	timezone  string
	admins    []string
	defaults  defaultsDraft
	people    map[string]*flow.Person
	teams     map[string]*flow.Team
	calendars map[string]*period.CalendarSpec
	findings  []finding
}

func (r *compilation) collect() {
	var units []*unit
	for _, u := range r.units {
		if u.settings != nil || len(u.people)+len(u.teams)+len(u.cals) > 0 {
			units = append(units, u)
		}
	}
	if r.byPath[SettingsFile] == nil {
		r.add(diag.Diagnostic{
			File: SettingsFile, Rule: "missing", Message: "the flows root has no " + SettingsFile,
			Hint: "create it with the line `version: 1`",
		})
	}
	if r.c.catalog == nil || !slices.Equal(r.c.catalog.units, units) {
		r.c.catalog = newCatalog(units)
	}
	r.catalog = r.c.catalog
	r.findings = append(r.findings, r.catalog.findings...)
}

func newCatalog(units []*unit) *catalog {
	c := &catalog{
		units: units, timezone: "UTC",
		people: make(map[string]*flow.Person), teams: make(map[string]*flow.Team), calendars: make(map[string]*period.CalendarSpec),
	}
	for _, u := range units {
		for _, p := range u.people {
			if first := c.people[p.Key]; first != nil {
				c.duplicate("person", p.Key, p.Pos, first.Pos)
				continue
			}
			c.people[p.Key] = p
		}
		for _, z := range u.zones {
			c.checkZone(z)
		}
	}
	calendarAt := make(map[string]flow.Pos)
	for _, u := range units {
		for _, t := range u.teams {
			c.addTeam(t)
		}
		for _, d := range u.cals {
			if first, ok := calendarAt[d.name.value]; ok {
				c.duplicate("calendar", d.name.value, d.name.at, first)
				continue
			}
			calendarAt[d.name.value] = d.name.at
			c.calendars[d.name.value] = &d.spec
			c.checkCalendar(d)
		}
	}
	for _, u := range units {
		if u.settings != nil {
			c.settle(u.settings)
		}
	}
	return c
}

func (c *catalog) report(at flow.Pos, rule, hint, message string) {
	c.findings = append(c.findings, finding{Diagnostic: errorAt(at, rule, hint, message)})
}

func (c *catalog) duplicate(what, name string, at, first flow.Pos) {
	c.report(at, "duplicate", "rename or remove one of them", "a second "+what+" named "+strconv.Quote(name))
	c.findings[len(c.findings)-1].Related = relatedAt(first, "first defined here")
}

func (c *catalog) addTeam(t *teamDraft) {
	if first := c.teams[t.name.value]; first != nil {
		c.duplicate("team", t.name.value, t.name.at, first.Pos)
		return
	}
	team := &flow.Team{Name: t.name.value, Pos: t.name.at, Members: make([]string, 0, len(t.members))}
	for _, m := range t.members {
		if c.people[m.value] == nil {
			c.findings = append(c.findings, unknownPerson(m, c))
		}
		team.Members = append(team.Members, m.value)
	}
	c.teams[team.Name] = team
}

// settle takes the settings of flowctl.yaml.
func (c *catalog) settle(s *settingsDraft) {
	c.defaults = s.defaults
	if s.timezone.at.Line > 0 {
		c.checkZone(s.timezone)
		c.timezone = s.timezone.value
	}
	for _, a := range s.admins {
		if c.teams[a.value] == nil {
			c.findings = append(c.findings, unknownTeam(a, c))
		}
		c.admins = append(c.admins, a.value)
	}
}

func (c *catalog) checkZone(z text) {
	if _, err := time.LoadLocation(z.value); err != nil || z.value == "" || z.value == "Local" {
		c.report(z.at, "bad-schedule", "use an IANA name such as Europe/Berlin", "no time zone is named "+strconv.Quote(z.value))
	}
}

// checkCalendar reports what is wrong with a calendar once, where it is written, not in each flow that uses it.
func (c *catalog) checkCalendar(d *calendarDraft) {
	_, err := period.New(period.Spec{Every: "day", Calendar: &d.spec})
	if err == nil {
		return
	}
	for _, wrong := range specErrors(err) {
		at, ok := d.at[calendarField(wrong.Field)]
		if !ok {
			at = d.name.at
		}
		c.report(at, "bad-schedule", "", "calendar "+strconv.Quote(d.name.value)+": "+wrong.Err.Error())
	}
}

func unknownPerson(name text, c *catalog) finding {
	hint := suggest(name.value, sortedKeys(c.people), "")
	if hint == "" {
		hint = "declare the person: `people: {" + name.value + ": {name: …, email: …}}`"
	}
	return finding{errorAt(name.at, "unknown-person", hint, "no person is named "+strconv.Quote(name.value)), name.value}
}

func unknownTeam(name text, c *catalog) finding {
	hint := suggest(name.value, sortedKeys(c.teams), "")
	if hint == "" {
		hint = "declare the team in any YAML file: `teams: {" + name.value + ": {members: [NAME]}}`"
	}
	return finding{errorAt(name.at, "unknown-team", hint, "no team is named "+strconv.Quote(name.value)), name.value}
}
