package dsl

import (
	"net/url"
	"strconv"
	"strings"

	"flowctl/dsl/diag"
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
				d.report(v, diag.WrongType, "write `version: 1`", "this flowctl reads version 1, not %s", strconv.Quote(v.text))
			}
		case "timezone":
			s.timezone = d.text(v, "a time zone such as Asia/Shanghai")
		case "admins":
			s.admins = d.texts(v, "a list of teams")
		case "defaults":
			s.defaults = d.defaults(v)
		case "monitors":
			s.monitors = d.monitors(v)
		case "watchdog":
			s.watchdog = d.watchdog(v)
		}
	})
	if !versioned && n.kind == mappingNode {
		d.report(n, diag.Missing, "add `version: 1`", "flowctl.yaml does not say its version")
	}
	return s
}

// monitors reads the thresholds of the platform's alerts. Too few of something is worse the fewer there are, too much the more.
func (d *decoder) monitors(n *node) (m flow.Monitors) {
	d.object(n, &monitorsShape, func(key string, v *node) {
		switch key {
		case "agents":
			m.Agents = d.threshold(v, 1_000_000, below)
		case "servers":
			m.Servers = d.threshold(v, 1000, below)
		case "redispatches_10m":
			m.Redispatches10m = d.threshold(v, 1_000_000, above)
		case "redispatches_30m":
			m.Redispatches30m = d.threshold(v, 1_000_000, above)
		case "cpu":
			m.CPU = d.threshold(v, 100, above)
		case "memory":
			m.Memory = d.threshold(v, 100, above)
		case "disk":
			m.Disk = d.threshold(v, 100, above)
		case "generation":
			m.Generation = &d.delays(v, &thresholdShape).Delay
		case "checks":
			m.Checks = &d.delays(v, &thresholdShape).Delay
		case "connections":
			m.Connections = d.delays(v, &outsideShape)
		}
	})
	return m
}

// direction is the side of a threshold on which an alert goes off.
type direction int

const (
	below direction = -1
	above direction = 1
)

func (d *decoder) threshold(n *node, most int, side direction) *flow.Threshold {
	t := &flow.Threshold{}
	d.object(n, &thresholdShape, func(key string, v *node) {
		switch key {
		case "major":
			t.Major = d.integer(v, 1, most).value
		case "critical":
			t.Critical = d.integer(v, 1, most).value
		}
	})
	d.checkOrder(n, t.Major != 0 && t.Critical != 0 && (t.Critical-t.Major)*int(side) < 0)
	return t
}

func (d *decoder) delays(n *node, s *shape) *flow.Outside {
	t := &flow.Outside{}
	d.object(n, s, func(key string, v *node) {
		switch key {
		case "slow":
			t.Slow = d.duration(v).value
		case "major":
			t.Major = d.duration(v).value
		case "critical":
			t.Critical = d.duration(v).value
		}
	})
	d.checkOrder(n, t.Major != 0 && t.Critical != 0 && t.Critical < t.Major)
	return t
}

func (d *decoder) checkOrder(n *node, wrong bool) {
	if wrong {
		d.report(n, diag.WrongType, "exchange them", "%s is critical before it is major", d.field())
	}
}

func (d *decoder) watchdog(n *node) *flow.Watchdog {
	w := &flow.Watchdog{Pos: d.src.pos(n)}
	d.object(n, &watchdogShape, func(_ string, v *node) {
		w.URL = d.url(v).value
	})
	d.require(n, n, "watchdog", "url")
	return w
}

// url reads an address of the web.
func (d *decoder) url(n *node) text {
	t := d.text(n, "a URL such as https://example.com/ping")
	if t.at.Line > 0 && !isURL(t.value) {
		d.report(n, diag.WrongType, "write it like https://example.com/ping", "%s is not a URL", strconv.Quote(t.value))
	}
	return t
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !strings.ContainsAny(s, " \n\t")
}

// require reports fields that a mapping must have and does not mention, at the given node. Nothing is said of what is no mapping.
func (d *decoder) require(at, n *node, subject string, fields ...string) {
	if n.kind != mappingNode {
		return
	}
	for _, field := range fields {
		if n.field(field) == nil {
			d.report(at, diag.Missing, "add `"+field+":`", "%s has no %s", subject, field)
		}
	}
}

// field returns the value of a mapping's field, nil when it has none.
func (n *node) field(name string) *node {
	for _, p := range n.pairs {
		if p.key.text == name {
			return p.value
		}
	}
	return nil
}
