package dsl

// testMappings describe tests of flows, and the outcomes files that simulations read.
func testMappings() []mapping {
	return []mapping{
		{shape: &testShape, id: "test", about: "What to expect of the scheduler in a simulation. `flowctl test` runs it.", need: []string{"test", "from", "to", "expect"}, fields: []fieldAbout{
			{"test", textTakes("text"), "what is tested, in a few words", ""},
			{"from", instantTakes(), "when the simulation begins", ""},
			{"to", instantTakes(), "when it ends; a date is included", ""},
			{"given", refTakes("outcomes"), "how the world behaves", "every task takes a minute and succeeds"},
			{"expect", listTakes(refTakes("expectation")), "what should be true", ""},
		}},
		{shape: &expectationShape, id: "expectation", about: "What should be true of a run, or of a task run.", fields: []fieldAbout{
			{"run", textTakes("flow@period"), "the run. Either this or `task`; without period the newest one", ""},
			{"task", textTakes("flow/task@period"), "the task run", ""},
			{"at", instantTakes(), "when: after all that happens at it", "the end of the test"},
			{"state", enumTakes(allStates()...), "where it stands", "any"},
			{"started", orTakes(instantTakes(), enumTakes("never")), "when its first attempt started", "any"},
			{"ended", orTakes(instantTakes(), enumTakes("never")), "when it ended", "any"},
			{"attempts", intTakes(0, maxFirst), "how many there were", "any"},
			{"blockers", listTakes(textTakes("a task run, a path, or a kind such as `flow_limit`")), "all that holds it back", "any"},
			{"outputs", mapTakes("a mapping of texts", textTakes("text")), "all that it wrote", "any"},
			{"events", listTakes(enumTakes(taskEventNames()...)), "all that alerts were told of it", "any"},
			{"told", listTakes(textTakes("a channel and a receiver: `mail alice`, `texts +8613800000001`, or a webhook's channel alone")), "who is told of these events, by which channels", "any"},
		}},
		{shape: &outcomesShape, id: "outcomes", about: "How the world behaves in a simulation: the `given` of a test, and what `flowctl simulate --outcomes` reads.", fields: []fieldAbout{
			{"duration", spanTakes(), "of attempts of which nothing else is known", "`1m`, or the task's timeout when that is shorter"},
			{"past", enumTakes("succeeded", "missing"), "what became of earlier periods", "`succeeded`"},
			{"tasks", listTakes(refTakes("outcome")), "how attempts of some tasks end; later ones override earlier ones, field by field", "none"},
			{"paths", mapTakes("a mapping of paths, in which `*` stands for any characters but `/`, to a time or `never`", textTakes("text")), "when inputs appear", "all exist"},
			{"gates", mapTakes("a mapping of tasks, `flow/task` in which `*` stands for any characters but `/`, to a time, `never` or `refuse`", textTakes("text")), "when gates release their tasks", "all do so at once"},
			{"signals", listTakes(refTakes("announcement")), "when periods of signals are set; the last one that matches counts", "all are set"},
			{"agents", mapTakes("a mapping of names, see [simulated agent](#simulated-agent)", refTakes("simulated agent")), "the agents", "one that can do everything"},
			{"actions", listTakes(refTakes("action")), "what operators do", "none"},
		}},
		{shape: &outcomeShape, id: "outcome", about: "How attempts of some tasks end.", need: []string{"task"}, fields: []fieldAbout{
			{"task", textTakes("flow/task, in which `*` stands for any characters but `/`"), "of which tasks", ""},
			{"periods", listTakes(textTakes("a label, a date, or a range `2026-11-19..2026-11-21`")), "of which periods", "all"},
			{"duration", spanTakes(), "how long each attempt takes", "as said elsewhere"},
			{"fail", orTakes(intTakes(0, maxFirst), patternTakes("`always`, or a chance such as `5%`", `^(always|[0-9.]+%)$`)), "how many first attempts of each task run fail, or which", "none"},
			{"outputs", mapTakes("a mapping of texts", textTakes("text")), "what a success writes", "0 for each output that an expression reads"},
		}},
		{shape: &hostShape, id: "simulated agent", about: "An agent of a simulation.", need: []string{"slots"}, fields: []fieldAbout{
			{"slots", intTakes(1, maxSlots), "attempts at once", ""},
			{"labels", listTakes(textTakes("a label")), "what tasks select it by", "none"},
			{"away", listTakes(refTakes("absence")), "when it is not connected; what it executes goes on", "never"},
		}},
		{shape: &absenceShape, id: "absence", about: "When an agent is not connected.", fields: []fieldAbout{
			{"from", instantTakes(), "since when", "the beginning"},
			{"to", instantTakes(), "until when", "for good"},
		}},
		{shape: &announcementShape, id: "announcement", about: "When periods of a signal are set.", need: []string{"signal"}, fields: []fieldAbout{
			{"signal", textTakes("a name, in which `*` stands for any characters"), "of which signals", ""},
			{"periods", listTakes(textTakes("a label, a date, or a range `2026-11-19..2026-11-21`")), "of which periods", "all"},
			{"set", orTakes(instantTakes(), enumTakes("never")), "from when on", "from the beginning"},
			{"unset", instantTakes(), "until when; before `set`, it is set again then", "for good"},
		}},
		{shape: &actionShape, id: "action", about: "What an operator does, in the words of the command line: one verb, and its options.", need: []string{"at"}, fields: []fieldAbout{
			{"at", instantTakes(), "when", ""},
			{"run", textTakes("flow[/task][@period]"), "makes a run", ""},
			{"rerun", targetTakes(), "makes new versions", ""},
			{"backfill", orTakes(listTakes(textTakes("a flow")), enumTakes("all")), "runs the past", ""},
			{"kill", orTakes(targetTakes(), boolTakes()), "kills what runs, or with `rerun`: kills what runs of it before", ""},
			{"succeed", targetTakes(), "lets it count as succeeded", ""},
			{"skip", targetTakes(), "lets it count as skipped", ""},
			{"pause", orTakes(targetTakes(), enumTakes("all")), "keeps it from being dispatched", ""},
			{"resume", orTakes(targetTakes(), enumTakes("all")), "takes exactly this pause back", ""},
			{"params", mapTakes("a mapping of texts", textTakes("text")), "of a run: the flow's params", "none"},
			{"extra", boolTakes(), "of a run: beside the scheduled one", "`false`"},
			{"force", boolTakes(), "of a run: skips dependencies", "`false`"},
			{"outputs", mapTakes("a mapping of texts", textTakes("text")), "of what succeeds", "none"},
			{"from_task", textTakes("a task"), "of a rerun: this task and all that follow it", "all tasks"},
			{"failed", boolTakes(), "of a rerun: only what failed", "`false`"},
			{"upstream", boolTakes(), "of a rerun: with all that these tasks need", "`false`"},
			{"cascade", enumTakes("none", "logical", "data", "both"), "of a rerun or backfill: with all that follows", "`none`"},
			{"group", textTakes("a group"), "of all: only its flows", "every group"},
			{"every", enumTakes("hour", "day", "week", "month", "cron"), "of a backfill of all: only flows of this kind", "every kind"},
			{"from", textTakes("a label or a date"), "of a backfill: the first period", ""},
			{"to", textTakes("a label or a date"), "of a backfill: the last period, inclusive", ""},
			{"max_active", intTakes(1, maxSlots), "of a backfill: runs at once", "256"},
			{"missing_upstream", enumTakes("wait", "ignore"), "of a backfill: needs on periods outside of it that have no run", "`wait`"},
			{"reprocess", enumTakes("missing", "failed", "all"), "of a backfill: which periods", "`missing`"},
			{"scheduled_after", instantTakes(), "of the pause of all: only what is scheduled after it", ""},
		}},
	}
}

func instantTakes() takes {
	return patternTakes("a date or time: `2026-11-19`, `2026-11-19T06:00`", `^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?$`)
}

func targetTakes() takes { return textTakes("flow[/task][@period[..period]][#version]") }

func spanTakes() takes {
	return patternTakes("a duration: `10m`; or a range of which each attempt takes some value: `10m..30m`", `^([0-9]+[dhms])+(\.\.([0-9]+[dhms])+)?$`)
}
