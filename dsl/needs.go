package dsl

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// needs looks up a task's needs: a need on a flow becomes one on each of its tasks, one on a matrix one on each
// expansion, and one that is given twice counts once. The matrix fills in the names that depend on it.
func (b *builder) needs(d *taskDraft, matrix map[string]string) []flow.Need {
	if len(d.needs) == 0 {
		return nil
	}
	out := make([]flow.Need, 0, len(d.needs))
	type key struct {
		flow, task string
		rule       period.Rule
	}
	seen := make(map[key]bool, len(d.needs))
	for _, n := range d.needs {
		n, ok := b.fillIn(n, matrix)
		if !ok {
			continue
		}
		target := b.target(n)
		if target == nil {
			continue
		}
		rule := b.rule(n, target)
		for _, name := range b.needed(n, target) {
			if k := (key{target.name.value, name, rule}); !seen[k] {
				seen[k] = true
				out = append(out, flow.Need{Flow: k.flow, Task: name, Rule: rule, Local: -1, Pos: n.at})
			}
		}
		if target != b.draft && rule.Kind != period.Offset && !slices.Contains(b.waits, n.flow) {
			b.waits = append(b.waits, n.flow)
		}
	}
	return out
}

// fillIn replaces ${{ matrix.NAME }} in the names of a need. Nothing else is known when needs are looked up.
func (b *builder) fillIn(n needDraft, matrix map[string]string) (needDraft, bool) {
	for _, field := range []*string{&n.flow, &n.task} {
		for {
			before, rest, found := strings.Cut(*field, "${{")
			if !found {
				break
			}
			inner, after, _ := strings.Cut(rest, "}}")
			name, isMatrix := strings.CutPrefix(strings.TrimSpace(inner), "matrix.")
			value, known := matrix[name]
			if !isMatrix || !known {
				b.report(n.at, "bad-expression", "write ${{ matrix.NAME }} with a NAME of the task's matrix", "a need may only use the task's matrix: needs are looked up when the repository is compiled")
				return n, false
			}
			*field = before + value + after
		}
	}
	return n, true
}

// target returns the flow that a need is on, reporting one that does not exist.
func (b *builder) target(n needDraft) *flowDraft {
	if n.flow == "" || n.flow == b.draft.name.value {
		return b.draft
	}
	draft := b.drafts[n.flow]
	if b.foreign == nil {
		b.foreign = make(map[string]*flowDraft)
	}
	b.foreign[n.flow] = draft
	if draft == nil {
		hint := suggest(n.flow, b.flowNames, "")
		b.findings = append(b.findings, finding{errorAt(n.at, "unknown-flow", hint, "no flow is named "+strconv.Quote(n.flow)), n.flow})
	}
	return draft
}

// needed returns the names of the tasks that a need means, reporting a task that does not exist.
func (b *builder) needed(n needDraft, target *flowDraft) []string {
	if n.task == "" && n.flow != "" {
		return slices.SortedFunc(maps.Keys(target.names), func(x, y string) int { return target.names[x] - target.names[y] })
	}
	if names := target.expanded[n.task]; names != nil {
		return names
	}
	if _, ok := target.names[n.task]; ok {
		return []string{n.task}
	}
	known := sortedKeys(target.names)
	b.report(n.at, "unknown-task", suggest(n.task, known, "its tasks: "), "flow "+target.name.value+" has no task "+strconv.Quote(n.task))
	return nil
}

// rule returns the rule that joins the two schedules, reporting one that counts periods where there are none.
func (b *builder) rule(n needDraft, target *flowDraft) period.Rule {
	if target == b.draft || target.schedule != nil {
		return n.rule
	}
	if n.rule.Kind == period.Offset || n.rule.Kind == period.Last {
		b.report(n.at, "bad-schedule", "use `periods: latest`", "flow "+target.name.value+" has no schedule, so it has no periods to count")
	}
	return period.Rule{Kind: period.Latest}
}

// checkStart reports needs on the flow's own earlier periods that never begin: without schedule.start there is no first period, and each
// would wait for one before it.
func (b *builder) checkStart() {
	if b.flow.Spec.Start != "" {
		return
	}
	for _, d := range b.draft.tasks {
		for _, n := range d.needs {
			if n.rule.Kind != period.Offset || n.flow != "" && n.flow != b.flow.Name || !b.reaches(n.task, d.name.value) {
				continue
			}
			if b.draft.schedule == nil {
				b.report(n.at, "no-start", "add a schedule with a start, or use `periods: latest`", "a flow without schedule has no previous period")
				continue
			}
			b.report(n.at, "no-start", "add `start: 2024-01-01` to the schedule: the first period, which waits for none before it",
				"task "+strconv.Quote(d.name.value)+" needs its own previous period, but the schedule has no start")
		}
	}
}

// reaches tells whether a task, or each of the flow when it is empty, needs another one of the same flow, directly or not; names are those before
// matrix expansion or after.
func (b *builder) reaches(from, to string) bool {
	if from == "" {
		return true
	}
	base := func(name string) string { name, _, _ = strings.Cut(name, ":"); return name }
	byName := make(map[string]*taskDraft, len(b.draft.tasks))
	for _, t := range b.draft.tasks {
		byName[t.name.value] = t
	}
	seen := map[string]bool{}
	queue := []string{base(from)}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if name == to {
			return true
		}
		if t := byName[name]; t != nil && !seen[name] {
			seen[name] = true
			for _, n := range t.needs {
				if n.flow == "" || n.flow == b.flow.Name {
					queue = append(queue, base(n.task))
				}
			}
		}
	}
	return false
}
