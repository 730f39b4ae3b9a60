package dsl

import "strings"

// mapping describes one kind of mapping to those who write it. The decoder knows what is right; this is what editors and the reference say.
type mapping struct {
	shape  *shape
	id     string // of its definition in the JSON schema, and its heading in the reference
	about  string
	fields []fieldAbout
	need   []string // fields that must be there
}

// fieldAbout describes a field.
type fieldAbout struct {
	name  string
	takes takes
	about string
	def   string // what holds when it is left out; empty = nothing
}

// takes is a JSON schema with a name for people.
type takes struct {
	words  string
	schema map[string]any
}

// scalar is any text: YAML makes numbers and booleans of some.
var scalar = []any{"string", "number", "boolean"}

func textTakes(words string) takes { return takes{words, map[string]any{"type": scalar}} }

func patternTakes(words, pattern string) takes {
	return takes{words, map[string]any{"type": scalar, "pattern": pattern}}
}

func enumTakes(values ...string) takes {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	return takes{"`" + strings.Join(values, "`, `") + "`", map[string]any{"enum": all}}
}

func intTakes(low, high int) takes {
	return takes{"a whole number", map[string]any{"type": "integer", "minimum": low, "maximum": high}}
}

func numberTakes(low float64) takes {
	return takes{"a number", map[string]any{"type": "number", "minimum": low}}
}

func boolTakes() takes { return takes{"`true` or `false`", map[string]any{"type": "boolean"}} }

func nameTakes() takes { return patternTakes("a name", `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$`) }

func durationTakes() takes {
	return patternTakes("a duration: `600s`, `1h30m`, `7d`", `^([0-9]+[dhms])+$`)
}

func listTakes(of takes) takes {
	return takes{"a list of: " + of.words, map[string]any{"type": "array", "items": of.schema}}
}

func mapTakes(words string, of takes) takes {
	return takes{words, map[string]any{"type": "object", "additionalProperties": of.schema}}
}

// refTakes is another mapping of the language.
func refTakes(id string) takes {
	return takes{"see [" + id + "](#" + strings.ReplaceAll(id, " ", "-") + ")", map[string]any{"$ref": "#/definitions/" + definition(id)}}
}

func definition(id string) string { return strings.ReplaceAll(id, " ", "_") }

// orTakes is either of two.
func orTakes(a, b takes) takes {
	return takes{a.words + "; or " + b.words, map[string]any{"anyOf": []any{a.schema, b.schema}}}
}

// anyTakes is whatever a plugin wants.
func anyTakes(words string) takes { return takes{words, map[string]any{"type": "object"}} }

func templateTakes(words string) takes { return textTakes(words + "; may hold `${{ }}`") }

// mappings describes the language, in the order of the reference.
func mappings() []mapping {
	all := documentMappings()
	all = append(all, flowMappings()...)
	all = append(all, taskMappings()...)
	all = append(all, catalogMappings()...)
	return append(all, testMappings()...)
}

func documentMappings() []mapping {
	return []mapping{
		{shape: &settingsShape, id: "flowctl.yaml", about: "The settings of a repository. The folder that holds it is the flows root.", need: []string{"version"}, fields: []fieldAbout{
			{"version", takes{"`1`", map[string]any{"const": 1}}, "the version of the language", ""},
			{"timezone", textTakes("an IANA name"), "the time zone of every schedule that names none", "`UTC`"},
			{"admins", listTakes(nameTakes()), "teams that receive platform alerts and may operate every flow", "none"},
			{"defaults", refTakes("defaults"), "what every task takes that says nothing; a flow's defaults override them", "none"},
			{"monitors", refTakes("monitors"), "thresholds of the platform's own alerts", "sensible for the size"},
			{"watchdog", refTakes("watchdog"), "pinged while all is well, so that an outsider notices silence", "none"},
		}},
		{shape: &monitorsShape, id: "monitors", about: "Thresholds of the platform's own alerts.", fields: []fieldAbout{
			{"agents", refTakes("threshold"), "connected agents; alerts below", ""},
			{"servers", refTakes("threshold"), "servers; alerts below", ""},
			{"redispatches_10m", refTakes("threshold"), "redispatches of one host within 10 minutes; alerts above", ""},
			{"redispatches_30m", refTakes("threshold"), "redispatches of one host within 30 minutes; alerts above", ""},
			{"cpu", refTakes("threshold"), "of an agent's host, in percent; alerts above", ""},
			{"memory", refTakes("threshold"), "of an agent's host, in percent; alerts above", ""},
			{"disk", refTakes("threshold"), "of an agent's host, in percent; alerts above", ""},
			{"generation", refTakes("delay"), "how late runs are made", ""},
			{"checks", refTakes("delay"), "how late dependencies are checked", ""},
			{"connections", refTakes("outside"), "for how long a system outside is not reached, or answers late; `{}` asks none", ""},
		}},
		{shape: &thresholdShape, id: "threshold", about: "A number for each severity.", fields: []fieldAbout{
			{"major", intTakes(0, 1_000_000), "from here on the alert is major", "none"},
			{"critical", intTakes(0, 1_000_000), "from here on the alert is critical", "none"},
		}},
		{shape: &thresholdShape, id: "delay", about: "A duration for each severity.", fields: []fieldAbout{
			{"major", durationTakes(), "from here on the alert is major", "none"},
			{"critical", durationTakes(), "from here on the alert is critical", "none"},
		}},
		{shape: &outsideShape, id: "outside", about: "A duration for each severity, and how long an answer may take.", fields: []fieldAbout{
			{"slow", durationTakes(), "an answer that takes longer is as bad as none", "`10s`"},
			{"major", durationTakes(), "from here on the alert is major", "none"},
			{"critical", durationTakes(), "from here on the alert is critical", "none"},
		}},
		{shape: &watchdogShape, id: "watchdog", about: "An outsider that notices silence.", need: []string{"url"}, fields: []fieldAbout{
			{"url", textTakes("a URL"), "what is pinged", ""},
		}},
		{shape: &defaultsShape, id: "defaults", about: "What tasks take when they say nothing, field by field.", fields: pick(
			"timeout", "retry", "runner", "connection", "with", "env", "start_after", "dependency_timeout", "output_timeout", "success",
			"trigger_rule", "concurrency", "pool", "agents", "run_as", "resources", "on_agent_lost", "lost_after", "alerts")},
	}
}

func flowMappings() []mapping {
	return []mapping{
		{shape: &flowShape, id: "flow", about: "A named set of tasks with one schedule and one owning team.", need: []string{"flow", "team", "tasks"}, fields: []fieldAbout{
			{"flow", nameTakes(), "its name", ""},
			{"description", textTakes("text"), "for people", "none"},
			{"team", nameTakes(), "the team that owns it", ""},
			{"owner", nameTakes(), "a person", "the team's on-call person"},
			{"group", textTakes("text"), "for selecting many flows at once", "its folder"},
			{"labels", mapTakes("a mapping of texts", textTakes("text")), "for selecting, too", "none"},
			{"priority", intTakes(0, 9), "0 goes first, 9 last, when slots are scarce", "5"},
			{"enabled", boolTakes(), "`false`: no runs", "`true`"},
			{"schedule", refTakes("schedule"), "when its runs are made", "on demand"},
			{"concurrency", refTakes("concurrency"), "how many of its runs may be active at once", "unlimited"},
			{"expire_after", durationTakes(), "a task run that has not started by then, from its scheduled time, expires", "`7d`"},
			{"params", mapTakes("a mapping of names to default values", textTakes("text")), "what `flowctl run --param name=value` may set", "none"},
			{"defaults", refTakes("defaults"), "what its tasks take that say nothing", "those of flowctl.yaml"},
			{"alerts", refTakes("alerts"), "what its tasks take that say nothing of alerts", "the default rule"},
			{"tasks", mapTakes("a mapping of names to tasks, see [task](#task)", refTakes("task")), "what it does", ""},
		}},
		{shape: &scheduleShape, id: "schedule", about: "When the runs of a flow are made. One of `every`, `cron` and `once`.", fields: []fieldAbout{
			{"every", enumTakes("hour", "day", "week", "month"), "one run for each of these periods", ""},
			{"cron", textTakes("five fields: minute, hour, day, month, weekday"), "one run for each gap between two fires. 7 is Sunday too; both day fields set means either; `3/10` starts at 3", ""},
			{"once", textTakes("a local clock time: `2026-11-20T10:00`"), "one run", ""},
			{"at", textTakes("hour `\":05\"`, day `\"00:30\"`, week `\"Mon 06:00\"`, month `\"1 08:00\"`"), "when, after the period ended", "`\":01\"`, `\"00:01\"`, `\"Mon 00:02\"`, `\"1 00:05\"`"},
			{"timezone", textTakes("an IANA name"), "cuts the periods and reads the clock times", "that of flowctl.yaml"},
			{"start", textTakes("a date or local clock time"), "no period begins before it", "none"},
			{"end", textTakes("a date or local clock time"), "no period begins at or after it", "none"},
			{"calendar", nameTakes(), "hour and day only: periods that begin on a day of the calendar", "every day"},
			{"missed", enumTakes("all", "latest", "none"), "which periods that ended while no server ran get a run", "`all`"},
		}},
		{shape: &flowConcurrencyShape, id: "concurrency", about: "How many runs of a flow may be active at once.", fields: []fieldAbout{
			{"runs", intTakes(1, 1_000_000), "active runs at once", "unlimited"},
			{"order", enumTakes("oldest", "newest"), "which period goes first", "`oldest`"},
		}},
	}
}
