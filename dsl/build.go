package dsl

import (
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// surroundings are what a flow is built with beside its own draft.
type surroundings struct {
	catalog   *catalog
	drafts    map[string]*flowDraft
	files     map[string]*File
	flowNames []string // sorted
	programs  *expr.Programs
}

// builtFlow is a finished flow with what it was made of, so that a later compile can tell whether it still holds.
type builtFlow struct {
	draft    *flowDraft
	flow     *flow.Flow
	findings []finding
	base     *catalog
	foreign  map[string]*flowDraft // flows that its needs name; nil for those that do not exist
	scripts  map[string]scriptSum  // files that its tasks name
	waits    []string              // flows that it waits for, without those reached only in earlier periods
	knotted  bool                  // its tasks wait for each other
}

// scriptSum identifies the content of a script; the zero value is a missing one.
type scriptSum struct {
	mode uint32
	sum  [sha256.Size]byte
}

func (s *surroundings) script(name string) scriptSum {
	f := s.files[name]
	if f == nil {
		return scriptSum{}
	}
	return scriptSum{f.Mode, sha256.Sum256(f.Data)}
}

// holds tells whether building the flow again would give the same.
func (b *builtFlow) holds(env *surroundings) bool {
	if b.base != env.catalog || len(b.findings) > 0 { // hints name what else there is
		return false
	}
	for name, draft := range b.foreign {
		if env.drafts[name] != draft {
			return false
		}
	}
	for name, sum := range b.scripts {
		if env.script(name) != sum {
			return false
		}
	}
	return true
}

// builder makes one flow.
type builder struct {
	*surroundings
	*builtFlow
	params []string // names of the flow's parameters
}

func (s *surroundings) build(draft *flowDraft) *builtFlow {
	b := builder{surroundings: s, builtFlow: &builtFlow{draft: draft, base: s.catalog}}
	for _, p := range draft.params {
		b.params = append(b.params, p.Name)
	}
	b.flow = b.header()
	b.schedule()
	b.tasks()
	b.knotted = b.sort()
	b.checkStart()
	hashFlow(b.flow, b.scripts)
	return b.builtFlow
}

func (b *builder) report(at flow.Pos, rule, hint, message string) {
	b.findings = append(b.findings, finding{Diagnostic: errorAt(at, rule, hint, message)})
}

// header fills in the fields of the flow itself.
func (b *builder) header() *flow.Flow {
	d := b.draft
	f := &flow.Flow{
		Name: d.name.value, Description: d.description.value, Team: d.team.value, Owner: d.owner.value,
		Group: d.group.value, Folder: d.folder, Labels: d.labels, Priority: 5, Enabled: true,
		Missed: flow.MissedAll, MaxRuns: d.runs.value, Newest: d.newest, ExpireAfter: defaultExpiry, Params: d.params, Pos: d.at,
	}
	if f.Group == "" {
		f.Group = d.folder
	}
	if d.priority.set() {
		f.Priority = d.priority.value
	}
	if d.enabled.set() {
		f.Enabled = d.enabled.value
	}
	if d.missed.value != "" {
		f.Missed = flow.Missed(d.missed.value)
	}
	if d.expireAfter.set() {
		f.ExpireAfter = d.expireAfter.value
	}
	if d.team.at.Line > 0 && b.catalog.teams[f.Team] == nil {
		b.findings = append(b.findings, unknownTeam(d.team, b.catalog))
	}
	if d.owner.at.Line > 0 && b.catalog.people[f.Owner] == nil {
		b.findings = append(b.findings, unknownPerson(d.owner, b.catalog))
	}
	return f
}

// schedule compiles the schedule, or one on demand when there is none.
func (b *builder) schedule() {
	d := b.draft.schedule
	if d == nil {
		b.flow.Spec = period.Spec{Timezone: b.catalog.timezone}
		b.flow.Schedule, _ = period.New(b.flow.Spec)
		return
	}
	spec := d.spec
	if spec.Timezone == "" {
		spec.Timezone = b.catalog.timezone
	}
	if d.calendar.at.Line > 0 {
		spec.Calendar = b.catalog.calendars[d.calendar.value]
		if spec.Calendar == nil {
			hint := suggest(d.calendar.value, sortedKeys(b.catalog.calendars), "calendars: ")
			b.findings = append(b.findings, finding{
				errorAt(d.calendar.at, "unknown-calendar", hint, "no calendar is named "+strconv.Quote(d.calendar.value)), d.calendar.value,
			})
		}
	}
	b.flow.Spec = spec
	if d.fields == nil { // reported where it was read
		return
	}
	if spec.Every == "" && spec.Cron == "" && spec.Once == "" {
		b.report(d.at, "bad-schedule", "add `every: day` (or hour, week, month), `cron:` or `once:`", "the schedule does not say when")
		return
	}
	var err error
	b.flow.Schedule, err = period.New(spec)
	b.reportSchedule(d, err)
}

// reportSchedule puts what is wrong with a schedule at the field that is wrong.
func (b *builder) reportSchedule(d *scheduleDraft, err error) {
	if err == nil {
		return
	}
	at := d.at
	var wrong *period.SpecError
	if errors.As(err, &wrong) {
		field, inCalendar := wrong.Field, strings.HasPrefix(wrong.Field, "calendar.")
		if inCalendar || field == "timezone" && d.spec.Timezone == "" {
			return // reported where it is written
		}
		if p, ok := d.fields[field]; ok {
			at = p
		}
	}
	b.report(at, "bad-schedule", "", err.Error())
}

// calendarField turns calendar.days into days.
func calendarField(field string) string { return strings.TrimPrefix(field, "calendar.") }

// tasks makes the tasks in the order written, each matrix expanded.
func (b *builder) tasks() {
	slab := make([]flow.Task, len(b.draft.names))
	b.flow.Tasks = make([]*flow.Task, 0, len(slab))
	defaults := b.draft.defaults.or(b.catalog.defaults)
	for _, d := range b.draft.tasks {
		names := []string{d.name.value}
		if len(d.matrix) > 0 {
			names = b.draft.expanded[d.name.value]
		}
		for i, name := range names {
			if b.draft.names[name] != len(b.flow.Tasks) {
				continue // the name is taken, by a task whose name is reported as bad
			}
			t := &slab[len(b.flow.Tasks)]
			d.fill(t, defaults)
			t.Name = name
			if len(d.matrix) > 0 {
				t.Base, t.Matrix = d.name.value, d.combination(i)
			}
			t.Needs = b.needs(d, t.Matrix)
			if i == 0 { // the others have the same templates
				b.checkTemplates(d, t)
			}
			b.flow.Tasks = append(b.flow.Tasks, t)
		}
		b.checkFile(d)
	}
}

// fill sets all fields that do not depend on other tasks.
func (d *taskDraft) fill(t *flow.Task, defaults defaultsDraft) {
	*t = flow.Task{
		Runner: "shell", Run: d.run, File: d.file.value, Args: d.args, With: d.with, Env: d.env,
		Inputs: d.inputs, Outputs: d.outputs, StartAfter: d.startAfter.value, Timeout: d.timeout.or(defaults.timeout).value,
		Retry: flow.Retry{Delay: time.Minute, Backoff: 1, MaxDelay: time.Hour},
		When:  d.when, TriggerRule: flow.AllSuccess, Concurrency: d.concurrency.value, Agents: d.agents, Pos: d.name.at,
	}
	if d.runner.value != "" {
		t.Runner = d.runner.value
	}
	if d.trigger.value != "" {
		t.TriggerRule = flow.TriggerRule(d.trigger.value)
	}
	retry := d.retry.or(defaults.retry)
	t.Retry.Limit = retry.limit.value
	if retry.delay.set() {
		t.Retry.Delay = retry.delay.value
	}
	if retry.backoff.set() {
		t.Retry.Backoff = retry.backoff.value
	}
	if retry.maxDelay.set() {
		t.Retry.MaxDelay = retry.maxDelay.value
	}
}

// combination returns the i-th combination of the matrix's values, in the order of expansions.
func (d *taskDraft) combination(i int) map[string]string {
	out := make(map[string]string, len(d.matrix))
	for _, a := range slices.Backward(d.matrix) {
		out[a.name.value] = a.values[i%len(a.values)].value
		i /= len(a.values)
	}
	return out
}

func (b *builder) checkFile(d *taskDraft) {
	if d.file.value == "" {
		return
	}
	if b.scripts == nil {
		b.scripts = make(map[string]scriptSum)
	}
	sum := b.script(d.file.value)
	b.scripts[d.file.value] = sum
	if sum == (scriptSum{}) {
		b.report(d.file.at, "missing-file", b.similarFile(d.file.value), "there is no file "+d.file.value)
	}
}

// similarFile suggests a script of nearly the same name.
func (b *builder) similarFile(name string) string {
	return suggest(name, sortedKeys(b.files), "")
}

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

// sort orders the tasks so that needs within the flow come first, otherwise as written, and connects them. It tells
// whether some of them wait for each other.
func (b *builder) sort() (knotted bool) {
	tasks := b.flow.Tasks
	waiting := make([]int, len(tasks))
	dependents := make([][]int, len(tasks))
	for i, t := range tasks {
		for _, n := range t.Needs {
			if n.Flow == b.flow.Name && n.Rule.Kind != period.Offset {
				from := b.draft.names[n.Task]
				dependents[from] = append(dependents[from], i)
				waiting[i]++
			}
		}
	}
	order := make([]int, 0, len(tasks))
	place := make([]int, len(tasks))
	var free intHeap
	for i := range tasks {
		if waiting[i] == 0 {
			free.push(i)
		}
	}
	for len(free) > 0 {
		i := free.pop()
		place[i] = len(order)
		order = append(order, i)
		for _, j := range dependents[i] {
			if waiting[j]--; waiting[j] == 0 {
				free.push(j)
			}
		}
	}
	if len(order) < len(tasks) {
		return true
	}
	sorted := make([]*flow.Task, len(tasks))
	for at, i := range order {
		sorted[at] = tasks[i]
	}
	b.flow.Tasks = sorted
	b.connect(place)
	return false
}

// connect sets the indexes by which tasks of the same run find each other.
func (b *builder) connect(place []int) {
	for i, t := range b.flow.Tasks {
		t.Index = i
		for k := range t.Needs {
			n := &t.Needs[k]
			if n.Flow == b.flow.Name && n.Rule.Kind == period.Joined {
				n.Local = place[b.draft.names[n.Task]]
				up := b.flow.Tasks[n.Local]
				up.Downstream = append(up.Downstream, i)
			}
		}
	}
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

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// intHeap is a heap of ints, least first.
type intHeap []int

func (h *intHeap) push(v int) {
	*h = append(*h, v)
	a := *h
	for i := len(a) - 1; i > 0 && a[(i-1)/2] > a[i]; i = (i - 1) / 2 {
		a[i], a[(i-1)/2] = a[(i-1)/2], a[i]
	}
}

func (h *intHeap) pop() int {
	a := *h
	least, last := a[0], len(a)-1
	a[0] = a[last]
	a = a[:last]
	for i := 0; 2*i+1 < last; {
		child := 2*i + 1
		if child+1 < last && a[child+1] < a[child] {
			child++
		}
		if a[i] <= a[child] {
			break
		}
		a[i], a[child] = a[child], a[i]
		i = child
	}
	*h = a
	return least
}
