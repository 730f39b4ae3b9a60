package dsl

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// maxNeeds bounds the needs of one flow: those between two matrices multiply.
const maxNeeds = 250_000

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
		names := b.needed(n, target)
		if b.edges += len(names); b.edges > maxNeeds {
			if b.edges-len(names) <= maxNeeds {
				b.report(n.at, diag.WrongType, "put a task between them that many need", "the flow has more than "+strconv.Itoa(maxNeeds)+" needs, matrices expanded")
			}
			return nil
		}
		for _, name := range names {
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
				b.report(n.at, diag.BadExpression, "write ${{ matrix.NAME }} with a NAME of the task's matrix", "a need may only use the task's matrix: needs are looked up when the repository is compiled")
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
	draft := b.depend(n.flow)
	if draft == nil {
		hint := b.suggest(n.flow, func() []string { return b.flowNames }, "")
		b.findings = append(b.findings, finding{Diagnostic: errorAt(n.at, diag.UnknownFlow, hint, "no flow is named "+strconv.Quote(n.flow)), unknown: n.flow})
	}
	return draft
}

// depend returns a flow's draft, nil when there is none, and remembers that this flow was built with it.
func (b *builder) depend(name string) *flowDraft {
	if b.foreign == nil {
		b.foreign = make(map[string]*flowDraft)
	}
	b.foreign[name] = b.drafts[name]
	return b.drafts[name]
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
	hint := b.suggest(n.task, func() []string { return sortedKeys(target.names) }, "its tasks: ")
	b.report(n.at, diag.UnknownTask, hint, "flow "+target.name.value+" has no task "+strconv.Quote(n.task))
	return nil
}

// rule returns the rule that joins the two schedules, reporting one that counts periods where there are none.
func (b *builder) rule(n needDraft, target *flowDraft) period.Rule {
	if target == b.draft || target.schedule != nil {
		return n.rule
	}
	if (n.rule.Kind == period.Offset || n.rule.Kind == period.Last) && !target.faulty {
		b.report(n.at, diag.BadSchedule, "use `periods: latest`", "flow "+target.name.value+" has no schedule, so it has no periods to count")
	}
	return period.Rule{Kind: period.Latest}
}

// checkStart reports tasks that need themselves in an earlier period, directly or through others, without schedule.start: there is no
// first period, so each would wait for one before it.
func (b *builder) checkStart() {
	if b.flow.Spec.Start != "" || !b.needsEarlier() || b.draft.schedule == nil && b.draft.faulty { // the schedule may be what is wrong
		return
	}
	index, component := b.components()
	for i, d := range b.written {
		for _, n := range d.needs {
			if n.rule.Kind != period.Offset || !b.isOwn(n) {
				continue
			}
			if j, one := index[baseName(n.task)]; one && component[i] != component[j] {
				continue
			}
			b.reportStart(d, n)
		}
	}
}

func (b *builder) reportStart(d *taskDraft, n needDraft) {
	switch {
	case b.draft.schedule == nil:
		b.report(n.at, diag.NoStart, "add a schedule with a start, or use `periods: latest`", "a flow without schedule has no previous period")
	case b.flow.Spec.Once != "":
		b.report(n.at, diag.NoStart, "remove the need, or use `periods: latest`", "a schedule with `once` has one period, and none before it")
	case n.task != "" && baseName(n.task) != d.name.value:
		b.report(n.at, diag.NoStart, startHint, "task "+strconv.Quote(d.name.value)+" needs an earlier period of "+strconv.Quote(n.task)+
			", which needs it in turn, but the schedule has no start")
	default:
		b.report(n.at, diag.NoStart, startHint, "task "+strconv.Quote(d.name.value)+" needs its own previous period, but the schedule has no start")
	}
}

const startHint = "add `start: 2024-01-01` to the schedule: the first period, which waits for none before it"

func (b *builder) needsEarlier() bool {
	return slices.ContainsFunc(b.written, func(d *taskDraft) bool {
		return slices.ContainsFunc(d.needs, func(n needDraft) bool { return n.rule.Kind == period.Offset })
	})
}

// isOwn tells whether a need is on the same flow.
func (b *builder) isOwn(n needDraft) bool { return n.flow == "" || n.flow == b.flow.Name }

// baseName is the name of a task before matrix expansion.
func baseName(task string) string {
	name, _, _ := strings.Cut(task, ":")
	return name
}

// components numbers the tasks of the draft, and the groups of them that need each other, whatever the periods.
func (b *builder) components() (index map[string]int, group []int) {
	edges := make([][]int, len(b.written))
	index = make(map[string]int, len(edges))
	for i, d := range b.written {
		index[d.name.value] = i
	}
	for i, d := range b.written {
		for _, n := range d.needs {
			if j, ok := index[baseName(n.task)]; ok && b.isOwn(n) {
				edges[i] = append(edges[i], j)
			}
		}
	}
	group = make([]int, len(edges))
	for number, members := range components(edges) {
		for _, i := range members {
			group[i] = number
		}
	}
	return index, group
}
