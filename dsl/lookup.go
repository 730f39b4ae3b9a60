package dsl

import (
	"slices"
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// lookup checks that names exist where they are used. Each use is checked where it is written, once.
type lookup struct {
	*catalog
	suggest func(name string, known func() []string, lead string) string
	found   []finding
}

// report records a problem; nothing is ever added to the catalog's own.
func (l *lookup) report(at flow.Pos, rule, hint, message string) {
	l.found = append(l.found, finding{Diagnostic: errorAt(at, rule, hint, message)})
}

// unlimited suggests for the few names of the catalog itself.
func unlimited(name string, known func() []string, lead string) string {
	return suggest(name, known(), lead)
}

// unknown reports a name that nothing defines.
func (l *lookup) unknown(name text, rule, what, hint string) {
	l.found = append(l.found, finding{Diagnostic: errorAt(name.at, rule, hint, "no "+what+" is named "+strconv.Quote(name.value)), unknown: name.value})
}

// unlocked reports a plugin that neither comes with flowctl nor is in plugins.lock.
func (l *lookup) unlocked(kind flow.PluginKind, name text, rule, what, hint string) {
	if !strings.HasPrefix(hint, "did you mean") {
		hint = strings.TrimPrefix(hint+"; `flowctl plugin lock` adds one of a third party", "; ")
	}
	l.unknown(name, rule, what, hint)
	l.found[len(l.found)-1].plugin = kind
}

// find reports a name that is not a key of the known ones. A hint says how to declare it when none is similar.
func find[V any](l *lookup, known map[string]V, name text, rule, what, declare string) {
	if _, ok := known[name.value]; ok || name.at.Line == 0 {
		return
	}
	hint := l.suggest(name.value, func() []string { return sortedKeys(known) }, "")
	if hint == "" {
		hint = "declare the " + what + " in any YAML file: `" + declare + "`"
	}
	l.unknown(name, rule, what, hint)
}

func (l *lookup) person(name text) {
	find(l, l.people, name, diag.UnknownPerson, "person", "people: {"+name.value+": {name: …, email: …}}")
}

func (l *lookup) team(name text) {
	find(l, l.teams, name, diag.UnknownTeam, "team", "teams: {"+name.value+": {members: [NAME]}}")
}

func (l *lookup) teamNames(names []text) {
	for _, t := range names {
		l.team(t)
	}
}

// teamDraft looks up the people of a team.
func (l *lookup) teamDraft(t *teamDraft) {
	for _, m := range t.members {
		l.person(m)
	}
	for _, e := range t.escalation {
		l.receivers(e.Notify)
	}
	l.unheardSteps(t.escalation)
	if t.oncall != nil {
		for _, who := range append(slices.Clone(t.oncall.order), t.oncall.whos...) {
			l.person(who)
		}
	}
}

// runner reports a runner that neither comes with flowctl nor is in plugins.lock.
func (l *lookup) runner(name text) {
	switch {
	case name.at.Line == 0 || slices.Contains(builtinRunners(), name.value):
	case l.plugin(flow.RunnerPlugin, name.value) == nil:
		known := append(builtinRunners(), l.pluginNames(flow.RunnerPlugin)...)
		l.unlocked(flow.RunnerPlugin, name, diag.UnknownRunner, "runner", l.suggest(name.value, func() []string { return known }, "runners: "))
	}
}

func (l *lookup) receivers(list []flow.Receiver) {
	for _, r := range list {
		switch {
		case r.Person != "":
			l.person(text{r.Person, r.Pos})
		case r.Team != "" || r.Oncall != "":
			l.team(text{r.Team + r.Oncall, r.Pos})
		case r.Channel != "":
			find(l, l.channels, text{r.Channel, r.Pos}, diag.UnknownChannel, "channel", "channels: {"+r.Channel+": {plugin: webhook, with: {…}}}")
		}
		if r.Oncall != "" && l.teams[r.Oncall] != nil && l.teams[r.Oncall].Oncall == nil {
			l.noReceiver(r.Pos, diag.Warning, "nobody is on call in the team "+strconv.Quote(r.Oncall)+": it has no `oncall`")
		}
	}
}

func (l *lookup) alerts(a *alertsDraft) {
	if a == nil {
		return
	}
	l.receivers(a.phone.value)
	l.receivers(a.sms.value)
	l.receivers(a.email.value)
	for _, r := range a.rules.value {
		l.receivers(r.Notify)
	}
	l.unheard(a)
}

// common checks the names in what tasks and defaults say.
func (l *lookup) common(c *commonDraft) {
	l.runner(c.runner)
	o := c.options
	if o == nil {
		return
	}
	find(l, l.connections, o.connection, diag.UnknownConnection, "connection", "connections: {"+o.connection.value+": {runner: …, teams: […], with: {…}}}")
	find(l, l.accounts, o.runAs, diag.UnknownAccount, "account", "accounts: {"+o.runAs.value+": {user: …, teams: […]}}")
	find(l, l.pools, o.pool, diag.UnknownPool, "pool", "pools: {"+o.pool.value+": {slots: 10}}")
	if p := l.pools[o.pool.value]; p != nil && o.slots.value > p.Slots && p.Slots > 0 {
		d := errorAt(o.slots.at, diag.WrongType, "", "the pool "+p.Name+" has "+strconv.Itoa(p.Slots)+" slots, so this would never start")
		d.Related = relatedAt(p.Pos, "declared here")
		l.found = append(l.found, finding{Diagnostic: d})
	}
	for _, s := range o.signals {
		if !strings.Contains(s.value, "${{") { // else when the matrix is known
			l.signal(s)
		}
	}
	l.alerts(o.alerts)
}

func (l *lookup) signal(s text) {
	find(l, l.signals, s, diag.UnknownSignal, "signal", "signals: {"+s.value+": {every: day, teams: […]}}")
}

func (l *lookup) secret(name text) {
	find(l, l.secrets, name, diag.UnknownSecret, "secret", "secrets: {"+name.value+": {teams: […]}}")
}
