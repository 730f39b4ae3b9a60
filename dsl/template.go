package dsl

import (
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
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
	if strings.Contains(t.value, "${{") {
		return d.parseTemplate(n)
	}
	source := strings.TrimSpace(t.value)
	if source == "" {
		d.report(n, diag.BadExpression, "remove `when` to run always", "the condition is empty")
		return nil
	}
	part := expr.Expression(source, strings.Index(t.value, source), d.place(n))
	return &flow.Template{Parts: []flow.Part{part}, Pos: t.at}
}

// parseTemplate splits a text into literals and expressions.
func (d *decoder) parseTemplate(n *node) *flow.Template {
	t, problems := expr.ParseTemplate(n.text, d.place(n))
	for _, p := range problems {
		d.reportAt(p.Pos, p.Rule, p.Hint, p.Message)
	}
	t.Pos = d.src.pos(n)
	return t
}

// place returns a function that tells where the byte at an offset of a scalar stands.
func (d *decoder) place(n *node) func(off int) flow.Pos {
	s := d.spliced[n]
	if s == nil {
		return d.src.cursor(n).place
	}
	written := d.src.cursor(s.written)
	return func(off int) flow.Pos { return written.place(s.origin(off)) }
}

// checkTemplates type-checks the expressions of a task, which came from the draft d.
func (b *builder) checkTemplates(d *taskDraft, t *flow.Task) {
	types := &expr.Types{Params: b.params, Needs: neededNames(b.draft, t)}
	for _, a := range d.matrix {
		types.Matrix = append(types.Matrix, a.name.value)
	}
	check := func(template *flow.Template, scope expr.Scope) {
		if _, ok := template.Const(); ok {
			return
		}
		for _, p := range b.programs.Check(template, scope, types) {
			b.report(p.Pos, p.Rule, p.Hint, p.Message)
		}
	}
	eachScoped(t, check)
	for _, e := range t.Env {
		b.secrets(e.Value)
	}
	eachTemplate(t.With, b.secrets)
}

// eachScoped visits the templates of a task with their scopes.
func eachScoped(t *flow.Task, visit func(*flow.Template, expr.Scope)) {
	visit(t.Run, expr.Run)
	visit(t.When, expr.When)
	for _, a := range t.Args {
		visit(a.Value, expr.Dispatch)
	}
	for _, e := range t.Env {
		visit(e.Value, expr.Config)
	}
	eachTemplate(t.With, func(value *flow.Template) { visit(value, expr.Config) })
	if t.Gate != nil {
		visit(t.Gate.URL, expr.Dispatch)
	}
	for _, r := range t.Alerts.Rules {
		visit(r.When, expr.When)
	}
	for _, path := range t.Inputs {
		visit(path, expr.Creation)
	}
	for _, path := range t.Outputs {
		visit(path, expr.Creation)
	}
}

// secrets checks the secrets that a template of a task names: they exist, and the team may use them.
func (b *builder) secrets(t *flow.Template) {
	if _, ok := t.Const(); ok {
		return
	}
	for _, use := range b.programs.Secrets(t, expr.Config) {
		l := b.lookup()
		l.secret(text{use.Name, use.Pos})
		b.findings = append(b.findings, l.found...)
		if s := b.catalog.secrets[use.Name]; s != nil {
			b.allow(text{use.Name, use.Pos}, "secret", s.Teams, s.Pos)
		}
	}
}

// neededNames lists what the context `needs` of a task holds: tasks of the same flow by their name, those of a matrix also by
// the name before it, and flow/task for others; only needs on the same period.
func neededNames(draft *flowDraft, t *flow.Task) []string {
	names, last := make([]string, 0, len(t.Needs)), ""
	for _, n := range t.Needs {
		if n.Rule.Kind != period.Joined {
			continue
		}
		prefix := ""
		if n.Flow != draft.name.value {
			prefix = n.Flow + "/"
		}
		names = append(names, prefix+n.Task)
		if base := baseName(n.Task); base != n.Task && prefix+base != last {
			last = prefix + base
			names = append(names, last)
		}
	}
	return names
}
