package dsl

import (
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// A unit is all that one file says on its own, before names are looked up in other files. It is kept between compiles as long as the
// file does not change, and never written after it was decoded.
type unit struct {
	path     string
	sum      [32]byte
	broken   string // the text of a file that cannot be read as YAML: names it mentions may be meant to be defined in it
	settings *settingsDraft
	people   []*flow.Person
	zones    []text // time zones of the people
	teams    []*teamDraft
	cals     []*calendarDraft
	flows    []*flowDraft
	findings []diag.Diagnostic
}

// settingsDraft is flowctl.yaml.
type settingsDraft struct {
	at       flow.Pos
	timezone text
	admins   []text
	defaults defaultsDraft
}

// defaultsDraft is what tasks take when they say nothing.
type defaultsDraft struct {
	timeout optional[time.Duration]
	retry   retryDraft
}

// retryDraft is a retry block; what it leaves out comes from the defaults, field by field.
type retryDraft struct {
	limit    optional[int]
	delay    optional[time.Duration]
	backoff  optional[float64]
	maxDelay optional[time.Duration]
}

func (d defaultsDraft) or(o defaultsDraft) defaultsDraft {
	return defaultsDraft{timeout: d.timeout.or(o.timeout), retry: d.retry.or(o.retry)}
}

func (r retryDraft) or(o retryDraft) retryDraft {
	return retryDraft{r.limit.or(o.limit), r.delay.or(o.delay), r.backoff.or(o.backoff), r.maxDelay.or(o.maxDelay)}
}

type teamDraft struct {
	name    text
	members []text
}

type calendarDraft struct {
	name text
	spec period.CalendarSpec
	at   map[string]flow.Pos // of its fields
}

// flowDraft is one flow as written.
type flowDraft struct {
	at                             flow.Pos
	file, folder                   string
	name, description, team, owner text
	group                          text
	labels                         map[string]string
	priority                       optional[int]
	enabled                        optional[bool]
	schedule                       *scheduleDraft // nil: on demand
	missed                         text
	runs                           optional[int]
	newest                         bool
	expireAfter                    optional[time.Duration]
	params                         []flow.Param
	defaults                       defaultsDraft
	tasks                          []*taskDraft
	expanded                       map[string][]string // names after matrix expansion, by the name before
	names                          map[string]int      // index of the task in expansion order
}

// scheduleDraft is a schedule block with the places of its fields.
type scheduleDraft struct {
	at       flow.Pos
	spec     period.Spec
	calendar text
	fields   map[string]flow.Pos
}

type taskDraft struct {
	name            text
	runner          text
	run             *flow.Template
	file            text
	args            []flow.Arg
	with            map[string]any
	env             []flow.Env
	needs           []needDraft
	inputs, outputs []*flow.Template
	startAfter      optional[time.Duration]
	timeout         optional[time.Duration]
	retry           retryDraft
	when            *flow.Template
	trigger         text
	concurrency     optional[int]
	agents          []string
	matrix          []axis
}

// axis is one dimension of a matrix.
type axis struct {
	name   text
	values []text
}

// needDraft is a need as written: flow is empty within the same flow, task is empty for all tasks of a flow.
type needDraft struct {
	flow, task string
	rule       period.Rule
	ruled      bool // the rule was given
	at         flow.Pos
}
