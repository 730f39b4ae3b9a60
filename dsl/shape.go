package dsl

// shape lists the fields of one kind of mapping. There are no others, so that nothing is ever ignored.
type shape struct {
	name   string // in "NAME has no field"
	want   string // in "FIELD takes WANT"
	fields []string
}

// The mappings of the language. They are tables: nothing writes them.
var (
	settingsShape = shape{
		name: "flowctl.yaml", want: "a mapping",
		fields: []string{"version", "timezone", "admins", "defaults", "monitors", "watchdog"},
	}
	monitorsShape = shape{
		name: "monitors", want: "a mapping such as {agents: {major: 10, critical: 5}}",
		fields: []string{"agents", "servers", "redispatches_10m", "redispatches_30m", "cpu", "memory", "disk", "generation", "checks", "connections"},
	}
	thresholdShape = shape{
		name: "a threshold", want: "a mapping such as {major: 10, critical: 5}",
		fields: []string{"major", "critical"},
	}
	outsideShape = shape{
		name: "connections", want: "a mapping such as {slow: 10s, major: 5m, critical: 15m}",
		fields: []string{"slow", "major", "critical"},
	}
	watchdogShape = shape{
		name: "watchdog", want: "a mapping such as {url: https://example.com/ping}",
		fields: []string{"url"},
	}
	catalogShape = shape{
		name: "the document", want: "a mapping",
		fields: []string{
			"people", "teams", "calendars", "channels", "accounts", "secrets", "pools", "connections", "signals", "templates",
		},
	}
	personShape = shape{
		name: "a person", want: "a mapping such as {name: Alice, email: alice@example.com}",
		fields: []string{"name", "email", "sms", "phone", "timezone"},
	}
	teamShape = shape{
		name: "a team", want: "a mapping such as {members: [alice]}",
		fields: []string{"members", "oncall", "escalation"},
	}
	oncallShape = shape{
		name: "oncall", want: "a mapping such as {rotate: weekly, handoff: \"Mon 09:00\"}",
		fields: []string{"rotate", "handoff", "timezone", "order", "overrides"},
	}
	overrideShape = shape{
		name: "an override", want: "a mapping such as {from: 2026-12-24, to: 2026-12-27, who: carol}",
		fields: []string{"from", "to", "who"},
	}
	escalationShape = shape{
		name: "an escalation", want: "a mapping such as {after: 15m, notify: [oncall:data:secondary]}",
		fields: []string{"after", "notify"},
	}
	channelShape = shape{
		name: "a channel", want: "a mapping such as {plugin: email, with: {host: smtp.example.com}}",
		fields: []string{"plugin", "kind", "default", "with"},
	}
	accountShape = shape{
		name: "an account", want: "a mapping such as {user: etl, teams: [data]}",
		fields: []string{"user", "teams"},
	}
	secretShape = shape{
		name: "a secret", want: "a mapping such as {teams: [data]}",
		fields: []string{"teams"},
	}
	poolShape = shape{
		name: "a pool", want: "a mapping such as {slots: 20}",
		fields: []string{"slots"},
	}
	connectionShape = shape{
		name: "a connection", want: "a mapping such as {runner: hive, teams: [data], with: {host: hs2}}",
		fields: []string{"runner", "teams", "with"},
	}
	signalShape = shape{
		name: "a signal", want: "a mapping such as {every: day, teams: [crm]}",
		fields: []string{"every", "timezone", "teams"},
	}
	calendarShape = shape{
		name: "a calendar", want: "a mapping such as {days: [mon, tue]}",
		fields: []string{"days", "exclude", "include"},
	}
	parameterShape = shape{
		name: "a template's parameter", want: "text, int, bool, or a mapping such as {type: int, default: 3}",
		fields: []string{"type", "values", "default"},
	}
	usesShape = shape{
		name: "uses", want: "a template's name, or a mapping such as {template: load, params: {table: orders}}",
		fields: []string{"template", "params"},
	}
	lockShape = shape{
		name: "plugins.lock", want: "a mapping",
		fields: []string{"version", "plugins"},
	}
	pluginShape = shape{
		name: "a plugin", want: "a mapping such as {kind: runner, version: 1.0.0, sha256: …, schema: {…}}",
		fields: []string{"kind", "version", "sha256", "schema"},
	}
	flowShape = shape{
		name: "a flow", want: "a mapping",
		fields: []string{
			"flow", "description", "team", "owner", "group", "labels", "priority", "enabled", "schedule", "concurrency",
			"expire_after", "params", "defaults", "alerts", "tasks",
		},
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
		fields: []string{
			"timeout", "retry", "runner", "connection", "with", "env", "start_after", "dependency_timeout", "output_timeout", "success",
			"trigger_rule", "concurrency", "pool", "agents", "run_as", "resources", "on_agent_lost", "lost_after", "alerts",
		},
	}
	retryShape = shape{
		name: "retry", want: "a mapping such as {limit: 3, delay: 1m}",
		fields: []string{"limit", "delay", "backoff", "max_delay"},
	}
	taskShape = shape{
		name: "a task", want: "a mapping",
		fields: []string{
			"run", "needs", "timeout", "retry", "outputs", "env", "runner", "file", "args", "with", "inputs", "start_after", "when",
			"trigger_rule", "concurrency", "agents", "matrix", "uses", "connection", "signals", "gate", "dependency_timeout",
			"output_timeout", "success", "pool", "run_as", "resources", "on_agent_lost", "lost_after", "formerly", "alerts",
		},
	}
	// A template has the fields of a task, but for those that belong to one task alone.
	templateShape = shape{
		name: "a template", want: "a mapping of a task's fields, and params",
		fields: []string{
			"params", "run", "needs", "timeout", "retry", "outputs", "env", "runner", "file", "args", "with", "inputs", "start_after", "when",
			"trigger_rule", "concurrency", "agents", "connection", "signals", "gate", "dependency_timeout",
			"output_timeout", "success", "pool", "run_as", "resources", "on_agent_lost", "lost_after", "alerts",
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
	testShape = shape{
		name: "a test", want: "a mapping",
		fields: []string{"test", "from", "to", "given", "expect"},
	}
	expectationShape = shape{
		name: "an expectation", want: "a mapping such as {run: shop@2026-11-19, state: succeeded}",
		fields: []string{"run", "task", "at", "state", "started", "ended", "attempts", "blockers", "outputs", "events", "told"},
	}
	outcomesShape = shape{
		name: "outcomes", want: "a mapping such as {duration: 5m}",
		fields: []string{"duration", "past", "tasks", "paths", "gates", "signals", "agents", "actions"},
	}
	outcomeShape = shape{
		name: "an outcome", want: "a mapping such as {task: shop/load, duration: 5m}",
		fields: []string{"task", "periods", "duration", "fail", "outputs"},
	}
	hostShape = shape{
		name: "a simulated agent", want: "a mapping such as {slots: 4}",
		fields: []string{"slots", "labels", "away"},
	}
	absenceShape = shape{
		name: "an absence", want: "a mapping such as {from: 2026-11-19T06:00, to: 2026-11-19T08:00}",
		fields: []string{"from", "to"},
	}
	announcementShape = shape{
		name: "an announcement", want: "a mapping such as {signal: crm.export, set: 2026-11-20T06:00}",
		fields: []string{"signal", "periods", "set", "unset"},
	}
	actionShape = shape{
		name: "an action", want: "a mapping such as {at: 2026-11-19T06:00, run: shop}",
		fields: []string{
			"at", "run", "rerun", "backfill", "kill", "succeed", "skip", "pause", "resume", "params", "extra", "force", "outputs", "from_task",
			"failed", "upstream", "cascade", "group", "every", "from", "to", "max_active", "missing_upstream", "reprocess", "scheduled_after",
		},
	}
	agentsShape = shape{
		name: "agents", want: "a mapping such as {labels: [hadoop]}",
		fields: []string{"labels"},
	}
	gateShape = shape{
		name: "gate", want: "a mapping such as {url: https://dq.example.com/check, timeout: 30m}",
		fields: []string{"url", "timeout"},
	}
	poolUseShape = shape{
		name: "pool", want: "a pool's name, or a mapping such as {name: hive, slots: 2}",
		fields: []string{"name", "slots"},
	}
	resourcesShape = shape{
		name: "resources", want: "a mapping such as {cpu: 1, memory: 2GiB}",
		fields: []string{"cpu", "memory"},
	}
	alertsShape = shape{
		name: "alerts", want: "a mapping such as {email: [crm@example.com]}",
		fields: []string{"default", "owner_only", "phone", "sms", "email", "rules"},
	}
	alertRuleShape = shape{
		name: "an alert rule", want: "a mapping such as {events: [failed], severity: critical, notify: [oncall:data]}",
		fields: []string{"events", "when", "severity", "notify"},
	}
)
