package dsl

import (
	"strings"

	"flowctl/dsl/flow"
)

// template reads a scalar that may hold ${{ expressions }}.
func (d *decoder) template(n *node, want string) *flow.Template {
	t := d.text(n, want)
	if t.at.Line == 0 {
		return nil
	}
	if !strings.Contains(t.value, "${{") {
		return constant(t)
	}
	return d.parseTemplate(n)
}

// constant is the template of a text without expressions.
func constant(t text) *flow.Template {
	out := &flow.Template{Pos: t.at}
	if t.value != "" {
		out.Parts = []flow.Part{{Lit: t.value, Pos: t.at}}
	}
	return out
}

// templates reads a list of scalars that may hold expressions.
func (d *decoder) templates(n *node, want string) []*flow.Template {
	out := make([]*flow.Template, 0, len(n.items))
	d.list(n, want, func(v *node) {
		if t := d.template(v, "text"); t != nil {
			out = append(out, t)
		}
	})
	return out
}

// condition reads `when`: one expression, with or without ${{ }} around it.
func (d *decoder) condition(n *node) *flow.Template {
	t := d.text(n, "a condition such as needs.load.state == 'succeeded'")
	if t.at.Line == 0 {
		return nil
	}
	source, off := t.value, 0
	if trimmed := strings.TrimSpace(source); strings.HasPrefix(trimmed, "${{") && strings.HasSuffix(trimmed, "}}") {
		off = strings.Index(source, "${{") + 3
		source = strings.TrimSuffix(trimmed[3:], "}}")
	}
	off += len(source) - len(strings.TrimLeft(source, " \t\n"))
	source = strings.TrimSpace(source)
	if source == "" {
		d.report(n, "bad-expression", "remove `when` to run always", "the condition is empty")
		return nil
	}
	return &flow.Template{Parts: []flow.Part{{Expr: source, Pos: d.src.inside(n, off)}}, Pos: t.at}
}

// parseTemplate splits a text into literals and expressions.
func (d *decoder) parseTemplate(n *node) *flow.Template {
	t := &flow.Template{Pos: d.src.pos(n)}
	rest, off := n.text, 0
	for rest != "" {
		i := strings.Index(rest, "${{")
		if i < 0 {
			t.Parts = append(t.Parts, flow.Part{Lit: rest, Pos: d.src.inside(n, off)})
			break
		}
		if i > 0 {
			t.Parts = append(t.Parts, flow.Part{Lit: rest[:i], Pos: d.src.inside(n, off)})
		}
		j := strings.Index(rest[i:], "}}")
		if j < 0 {
			d.reportAt(d.src.inside(n, off+i), "bad-expression", "close it with }}", "an expression begins here and never ends")
			return nil
		}
		t.Parts = append(t.Parts, flow.Part{Expr: strings.TrimSpace(rest[i+3 : i+j]), Pos: d.src.inside(n, off+i+3)})
		rest, off = rest[i+j+2:], off+i+j+2
	}
	return t
}

// checkTemplates type-checks the expressions of the flow's tasks.
func (b *builder) checkTemplates() {}
