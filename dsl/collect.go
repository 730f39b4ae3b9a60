package dsl

import (
	"encoding/json"
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
	own         map[string]func(json.RawMessage) []Misfit // Compiler.Channels
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
			File: SettingsFile, Rule: diag.Missing, Message: "the flows root has no " + SettingsFile,
			Hint: "create it with the line `version: 1`",
		})
	}
	if r.c.catalog == nil || !slices.Equal(r.c.catalog.units, units) {
		r.c.catalog = newCatalog(units, &r.c.schemas, r.c.Channels, &r.c.programs)
	}
	r.catalog = r.c.catalog
	r.findings = append(r.findings, r.catalog.findings...)
}

// gather makes things of one kind of all that the files declare, and reports names that are declared twice.
func gather[D, V any](c *catalog, what string, drafts func(*catalogDraft) []D, make func(D) (name text, v V)) map[string]V {
	known, first := map[string]V{}, map[string]flow.Pos{}
	c.drafts(func(d *catalogDraft) {
		for _, draft := range drafts(d) {
			name, v := make(draft)
			at, taken := first[name.value]
			if taken {
				c.report(name.at, diag.Duplicate, "rename or remove one of them", "a second "+what+" named "+strconv.Quote(name.value))
				c.findings[len(c.findings)-1].Related = relatedAt(at, "first defined here")
				continue
			}
			known[name.value], first[name.value] = v, name.at
		}
	})
	return known
}

// newCatalog collects what the files declare, each kind on the ones before it.
func newCatalog(units []*unit, s *schemas, own map[string]func(json.RawMessage) []Misfit, programs *expr.Programs) *catalog {
	c := &catalog{units: units, timezone: "UTC", schemas: s, own: own}
	c.checkZones()
	c.calendars = gather(c, "calendar", func(d *catalogDraft) []*calendarDraft { return d.calendars },
		func(d *calendarDraft) (text, *period.CalendarSpec) {
			c.checkCalendar(d)
			return d.name, &d.spec
		})
	c.people = gather(c, "person", func(d *catalogDraft) []*flow.Person { return d.people },
		func(p *flow.Person) (text, *flow.Person) { return text{p.Key, p.Pos}, p })
	c.teams = gather(c, "team", func(d *catalogDraft) []*teamDraft { return d.teams }, c.makeTeam)
	c.accounts = gather(c, "account", func(d *catalogDraft) []*flow.Account { return d.accounts },
		func(a *flow.Account) (text, *flow.Account) { return text{a.Name, a.Pos}, a })
	c.secrets = gather(c, "secret", func(d *catalogDraft) []*flow.Secret { return d.secrets },
		func(s *flow.Secret) (text, *flow.Secret) { return text{s.Name, s.Pos}, s })
	c.pools = gather(c, "pool", func(d *catalogDraft) []*flow.Pool { return d.pools },
		func(p *flow.Pool) (text, *flow.Pool) { return text{p.Name, p.Pos}, p })
	c.signals = gather(c, "signal", func(d *catalogDraft) []*flow.Signal { return d.signals }, c.makeSignal)
	c.templates = gather(c, "template", func(d *catalogDraft) []*templateDraft { return d.templates },
		func(t *templateDraft) (text, *templateDraft) { return t.name, t })
	c.plugins = gather(c, "plugin", func(d *catalogDraft) []*pluginDraft { return d.plugins }, c.makePlugin)
	c.connections = gather(c, "connection", func(d *catalogDraft) []*connectionDraft { return d.connections }, c.makeConnection)
	c.channels = gather(c, "channel", func(d *catalogDraft) []*channelDraft { return d.channels }, c.makeChannel)
	c.chooseDefaults()
	c.finish(programs)
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

// checkZones checks the time zones of all that has one, and takes the default of schedules.
func (c *catalog) checkZones() {
	for _, u := range c.units {
		if u.settings != nil && u.settings.timezone.at.Line > 0 && c.checkZone(u.settings.timezone) {
			c.timezone = u.settings.timezone.value
		}
	}
	c.drafts(func(d *catalogDraft) {
		for _, z := range d.zones {
			c.checkZone(z)
		}
	})
}

// makeSignal completes a signal.
func (c *catalog) makeSignal(draft *flow.Signal) (text, *flow.Signal) {
	s := *draft
	if s.Spec.Timezone == "" {
		s.Spec.Timezone = c.timezone
	}
	var err error
	if s.Schedule, err = period.New(s.Spec); err != nil { // its zone, which is reported
		s.Spec.Timezone = "UTC"
		s.Schedule, _ = period.New(s.Spec)
	}
	return text{s.Name, s.Pos}, &s
}

func (c *catalog) makeTeam(t *teamDraft) (text, *flow.Team) {
	team := &flow.Team{Name: t.name.value, Pos: t.name.at, Members: valuesOf(t.members), Escalation: t.escalation}
	if t.oncall != nil {
		team.Oncall = c.rotation(t)
	}
	return t.name, team
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
func (c *catalog) finish(programs *expr.Programs) {
	l := &lookup{catalog: c, suggest: unlimited}
	c.drafts(func(d *catalogDraft) {
		l.teamNames(d.allowed)
		for _, t := range d.teams {
			l.teamDraft(t)
		}
		for _, ch := range d.channels {
			l.channel(ch, programs)
		}
		for _, x := range d.connections {
			l.connection(x, programs)
		}
	})
	for _, u := range c.units {
		if s := u.settings; s != nil {
			l.teamNames(s.admins)
			l.unheardAdmins(s.admins)
			l.common(&s.defaults)
			c.defaults, c.admins, c.monitors, c.watchdog = s.defaults, valuesOf(s.admins), s.monitors, s.watchdog
		}
	}
	c.findings = append(c.findings, l.found...)
}

// checkZone reports a time zone that does not exist.
func (c *catalog) checkZone(z text) bool {
	if _, err := period.Zone(z.value); err != nil || z.value == "" {
		c.report(z.at, diag.BadSchedule, "use an IANA name such as Europe/Berlin", "no time zone is named "+strconv.Quote(z.value))
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
		c.report(at, diag.BadSchedule, "", "calendar "+strconv.Quote(d.name.value)+": "+wrong.Err.Error())
	}
}
