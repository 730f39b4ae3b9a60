package dsl

import (
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// defaults are what the flow's tasks take when they say nothing: the flow's alerts, its defaults, then those of flowctl.yaml.
func (b *builder) defaults() commonDraft {
	own := b.draft.defaults
	if b.draft.alerts != nil {
		options := &optionsDraft{}
		if own.options != nil {
			copied := *own.options
			options = &copied
		}
		options.alerts = b.draft.alerts.or(options.alerts)
		own.options = options
	}
	return own.or(b.catalog.defaults)
}

// options makes the options of a task. All say nothing when o is nil.
func (b *builder) options(o *optionsDraft) *flow.Options {
	if o == nil {
		return &flow.Options{Success: flow.SuccessExit, OnAgentLost: flow.OnLostWait, Alerts: &flow.Alerts{Default: true}}
	}
	out := &flow.Options{
		Connection: o.connection.value, Gate: o.gate, DependencyTimeout: o.dependencyTimeout.value, OutputTimeout: o.outputTimeout.value,
		Success: flow.SuccessExit, RunAs: o.runAs.value, Resources: o.resources.value, OnAgentLost: flow.OnLostWait,
		LostAfter: o.lostAfter.value, Alerts: o.alerts.model(),
	}
	if o.success.value != "" {
		out.Success = flow.Success(o.success.value)
	}
	if o.onLost.value != "" {
		out.OnAgentLost = flow.OnAgentLost(o.onLost.value)
	}
	if o.pool.value != "" {
		out.Pool = &flow.PoolUse{Name: o.pool.value, Slots: max(o.slots.value, 1)}
	}
	for _, s := range o.signals {
		out.Signals = append(out.Signals, s.value)
	}
	for _, id := range o.formerly {
		out.Formerly = append(out.Formerly, id.value)
	}
	return out
}

// expanded fills the matrix into the options that depend on it: the names of signals, and the ids of a matrix that had another name.
func (b *builder) expanded(t *flow.Task, o *optionsDraft) *flow.Options {
	if len(t.Signals) == 0 && len(t.Formerly) == 0 {
		return t.Options
	}
	out := *t.Options
	out.Signals, out.Formerly = nil, nil
	for _, s := range o.signals {
		filled, ok := b.fillIn(needDraft{task: s.value, at: s.at}, t.Matrix)
		if !ok {
			continue
		}
		if filled.task != s.value {
			l := b.lookup()
			l.signal(text{filled.task, s.at})
			b.findings = append(b.findings, l.found...)
		}
		out.Signals = append(out.Signals, filled.task)
	}
	for _, id := range t.Formerly {
		if !strings.Contains(id, ":") {
			id += strings.TrimPrefix(t.Name, t.Base)
		}
		out.Formerly = append(out.Formerly, id)
	}
	return &out
}

// model fills in the defaults of the language.
func (a *alertsDraft) model() *flow.Alerts {
	if a == nil {
		return &flow.Alerts{Default: true}
	}
	return &flow.Alerts{
		Default: a.def.value || !a.def.set(), OwnerOnly: a.ownerOnly.value, Phone: a.phone.value, SMS: a.sms.value,
		Email: a.email.value, Rules: a.rules.value,
	}
}

// checkNames looks up what a task itself refers to; its defaults are checked where they are written.
func (b *builder) checkNames(d *taskDraft) {
	if d.runner.at.Line == 0 && d.options == nil {
		return
	}
	l := b.lookup()
	l.common(&d.commonDraft)
	b.findings = append(b.findings, l.found...)
	if d.options == nil {
		return
	}
	if o := d.options; o.lostAfter.set() && (o.onLost.value == "" || o.onLost.value == string(flow.OnLostWait)) {
		b.report(o.lostAfter.at, diag.WrongType, "add `on_agent_lost: restart` or `on_agent_lost: fail`, or remove lost_after",
			"lost_after says nothing while a lost agent is waited for")
	}
	if o := d.options; o.success.value == string(flow.SuccessOutputs) && len(d.outputs) == 0 {
		b.report(o.success.at, diag.Missing, "add `outputs`, or remove success", "success: outputs says nothing without outputs")
	}
	for _, s := range d.options.signals {
		if len(d.matrix) == 0 && strings.Contains(s.value, "${{") {
			b.fillIn(needDraft{task: s.value, at: s.at}, nil)
		}
	}
}

// checkRights tells whether the flow's team may use what a task uses.
func (b *builder) checkRights(o *optionsDraft) {
	if o == nil {
		return
	}
	if x := b.catalog.connections[o.connection.value]; x != nil {
		b.allow(o.connection, "connection", x.Teams, x.Pos)
	}
	if a := b.catalog.accounts[o.runAs.value]; a != nil {
		b.allow(o.runAs, "account", a.Teams, a.Pos)
	}
}

// allow reports a use of something by a team that may not.
func (b *builder) allow(name text, what string, teams []string, declared flow.Pos) {
	for _, t := range teams {
		if t == b.flow.Team {
			return
		}
	}
	if b.catalog.teams[b.flow.Team] == nil {
		return // reported
	}
	hint := "no team may use it"
	if len(teams) > 0 {
		hint = "it is for " + strings.Join(teams, ", ") + ": ask one of them, or add " + b.flow.Team + " to its teams"
	}
	b.report(name.at, diag.NotAllowed, hint, "the team "+strconv.Quote(b.flow.Team)+" may not use the "+what+" "+strconv.Quote(name.value))
	b.relate(declared, "declared here")
}

// with makes the settings of a task: its connection's, below those of the defaults, below its own, checked against the runner's schema.
func (b *builder) with(d *taskDraft, c *commonDraft) map[string]any {
	settings := c.with
	if c.options != nil && c.options.connection.value != "" {
		x := b.catalog.connections[c.options.connection.value]
		switch {
		case x == nil: // reported
			return nil
		case x.Runner != c.runnerName():
			b.report(c.options.connection.at, diag.RunnerConfig, "write `runner: "+x.Runner+"`, or name a connection for "+c.runnerName(),
				"the connection "+x.Name+" is for the runner "+x.Runner+", not for "+c.runnerName())
			b.relate(x.Pos, "declared here")
			return nil
		}
		settings = settings.or(x.draft)
	}
	s := b.catalog.schemaOf(flow.RunnerPlugin, c.runnerName())
	if s == nil || settings == nil && !s.demands {
		return nil
	}
	merged := settings.merged()
	for _, m := range s.check("the runner "+c.runnerName(), merged) {
		at := settings.placeOr(d.name.at, m)
		if len(m.path) == 0 && d.with == nil { // what is missing is missing here, not in the defaults
			at = d.name.at
		}
		b.report(at, diag.RunnerConfig, m.hint, m.message)
	}
	return merged
}
