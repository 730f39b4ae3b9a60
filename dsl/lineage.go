package dsl

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// dataPath is an input or output of a task in a form that is equal for all that name the same data.
type dataPath struct {
	key      string
	task     int // in the flow's Tasks
	template *flow.Template
}

// paths makes the forms of a flow's inputs and outputs. Parameters stand for their defaults, so that two flows that name
// theirs differently can mean the same data.
func (b *builder) paths() {
	for i, t := range b.flow.Tasks {
		for _, in := range t.Inputs {
			b.reads = append(b.reads, dataPath{b.pathKey(in, t), i, in})
		}
		for _, out := range t.Outputs {
			b.writes = append(b.writes, dataPath{b.pathKey(out, t), i, out})
		}
	}
}

// pathKey is a path with constants filled in and its expressions in one spelling. No text can look like an expression: those are set off by NUL.
func (b *builder) pathKey(p *flow.Template, t *flow.Task) string {
	if s, ok := p.Const(); ok {
		return s
	}
	var key strings.Builder
	for i := range p.Parts {
		part := &p.Parts[i]
		if part.Expr == "" {
			key.WriteString(part.Lit)
			continue
		}
		source := b.fillConstants(part.Expr, t)
		if literal, ok := literalOf(source); ok {
			key.WriteString(literal)
			continue
		}
		key.WriteByte(0)
		key.WriteString(b.spelling(source))
		key.WriteByte(0)
	}
	return key.String()
}

// fillConstants replaces params and matrix by what they hold.
func (b *builder) fillConstants(source string, t *flow.Task) string {
	if !strings.Contains(source, "params") && !strings.Contains(source, "matrix") {
		return source
	}
	replace := func(context string, value func(name string) (string, bool)) {
		var out strings.Builder
		at := 0
		for _, r := range references(source, context) {
			if v, ok := value(r.name); ok {
				out.WriteString(source[at:r.start])
				out.WriteString(quoteExpr(v))
				at = r.end
			}
		}
		source = out.String() + source[at:]
	}
	replace("matrix", func(name string) (string, bool) { v, ok := t.Matrix[name]; return v, ok })
	replace("params", func(name string) (string, bool) {
		i := slices.IndexFunc(b.flow.Params, func(p flow.Param) bool { return p.Name == name })
		if i < 0 {
			return "", false
		}
		return b.flow.Params[i].Default, true
	})
	return source
}

// literalOf returns the text of an expression that is nothing but a string in single quotes without escapes.
func literalOf(source string) (string, bool) {
	if len(source) < 2 || source[0] != '\'' || stringEnd(source, 0) != len(source) {
		return "", false
	}
	inner := source[1 : len(source)-1]
	return inner, !strings.Contains(inner, `\`)
}

// spelling writes an expression without spaces and with one kind of quotes, and the long forms of ds, ds_nodash and hour as these.
func (b *builder) spelling(source string) string {
	if wordEnd(source, 0) == len(source) {
		return source
	}
	var out strings.Builder
	for i := 0; i < len(source); {
		switch c := source[i]; {
		case c == '\'' || c == '"':
			end := stringEnd(source, i)
			inner := source[i+1 : max(end-1, i+1)]
			if strings.ContainsAny(inner, `'"\`) {
				out.WriteString(source[i:end])
			} else {
				out.WriteString("'" + inner + "'")
			}
			i = end
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			end := i
			for end < len(source) && strings.IndexByte(" \t\r\n", source[end]) >= 0 {
				end++
			}
			if i > 0 && end < len(source) && isWord(source[i-1]) && isWord(source[end]) {
				out.WriteByte(' ')
			}
			i = end
		default:
			out.WriteByte(c)
			i++
		}
	}
	start := "period.start"
	if b.flow.Spec.Cron != "" { // whose days are those of the fire times
		start = "period.end"
	}
	switch s := out.String(); s {
	case "date(" + start + ",'%Y-%m-%d')", "date(" + start + ",'%F')":
		return "ds"
	case "date(" + start + ",'%Y%m%d')":
		return "ds_nodash"
	case "date(" + start + ",'%H')":
		return "hour"
	default:
		return s
	}
}

// lineage connects the tasks that read a path with those that write it.
func (r *compilation) lineage() {
	wanted := make(map[string][]writer)
	for _, b := range r.built {
		for _, in := range b.reads {
			wanted[in.key] = nil
		}
	}
	if len(wanted) == 0 {
		return
	}
	for _, b := range r.built {
		for _, out := range b.writes {
			if list, read := wanted[out.key]; read {
				wanted[out.key] = append(list, writer{b, out})
			}
		}
	}
	for _, b := range r.built {
		for _, in := range b.reads {
			for _, w := range wanted[in.key] {
				r.connect(b, in, w)
			}
		}
	}
	slices.SortFunc(r.data, func(a, b flow.DataEdge) int {
		return cmp.Or(compareTasks(a.To, b.To), compareTasks(a.From, b.From), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
}

// writer is an output with its flow.
type writer struct {
	built *builtFlow
	path  dataPath
}

func compareTasks(a, b flow.TaskRef) int {
	return cmp.Or(cmp.Compare(a.Flow, b.Flow), cmp.Compare(a.Task, b.Task))
}

// connect adds one edge, with a warning where it leads nowhere.
func (r *compilation) connect(b *builtFlow, in dataPath, w writer) {
	reader, author := b.flow.Tasks[in.task], w.built.flow.Tasks[w.path.task]
	from, to := flow.TaskRef{Flow: w.built.flow.Name, Task: author.Name}, flow.TaskRef{Flow: b.flow.Name, Task: reader.Name}
	warn := func(message, hint string) {
		d := warningAt(in.template.Pos, diag.DataEdge, hint, message)
		d.Related = relatedAt(w.path.template.Pos, "written here")
		r.add(d)
	}
	if reader == author {
		warn("the task waits for what only it writes itself", "read the path of the period before, or drop the input")
		return
	}
	if label := r.missing(b, in, w); label != "" {
		warn("no run of "+from.Flow+" writes this path for the period "+label+" of "+to.Flow+", so the task would wait for ever",
			"read a path that "+from.Flow+" writes, or need its task")
	}
	r.data = append(r.data, flow.DataEdge{From: from, To: to, Path: in.template.Source(), Pos: in.template.Pos})
}

// samples is how many of a reader's periods are tried.
const samples = 8

// missing returns the label of a period of the reader for which no run of the writer makes the path, "" when none is found among a few
// periods. Both spell the path alike, so whoever makes it has a period that begins close to the reader's: only the writer's next to it are tried.
func (r *compilation) missing(b *builtFlow, in dataPath, w writer) string {
	reader, author := b.flow.Schedule, w.built.flow.Schedule
	if !recurs(reader) || !recurs(author) || reader.Fingerprint() == author.Fingerprint() || !strings.Contains(in.key, "\x00") {
		return ""
	}
	key := reader.Fingerprint() + "\x01" + author.Fingerprint() + "\x01" + expressionsOf(in.key)
	if label, known := r.missed[key]; known {
		return label
	}
	if r.missed == nil {
		r.missed = make(map[string]string)
	}
	r.missed[key] = r.firstMissing(b, in, w)
	return r.missed[key]
}

// recurs tells whether a schedule has more than one period.
func recurs(s *period.Schedule) bool {
	return s != nil && s.Kind() != period.Demand && s.Kind() != period.Once
}

// expressionsOf drops the literals of a key.
func expressionsOf(key string) string {
	var out strings.Builder
	for i, part := range strings.Split(key, "\x00") {
		if i%2 == 1 {
			out.WriteString(part + "\x00")
		}
	}
	return out.String()
}

func (r *compilation) firstMissing(b *builtFlow, in dataPath, w writer) string {
	reader, author := b.flow.Schedule, w.built.flow.Schedule
	begin := period.At(time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)) // any; a Monday that begins no month
	p, ok := reader.FirstEndingAfter(begin)
	q, exists := author.FirstEndingAfter(begin)
	if !ok || !exists {
		return ""
	}
	if q.Start > p.Start {
		p, ok = reader.FirstEndingAfter(q.Start)
	}
	for range samples {
		if !ok {
			return ""
		}
		path, err := r.pathOf(in, b, p)
		if err != nil {
			return ""
		}
		if !r.writes(w, author, path, reader.Begin(p)) {
			return reader.Label(p)
		}
		p, ok = reader.Next(p)
	}
	return ""
}

// writes tells whether a run of the writer for a period near an instant makes a path.
func (r *compilation) writes(w writer, author *period.Schedule, path string, near period.Instant) bool {
	q, ok := author.FirstEndingAfter(near)
	if !ok {
		return true // its last period is over: this is not about the path
	}
	for range 2 {
		if before, ok := author.Prev(q); ok {
			q = before
		}
	}
	for range 4 {
		made, err := r.pathOf(w.path, w.built, q)
		if err != nil || made == path {
			return true
		}
		if q, ok = author.Next(q); !ok {
			return true
		}
	}
	return false
}

// pathOf is a path in the run of a period, with the parameters' defaults.
func (r *compilation) pathOf(path dataPath, b *builtFlow, p period.Period) (string, error) {
	s := b.flow.Schedule
	params := make(map[string]string, len(b.flow.Params))
	for _, p := range b.flow.Params {
		params[p.Name] = p.Default
	}
	return r.c.programs.Text(path.template, expr.Creation, &expr.Values{
		Period: expr.Period{Start: p.Start, End: p.End, Label: s.Label(p), Kind: p.Kind.String(), Zone: s.Zone()},
		Params: params, Matrix: b.flow.Tasks[path.task].Matrix,
	})
}
