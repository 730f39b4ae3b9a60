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
	catalog  *catalogDraft // nil when the file declares nothing for others
	flows    []*flowDraft
	silences []silence
	tests    []testDraft
	findings []diag.Diagnostic
}

// settingsDraft is flowctl.yaml.
type settingsDraft struct {
	at       flow.Pos
	timezone text
	admins   []text
	defaults commonDraft
	monitors flow.Monitors
	watchdog *flow.Watchdog
}

// catalogDraft is what the documents of one file declare for all flows.
type catalogDraft struct {
	people      []*flow.Person
	zones       []text // time zones of people, rotations and signals
	teams       []*teamDraft
	calendars   []*calendarDraft
	channels    []*channelDraft
	accounts    []*flow.Account
	secrets     []*flow.Secret
	pools       []*flow.Pool
	connections []*connectionDraft
	signals     []*flow.Signal
	plugins     []*pluginDraft
	templates   []*templateDraft
	allowed     []text // teams that accounts, secrets, connections and signals name
}

type teamDraft struct {
	name       text
	members    []text
	oncall     *oncallDraft
	escalation []flow.Escalation
}

type oncallDraft struct {
	oncall flow.Oncall
	order  []text
	whos   []text // of the overrides
}

type calendarDraft struct {
	name text
	spec period.CalendarSpec
	at   map[string]flow.Pos // of its fields
}

type channelDraft struct {
	name, plugin, kind text
	def                optional[bool]
	with               *withDraft
}

type connectionDraft struct {
	name, runner text
	teams        []text
	with         *withDraft
}

type pluginDraft struct {
	flow.Plugin
	schema *withDraft // nil: anything goes
}

// withDraft is a `with` mapping, whose meaning only its plugin's schema tells.
type withDraft struct {
	node  *node
	file  string
	value map[string]any // JSON values, where a text with expressions is a *flow.Template
	below *withDraft     // of the defaults, key by key; nil when there is none
}

// commonDraft is what a task says that its defaults may say for it.
type commonDraft struct {
	runner      text
	with        *withDraft
	env         []flow.Env
	startAfter  optional[time.Duration]
	timeout     optional[time.Duration]
	retry       retryDraft
	trigger     text
	concurrency optional[int]
	agents      []string
	options     *optionsDraft // nil when it says none of them
}

// optionsDraft is what few tasks say.
type optionsDraft struct {
	connection        text
	signals           []text
	gate              *flow.Gate
	dependencyTimeout optional[time.Duration]
	outputTimeout     optional[time.Duration]
	success           text
	pool              text
	slots             optional[int]
	runAs             text
	resources         optional[flow.Resources]
	onLost            text
	lostAfter         optional[time.Duration]
	formerly          []text
	alerts            *alertsDraft
}

// alertsDraft is an alerts block; what it leaves out comes from the defaults, field by field.
type alertsDraft struct {
	def, ownerOnly    optional[bool]
	phone, sms, email optional[[]flow.Receiver]
	rules             optional[[]flow.AlertRule]
}

// retryDraft is a retry block; what it leaves out comes from the defaults, field by field.
type retryDraft struct {
	limit    optional[int]
	delay    optional[time.Duration]
	backoff  optional[float64]
	maxDelay optional[time.Duration]
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
	defaults                       commonDraft
	alerts                         *alertsDraft
	tasks                          []*taskDraft
	expanded                       map[string][]string // names after matrix expansion, by the name before
	names                          map[string]int      // index of the task in expansion order
	faulty                         bool                // its file has errors
}

// scheduleDraft is a schedule block with the places of its fields.
type scheduleDraft struct {
	at       flow.Pos
	spec     period.Spec
	calendar text
	fields   map[string]flow.Pos
}

type taskDraft struct {
	commonDraft
	name            text
	uses            *usesDraft // nil when it uses no template
	run             *flow.Template
	file            text
	args            []flow.Arg
	needs           []needDraft
	inputs, outputs []*flow.Template
	when            *flow.Template
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

// templateDraft is a task skeleton. It is read anew for each use, with the use's arguments put in.
type templateDraft struct {
	name   text
	params []parameter
	task   *node // without params
	src    *source
	folder string
}

// parameter is one of a template.
type parameter struct {
	name   text
	typ    string   // text, int, bool or enum
	values []string // of an enum
	def    *node    // nil: required
}

// usesDraft is the use of a template by a task.
type usesDraft struct {
	template  text
	arguments []argument
}

type argument struct {
	name  text
	value *node
	at    flow.Pos // of the value
}
