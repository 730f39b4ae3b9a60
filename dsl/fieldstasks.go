package dsl

import "slices"

// commonFields are those that tasks, templates and defaults have in common.
func commonFields() []fieldAbout {
	return []fieldAbout{
		{"runner", textTakes("`shell`, `python`, `ssh`, `hive`, or one of plugins.lock"), "the plugin that executes it", "`shell`"},
		{"connection", nameTakes(), "a connection, whose settings the runner takes", "none"},
		{"with", anyTakes("a mapping"), "the runner's settings, checked against the plugin's schema", "none"},
		{"env", mapTakes("a mapping of texts; may hold `${{ }}`", textTakes("text")), "environment variables", "none"},
		{"start_after", durationTakes(), "not before this long after the period ended", "at once"},
		{"dependency_timeout", durationTakes(), "dependencies unmet this long after the scheduled time are late", "never"},
		{"output_timeout", durationTakes(), "not succeeded this long after the scheduled time is late", "never"},
		{"timeout", durationTakes(), "of each attempt; then its whole process tree is killed", "none"},
		{"retry", refTakes("retry"), "what follows a failed attempt", "nothing"},
		{"success", enumTakes("exit", "outputs"), "what makes an attempt succeed: its exit code, or that each output's marker has changed", "`exit`"},
		{"trigger_rule", enumTakes("all_success", "all_done", "one_success", "one_failed"), "which ends of its needs let it start", "`all_success`"},
		{"concurrency", intTakes(1, 1_000_000), "task runs of this task at once, over all runs", "unlimited"},
		{"pool", orTakes(nameTakes(), refTakes("pool use")), "a pool whose slots it takes while it runs", "none"},
		{"agents", refTakes("agents"), "which agents may execute it", "any"},
		{"run_as", nameTakes(), "the account it runs as; its team must hold it", "the agent's own"},
		{"resources", refTakes("resources"), "what it needs of its host", "unknown"},
		{"on_agent_lost", enumTakes("wait", "restart", "fail"), "what becomes of an attempt whose agent is lost", "`wait`"},
		{"lost_after", durationTakes(), "with `restart` or `fail`: silence that counts as loss; then the attempt is ended on its host", "10m"},
		{"alerts", refTakes("alerts"), "who hears of what happens to it", "the flow's"},
	}
}

// pick returns some of the common fields, in the order named.
func pick(names ...string) []fieldAbout {
	all := commonFields()
	out := make([]fieldAbout, 0, len(names))
	for _, name := range names {
		if i := slices.IndexFunc(all, func(f fieldAbout) bool { return f.name == name }); i >= 0 {
			out = append(out, all[i])
		}
	}
	return out
}

// filledIn lets fields be a parameter of the template that they stand in.
func filledIn(fields []fieldAbout) []fieldAbout {
	parameter := map[string]any{"type": "string", "pattern": `\$\{\{\s*template`}
	for i := range fields {
		t := &fields[i].takes
		t.schema = map[string]any{"anyOf": []any{t.schema, parameter}}
	}
	return fields
}

// workFields say what a task does. Tasks and templates have them.
func workFields() []fieldAbout {
	return []fieldAbout{
		{"run", templateTakes("text"), "the text to run. Either this or `file`", ""},
		{"file", textTakes("a path"), "a script beside the flow's file, at the run's commit", ""},
		{"args", orTakes(listTakes(templateTakes("text")), mapTakes("a mapping, of which each entry becomes `--name value`", textTakes("text"))), "arguments", "none"},
		{"needs", listTakes(orTakes(textTakes("a task's name, or flow/task"), refTakes("need"))), "what it waits for", "nothing"},
		{"inputs", listTakes(templateTakes("a path")), "paths that must exist before it starts. One that ends in `/` stands for the file `_SUCCESS` in it", "none"},
		{"outputs", listTakes(templateTakes("a path")), "paths that it makes", "none"},
		{"when", takes{"a condition", map[string]any{"type": []any{"string", "boolean"}}}, "evaluated once all needs are met; when false, the task is skipped", "always"},
		{"signals", listTakes(nameTakes()), "third-party data that it waits for, joined by the period rule", "none"},
		{"gate", refTakes("gate"), "a service that is asked once all dependencies are met, and releases the task", "none"},
	}
}

func taskMappings() []mapping {
	own := []fieldAbout{
		{"matrix", mapTakes("a mapping of names to lists of values", listTakes(textTakes("a name or number"))), "one task for each combination, named `load:eu`", "none"},
		{"uses", orTakes(nameTakes(), refTakes("uses")), "a template that fills in what the task does not say", "none"},
		{"formerly", listTakes(textTakes("flow/task")), "ids that it had: history and needs carry over", "none"},
	}
	parameters := fieldAbout{"params", mapTakes("a mapping of names to parameters, see [parameter](#parameter)",
		orTakes(enumTakes("text", "int", "bool"), refTakes("parameter"))), "what a use may or must give", "none"}
	return []mapping{
		{shape: &taskShape, id: "task", about: "One node of the graph.", fields: slices.Concat(workFields(), commonFields(), own)},
		{shape: &templateShape, id: "template", about: "A task skeleton that tasks use: the fields of a task, and `params`, which its expressions know as `template.NAME`.",
			fields: slices.Concat([]fieldAbout{parameters}, workFields(), filledIn(commonFields()))},
		{shape: &parameterShape, id: "parameter", about: "A parameter of a template. Without a default, every use must give it.", fields: []fieldAbout{
			{"type", enumTakes("text", "int", "bool", "enum"), "what values it takes", "`text`"},
			{"values", listTakes(textTakes("text")), "of an enum", ""},
			{"default", textTakes("a value of its type"), "when a use does not give it", "none"},
		}},
		{shape: &usesShape, id: "uses", about: "The use of a template.", need: []string{"template"}, fields: []fieldAbout{
			{"template", nameTakes(), "the template's name", ""},
			{"params", mapTakes("a mapping", textTakes("a value")), "values of its parameters", "their defaults"},
		}},
		{shape: &retryShape, id: "retry", about: "What follows a failed attempt.", fields: filledIn([]fieldAbout{
			{"limit", intTakes(0, 1000), "how many attempts follow the first", "0"},
			{"delay", durationTakes(), "before the next attempt", "`1m`"},
			{"backoff", numberTakes(1), "each delay is the former one times this", "1"},
			{"max_delay", durationTakes(), "no delay is longer", "`1h`, or the delay when that is longer"},
		})},
		{shape: &needShape, id: "need", about: "A dependency. A task, or with `flow` alone every task of a flow.", fields: []fieldAbout{
			{"task", textTakes("a task's name, or flow/task"), "the task", ""},
			{"flow", nameTakes(), "its flow", "the same flow"},
			{"periods", orTakes(enumTakes("previous", "latest"), refTakes("periods")), "which of its periods", "those that end within the run's own, or the last one before"},
		}},
		{shape: &periodsShape, id: "periods", about: "Which periods a need reaches.", fields: []fieldAbout{
			{"offset", intTakes(-100_000, -1), "that many of the run's own periods earlier", ""},
			{"last", intTakes(1, 100_000), "the upstream periods that ended last, up to the run's own end", ""},
		}},
		{shape: &gateShape, id: "gate", about: "A data-quality service that is asked once for each version.", need: []string{"url"}, fields: []fieldAbout{
			{"url", templateTakes("a URL"), "what is asked", ""},
			{"timeout", durationTakes(), "how long its answer may take", "none"},
		}},
		{shape: &poolUseShape, id: "pool use", about: "Slots of a pool.", need: []string{"name"}, fields: filledIn([]fieldAbout{
			{"name", nameTakes(), "the pool", ""},
			{"slots", intTakes(1, 1_000_000), "how many of them", "1"},
		})},
		{shape: &agentsShape, id: "agents", about: "Which agents may execute a task.", fields: []fieldAbout{
			{"labels", listTakes(textTakes("a label such as `hadoop` or `zone=a`")), "an agent must have all of them", "any agent"},
		}},
		{shape: &resourcesShape, id: "resources", about: "What a task needs of its host.", fields: filledIn([]fieldAbout{
			{"cpu", numberTakes(0), "cores", "unknown"},
			{"memory", textTakes("a size such as `2GiB`"), "memory", "unknown"},
		})},
		{shape: &alertsShape, id: "alerts", about: "Who hears of what happens to a task.", fields: []fieldAbout{
			{"default", boolTakes(), "the rule by priority: 0 to 4 by SMS and email, others by email", "`true`"},
			{"owner_only", boolTakes(), "the owner alone; overrides everything else here", "`false`"},
			{"phone", listTakes(textTakes("a receiver")), "who is called", "nobody"},
			{"sms", listTakes(textTakes("a receiver")), "who gets a text", "nobody"},
			{"email", listTakes(textTakes("a receiver")), "who gets a mail", "nobody"},
			{"rules", listTakes(refTakes("alert rule")), "in addition", "none"},
		}},
		{shape: &alertRuleShape, id: "alert rule", about: "Tells some receivers of some events.", need: []string{"events", "notify"}, fields: []fieldAbout{
			{"events", listTakes(enumTakes(eventNames()...)), "what it tells of", ""},
			{"when", takes{"a condition", map[string]any{"type": []any{"string", "boolean"}}}, "whether it tells", "always"},
			{"severity", enumTakes("critical", "major", "minor"), "picks the kinds of channels: critical phone, SMS and email; major SMS and email; minor email", "`minor`"},
			{"notify", listTakes(textTakes("a person, `team:NAME`, `oncall:TEAM`, `oncall:TEAM:secondary`, `channel:NAME`, or an address")), "who is told", ""},
		}},
	}
}

func catalogMappings() []mapping {
	named := func(id string) takes {
		return mapTakes("a mapping of names to entries, see ["+id+"](#"+id+")", refTakes(id))
	}
	teams := fieldAbout{"teams", listTakes(nameTakes()), "whose flows may use it", ""}
	return []mapping{
		{shape: &catalogShape, id: "catalog", about: "A document of names that flows refer to. Any number of documents may declare them.", fields: []fieldAbout{
			{"people", named("person"), "who owns flows and hears of alerts", ""},
			{"teams", named("team"), "who owns what", ""},
			{"calendars", named("calendar"), "days on which periods begin", ""},
			{"channels", named("channel"), "plugins that deliver alerts", ""},
			{"accounts", named("account"), "accounts of the operating system", ""},
			{"secrets", named("secret"), "names of secrets; their values live outside the repository", ""},
			{"pools", named("pool"), "what only so many task runs may use at once", ""},
			{"connections", named("connection"), "where runners find their peers", ""},
			{"signals", named("signal"), "third-party data and who may announce it", ""},
			{"templates", named("template"), "task skeletons", ""},
		}},
		{shape: &personShape, id: "person", about: "Somebody who owns flows or hears of alerts.", fields: []fieldAbout{
			{"name", textTakes("text"), "for people", "none"},
			{"email", textTakes("an address"), "for mails", "none"},
			{"sms", textTakes("a number such as `\"+8613800000001\"`"), "for texts", "none"},
			{"phone", textTakes("a number"), "for calls", "none"},
			{"timezone", textTakes("an IANA name"), "in which times are shown to the person", "none"},
		}},
		{shape: &teamShape, id: "team", about: "Owns flows.", need: []string{"members"}, fields: []fieldAbout{
			{"members", listTakes(nameTakes()), "people", ""},
			{"oncall", refTakes("oncall"), "who is on call", "nobody"},
			{"escalation", listTakes(refTakes("escalation")), "who is told too when nobody acknowledges", "nobody"},
		}},
		{shape: &oncallShape, id: "oncall", about: "The rotation of a team: the first of the order is on call, the next one is the secondary, and each hand-off moves the order on by one.", fields: []fieldAbout{
			{"rotate", enumTakes("daily", "weekly"), "how often duty is handed on", ""},
			{"handoff", textTakes("`\"Mon 09:00\"`, or `\"09:00\"` when daily"), "when", ""},
			{"timezone", textTakes("an IANA name"), "of the hand-off", "that of flowctl.yaml"},
			{"order", listTakes(nameTakes()), "people", "the members"},
			{"overrides", listTakes(refTakes("override")), "somebody else for some days", "none"},
		}},
		{shape: &overrideShape, id: "override", about: "Puts somebody else on call.", need: []string{"from", "to", "who"}, fields: []fieldAbout{
			{"from", textTakes("a date"), "first day", ""},
			{"to", textTakes("a date"), "last day", ""},
			{"who", nameTakes(), "the person", ""},
		}},
		{shape: &escalationShape, id: "escalation", about: "A step that follows when nobody has acknowledged an alert.", need: []string{"after", "notify"}, fields: []fieldAbout{
			{"after", durationTakes(), "since the alert", ""},
			{"notify", listTakes(textTakes("a receiver")), "who is told too", ""},
		}},
		{shape: &channelShape, id: "channel", about: "A configured plugin that delivers alerts.", need: []string{"plugin"}, fields: []fieldAbout{
			{"plugin", textTakes("`email`, `sms`, `phone`, `webhook`, or one of plugins.lock"), "the plugin", ""},
			{"kind", enumTakes("phone", "sms", "email", "webhook"), "what it delivers to", "the plugin's name"},
			{"default", boolTakes(), "whether alerts of its kind take it", "when it is the only one of its kind"},
			{"with", anyTakes("a mapping"), "the plugin's settings", "none"},
		}},
		{shape: &accountShape, id: "account", about: "An account of the operating system.", need: []string{"user", "teams"}, fields: []fieldAbout{
			{"user", textTakes("text"), "its name on the hosts", ""}, teams,
		}},
		{shape: &secretShape, id: "secret", about: "The name of a secret. `secret('NAME')` is looked up on the agent.", need: []string{"teams"}, fields: []fieldAbout{teams}},
		{shape: &poolShape, id: "pool", about: "What only so many task runs may use at once.", need: []string{"slots"}, fields: []fieldAbout{
			{"slots", intTakes(1, 1_000_000), "how many", ""},
		}},
		{shape: &connectionShape, id: "connection", about: "Where a runner finds its peer.", need: []string{"runner", "teams"}, fields: []fieldAbout{
			{"runner", textTakes("a runner"), "whose settings these are", ""}, teams,
			{"with", anyTakes("a mapping"), "settings; a task's own `with` goes over them", "none"},
		}},
		{shape: &signalShape, id: "signal", about: "Data of a third party, which announces each of its periods.", need: []string{"every"}, fields: []fieldAbout{
			{"every", enumTakes("hour", "day", "week", "month"), "its periods", ""},
			{"timezone", textTakes("an IANA name"), "cuts them", "that of flowctl.yaml"},
			{"teams", listTakes(nameTakes()), "who may announce it", "admins alone"},
		}},
		{shape: &calendarShape, id: "calendar", about: "Days on which the periods of an hourly or daily flow may begin.", fields: []fieldAbout{
			{"days", listTakes(enumTakes("mon", "tue", "wed", "thu", "fri", "sat", "sun")), "of the week", "all"},
			{"exclude", listTakes(textTakes("a date, or a range such as `2026-10-01..2026-10-07`")), "without these", "none"},
			{"include", listTakes(textTakes("a date or range")), "and with these", "none"},
		}},
	}
}
