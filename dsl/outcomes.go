package dsl

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// Outcomes reads an outcomes file, which says how the world behaves when a project is simulated. The outcomes are nil when one of the
// diagnostics is an error.
func Outcomes(name string, data []byte, p *flow.Project) (*flow.Outcomes, []diag.Diagnostic) {
	d := &decoder{src: &source{path: name}}
	content, problem := normalize(data)
	var docs []*node
	if problem == nil {
		d.src.text = content
		docs, problem = parseYAML(content)
	}
	out := &flow.Outcomes{}
	switch {
	case problem != nil:
		d.reportAt(flow.Pos{File: name, Line: problem.line, Col: problem.col}, diag.Syntax, problem.hint, problem.msg)
	case len(docs) > 1:
		d.report(docs[1], diag.Duplicate, "keep one document", "an outcomes file holds one document")
	case len(docs) == 1:
		out = d.outcomes(docs[0], sceneOf(p))
	}
	if len(d.findings) == 0 {
		return out, nil
	}
	found := diag.Sort(d.findings)
	diag.Quote(found, func(string) []byte { return data })
	return nil, found
}

// outcomes reads what is given: how long tasks take, what fails, what arrives when, which agents there are, who asks for runs.
func (d *decoder) outcomes(n *node, s *scene) *flow.Outcomes {
	out := &flow.Outcomes{}
	d.object(n, &outcomesShape, func(key string, v *node) {
		switch key {
		case "duration":
			out.Duration = d.span(v)
		case "past":
			out.MissingPast = d.oneOf(v, "succeeded", "missing").value == "missing"
		case "tasks":
			d.list(v, "a list such as [{task: shop/load, duration: 5m}]", func(v *node) { out.Tasks = append(out.Tasks, d.outcome(v, s)) })
		case "paths":
			d.pairs(v, "a mapping of paths to the times at which they appear", func(name string, k, v *node) {
				out.Paths = append(out.Paths, d.arrival(name, k, v, s))
			})
		case "gates":
			d.pairs(v, "a mapping of tasks to the times at which their gates release them", func(name string, k, v *node) {
				out.Gates = append(out.Gates, d.gateOutcome(name, k, v, s))
			})
		case "agents":
			d.pairs(v, "a mapping of names to agents", func(name string, k, v *node) { out.Agents = append(out.Agents, d.host(name, k, v, s)) })
		case "signals":
			d.list(v, "a list such as [{signal: crm.export, set: 2026-11-20T06:00}]", func(v *node) {
				out.Signals = append(out.Signals, d.announcement(v, s))
			})
		case "actions":
			d.list(v, "a list such as [{at: 2026-11-19T06:00, run: shop}]", func(v *node) { out.Actions = append(out.Actions, d.action(v, s)) })
		}
	})
	return out
}

// outcome reads how attempts of some tasks end.
func (d *decoder) outcome(n *node, s *scene) flow.Outcome {
	var o flow.Outcome
	var periods []*node
	d.object(n, &outcomeShape, func(key string, v *node) {
		switch key {
		case "task":
			o.Task = d.text(v, "flow/task, where * stands for anything").value
			d.checkPattern(v, o.Task)
			d.checkTaskPattern(v, s, o.Task)
		case "periods":
			periods = v.items
			o.Periods = d.ranges(v)
		case "duration":
			o.Duration = d.span(v)
		case "fail":
			o.Fail = d.failure(v)
		case "outputs":
			o.Outputs = d.strings(v)
		}
	})
	if n.kind == mappingNode && n.field("task") == nil {
		d.report(n, diag.Missing, "add `task: FLOW/TASK`", "the outcome does not say of which task")
	}
	if len(periods) == len(o.Periods) {
		d.checkRanges(periods, s, &o)
	}
	return o
}

// ranges reads a list of periods and of ranges of them.
func (d *decoder) ranges(n *node) (all []flow.Range) {
	for _, t := range d.texts(n, "a list of periods") {
		from, to, ranged := strings.Cut(t.value, "..")
		if !ranged {
			to = from
		}
		all = append(all, flow.Range{From: from, To: to})
	}
	return all
}

func (d *decoder) checkPattern(n *node, pattern string) {
	if _, err := path.Match(pattern, ""); err != nil {
		d.report(n, diag.BadPattern, "* stands for any characters but /, ? for one, [ab] for one of those", "%s is no pattern", strconv.Quote(pattern))
	}
}

// checkTaskPattern reports a pattern that no task matches.
func (d *decoder) checkTaskPattern(n *node, s *scene, pattern string) {
	if pattern == "" {
		return
	}
	if !strings.ContainsAny(pattern, "*?[") {
		t := parseTarget(pattern)
		if t.task == "" {
			d.report(n, diag.UnknownTask, "write flow/task, or "+pattern+"/* for all tasks of a flow", "%s names no task", strconv.Quote(pattern))
			return
		}
		d.find(n, s, t)
		return
	}
	o := flow.Outcome{Task: pattern}
	for _, f := range s.flows {
		if slices.ContainsFunc(f.Tasks, func(t *flow.Task) bool { return o.Matches(f.ID(t)) }) {
			return
		}
	}
	if len(s.unsure) == 0 && !s.broken {
		d.report(n, diag.UnknownTask, "a pattern is matched against flow/task", "no task matches %s", strconv.Quote(pattern))
	}
}

// checkRanges reports periods that are none of a flow with a task that the outcome is about.
func (d *decoder) checkRanges(nodes []*node, s *scene, o *flow.Outcome) {
	for _, f := range s.flows {
		if !slices.ContainsFunc(f.Tasks, func(t *flow.Task) bool { return o.Matches(f.ID(t)) }) {
			continue
		}
		for i, r := range o.Periods {
			if _, _, err := f.Schedule.Range(r.From, r.To); err != nil {
				d.report(nodes[i], diag.BadPeriod, "", "flow %s: %v", f.Name, err)
				return
			}
		}
	}
}

// span reads 10m or 10m..30m.
func (d *decoder) span(n *node) *flow.Span {
	from, to, ranged := strings.Cut(n.text, "..")
	if n.kind != scalarNode || !ranged {
		v := d.duration(n)
		return &flow.Span{Min: v.value, Max: v.value}
	}
	low, err := parseDuration(from)
	high, err2 := parseDuration(to)
	if err != nil || err2 != nil || high < low {
		d.report(n, diag.BadDuration, "write it like 10m..30m, the shorter one first", "%s is no range of durations", strconv.Quote(n.text))
		return nil
	}
	return &flow.Span{Min: low, Max: high}
}

// maxFirst bounds how many attempts of a task run fail.
const maxFirst = 1_000_000

// failure reads 2, always or 5%.
func (d *decoder) failure(n *node) *flow.Failure {
	const want = "how many first attempts fail, `always`, or a chance such as 5%"
	percent, isChance := strings.CutSuffix(n.text, "%")
	switch {
	case n.kind == scalarNode && n.typ == intScalar:
		return &flow.Failure{First: d.integer(n, 0, maxFirst).value}
	case n.kind == scalarNode && n.text == "always":
		return &flow.Failure{Always: true}
	case n.kind == scalarNode && isChance:
		if v, err := strconv.ParseFloat(percent, 64); err == nil && 0 <= v && v <= 100 {
			return &flow.Failure{Chance: v / 100}
		}
	}
	d.wrongType(n, want)
	return nil
}

// strings reads a mapping of names to texts.
func (d *decoder) strings(n *node) map[string]string {
	out := make(map[string]string, len(n.pairs))
	d.pairs(n, "a mapping of names to values", func(key string, _, v *node) { out[key] = d.text(v, "text").value })
	return out
}

func (d *decoder) arrival(name string, k, n *node, s *scene) flow.Arrival {
	d.checkPattern(k, name)
	if n.kind == scalarNode && n.text == "never" {
		return flow.Arrival{Path: name, Never: true}
	}
	return flow.Arrival{Path: name, At: d.instant(n, s.zone, false)}
}

func (d *decoder) gateOutcome(name string, k, n *node, s *scene) flow.GateOutcome {
	d.checkPattern(k, name)
	d.checkTaskPattern(k, s, name)
	o := flow.GateOutcome{Task: name}
	switch {
	case n.kind == scalarNode && n.text == "never":
		o.Never = true
	case n.kind == scalarNode && n.text == "refuse":
		o.Refuse = true
	default:
		o.At = d.instant(n, s.zone, false)
	}
	return o
}

// announcement reads when periods of a signal are set.
func (d *decoder) announcement(n *node, s *scene) flow.Announcement {
	var a flow.Announcement
	var periods []*node
	d.object(n, &announcementShape, func(key string, v *node) {
		switch key {
		case "signal":
			a.Signal = d.text(v, "the name of a signal, where * stands for anything").value
			d.checkPattern(v, a.Signal)
			d.checkSignalPattern(v, s, &a)
		case "periods":
			periods = v.items
			a.Periods = d.ranges(v)
		case "set":
			if a.Never = v.kind == scalarNode && v.text == "never"; !a.Never {
				a.Set = d.instant(v, s.zone, false)
			}
		case "unset":
			a.Unset = d.instant(v, s.zone, false)
		}
	})
	switch {
	case n.kind != mappingNode:
		return a
	case n.field("signal") == nil:
		d.report(n, diag.Missing, "add `signal: NAME`", "the announcement does not say of which signal")
	case n.field("set") == nil && n.field("unset") == nil:
		d.report(n, diag.Missing, "add `set: 2026-11-20T06:00`, or `set: never`", "the announcement does not say when")
	case a.Never && a.Unset != 0:
		d.report(n.field("unset"), diag.BadInstant, "leave it out", "what is never set cannot be unset")
	case a.Set != 0 && a.Set == a.Unset:
		d.report(n.field("unset"), diag.BadInstant, "move one of them", "it is set and unset at the same instant")
	}
	if len(periods) != len(a.Periods) {
		return a
	}
	for _, name := range sortedKeys(s.signals) {
		for i, r := range a.Periods {
			if _, _, err := s.signals[name].Schedule.Range(r.From, r.To); err != nil && a.Matches(name) {
				d.report(periods[i], diag.BadPeriod, "", "signal %s: %v", name, err)
			}
		}
	}
	return a
}

// checkSignalPattern reports a pattern that no signal matches.
func (d *decoder) checkSignalPattern(n *node, s *scene, a *flow.Announcement) {
	names := sortedKeys(s.signals)
	if a.Signal != "" && !s.broken && !slices.ContainsFunc(names, a.Matches) {
		d.report(n, diag.UnknownSignal, suggest(a.Signal, names, "there are "), "no signal is named %s", strconv.Quote(a.Signal))
	}
}

func (d *decoder) host(name string, k, n *node, s *scene) flow.Host {
	d.checkName(text{name, d.src.pos(k)}, k)
	h := flow.Host{Name: name}
	d.object(n, &hostShape, func(key string, v *node) {
		switch key {
		case "slots":
			h.Slots = d.integer(v, 1, maxSlots).value
		case "labels":
			for _, t := range d.texts(v, "a list of labels") {
				h.Labels = append(h.Labels, t.value)
			}
		case "away":
			d.list(v, "a list such as [{from: 2026-11-19T06:00, to: 2026-11-19T08:00}]", func(v *node) {
				h.Away = append(h.Away, d.absence(v, s.zone))
			})
		}
	})
	if n.kind == mappingNode && n.field("slots") == nil {
		d.report(k, diag.Missing, "add `slots: N`", "agent %s has no slots", strconv.Quote(name))
	}
	return h
}

func (d *decoder) absence(n *node, zone *time.Location) flow.Absence {
	var a flow.Absence
	d.object(n, &absenceShape, func(key string, v *node) {
		switch key {
		case "from":
			a.From = d.instant(v, zone, false)
		case "to":
			a.To = d.instant(v, zone, true)
		}
	})
	if a.From != 0 && a.To != 0 && a.To <= a.From {
		d.report(n, diag.BadInstant, "", "the absence ends before it begins")
	}
	return a
}
