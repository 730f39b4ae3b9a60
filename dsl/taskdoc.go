package dsl

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// task reads one task.
func (d *decoder) task(name text, n *node, s *shape) *taskDraft {
	t := &taskDraft{name: name}
	var run, file *node
	d.object(n, s, func(key string, v *node) {
		switch key {
		case "run":
			run = v
			t.run = d.template(v, "the text to run")
		case "file":
			file = v
			t.file = d.file(v)
		case "args":
			t.args = d.args(v)
		case "needs":
			t.needs = d.needs(v)
		case "inputs":
			t.inputs = d.templates(v, "a list of paths")
		case "outputs":
			t.outputs = d.templates(v, "a list of paths")
		case "when":
			t.when = d.condition(v)
		case "matrix":
			t.matrix = d.matrix(v)
		case "uses":
			t.uses = d.uses(v)
		default:
			d.common(&t.commonDraft, key, v)
		}
	})
	if run != nil && file != nil {
		d.report(file, diag.Duplicate, "keep one of them", "task %s has both run and file", strconv.Quote(t.name.value))
		d.findings[len(d.findings)-1].Related = d.related(run, "run is given here")
	}
	if s == &taskShape && n.kind == mappingNode && run == nil && file == nil && t.uses == nil {
		at, hint, message := nothingToRun(name)
		d.reportAt(at, diag.Missing, hint, message)
	}
	return t
}

func nothingToRun(name text) (at flow.Pos, hint, message string) {
	return name.at, "add `run:` with the command, or `file:` with the name of a script", "task " + strconv.Quote(name.value) + " has nothing to run"
}

// file reads the name of a script beside the flow's file and returns it relative to the flows root.
func (d *decoder) file(n *node) text {
	t := d.text(n, "the name of a file")
	if t.at.Line == 0 {
		return t
	}
	name := path.Join(d.folder, t.value)
	switch {
	case strings.Contains(t.value, "${{"):
		d.report(n, diag.BadExpression, "name the file; pass what varies in args or env", "file takes no expressions: the script belongs to the commit")
		return text{}
	case t.value == "" || path.IsAbs(t.value) || name == ".." || strings.HasPrefix(name, "../"):
		d.report(n, diag.MissingFile, "name a file within the flows root, relative to this one", "%s is not within the flows root", strconv.Quote(t.value))
		return text{}
	}
	return text{name, t.at}
}

// args reads positional arguments from a list, or named ones from a mapping.
func (d *decoder) args(n *node) (out []flow.Arg) {
	if n.kind == listNode {
		for _, v := range d.templates(n, "a list or a mapping") {
			out = append(out, flow.Arg{Value: v})
		}
		return out
	}
	d.pairs(n, "a list or a mapping", func(key string, _, v *node) {
		if t := d.template(v, "text"); t != nil {
			out = append(out, flow.Arg{Name: key, Value: t})
		}
	})
	return out
}

func (d *decoder) env(n *node) (out []flow.Env) {
	d.pairs(n, "a mapping of names to texts", func(key string, k, v *node) {
		if !isVariable(key) {
			d.report(k, diag.BadName, "use letters, digits and '_'", "%s is not a name for an environment variable", strconv.Quote(key))
			return
		}
		if strings.HasPrefix(key, "FLOWCTL_") {
			d.report(k, diag.BadName, "choose another beginning", "%s is set by flowctl: names that begin with FLOWCTL_ are its own", key)
			return
		}
		if t := d.template(v, "text"); t != nil {
			out = append(out, flow.Env{Name: key, Value: t})
		}
	})
	return out
}

// isVariable tells whether s can name an environment variable in a POSIX shell.
func isVariable(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return s != ""
}

func (d *decoder) agents(n *node) (out []string) {
	d.object(n, &agentsShape, func(_ string, v *node) {
		for _, t := range d.texts(v, "a list of labels such as hadoop or zone=a") {
			out = append(out, t.value)
		}
	})
	return out
}

func (d *decoder) matrix(n *node) (out []axis) {
	if n.kind == mappingNode && len(n.pairs) == 0 {
		d.wrongType(n, "a mapping of names to lists of values, not empty")
	}
	d.pairs(n, "a mapping of names to lists of values", func(key string, k, v *node) {
		a := axis{name: text{key, d.src.pos(k)}}
		d.checkName(a.name, k)
		if v.kind == listNode && len(v.items) == 0 {
			d.wrongType(v, "at least one value")
		}
		d.list(v, "a list of values", func(item *node) {
			value := d.name(item, "a name or number")
			first := slices.IndexFunc(a.values, func(t text) bool { return t.value == value.value })
			if first >= 0 && value.at.Line > 0 {
				d.report(item, diag.Duplicate, "keep one of them", "%s is given twice", strconv.Quote(value.value))
				d.findings[len(d.findings)-1].Related = relatedAt(a.values[first].at, "first given here")
				return
			}
			if value.at.Line > 0 {
				a.values = append(a.values, value)
			}
		})
		if len(a.values) > 0 {
			out = append(out, a)
		}
	})
	return out
}

// maxTasks bounds the tasks of one file, matrices expanded.
const maxTasks = 20_000

// expand names the tasks that each matrix makes, so that needs can be looked up without the tasks themselves.
func (d *decoder) expand(f *flowDraft) {
	f.expanded = make(map[string][]string)
	f.names = make(map[string]int, len(f.tasks))
	for _, t := range f.tasks {
		names := []string{t.name.value}
		if count := t.count(); d.made+count > maxTasks {
			d.reportAt(t.name.at, diag.WrongType, "split the file, or the matrix", "the file has more than "+strconv.Itoa(maxTasks)+" tasks, matrices expanded")
			t.matrix = nil
		}
		if len(t.matrix) > 0 {
			names = t.expansions()
			f.expanded[t.name.value] = names
		}
		d.made += len(names)
		for _, name := range names {
			if _, taken := f.names[name]; !taken {
				f.names[name] = len(f.names)
			}
		}
	}
}

// count returns how many tasks the matrix makes, or a number over maxTasks.
func (d *taskDraft) count() int {
	n := 1
	for _, a := range d.matrix {
		if n *= len(a.values); n > maxTasks {
			return n
		}
	}
	return n
}

// expansions returns NAME:VALUE for each combination of the matrix's values, the last axis varying fastest.
func (d *taskDraft) expansions() []string {
	names := []string{d.name.value}
	for _, a := range d.matrix {
		next := make([]string, 0, len(names)*len(a.values))
		for _, name := range names {
			for _, v := range a.values {
				next = append(next, name+":"+v.value)
			}
		}
		names = next
	}
	return names
}

func (d *decoder) needs(n *node) []needDraft {
	out := make([]needDraft, 0, len(n.items))
	d.list(n, "a list of tasks", func(v *node) {
		if need, ok := d.need(v); ok {
			out = append(out, need)
		}
	})
	return out
}

// need reads one need in any of its forms.
func (d *decoder) need(n *node) (needDraft, bool) {
	need := needDraft{at: d.src.pos(n)}
	if n.kind == scalarNode {
		t := d.text(n, needShape.want)
		need.flow, need.task = splitTask(t.value)
		if t.at.Line > 0 && (need.task == "" || need.flow == "" && strings.HasPrefix(t.value, "/")) {
			d.report(n, diag.BadName, "write a task of this flow, or flow/task; for all tasks of a flow {flow: NAME}", "%s names no task", strconv.Quote(t.value))
			return need, false
		}
		return need, t.at.Line > 0
	}
	failed := len(d.findings)
	d.object(n, &needShape, func(key string, v *node) {
		switch key {
		case "task":
			t := d.text(v, "a task's name")
			if name, task := splitTask(t.value); name != "" {
				need.flow, need.task = name, task
			} else {
				need.task = t.value
			}
			need.at = d.src.pos(v)
		case "flow":
			need.flow = d.text(v, "a flow's name").value
			if need.task == "" {
				need.at = d.src.pos(v)
			}
		case "periods":
			need.rule, need.ruled = d.periods(v)
		}
	})
	if len(d.findings) > failed {
		return need, false
	}
	if need.flow == "" && need.task == "" {
		d.report(n, diag.Missing, "write {task: NAME} or {flow: NAME}", "the need names neither a task nor a flow")
		return need, false
	}
	return need, true
}

// splitTask splits flow/task; without a slash it is a task of the same flow.
func splitTask(s string) (flowName, task string) {
	if before, after, ok := strings.Cut(s, "/"); ok {
		return before, after
	}
	return "", s
}

// periods reads previous, latest, {offset: -n} or {last: n}.
func (d *decoder) periods(n *node) (rule period.Rule, ok bool) {
	if n.kind == scalarNode {
		switch n.text {
		case "previous":
			return period.Rule{Kind: period.Offset, N: 1}, true
		case "latest":
			return period.Rule{Kind: period.Latest}, true
		}
		d.wrongType(n, periodsShape.want)
		return rule, false
	}
	if n.kind == mappingNode && len(n.pairs) != 1 {
		d.wrongType(n, periodsShape.want)
		return rule, false
	}
	d.object(n, &periodsShape, func(key string, v *node) {
		switch key {
		case "offset":
			if o := d.integer(v, -100_000, -1); o.set() {
				rule, ok = period.Rule{Kind: period.Offset, N: -o.value}, true
			}
		case "last":
			if l := d.integer(v, 1, 100_000); l.set() {
				rule, ok = period.Rule{Kind: period.Last, N: l.value}, true
			}
		}
	})
	return rule, ok
}
