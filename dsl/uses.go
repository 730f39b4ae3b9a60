package dsl

import (
	"slices"
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
)

// resolve returns the tasks as written, those that use a template filled in from it, needs on tasks by their old names led to the new ones.
func (b *builder) resolve() []*taskDraft {
	if len(b.former) == 0 && !slices.ContainsFunc(b.draft.tasks, func(d *taskDraft) bool { return d.uses != nil }) {
		return b.draft.tasks
	}
	out := make([]*taskDraft, len(b.draft.tasks))
	budget := maxNodes
	for i, d := range b.draft.tasks {
		out[i] = d
		if d.uses != nil {
			out[i] = b.fromTemplate(d, &budget)
		}
		if len(b.former) > 0 {
			out[i] = b.followRenames(out[i])
		}
	}
	return out
}

// fromTemplate reads a template with the arguments of a use and puts what the task says itself over it. A task whose use makes no sense
// stays as it is.
func (b *builder) fromTemplate(d *taskDraft, budget *int) *taskDraft {
	name := d.uses.template
	if name.at.Line == 0 {
		return d
	}
	t := b.catalog.templates[name.value]
	if t == nil {
		hint := b.suggest(name.value, func() []string { return sortedKeys(b.catalog.templates) }, "templates: ")
		b.unknown(name, diag.UnknownTemplate, "template", hint)
		return d
	}
	values, ok := b.arguments(d.uses, t)
	if !ok || t.task == nil {
		return d
	}
	if *budget -= int(t.task.size); *budget < 0 {
		b.report(name.at, diag.WrongType, "split the flow", "the flow grows beyond "+strconv.Itoa(maxNodes)+" values when its templates are filled in")
		return d
	}
	source := *t.src
	s := substitution{decoder: &decoder{src: &source, folder: t.folder, spliced: make(map[*node]*splices)}, values: values}
	own := s.task(d.name, s.node(t.task, nil), &templateShape)
	for _, f := range s.findings {
		if f.Related == nil {
			f.Related = relatedAt(name.at, "used here")
		}
		b.findings = append(b.findings, finding{Diagnostic: f})
	}
	task := d.over(own)
	if task.run == nil && task.file.value == "" && !slices.ContainsFunc(s.findings, isError) {
		at, hint, message := nothingToRun(d.name)
		b.report(at, diag.Missing, hint, message)
	}
	return task
}

// relateUse adds the use of a template to what was found in the template.
func (b *builder) relateUse(d *taskDraft, found []finding) {
	if d.uses == nil {
		return
	}
	t := b.catalog.templates[d.uses.template.value]
	for i := range found {
		f := &found[i]
		inTemplate := t != nil && f.File == t.src.path && (f.File != b.draft.file || f.Line < d.name.at.Line)
		if inTemplate && f.Related == nil {
			f.Related = relatedAt(d.uses.template.at, "used here")
		}
	}
}

func isError(d diag.Diagnostic) bool { return d.Severity == diag.Error }

// arguments matches what a use gives with what the template takes.
func (b *builder) arguments(u *usesDraft, t *templateDraft) (values map[string]value, ok bool) {
	ok = true
	values = make(map[string]value, len(t.params))
	for _, a := range u.arguments {
		i := slices.IndexFunc(t.params, func(p parameter) bool { return p.name.value == a.name.value })
		if i < 0 {
			hint := b.suggest(a.name.value, t.names, "parameters: ")
			b.report(a.name.at, diag.UnknownField, hint, "the template "+t.name.value+" has no parameter "+strconv.Quote(a.name.value))
			ok = false
			continue
		}
		if want := t.params[i].refuse(a.value); want != "" {
			b.report(a.at, diag.WrongType, "", "the parameter "+a.name.value+" takes "+want+", not "+a.value.describe())
			b.relate(t.params[i].name.at, "declared here")
			ok = false
		}
		values[a.name.value] = value{a.value.text, t.params[i].typ}
	}
	for _, p := range t.params {
		if _, given := values[p.name.value]; given {
			continue
		}
		if p.def == nil {
			b.report(u.template.at, diag.Missing, "write uses: {template: "+t.name.value+", params: {"+p.name.value+": …}}",
				"the template "+t.name.value+" needs the parameter "+strconv.Quote(p.name.value))
			b.relate(p.name.at, "declared here")
			ok = false
			continue
		}
		values[p.name.value] = value{p.def.text, p.typ}
	}
	return values, ok
}

func (t *templateDraft) names() []string {
	names := make([]string, len(t.params))
	for i, p := range t.params {
		names[i] = p.name.value
	}
	return names
}

// over puts what a task says itself over its template.
func (d *taskDraft) over(t *taskDraft) *taskDraft {
	out := *d
	out.commonDraft = d.commonDraft.or(t.commonDraft)
	if out.run == nil && out.file.value == "" {
		out.run, out.file = t.run, t.file
	}
	if out.args == nil {
		out.args = t.args
	}
	if out.needs == nil {
		out.needs = t.needs
	}
	if out.inputs == nil {
		out.inputs = t.inputs
	}
	if out.outputs == nil {
		out.outputs = t.outputs
	}
	if out.when == nil {
		out.when = t.when
	}
	return &out
}

// value is what a parameter stands for.
type value struct{ text, typ string }

// literal writes the value as one of an expression.
func (v value) literal() string {
	if v.typ == "int" || v.typ == "bool" {
		return strings.ToLower(strings.ReplaceAll(v.text, "_", ""))
	}
	return quoteExpr(v.text)
}

// quoteExpr writes text as a literal of expr-lang.
func quoteExpr(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + "'"
}

// substitution copies the task of a template with `template.NAME` in its expressions replaced. A text that is nothing but one such
// expression becomes the value itself, so that it can be a number.
type substitution struct {
	*decoder
	values map[string]value
}

// splices tell where the characters of a changed text come from.
type splices struct {
	written *node
	cuts    []cut
}

// cut is a place up to which made and written text run in parallel; what follows in the made text, length bytes long, stands for the
// characters at written.
type cut struct{ made, length, written, skipped int }

// origin turns an offset in the made text into one in the written one.
func (s *splices) origin(off int) int {
	shift := 0
	for _, c := range s.cuts {
		switch {
		case off < c.made:
			return off + shift
		case off < c.made+c.length:
			return c.written
		}
		shift = c.written + c.skipped - c.made - c.length
	}
	return off + shift
}

// node copies a node; path leads to it from the task.
func (s *substitution) node(n *node, path []string) *node {
	switch n.kind {
	case mappingNode:
		out := *n
		out.pairs = make([]pair, len(n.pairs))
		for i, p := range n.pairs {
			out.pairs[i] = pair{p.key, s.node(p.value, append(path, p.key.text))}
		}
		return &out
	case listNode:
		out := *n
		out.items = make([]*node, len(n.items))
		for i, item := range n.items {
			out.items[i] = s.node(item, append(path, ""))
		}
		return &out
	}
	if !strings.Contains(n.text, "template") {
		return n
	}
	return s.scalar(n, isCondition(path))
}

// isCondition tells whether a path leads to a `when`, which is an expression without braces.
func isCondition(path []string) bool {
	p := strings.Join(path, "/")
	return p == "when" || p == "alerts/rules//when"
}

func (s *substitution) scalar(n *node, condition bool) *node {
	if condition && !strings.Contains(n.text, "${{") {
		return s.splice(n, s.inExpression(n, n.text, 0))
	}
	byOffset := func(off int) flow.Pos { return flow.Pos{Col: off} }
	parsed, _ := expr.ParseTemplate(n.text, byOffset)
	var edits []edit
	for _, p := range parsed.Parts {
		if p.Expr == "" {
			continue
		}
		start, end := p.Pos.Col, p.Pos.Col+len(p.Expr)
		refs := references(p.Expr, "template")
		if len(refs) == 1 && refs[0].start == 0 && refs[0].end == len(p.Expr) {
			v, ok := s.value(n, refs[0], start)
			if !ok {
				edits = append(edits, edit{start, end, "''"})
				continue
			}
			open := strings.LastIndex(n.text[:start], "${{")
			end += strings.Index(n.text[end:], "}}") + 2
			if open == 0 && end == len(n.text) {
				return s.whole(n, v)
			}
			edits = append(edits, edit{open, end, v.text})
			continue
		}
		edits = append(edits, s.inExpression(n, p.Expr, start)...)
	}
	return s.splice(n, edits)
}

// edit replaces a part of a text.
type edit struct {
	start, end int
	text       string
}

// inExpression replaces the parameters within an expression, which begins at an offset of the node's text.
func (s *substitution) inExpression(n *node, source string, at int) (edits []edit) {
	for _, r := range references(source, "template") {
		v, ok := s.value(n, r, at)
		if ok && strings.Contains(v.text, "${{") {
			s.reportAt(s.src.cursor(n).place(at+r.start), diag.BadExpression, "write ${{ template."+r.name+" }} alone",
				"the parameter "+r.name+" holds expressions itself, so it cannot be part of another")
			v = value{}
		}
		edits = append(edits, edit{at + r.start, at + r.end, v.literal()})
	}
	return edits
}

// value looks a parameter up. One that does not exist is reported, and empty.
func (s *substitution) value(n *node, r reference, at int) (value, bool) {
	v, ok := s.values[r.name]
	if !ok {
		s.reportAt(s.src.cursor(n).place(at+r.start), diag.BadExpression, suggest(r.name, sortedKeys(s.values), "parameters: "),
			"the template has no parameter "+strconv.Quote(r.name))
	}
	return v, ok
}

// whole makes a scalar of a value.
func (s *substitution) whole(n *node, v value) *node {
	out := *n
	out.text, out.typ = v.text, textScalar
	switch v.typ {
	case "int":
		out.typ = intScalar
	case "bool":
		out.typ = boolScalar
	}
	s.spliced[&out] = &splices{n, []cut{{0, len(v.text) + 1, 0, len(n.text)}}}
	return &out
}

// splice applies edits to the text of a scalar.
func (s *substitution) splice(n *node, edits []edit) *node {
	if len(edits) == 0 {
		return n
	}
	var b strings.Builder
	from := &splices{written: n}
	at := 0
	for _, e := range edits {
		b.WriteString(n.text[at:e.start])
		from.cuts = append(from.cuts, cut{b.Len(), len(e.text), e.start, e.end - e.start})
		b.WriteString(e.text)
		at = e.end
	}
	b.WriteString(n.text[at:])
	out := *n
	out.text = b.String()
	s.spliced[&out] = from
	return &out
}

// reference is a use of context.NAME or context['NAME'] in an expression.
type reference struct {
	name       string
	start, end int
}

// references finds the uses of one context in the source of an expression, its strings aside.
func references(source, context string) (out []reference) {
	for i := 0; i < len(source); {
		switch c := source[i]; {
		case c == '\'' || c == '"' || c == '`':
			i = stringEnd(source, i)
		case isWord(c):
			end := wordEnd(source, i)
			if source[i:end] == context && (i == 0 || source[i-1] != '.') {
				if name, after, ok := member(source, end); ok {
					out = append(out, reference{name, i, after})
					end = after
				}
			}
			i = end
		default:
			i++
		}
	}
	return out
}

// member reads .NAME or ['NAME'] at an offset.
func member(source string, i int) (name string, end int, ok bool) {
	rest := source[i:]
	if strings.HasPrefix(rest, ".") {
		end = wordEnd(source, i+1)
		return source[i+1 : end], end, end > i+1
	}
	if len(rest) > 2 && rest[0] == '[' && (rest[1] == '\'' || rest[1] == '"') {
		end = stringEnd(source, i+1)
		if end < len(source) && source[end] == ']' {
			return source[i+2 : end-1], end + 1, true
		}
	}
	return "", i, false
}

// stringEnd returns the offset after the string that begins at i.
func stringEnd(source string, i int) int {
	quote := source[i]
	for i++; i < len(source); i++ {
		switch {
		case source[i] == '\\' && quote != '`':
			i++
		case source[i] == quote:
			return i + 1
		}
	}
	return len(source)
}

func wordEnd(source string, i int) int {
	for i < len(source) && isWord(source[i]) {
		i++
	}
	return i
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c >= 0x80
}
