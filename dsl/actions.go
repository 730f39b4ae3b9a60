package dsl

import (
	"slices"
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// options lists the fields that an action of a verb has, beside its instant and what it is done to. The kill of a rerun is one too.
func options(v flow.Verb) []string {
	switch v {
	case flow.VerbRun:
		return []string{"params", "extra", "force"}
	case flow.VerbRerun:
		return []string{"from_task", "failed", "upstream", "cascade", "kill"}
	case flow.VerbBackfill:
		return []string{"group", "every", "from", "to", "max_active", "missing_upstream", "reprocess", "cascade"}
	case flow.VerbSucceed:
		return []string{"outputs"}
	case flow.VerbPause:
		return []string{"group", "scheduled_after"}
	case flow.VerbResume:
		return []string{"group"}
	}
	return nil
}

// verbs lists what an operator can do.
func verbs() []flow.Verb {
	return []flow.Verb{flow.VerbRun, flow.VerbRerun, flow.VerbBackfill, flow.VerbKill, flow.VerbSucceed, flow.VerbSkip, flow.VerbPause, flow.VerbResume}
}

// havers says which verbs have an option.
func havers(option string) string {
	var names []string
	for _, v := range verbs() {
		if slices.Contains(options(v), option) {
			names = append(names, string(v))
		}
	}
	return option + " belongs to " + strings.Join(names, ", ")
}

func verbNames() string {
	var names []string
	for _, v := range verbs() {
		names = append(names, string(v))
	}
	return strings.Join(names, ", ")
}

// verbOf returns what an action does; empty when that is reported.
func (d *decoder) verbOf(n *node) flow.Verb {
	var found []flow.Verb
	for _, v := range verbs() {
		if n.field(string(v)) != nil && (v != flow.VerbKill || n.field(string(flow.VerbRerun)) == nil) {
			found = append(found, v)
		}
	}
	switch {
	case n.kind != mappingNode:
		return ""
	case len(found) == 0:
		d.report(n, diag.Missing, "it has one of "+verbNames(), "the action does not say what is done")
		return ""
	case len(found) > 1:
		d.report(n, diag.Duplicate, "make two actions of it", "the action is both a %s and a %s", found[0], found[1])
		return ""
	}
	return found[0]
}

// action reads what an operator does.
func (d *decoder) action(n *node, s *scene) flow.Action {
	a := flow.Action{Pos: d.src.pos(n), Verb: d.verbOf(n)}
	known := options(a.Verb)
	d.object(n, &actionShape, func(key string, v *node) {
		switch {
		case key == "at":
			a.At = d.instant(v, s.zone, false)
		case key == string(a.Verb):
			d.operand(&a, v, s)
		case slices.Contains(known, key):
			d.actionOption(&a, key, v, s)
		case a.Verb != "":
			d.report(v, diag.UnknownField, havers(key), "a %s has no field %s", a.Verb, key)
		}
	})
	if n.kind != mappingNode || a.Verb == "" {
		return a
	}
	for _, field := range needed(&a) {
		if n.field(field) == nil {
			d.report(n, diag.Missing, "add `"+field+": 2026-11-19`, say", "the %s has no field %s", a.Verb, field)
		}
	}
	for _, field := range []string{"group", "every", "scheduled_after"} {
		if given := n.field(field); given != nil && slices.Contains(known, field) && !a.All {
			d.report(given, diag.UnknownField, "write `"+string(a.Verb)+": all`", "%s goes with all, not with names", field)
		}
	}
	switch {
	case a.Verb == flow.VerbBackfill:
		d.checkBackfillRange(n, s, &a)
	case a.Target != "":
		d.checkTarget(&a, n, s)
	case a.Group != "" && a.ScheduledAfter != 0:
		d.report(n.field("scheduled_after"), diag.UnknownField, "make two actions of it", "the horizon is that of all groups")
	}
	return a
}

// needed lists the fields that an action must have.
func needed(a *flow.Action) []string {
	switch {
	case a.Verb == flow.VerbBackfill:
		return []string{"at", "from", "to"}
	case a.Verb == flow.VerbPause && a.All && a.Group == "":
		return []string{"at", "scheduled_after"}
	}
	return []string{"at"}
}

// operand reads what an action is done to.
func (d *decoder) operand(a *flow.Action, n *node, s *scene) {
	whole := a.Verb == flow.VerbBackfill || a.Verb == flow.VerbPause || a.Verb == flow.VerbResume
	switch {
	case whole && n.kind == scalarNode && n.text == "all":
		a.All = true
	case a.Verb == flow.VerbBackfill:
		d.list(n, "`all`, or a list of flows", func(v *node) {
			t := d.text(v, "the name of a flow")
			if t.at.Line == 0 {
				return
			}
			if f := d.find(v, s, target{flow: t.value}); f != nil && f.Schedule.Kind() == period.Demand {
				d.report(v, diag.BadPeriod, "use `run: "+f.Name+"`", "flow %s runs on demand and has no periods", f.Name)
			}
			a.Flows = append(a.Flows, t.value)
		})
		if n.kind == listNode && len(n.items) == 0 {
			d.report(n, diag.Missing, "name some, or write `backfill: all`", "the backfill names no flow")
		}
	default:
		a.Target = d.text(n, "flow[/task][@period[..period]][#version]").value
	}
}

// checkTarget reports what an action names and there is not.
func (d *decoder) checkTarget(a *flow.Action, n *node, s *scene) {
	at := n.field(string(a.Verb))
	rest, version, versioned := strings.Cut(a.Target, "#")
	if number, err := strconv.Atoi(version); versioned && (err != nil || number < 1) {
		d.report(at, diag.WrongType, "write it like shop@2026-11-19#2", "version %s is no number from 1", strconv.Quote(version))
		return
	}
	t := parseTarget(rest)
	f := d.find(at, s, t)
	if f == nil {
		return
	}
	if a.FromTask != "" {
		d.find(n.field("from_task"), s, target{flow: f.Name, task: a.FromTask})
	}
	if a.Params != nil {
		d.checkParams(n.field("params"), f)
	}
	if t.label != "" && f.Schedule.Kind() != period.Demand && !a.Extra { // an extra run may be off the schedule
		d.checkLabel(a, at, f, t.label)
	}
}

// checkLabel reports a label, or a range of them, that names no period of a flow.
func (d *decoder) checkLabel(a *flow.Action, n *node, f *flow.Flow, label string) {
	if from, to, ranged := strings.Cut(label, ".."); ranged && a.Verb != flow.VerbRun {
		if _, _, err := f.Schedule.Range(from, to); err != nil {
			d.report(n, diag.BadPeriod, "", "flow %s: %v", f.Name, err)
		}
		return
	}
	if ps := d.labelled(n, f, label); a.Verb == flow.VerbRun && len(ps) > 1 {
		d.report(n, diag.BadPeriod, "name one of them", "%s stands for %d periods", strconv.Quote(label), len(ps))
	}
}

// checkParams reports params that a flow does not have.
func (d *decoder) checkParams(n *node, f *flow.Flow) {
	var known []string
	for _, p := range f.Params {
		known = append(known, p.Name)
	}
	for _, p := range n.pairs {
		if !slices.Contains(known, p.key.text) {
			d.report(p.key, diag.UnknownField, suggest(p.key.text, known, "its params: "), "flow %s has no param %s", f.Name, strconv.Quote(p.key.text))
		}
	}
}

// actionOption reads a field that the action's verb has.
func (d *decoder) actionOption(a *flow.Action, key string, n *node, s *scene) {
	switch key {
	case "params":
		a.Params = d.strings(n)
	case "extra":
		a.Extra = d.boolean(n).value
	case "force":
		a.Force = d.boolean(n).value
	case "outputs":
		a.Outputs = d.strings(n)
	case "from_task":
		a.FromTask = d.text(n, "the name of a task").value
	case "failed":
		a.Failed = d.boolean(n).value
	case "upstream":
		a.Upstream = d.boolean(n).value
	case "kill":
		a.Kill = d.boolean(n).value
	case "cascade":
		a.Cascade = d.oneOf(n, "none", "logical", "data", "both").value
	case "group":
		a.Group = d.group(n, s)
	case "every":
		a.Every = d.oneOf(n, "hour", "day", "week", "month", "cron").value
	case "from":
		a.From = d.text(n, "a period or a date").value
	case "to":
		a.To = d.text(n, "a period or a date").value
	case "max_active":
		a.MaxActive = d.integer(n, 1, maxSlots).value
	case "missing_upstream":
		a.MissingUpstream = d.oneOf(n, "wait", "ignore").value
	case "reprocess":
		a.Reprocess = d.oneOf(n, "missing", "failed", "all").value
	case "scheduled_after":
		a.ScheduledAfter = d.instant(n, s.zone, false)
	}
}

// group reads the name of a group that some flow is in.
func (d *decoder) group(n *node, s *scene) string {
	t := d.text(n, "the name of a group")
	var known []string
	for _, f := range s.flows {
		known = append(known, f.Group)
	}
	slices.Sort(known)
	known = slices.Compact(known)
	if t.at.Line > 0 && !s.broken && len(s.unsure) == 0 && !slices.Contains(known, t.value) {
		d.report(n, diag.UnknownFlow, suggest(t.value, known, "groups: "), "no flow is in the group %s", strconv.Quote(t.value))
	}
	return t.value
}

// checkBackfillRange reports a range that is none of a flow which a backfill names.
func (d *decoder) checkBackfillRange(n *node, s *scene, a *flow.Action) {
	if a.From == "" || a.To == "" {
		return
	}
	for _, name := range a.Flows {
		f := s.flow(name)
		if f == nil || f.Schedule.Kind() == period.Demand {
			continue
		}
		switch first, last, err := f.Schedule.Range(a.From, a.To); {
		case err != nil:
			d.report(n.field("from"), diag.BadPeriod, "", "flow %s: %v", f.Name, err)
			return
		case first >= last:
			d.report(n.field("to"), diag.BadPeriod, "", "the backfill ends before it begins")
			return
		}
	}
}
