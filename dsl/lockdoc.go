package dsl

import (
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// LockFile is the file beside flowctl.yaml that pins plugins of third parties.
const LockFile = "plugins.lock"

// lock reads plugins.lock.
func (d *decoder) lock(n *node, u *unit) {
	u.catalog = &catalogDraft{}
	d.object(n, &lockShape, func(key string, v *node) {
		switch key {
		case "version":
			if v.kind != scalarNode || v.text != "1" {
				d.report(v, diag.WrongType, "write `version: 1`", "this flowctl reads version 1, not %s", strconv.Quote(v.text))
			}
		case "plugins":
			d.named(v, "plugins", func(name text, k, v *node) { d.plugin(u.catalog, name, k, v) })
		}
	})
	d.require(n, n, LockFile, "version")
}

func (d *decoder) plugin(c *catalogDraft, name text, k, n *node) {
	p := &pluginDraft{Plugin: flow.Plugin{Name: name.value, Pos: name.at}}
	d.object(n, &pluginShape, func(key string, v *node) {
		switch key {
		case "kind":
			p.Kind = flow.PluginKind(d.oneOf(v, string(flow.RunnerPlugin), string(flow.ChannelPlugin), string(flow.SensorPlugin)).value)
		case "version":
			p.Version = d.text(v, "a version").value
		case "sha256":
			p.SHA256 = d.sums(v)
		case "schema":
			p.schema = d.with(v)
		}
	})
	d.require(k, n, "plugin "+strconv.Quote(name.value), "kind", "version", "sha256")
	c.plugins = append(c.plugins, p)
}

// sums reads the SHA-256 of an executable, or a list of those of all platforms.
func (d *decoder) sums(n *node) (out []string) {
	check := func(t text) {
		if len(t.value) != 64 || strings.Trim(t.value, "0123456789abcdef") != "" {
			d.reportAt(t.at, diag.WrongType, "write 64 hexadecimal digits, as sha256sum prints them", strconv.Quote(t.value)+" is no SHA-256")
		}
		out = append(out, t.value)
	}
	if n.kind == listNode {
		for _, t := range d.texts(n, "a list of SHA-256") {
			check(t)
		}
		return out
	}
	if t := d.text(n, "a SHA-256, or a list of them"); t.at.Line > 0 {
		check(t)
	}
	return out
}
