package dsl

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// common reads a field that tasks and their defaults have, and tells whether it is one.
func (d *decoder) common(c *commonDraft, key string, v *node) bool {
	switch key {
	case "runner":
		c.runner = d.text(v, "a runner's name")
	case "with":
		c.with = d.with(v)
	case "env":
		c.env = d.env(v)
	case "start_after":
		c.startAfter = d.duration(v)
	case "timeout":
		c.timeout = d.duration(v)
	case "retry":
		c.retry = d.retry(v)
	case "trigger_rule":
		c.trigger = d.oneOf(v, string(flow.AllSuccess), string(flow.AllDone), string(flow.OneSuccess), string(flow.OneFailed))
	case "concurrency":
		c.concurrency = d.integer(v, 1, 1_000_000)
	case "agents":
		c.agents = d.agents(v)
	default:
		if c.options == nil {
			c.options = &optionsDraft{}
		}
		return d.option(c.options, key, v)
	}
	return true
}

// option reads a field that few tasks have.
func (d *decoder) option(o *optionsDraft, key string, v *node) bool {
	switch key {
	case "connection":
		o.connection = d.text(v, "a connection's name")
	case "signals":
		o.signals = d.texts(v, "a list of signals")
	case "gate":
		o.gate = d.gate(v)
	case "dependency_timeout":
		o.dependencyTimeout = d.duration(v)
	case "output_timeout":
		o.outputTimeout = d.duration(v)
	case "success":
		o.success = d.oneOf(v, string(flow.SuccessExit), string(flow.SuccessOutputs))
	case "pool":
		o.pool, o.slots = d.pool(v)
	case "run_as":
		o.runAs = d.text(v, "an account's name")
	case "resources":
		o.resources = d.resources(v)
	case "on_agent_lost":
		o.onLost = d.oneOf(v, string(flow.OnLostWait), string(flow.OnLostRestart), string(flow.OnLostFail))
	case "lost_after":
		o.lostAfter = d.duration(v)
	case "formerly":
		o.formerly = d.formerly(v)
	case "alerts":
		o.alerts = d.alerts(v)
	default:
		return false
	}
	return true
}

// defaults reads what tasks take when they say nothing.
func (d *decoder) defaults(n *node) (out commonDraft) {
	d.object(n, &defaultsShape, func(key string, v *node) { d.common(&out, key, v) })
	return out
}

func (d *decoder) gate(n *node) *flow.Gate {
	g := &flow.Gate{}
	d.object(n, &gateShape, func(key string, v *node) {
		switch key {
		case "url":
			g.URL = d.template(v, "a URL")
			if s, ok := g.URL.Const(); ok && g.URL != nil && !isURL(s) {
				d.report(v, diag.WrongType, "write it like https://dq.example.com/check", "%s is not a URL", strconv.Quote(s))
			}
		case "timeout":
			g.Timeout = d.duration(v).value
		}
	})
	d.require(n, n, "the gate", "url")
	return g
}

// pool reads a pool's name, with or without a number of slots.
func (d *decoder) pool(n *node) (name text, slots optional[int]) {
	if n.kind != mappingNode {
		return d.text(n, poolUseShape.want), slots
	}
	d.object(n, &poolUseShape, func(key string, v *node) {
		switch key {
		case "name":
			name = d.text(v, "a pool's name")
		case "slots":
			slots = d.integer(v, 1, maxSlots)
		}
	})
	d.require(n, n, "pool", "name")
	return name, slots
}

func (d *decoder) resources(n *node) optional[flow.Resources] {
	out := optional[flow.Resources]{at: d.src.pos(n)}
	d.object(n, &resourcesShape, func(key string, v *node) {
		switch key {
		case "cpu":
			out.value.CPU = d.number(v, 0.001, 100_000).value
		case "memory":
			out.value.Memory = d.size(v)
		}
	})
	return out
}

// size reads a number of bytes such as 2GiB.
func (d *decoder) size(n *node) int64 {
	t := d.text(n, "a size such as 2GiB")
	if t.at.Line == 0 {
		return 0
	}
	bytes, err := ParseSize(t.value)
	if err != nil {
		d.report(n, diag.WrongType, "write it like 512MiB or 2GiB", "%s is not a size: %v", strconv.Quote(t.value), err)
	}
	return bytes
}

// ParseSize reads a number and a unit: B, KiB, MiB, GiB, TiB, or KB, MB, GB, TB by thousands.
func ParseSize(s string) (int64, error) {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789."))
	unit := map[string]float64{
		"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	}[strings.TrimSpace(s[digits:])]
	v, err := strconv.ParseFloat(s[:digits], 64)
	switch {
	case err != nil || unit == 0:
		return 0, fmt.Errorf("a number and one of B, KiB, MiB, GiB, TiB are wanted")
	case v*unit < 1 || v*unit > math.MaxInt64/2:
		return 0, fmt.Errorf("it is out of range")
	}
	return int64(v * unit), nil
}

// formerly reads the ids that a task had.
func (d *decoder) formerly(n *node) []text {
	ids := d.texts(n, "a list of ids such as warehouse.orders/import")
	for _, id := range ids {
		name, task := splitTask(id.value)
		if base, _, _ := strings.Cut(task, ":"); !isName(name) || !isName(base) {
			d.reportAt(id.at, diag.BadName, "write flow/task, as it was", strconv.Quote(id.value)+" is no id of a task")
		}
	}
	return ids
}

func (d *decoder) alerts(n *node) *alertsDraft {
	a := &alertsDraft{}
	list := func(v *node) optional[[]flow.Receiver] {
		return optional[[]flow.Receiver]{d.receivers(v), d.src.pos(v)}
	}
	d.object(n, &alertsShape, func(key string, v *node) {
		switch key {
		case "default":
			a.def = d.boolean(v)
		case "owner_only":
			a.ownerOnly = d.boolean(v)
		case "phone":
			a.phone = list(v)
		case "sms":
			a.sms = list(v)
		case "email":
			a.email = list(v)
		case "rules":
			a.rules.at = d.src.pos(v)
			d.list(v, "a list of rules", func(item *node) { a.rules.value = append(a.rules.value, d.alertRule(item)) })
		}
	})
	return a
}

func (d *decoder) alertRule(n *node) flow.AlertRule {
	r := flow.AlertRule{Severity: flow.Minor, Pos: d.src.pos(n)}
	d.object(n, &alertRuleShape, func(key string, v *node) {
		switch key {
		case "events":
			for _, t := range d.texts(v, "a list of events") {
				d.checkEvent(t)
				r.Events = append(r.Events, flow.Event(t.value))
			}
		case "when":
			r.When = d.condition(v)
		case "severity":
			if s := d.oneOf(v, string(flow.Critical), string(flow.Major), string(flow.Minor)); s.value != "" {
				r.Severity = flow.Severity(s.value)
			}
		case "notify":
			r.Notify = d.receivers(v)
		}
	})
	d.require(n, n, "the rule", "events", "notify")
	return r
}

// checkEvent reports what is no event, and events that no flow's rule can hear of.
func (d *decoder) checkEvent(t text) {
	var known []string
	for _, e := range flow.Events() {
		if string(e.Event) != t.value {
			if e.Subject == flow.OfTask || e.Subject == flow.OfFlow {
				known = append(known, string(e.Event))
			}
			continue
		}
		switch e.Subject {
		case flow.OfOwner:
			d.reportAt(t.at, diag.WrongType, "the owner of each flow hears of it", t.value+" is an event of an owner, not of a task")
		case flow.OfPlatform:
			d.reportAt(t.at, diag.WrongType, "the teams in `admins` of flowctl.yaml hear of it", t.value+" is an event of the platform, not of a task")
		}
		return
	}
	d.reportAt(t.at, diag.WrongType, suggest(t.value, known, "events: "), "no event is named "+strconv.Quote(t.value))
}
