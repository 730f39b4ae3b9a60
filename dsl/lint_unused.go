package dsl

import (
	"slices"
	"strconv"

	"flowctl/dsl/diag"
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
)

// use is a name of the catalog that something refers to.
type use struct{ what, name string }

// uses are names of the catalog, each once.
type uses map[use]bool

func (u uses) add(what string, names ...string) {
	for _, name := range names {
		u[use{what, name}] = true
	}
}

func (u uses) receivers(list []flow.Receiver) {
	for _, r := range list {
		u.add("person", r.Person)
		u.add("team", r.Team, r.Oncall)
	}
}

func (u uses) alerts(a *flow.Alerts) {
	u.receivers(slices.Concat(a.Phone, a.SMS, a.Email))
	for _, r := range a.Rules {
		u.receivers(r.Notify)
	}
}

// secrets takes the secrets that a template names.
func (u uses) secrets(programs *expr.Programs, t *flow.Template) {
	if _, ok := t.Const(); ok {
		return
	}
	for _, s := range programs.Secrets(t, expr.Config) {
		u.add("secret", s.Name)
	}
}

// namesUsed collects what a flow uses of the catalog.
func (l *linter) namesUsed() {
	l.uses = make(uses)
	l.uses.add("team", l.flow.Team)
	l.uses.add("person", l.flow.Owner)
	if s := l.draft.schedule; s != nil {
		l.uses.add("calendar", s.calendar.value)
	}
	var last *flow.Options
	for _, t := range l.flow.Tasks {
		for _, e := range t.Env {
			l.uses.secrets(l.programs, e.Value)
		}
		eachTemplate(t.With, func(v *flow.Template) { l.uses.secrets(l.programs, v) })
		o := t.Options
		if o == last { // most tasks share theirs
			continue
		}
		last = o
		l.uses.add("connection", o.Connection)
		l.uses.add("account", o.RunAs)
		l.uses.add("signal", o.Signals...)
		if o.Pool != nil {
			l.uses.add("pool", o.Pool.Name)
		}
		l.uses.alerts(o.Alerts)
	}
}

// unusedParams reports parameters that no template of the flow uses. Where there are errors, the use may be what could not be read.
func (l *linter) unusedParams() {
	if len(l.draft.params) == 0 || l.draft.faulty || slices.ContainsFunc(l.findings, finding.isError) {
		return
	}
	used := make(map[string]bool)
	look := func(template *flow.Template, scope expr.Scope) {
		if _, ok := template.Const(); ok {
			return
		}
		for _, name := range l.programs.Names(template, scope, "params") {
			used[name] = true
		}
	}
	for _, t := range l.flow.Tasks {
		eachScoped(t, look)
	}
	for _, p := range l.draft.params {
		if !used[p.Name] {
			l.warn(p.Pos, diag.Unused, "remove it, or use it: ${{ quote(params."+p.Name+") }}", "no task uses the parameter "+strconv.Quote(p.Name))
		}
	}
}

// unused reports what the catalog declares and nothing uses, of repositories without errors: any of them may hide a use.
func (r *compilation) unused() {
	if slices.ContainsFunc(r.findings, finding.isError) {
		return
	}
	used := r.catalog.uses(&r.c.programs)
	for _, b := range r.built {
		for u := range b.uses {
			used[u] = true
		}
	}
	warn := func(what, name string, at flow.Pos, message, hint string) {
		if !used[use{what, name}] {
			r.add(warningAt(at, diag.Unused, hint, message+" "+strconv.Quote(name)))
		}
	}
	r.catalog.drafts(func(d *catalogDraft) {
		for _, p := range d.people {
			warn("person", p.Key, p.Pos, "no team has the person", "remove the person, or add them to the members of a team")
		}
		for _, t := range d.teams {
			warn("team", t.name.value, t.name.at, "nothing belongs to the team", "remove the team, name it in a flow, or make it one of the admins")
		}
		for _, c := range d.calendars {
			warn("calendar", c.name.value, c.name.at, "no schedule uses the calendar", "remove the calendar, or name it in a schedule")
		}
		for _, a := range d.accounts {
			warn("account", a.Name, a.Pos, "no task runs as the account", "remove the account, or name it in `run_as`")
		}
		for _, s := range d.secrets {
			warn("secret", s.Name, s.Pos, "nothing uses the secret", "remove the secret, or use it: ${{ secret('"+s.Name+"') }}")
		}
		for _, p := range d.pools {
			warn("pool", p.Name, p.Pos, "no task uses the pool", "remove the pool, or name it in a task's `pool`")
		}
		for _, c := range d.connections {
			warn("connection", c.name.value, c.name.at, "no task uses the connection", "remove the connection, or name it in a task")
		}
		for _, s := range d.signals {
			warn("signal", s.Name, s.Pos, "no task waits for the signal", "remove the signal, or name it in a task's `signals`")
		}
	})
}

// uses collects what the catalog uses of itself. A team that is only allowed something counts as used.
func (c *catalog) uses(programs *expr.Programs) uses {
	used := make(uses)
	used.add("team", c.admins...)
	c.drafts(func(d *catalogDraft) { used.add("team", valuesOf(d.allowed)...) })
	for _, t := range c.teams {
		used.add("person", t.Members...)
		if t.Oncall != nil {
			used.add("person", t.Oncall.Order...)
			for _, o := range t.Oncall.Overrides {
				used.add("person", o.Who)
			}
		}
		for _, e := range t.Escalation {
			used.receivers(e.Notify)
		}
	}
	for _, ch := range c.channels {
		eachTemplate(ch.With, func(t *flow.Template) { used.secrets(programs, t) })
	}
	for _, x := range c.connections {
		eachTemplate(x.With, func(t *flow.Template) { used.secrets(programs, t) })
	}
	return used
}
