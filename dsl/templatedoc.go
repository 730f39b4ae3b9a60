package dsl

import (
	"slices"
	"strconv"
	"strings"

	"flowctl/dsl/diag"
)

// skeleton reads a template: its parameters now, its task at each use, when they have values.
func (d *decoder) skeleton(c *catalogDraft, name text, n *node) {
	t := &templateDraft{name: name, src: d.src, folder: d.folder}
	d.object(n, &templateShape, func(key string, v *node) {
		if key == "params" {
			d.pairs(v, "a mapping of names to parameters", func(_ string, k, v *node) {
				t.params = append(t.params, d.parameter(k, v))
			})
		}
	})
	if n.kind == mappingNode {
		task := *n
		task.pairs = slices.DeleteFunc(slices.Clone(n.pairs), func(p pair) bool { return p.key.text == "params" })
		t.task = &task
	}
	d.src.offset(1, 1) // finds the lines now: later the source is shared
	c.templates = append(c.templates, t)
}

// parameter reads `table: text` or `mode: {type: enum, values: [a, b], default: a}`.
func (d *decoder) parameter(k, n *node) parameter {
	p := parameter{name: text{k.text, d.src.pos(k)}, typ: "text"}
	d.checkName(p.name, k)
	types := []string{"text", "int", "bool", "enum"}
	if n.kind == scalarNode {
		p.typ = d.oneOf(n, types...).value
		if p.typ == "enum" {
			d.report(n, diag.Missing, "write {type: enum, values: [a, b]}", "an enum needs its values")
		}
		return p
	}
	d.object(n, &parameterShape, func(key string, v *node) {
		switch key {
		case "type":
			if t := d.oneOf(v, types...).value; t != "" {
				p.typ = t
			}
		case "values":
			for _, t := range d.texts(v, "a list of values") {
				p.values = append(p.values, t.value)
			}
		case "default":
			p.def = v
		}
	})
	if (p.typ == "enum") != (len(p.values) > 0) && n.kind == mappingNode {
		d.report(n, diag.WrongType, "write {type: enum, values: [a, b]}", "an enum, and nothing else, has values")
	}
	if p.def != nil {
		if want := p.refuse(p.def); want != "" {
			d.report(p.def, diag.WrongType, "", "the parameter %s takes %s, not %s", strconv.Quote(p.name.value), want, p.def.describe())
		}
	}
	return p
}

// refuse returns what a parameter takes when it does not take the value.
func (p *parameter) refuse(v *node) (want string) {
	switch {
	case v.kind != scalarNode || v.typ == nullScalar:
		return "one value"
	case p.typ == "int" && v.typ != intScalar:
		return "a whole number"
	case p.typ == "bool" && v.typ != boolScalar:
		return "true or false"
	case p.typ == "enum" && !slices.Contains(p.values, v.text):
		return "one of " + strings.Join(p.values, ", ")
	}
	return ""
}

// uses reads the use of a template: its name, with or without arguments.
func (d *decoder) uses(n *node) *usesDraft {
	u := &usesDraft{}
	if n.kind != mappingNode {
		u.template = d.text(n, usesShape.want)
		return u
	}
	d.object(n, &usesShape, func(key string, v *node) {
		switch key {
		case "template":
			u.template = d.text(v, "a template's name")
		case "params":
			d.pairs(v, "a mapping of the template's parameters", func(_ string, k, v *node) {
				u.arguments = append(u.arguments, argument{text{k.text, d.src.pos(k)}, v, d.src.pos(v)})
			})
		}
	})
	d.require(n, n, "uses", "template")
	return u
}
