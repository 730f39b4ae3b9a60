package dsl

import (
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// surroundings are what a flow is built with beside its own draft.
type surroundings struct {
	catalog   *catalog
	drafts    map[string]*flowDraft
	files     map[string]*File
	flowNames []string                // sorted
	former    map[string]flow.TaskRef // tasks by the ids that they had
	programs  *expr.Programs
}

// builtFlow is a finished flow with what it was made of, so that a later compile can tell whether it still holds.
type builtFlow struct {
	draft    *flowDraft
	written  []*taskDraft // its tasks, templates filled in
	flow     *flow.Flow
	findings []finding
	base     *catalog
	foreign  map[string]*flowDraft // flows that its needs name; nil for those that do not exist
	scripts  map[string]scriptSum  // files that its tasks name
	waits    []string              // flows that it waits for, without those reached only in earlier periods
	knotted  bool                  // its tasks wait for each other
	reads    []dataPath            // inputs
	writes   []dataPath            // outputs
	concerns string                // digest of what changes no task, but whom or what it concerns

	warned   bool // by the lint stage
	year     int  // for which
	warnings []diag.Diagnostic
	uses     uses // of the catalog
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
	params      []string      // names of the flow's parameters
	plain       *flow.Options // of tasks that say nothing beyond the defaults
	edges       int           // needs so far
	suggestions int           // made so far
}

// maxSuggestions bounds the search for similar names in one flow, which costs more than all the rest of it.
const maxSuggestions = 20

func (b *builder) suggest(name string, known func() []string, lead string) string {
	if b.suggestions++; b.suggestions > maxSuggestions {
		return ""
	}
	return suggest(name, known(), lead)
}

func (s *surroundings) build(draft *flowDraft) *builtFlow {
	b := builder{surroundings: s, builtFlow: &builtFlow{draft: draft, base: s.catalog}}
	for _, p := range draft.params {
		b.params = append(b.params, p.Name)
	}
	b.flow = b.header()
	b.schedule()
	b.written = b.resolve()
	b.tasks()
	b.knotted = b.sort()
	b.checkStart()
	b.paths()
	b.hash()
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
	l := b.lookup()
	l.team(d.team)
	l.person(d.owner)
	l.common(&d.defaults)
	l.alerts(d.alerts)
	b.findings = append(b.findings, l.found...)
	return f
}

// lookup checks names with the flow's share of suggestions.
func (b *builder) lookup() *lookup { return &lookup{catalog: b.catalog, suggest: b.suggest} }

// unknown reports a name that nothing defines.
func (b *builder) unknown(name text, rule, what, hint string) {
	l := b.lookup()
	l.unknown(name, rule, what, hint)
	b.findings = append(b.findings, l.found...)
}

// relate adds a second place to what was reported last.
func (b *builder) relate(at flow.Pos, message string) {
	b.findings[len(b.findings)-1].Related = relatedAt(at, message)
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
				Diagnostic: errorAt(d.calendar.at, diag.UnknownCalendar, hint, "no calendar is named "+strconv.Quote(d.calendar.value)),
				unknown:    d.calendar.value,
			})
		}
	}
	b.flow.Spec = spec
	if d.fields == nil { // reported where it was read
		return
	}
	if spec.Every == "" && spec.Cron == "" && spec.Once == "" {
		b.report(d.at, diag.BadSchedule, "add `every: day` (or hour, week, month), `cron:` or `once:`", "the schedule does not say when")
		return
	}
	var err error
	b.flow.Schedule, err = period.New(spec)
	b.reportSchedule(d, err)
}

// reportSchedule puts what is wrong with a schedule at the fields that are wrong.
func (b *builder) reportSchedule(d *scheduleDraft, err error) {
	if err == nil {
		return
	}
	for _, wrong := range specErrors(err) {
		if strings.HasPrefix(wrong.Field, "calendar.") || wrong.Field == "timezone" && d.spec.Timezone == "" {
			continue // reported where it is written
		}
		at, ok := d.fields[wrong.Field]
		if !ok {
			at = d.at
		}
		b.report(at, diag.BadSchedule, "", wrong.Error())
	}
}

// specErrors returns the errors that period.New joined.
func specErrors(err error) []*period.SpecError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*period.SpecError
		for _, e := range joined.Unwrap() {
			all = append(all, specErrors(e)...)
		}
		return all
	}
	var wrong *period.SpecError
	if !errors.As(err, &wrong) {
		wrong = &period.SpecError{Field: "schedule", Err: err}
	}
	return []*period.SpecError{wrong}
}

// calendarField turns calendar.days into days.
func calendarField(field string) string { return strings.TrimPrefix(field, "calendar.") }

// tasks makes the tasks in the order written, each matrix expanded.
func (b *builder) tasks() {
	slab := make([]flow.Task, len(b.draft.names))
	b.flow.Tasks = make([]*flow.Task, 0, len(slab))
	defaults := b.defaults()
	b.plain = b.options(defaults.options)
	b.flow.Alerts = b.plain.Alerts
	b.checkHeard(b.flow.Alerts, b.draft.team.at, "a task of "+b.flow.Name)
	b.checkTexts(b.flow.Alerts, b.draft.team.at)
	for _, d := range b.written {
		before := len(b.findings)
		common := d.commonDraft.or(defaults)
		options := b.plain
		if common.options != defaults.options {
			options = b.options(common.options)
		}
		b.checkUses(d, &common, options)
		with := b.with(d, &common)
		names := []string{d.name.value}
		if len(d.matrix) > 0 {
			names = b.draft.expanded[d.name.value]
		}
		for i, name := range names {
			if b.draft.names[name] != len(b.flow.Tasks) {
				continue // the name is taken, by a task whose name is reported as bad
			}
			t := &slab[len(b.flow.Tasks)]
			d.fill(t, &common)
			t.Name, t.With, t.Options = name, with, options
			if len(d.matrix) > 0 {
				t.Base, t.Matrix = d.name.value, d.combination(i)
				t.Options = b.expanded(t, common.options)
			}
			t.Needs = b.needs(d, t.Matrix)
			if i == 0 { // the others have the same templates
				b.checkTemplates(d, t)
			}
			b.flow.Tasks = append(b.flow.Tasks, t)
		}
		b.relateUse(d, b.findings[before:])
	}
}

// checkUses checks what a task refers to, and whether its team may.
func (b *builder) checkUses(d *taskDraft, c *commonDraft, o *flow.Options) {
	b.checkNames(d)
	b.checkRights(c.options)
	b.checkFile(d)
	if d.options != nil && d.options.alerts != nil {
		b.checkHeard(o.Alerts, d.name.at, "the task "+strconv.Quote(d.name.value))
	}
}

// fill sets all fields that do not depend on other tasks.
func (d *taskDraft) fill(t *flow.Task, c *commonDraft) {
	*t = flow.Task{
		Runner: c.runnerName(), Run: d.run, File: d.file.value, Args: d.args, Env: c.env,
		Inputs: d.inputs, Outputs: d.outputs, StartAfter: c.startAfter.value, Timeout: c.timeout.value,
		Retry: flow.Retry{Limit: c.retry.limit.value, Delay: time.Minute, Backoff: 1, MaxDelay: defaultMaxDelay},
		When:  d.when, TriggerRule: flow.AllSuccess, Concurrency: c.concurrency.value, Agents: c.agents, Pos: d.name.at,
	}
	if c.trigger.value != "" {
		t.TriggerRule = flow.TriggerRule(c.trigger.value)
	}
	if c.retry.delay.set() {
		t.Retry.Delay = c.retry.delay.value
		t.Retry.MaxDelay = max(t.Retry.MaxDelay, t.Retry.Delay) // a longer one is meant
	}
	if c.retry.backoff.set() {
		t.Retry.Backoff = c.retry.backoff.value
	}
	if c.retry.maxDelay.set() {
		t.Retry.MaxDelay = c.retry.maxDelay.value
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
		hint := b.suggest(d.file.value, func() []string { return sortedKeys(b.files) }, "")
		b.report(d.file.at, diag.MissingFile, hint, "there is no file "+d.file.value)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
