package dsl

import (
	"strconv"
	"strings"

	"flowctl/dsl/flow"
)

// with reads the settings of a plugin, whatever they are: mappings and lists at any depth, whose scalars keep their places.
func (d *decoder) with(n *node) *withDraft {
	w := &withDraft{node: n, file: d.src.path}
	if n.kind != mappingNode {
		d.wrongType(n, "a mapping of settings")
		return nil
	}
	w.value, _ = d.setting(n).(map[string]any)
	return w
}

// setting returns the JSON value of a node, in which a text with expressions is a *flow.Template.
func (d *decoder) setting(n *node) any {
	switch n.kind {
	case mappingNode:
		out := make(map[string]any, len(n.pairs))
		d.pairs(n, "a mapping", func(key string, _, v *node) { out[key] = d.setting(v) })
		return out
	case listNode:
		out := make([]any, 0, len(n.items))
		d.list(n, "a list", func(v *node) { out = append(out, d.setting(v)) })
		return out
	}
	if n.typ == textScalar && strings.Contains(n.text, "${{") {
		return simple(d.template(n, "text"))
	}
	return n.scalar()
}

// simple returns the text of a template without expressions, and any other as it is.
func simple(t *flow.Template) any {
	if s, ok := t.Const(); ok {
		return s
	}
	return t
}

// scalar returns the JSON value of a scalar. A number that JSON would write otherwise, such as 0123, stays text.
func (n *node) scalar() any {
	switch n.typ {
	case nullScalar:
		return nil
	case boolScalar:
		return strings.EqualFold(n.text, "true")
	case intScalar:
		if v, err := strconv.ParseInt(n.text, 10, 64); err == nil && strconv.FormatInt(v, 10) == n.text {
			return v
		}
	case floatScalar:
		if v, err := strconv.ParseFloat(n.text, 64); err == nil && v-v == 0 { // neither infinite nor no number
			return v
		}
	}
	return n.text
}
