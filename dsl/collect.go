package dsl

import (
	"slices"
	"strconv"

	"flowctl/dsl/diag"
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// catalog is what flows are built on: the settings and everything they refer to by name. It is replaced, never changed, when one of its
// files changes.
type catalog struct {
	units       []*unit // that it was made of
	timezone    string
	admins      []string
	defaults    commonDraft
	monitors    flow.Monitors
	watchdog    *flow.Watchdog
	people      map[string]*flow.Person
	teams       map[string]*flow.Team
	calendars   map[string]*period.CalendarSpec
	channels    map[string]*flow.Channel
	accounts    map[string]*flow.Account
	secrets     map[string]*flow.Secret
	pools       map[string]*flow.Pool
	connections map[string]*connection
	signals     map[string]*flow.Signal
	plugins     map[string]*plugin
	templates   map[string]*templateDraft
	schemas     *schemas
	findings    []finding
}

// connection is one with its settings as written.
type connection struct {
	*flow.Connection
	draft *withDraft
}

// plugin is one of plugins.lock with its schema.
type plugin struct {
	*flow.Plugin
	schema *schema
}

func (r *compilation) collect() {
	var units []*unit
	for _, u := range r.units {
		if u.settings != nil || u.catalog != nil {
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
		r.c.catalog = newCatalog(units, &r.c.schemas, &r.c.programs)
	}
	r.catalog = r.c.catalog
	r.findings = append(r.findings, r.catalog.findings...)
}

// register is one kind of declared things while they are collected.
type register[V any] struct {
	what  string
	known map[string]V
	at    func(V) flow.Pos
}

// add takes a thing, or reports it when its name is taken.
func (r register[V]) add(c *catalog, name string, v V) bool {
	first, taken := r.known[name]
	if taken {
		c.report(r.at(v), "duplicate", "rename or remove one of them", "a second "+r.what+" named "+strconv.Quote(name))
		c.findings[len(c.findings)-1].Related = relatedAt(r.at(first), "first defined here")
		return false
	}
	r.known[name] = v
	return true
}

func registerOf[V any](what string, at func(V) flow.Pos) register[V] {
	return register[V]{what, make(map[string]V), at}
}

func newCatalog(units []*unit, s *schemas, programs *expr.Programs) *catalog {
	c := &catalog{units: units, timezone: "UTC", schemas: s}
	people := registerOf("person", func(p *flow.Person) flow.Pos { return p.Pos })
	accounts := registerOf("account", func(a *flow.Account) flow.Pos { return a.Pos })
	secrets := registerOf("secret", func(s *flow.Secret) flow.Pos { return s.Pos })
	pools := registerOf("pool", func(p *flow.Pool) flow.Pos { return p.Pos })
	signals := registerOf("signal", func(s *flow.Signal) flow.Pos { return s.Pos })
	plugins := registerOf("plugin", func(p *plugin) flow.Pos { return p.Pos })
	templates := registerOf("template", func(t *templateDraft) flow.Pos { return t.name.at })
	calendars := registerOf("calendar", func(d *calendarDraft) flow.Pos { return d.name.at })
	c.people, c.accounts, c.secrets, c.pools = people.known, accounts.known, secrets.known, pools.known
	c.signals, c.plugins, c.templates = signals.known, plugins.known, templates.known
	c.calendars = make(map[string]*period.CalendarSpec)
	for _, u := range units {
		if u.settings != nil && u.settings.timezone.at.Line > 0 && c.checkZone(u.settings.timezone) {
			c.timezone = u.settings.timezone.value
		}
		if u.catalog == nil {
			continue
		}
		for _, p := range u.catalog.people {
			people.add(c, p.Key, p)
		}
		for _, z := range u.catalog.zones {
			c.checkZone(z)
		}
		for _, d := range u.catalog.calendars {
			if calendars.add(c, d.name.value, d) {
				c.calendars[d.name.value] = &d.spec
				c.checkCalendar(d)
			}
		}
		for _, a := range u.catalog.accounts {
			accounts.add(c, a.Name, a)
		}
		for _, x := range u.catalog.secrets {
			secrets.add(c, x.Name, x)
		}
		for _, p := range u.catalog.pools {
			pools.add(c, p.Name, p)
		}
		for _, p := range u.catalog.plugins {
			plugins.add(c, p.Name, c.lockedPlugin(p))
		}
		for _, t := range u.catalog.templates {
			templates.add(c, t.name.value, t)
		}
	}
	c.addSignals(signals)
	c.addTeams()
	c.addChannels(programs)
	c.addConnections(programs)
	c.finish()
	return c
}

func (c *catalog) report(at flow.Pos, rule, hint, message string) {
	c.findings = append(c.findings, finding{Diagnostic: errorAt(at, rule, hint, message)})
}

// drafts calls do for what each file declares.
func (c *catalog) drafts(do func(*catalogDraft)) {
	for _, u := range c.units {
		if u.catalog != nil {
			do(u.catalog)
		}
	}
}

func (c *catalog) addSignals(signals register[*flow.Signal]) {
	c.drafts(func(d *catalogDraft) {
		for _, draft := range d.signals {
			s := *draft
			if s.Spec.Timezone == "" {
				s.Spec.Timezone = c.timezone
			}
			var err error
			if s.Schedule, err = period.New(s.Spec); err != nil { // its zone, which is reported
				s.Spec.Timezone = "UTC"
				s.Schedule, _ = period.New(s.Spec)
			}
			signals.add(c, s.Name, &s)
		}
	})
}

func (c *catalog) addTeams() {
	teams := registerOf("team", func(t *flow.Team) flow.Pos { return t.Pos })
	c.teams = teams.known
	c.drafts(func(d *catalogDraft) {
		for _, t := range d.teams {
			team := &flow.Team{Name: t.name.value, Pos: t.name.at, Members: valuesOf(t.members), Escalation: t.escalation}
			if t.oncall != nil {
				team.Oncall = c.rotation(t)
			}
			teams.add(c, team.Name, team)
		}
	})
}

// rotation completes a team's rotation.
func (c *catalog) rotation(t *teamDraft) *flow.Oncall {
	o := t.oncall.oncall
	o.Order = valuesOf(t.oncall.order)
	if t.oncall.order == nil {
		o.Order = valuesOf(t.members)
	}
	if o.Timezone == "" {
		o.Timezone = c.timezone
	}
	return &o
}

func valuesOf(list []text) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = t.value
	}
	return out
}

// finish looks up the names that the catalog itself uses, once all of it is known.
func (c *catalog) finish() {
	l := &lookup{catalog: c, suggest: unlimited}
	c.drafts(func(d *catalogDraft) {
		l.teamNames(d.allowed)
		for _, t := range d.teams {
			for _, m := range t.members {
				l.person(m)
			}
			for _, e := range t.escalation {
				l.receivers(e.Notify)
			}
			if t.oncall != nil {
				for _, who := range append(slices.Clone(t.oncall.order), t.oncall.whos...) {
					l.person(who)
				}
			}
		}
		for _, x := range d.connections {
			if x.runner.at.Line > 0 {
				l.connectionRunner(x.runner)
			}
		}
	})
	for _, u := range c.units {
		if s := u.settings; s != nil {
			l.teamNames(s.admins)
			l.common(&s.defaults)
			c.defaults, c.admins, c.monitors, c.watchdog = s.defaults, valuesOf(s.admins), s.monitors, s.watchdog
		}
	}
	c.findings = append(c.findings, l.findings...)
}

// checkZone reports a time zone that does not exist.
func (c *catalog) checkZone(z text) bool {
	if _, err := period.Zone(z.value); err != nil || z.value == "" {
		c.report(z.at, "bad-schedule", "use an IANA name such as Europe/Berlin", "no time zone is named "+strconv.Quote(z.value))
		return false
	}
	return true
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
