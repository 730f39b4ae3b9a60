package dsl

// shape lists the fields of one kind of mapping: those that are read, and those that the language has but this build
// refuses, so that nothing is ever ignored.
type shape struct {
	name   string // in "NAME has no field"
	want   string // in "FIELD takes WANT"
	fields []string
	later  []string
}

// The mappings of the language. They are tables: nothing writes them.
var (
	settingsShape = shape{
		name: "flowctl.yaml", want: "a mapping",
		fields: []string{"version", "timezone", "admins", "defaults"},
		later:  []string{"monitors", "watchdog"},
	}
	catalogShape = shape{
		name: "the document", want: "a mapping",
		fields: []string{"people", "teams", "calendars"},
		later:  []string{"channels", "accounts", "secrets", "pools", "connections", "signals", "test"},
	}
	personShape = shape{
		name: "a person", want: "a mapping such as {name: Alice, email: alice@example.com}",
		fields: []string{"name", "email", "sms", "phone", "timezone"},
	}
	teamShape = shape{
		name: "a team", want: "a mapping such as {members: [alice]}",
		fields: []string{"members"},
		later:  []string{"oncall", "escalation"},
	}
	calendarShape = shape{
		name: "a calendar", want: "a mapping such as {days: [mon, tue]}",
		fields: []string{"days", "exclude", "include"},
	}
	flowShape = shape{
		name: "a flow", want: "a mapping",
		fields: []string{
			"flow", "description", "team", "owner", "group", "labels", "priority", "enabled", "schedule", "concurrency",
			"expire_after", "params", "defaults", "tasks",
		},
		later: []string{"alerts"},
	}
	scheduleShape = shape{
		name: "a schedule", want: "a mapping such as {every: day}",
		fields: []string{"every", "cron", "once", "at", "timezone", "start", "end", "calendar", "missed"},
	}
	flowConcurrencyShape = shape{
		name: "a flow's concurrency", want: "a mapping such as {runs: 4, order: oldest}",
		fields: []string{"runs", "order"},
	}
	defaultsShape = shape{
		name: "defaults", want: "a mapping such as {timeout: 2h}",
		fields: []string{"timeout", "retry"},
		later: []string{
			"runner", "connection", "with", "dependency_timeout", "output_timeout", "success", "trigger_rule", "concurrency", "pool",
			"agents", "run_as", "resources", "on_agent_lost", "env", "alerts", "start_after",
		},
	}
	retryShape = shape{
		name: "retry", want: "a mapping such as {limit: 3, delay: 1m}",
		fields: []string{"limit", "delay", "backoff", "max_delay"},
	}
	taskShape = shape{
		name: "a task", want: "a mapping",
		fields: []string{
			"runner", "run", "file", "args", "with", "needs", "inputs", "outputs", "start_after", "timeout", "retry", "when",
			"trigger_rule", "concurrency", "agents", "env", "matrix",
		},
		later: []string{
			"connection", "signals", "gate", "dependency_timeout", "output_timeout", "success", "pool", "run_as", "resources",
			"on_agent_lost", "lost_after", "formerly", "alerts",
		},
	}
	needShape = shape{
		name: "a need", want: "a task's name, flow/task, or a mapping such as {flow: ods.clicks, task: import}",
		fields: []string{"task", "flow", "periods"},
	}
	periodsShape = shape{
		name: "periods", want: "previous, latest, {offset: -n} or {last: n}",
		fields: []string{"offset", "last"},
	}
	agentsShape = shape{
		name: "agents", want: "a mapping such as {labels: [hadoop]}",
		fields: []string{"labels"},
	}
)

// runnerSettings lists what `with` may hold for each built-in runner; all of it is text.
func runnerSettings(runner string) (fields []string, known bool) {
	switch runner {
	case "shell":
		return []string{"shell"}, true
	case "python":
		return []string{"python"}, true
	}
	return nil, false
}

// builtinRunners are the runners that exist, in the order in which messages name them.
func builtinRunners() []string { return []string{"shell", "python"} }

// laterRunners are runners of the language that this build does not have.
func laterRunners() []string { return []string{"ssh", "hive"} }
