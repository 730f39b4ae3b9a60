package dsl

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// testDraft is a document whose top-level key is `test`. It is decoded when all flows are known: nothing in it makes sense alone.
type testDraft struct {
	src *source
	doc *node
}

// tests reads the tests of all files, in their order.
func (r *compilation) tests() {
	s := &scene{zone: zoneOf(r.catalog.timezone), unsure: map[string]bool{}, signals: r.catalog.signals}
	faulty, any := map[string]bool{}, false
	for _, u := range r.units {
		any = any || len(u.tests) > 0
		faulty[u.path] = slices.ContainsFunc(u.findings, isError)
		s.broken = s.broken || u.broken != ""
	}
	if !any {
		return
	}
	for _, b := range r.built {
		if slices.ContainsFunc(b.findings, func(f finding) bool { return isError(f.Diagnostic) }) || b.knotted || faulty[b.draft.file] {
			s.unsure[b.flow.Name] = true
			continue
		}
		s.flows = append(s.flows, b.flow)
	}
	named := map[string]*flow.Test{}
	for _, u := range r.units {
		for _, draft := range u.tests {
			d := &decoder{src: draft.src}
			t := d.test(draft.doc, s)
			if first := named[t.Name]; first != nil && t.Name != "" {
				d.reportAt(t.Pos, diag.Duplicate, "rename one of them", "a second test named "+strconv.Quote(t.Name))
				d.findings[len(d.findings)-1].Related = relatedAt(first.Pos, "first defined here")
			}
			named[t.Name] = t
			r.testDocs = append(r.testDocs, t)
			r.add(d.findings...)
		}
	}
}

// test reads a test of flows.
func (d *decoder) test(n *node, s *scene) *flow.Test {
	t := &flow.Test{Given: &flow.Outcomes{}, Pos: d.src.pos(n)}
	d.object(n, &testShape, func(key string, v *node) {
		switch key {
		case "test":
			name := d.text(v, "what is tested, in a few words")
			t.Name, t.Pos = name.value, d.src.pos(v)
			if name.at.Line > 0 && strings.TrimSpace(name.value) == "" {
				d.report(v, diag.Missing, "say in a few words what it tests", "the test has no name")
			}
		case "from":
			t.From = d.instant(v, s.zone, false)
		case "to":
			t.To = d.instant(v, s.zone, true)
		case "given":
			t.Given = d.outcomes(v, s)
		case "expect":
			d.list(v, "a list such as [{run: shop@2026-11-19, state: succeeded}]", func(v *node) {
				t.Expect = append(t.Expect, d.expectation(v, s))
			})
			if v.kind == listNode && len(v.items) == 0 {
				d.report(v, diag.Missing, "say what should be true, such as {run: shop@2026-11-19, state: succeeded}", "the test expects nothing")
			}
		}
	})
	for _, field := range []string{"from", "to", "expect"} {
		if n.field(field) == nil {
			d.reportAt(t.Pos, diag.Missing, "a test has `from`, `to` and `expect`", "the test has no field "+field)
		}
	}
	if t.From != 0 && t.To != 0 && t.To <= t.From {
		d.reportAt(t.Pos, diag.BadInstant, "", "the test ends before it begins")
	}
	d.checkMoments(t)
	return t
}

// checkMoments reports expectations and actions at instants that the test does not reach.
func (d *decoder) checkMoments(t *flow.Test) {
	if t.From == 0 || t.To <= t.From {
		return
	}
	const hint = "move it, or change `from` and `to`"
	for _, e := range t.Expect {
		if e.At != 0 && (e.At < t.From || e.At > t.To) {
			d.reportAt(e.Pos, diag.BadInstant, hint, "the expectation is for a time outside the test")
		}
	}
	for i := range t.Given.Actions {
		if a := &t.Given.Actions[i]; a.At != 0 && (a.At < t.From || a.At >= t.To) {
			d.reportAt(a.Pos, diag.BadInstant, hint, "the action is outside the time of the test")
		}
	}
}

// expectation reads what should be true of a run or of a task run.
func (d *decoder) expectation(n *node, s *scene) flow.Expectation {
	e := flow.Expectation{Pos: d.src.pos(n)}
	d.object(n, &expectationShape, func(key string, v *node) {
		switch key {
		case "at":
			e.At = d.instant(v, s.zone, false)
		case "run", "task":
			d.subject(&e, key, v, s)
		default:
			e.Checks = append(e.Checks, d.check(flow.CheckField(key), v, s, n.field("run") != nil))
		}
	})
	switch {
	case n.kind != mappingNode:
	case (n.field("run") == nil) == (n.field("task") == nil):
		d.report(n, diag.Missing, "write {run: FLOW@PERIOD, …} or {task: FLOW/TASK@PERIOD, …}", "an expectation is about one run or one task")
	case len(e.Checks) == 0:
		d.report(n, diag.Missing, "add `state: succeeded`, say", "the expectation says nothing that could be wrong")
	case n.field("run") != nil:
		for _, c := range e.Checks {
			if c.Field == flow.CheckAttempts || c.Field == flow.CheckBlockers || c.Field == flow.CheckOutputs {
				d.reportAt(c.Pos, diag.UnknownField, "name one with `task: FLOW/TASK@PERIOD`", "only tasks have "+string(c.Field))
			}
		}
	}
	return e
}

// subject reads what an expectation is about.
func (d *decoder) subject(e *flow.Expectation, kind string, n *node, s *scene) {
	written := d.text(n, "a name such as shop@2026-11-19")
	if written.at.Line == 0 {
		return
	}
	t := parseTarget(written.value)
	e.Flow, e.Task = t.flow, t.task
	if (kind == "task") != (t.task != "") {
		d.report(n, diag.WrongType, "write {run: FLOW@PERIOD, …} or {task: FLOW/TASK@PERIOD, …}", "%s is no %s", strconv.Quote(written.value), kind)
		return
	}
	f := d.find(n, s, t)
	switch {
	case f == nil:
	case t.label == "":
		e.Newest = true
	default:
		e.Periods = d.labelled(n, f, t.label)
	}
}

// check reads one field that is compared, of a run or of a task run.
func (d *decoder) check(field flow.CheckField, n *node, s *scene, run bool) flow.Check {
	c := flow.Check{Field: field, Pos: d.src.pos(n)}
	switch field {
	case flow.CheckState:
		c.Want = d.oneOf(n, states(run)...).value
	case flow.CheckStarted, flow.CheckEnded:
		if n.kind != scalarNode || n.text != "never" {
			c.At = d.instant(n, s.zone, false)
		}
	case flow.CheckAttempts:
		c.Want = strconv.Itoa(d.integer(n, 0, maxFirst).value)
	case flow.CheckBlockers:
		var names []string
		for _, t := range d.texts(n, "a list of what blocks it: shop/load@2026-11-19, a path, or a kind such as flow_limit") {
			names = append(names, t.value)
		}
		slices.Sort(names)
		c.Want = strings.Join(names, ", ")
	case flow.CheckOutputs:
		c.Want = OutputsText(d.strings(n))
	case flow.CheckEvents:
		c.Want = d.events(n)
	case flow.CheckTold:
		var told []string
		for _, t := range d.texts(n, "a list of channels with receivers such as [mail alice, texts bob]") {
			told = append(told, strings.Join(strings.Fields(t.value), " "))
		}
		slices.Sort(told)
		c.Want = strings.Join(told, ", ")
	}
	return c
}

// OutputsText writes outputs as key=value, sorted by key, joined with ", ": the form in which tests compare them.
func OutputsText(outputs map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(outputs)) {
		parts = append(parts, k+"="+outputs[k])
	}
	return strings.Join(parts, ", ")
}

// events reads what alerts should have been told.
func (d *decoder) events(n *node) string {
	var kinds []string
	known := taskEventNames()
	d.list(n, "a list of events such as [retrying, failed]", func(v *node) {
		t := d.text(v, "an event such as failed")
		if t.at.Line > 0 && !slices.Contains(known, t.value) {
			d.report(v, diag.WrongType, suggest(t.value, known, "there are "), "no event of a task is named %s", strconv.Quote(t.value))
		}
		kinds = append(kinds, t.value)
	})
	slices.Sort(kinds)
	return strings.Join(kinds, ", ")
}

// taskEventNames lists the events that happen to a task run.
func taskEventNames() []string {
	var names []string
	for _, e := range flow.Events() {
		if e.Subject == flow.OfTask {
			names = append(names, string(e.Event))
		}
	}
	return names
}

// states lists what a test can expect of a run, or of a task run.
func states(run bool) []string {
	if run {
		return []string{"active", "succeeded", "failed", flow.Absent}
	}
	return []string{
		"waiting", "ready", "assigned", "running", "killing", "retrying", "succeeded", "failed", "killed", "skipped", "expired",
		"upstream_failed", flow.Absent,
	}
}

// allStates lists the states of runs and task runs.
func allStates() []string { return append([]string{"active"}, states(false)...) }
