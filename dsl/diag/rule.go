package diag

import "slices"

// Rule is a kind of finding.
type Rule struct {
	ID       string // stable: people search for it, and silence it by it
	Severity Severity
	Summary  string // one sentence
	Mend     string // what to do about it, one sentence
}

// The ids of the rules. They are declared here and nowhere else.
const (
	BadDuration       = "bad-duration"
	BadExpression     = "bad-expression"
	BadInstant        = "bad-instant"
	BadName           = "bad-name"
	BadPattern        = "bad-pattern"
	BadPeriod         = "bad-period"
	BadSchedule       = "bad-schedule"
	Cycle             = "cycle"
	DataEdge          = "data-edge"
	DST               = "dst"
	Duplicate         = "duplicate"
	Missing           = "missing"
	MissingFile       = "missing-file"
	NeverRuns         = "never-runs"
	NoAlertReceiver   = "no-alert-receiver"
	NoStart           = "no-start"
	NoTeam            = "no-team"
	NotAllowed        = "not-allowed"
	RunnerConfig      = "runner-config"
	SecretInPlainText = "secret-in-plain-text"
	Syntax            = "syntax"
	Timers            = "timers"
	UnknownAccount    = "unknown-account"
	UnknownCalendar   = "unknown-calendar"
	UnknownChannel    = "unknown-channel"
	UnknownConnection = "unknown-connection"
	UnknownField      = "unknown-field"
	UnknownFlow       = "unknown-flow"
	UnknownPerson     = "unknown-person"
	UnknownPool       = "unknown-pool"
	UnknownRunner     = "unknown-runner"
	UnknownSecret     = "unknown-secret"
	UnknownSignal     = "unknown-signal"
	UnknownTask       = "unknown-task"
	UnknownTeam       = "unknown-team"
	UnknownTemplate   = "unknown-template"
	UnquotedParam     = "unquoted-param"
	Unused            = "unused"
	UnusedIgnore      = "unused-ignore"
	WrongType         = "type"
)

// Rules lists all rules by id. Each has a section in docs/rules.md.
func Rules() []Rule {
	return []Rule{
		{BadDuration, Error, "A text that should be a duration is none.", "Write whole numbers with the units d, h, m and s, largest first: 7d, 1h30m, 600s."},
		{BadExpression, Error, "An expression in ${{ }} or `when` cannot be understood, or uses what is not known where it stands.", "Use the contexts and functions that the language page lists for this field."},
		{BadInstant, Error, "A text that should be a date or time is none, or the time lies outside the test.", "Write it like 2026-11-19 or 2026-11-19T06:00, between `from` and `to`."},
		{BadName, Error, "A name holds characters that names do not have, or is too long.", "Use letters, digits, '_', '-' and '.', beginning with a letter, digit or '_'."},
		{BadPattern, Error, "A pattern of names cannot be understood.", "Use * for any characters but /, ? for one, [ab] for one of those."},
		{BadPeriod, Error, "A label names no period of the flow.", "Use the label of a period that its schedule has, or a date."},
		{BadSchedule, Error, "A schedule, a calendar or a time zone cannot be understood, or a need counts periods that do not exist.", "Correct the field that is named."},
		{Cycle, Error, "Tasks wait for each other, so none of them could ever start.", "Remove one of the needs, or let it reach the period before with `periods: previous`."},
		{DataEdge, Warning, "A task reads what another one writes, but not of a period that their schedules bring together.", "Add the need that is meant, or read another path."},
		{DST, Warning, "Clocks are changed at the time at which the flow is due: on the dates listed it does not exist, or exists twice.", "Choose another time of day, or a zone without clock changes."},
		{Duplicate, Error, "The same name or field is given twice, or two fields exclude each other.", "Keep one of them."},
		{Missing, Error, "Something that must be there is not.", "Add it."},
		{MissingFile, Error, "A task names a script that is not in the repository.", "Add the file to the commit, or correct its name, which is relative to the flow's file."},
		{NeverRuns, Warning, "A schedule has no period at all, or a condition is always false.", "Correct the schedule or the condition, or remove what never runs."},
		{NoAlertReceiver, Warning, "Nobody would hear of an alert: a receiver has no address for it, or nobody is on call. For critical events it is an error, once there are channels.", "Add an address, a channel, or another receiver."},
		{NoStart, Error, "A task needs its own previous period, but the schedule has no first one.", "Give the schedule a `start`: its first period waits for none before it."},
		{NoTeam, Error, "A flow does not say which team owns it.", "Add `team: NAME`."},
		{NotAllowed, Error, "A flow uses a secret, connection or account that its team may not use.", "Ask those who own it to name the team there, or use another."},
		{RunnerConfig, Error, "The settings in `with` do not fit the runner.", "Use the settings that the runner has."},
		{SecretInPlainText, Warning, "A password, token or key stands in the repository, where everybody who can read it can read that.", "Take it out, replace it wherever it is used, and name it: `${{ secret('name') }}`, with the value on the agents."},
		{Syntax, Error, "A file cannot be read as YAML.", "Correct it at the place shown; the mistake may lie just before."},
		{Timers, Warning, "A duration has no effect because of another one.", "Change one of the two, or remove the one without effect."},
		{WrongType, Error, "A value is not what its field takes, or there are more values than fit.", "Write what the message says the field takes."},
		{UnknownAccount, Error, "A task runs as an account that no file declares.", "Correct the name, or declare it below `accounts:`."},
		{UnknownCalendar, Error, "A schedule names a calendar that no file declares.", "Correct the name, or declare it below `calendars:`."},
		{UnknownChannel, Error, "A receiver names a channel that no file declares.", "Correct the name, or declare it below `channels:`."},
		{UnknownConnection, Error, "A task names a connection that no file declares.", "Correct the name, or declare it below `connections:`."},
		{UnknownField, Error, "A mapping has a field that the language does not have.", "Correct its name; nothing is ever ignored."},
		{UnknownFlow, Error, "A need names a flow that no file declares.", "Correct the name."},
		{UnknownPerson, Error, "A person is named whom no file declares.", "Correct the name, or declare the person below `people:`."},
		{UnknownPool, Error, "A task names a pool that no file declares.", "Correct the name, or declare it below `pools:`."},
		{UnknownRunner, Error, "A task names a runner that does not exist.", "Correct the name."},
		{UnknownSecret, Error, "An expression names a secret that no file declares.", "Correct the name, or declare it below `secrets:`."},
		{UnknownSignal, Error, "A task waits for a signal that no file declares.", "Correct the name, or declare it below `signals:`."},
		{UnknownTask, Error, "A need names a task that its flow does not have.", "Correct the name."},
		{UnknownTeam, Error, "A team is named that no file declares.", "Correct the name, or declare the team below `teams:`."},
		{UnknownTemplate, Error, "A task uses a template that no file declares.", "Correct the name, or declare it below `templates:`."},
		{UnquotedParam, Error, "A parameter stands unquoted in code, so that whoever starts a run could run anything.", "Write quote(params.name), or pass it through env."},
		{Unused, Warning, "Something is declared that nothing uses.", "Remove it, or use it."},
		{UnusedIgnore, Warning, "A comment silences a rule that found nothing there, or one that cannot be silenced.", "Remove the rule from the comment."},
	}
}

// RuleOf returns the rule of an id.
func RuleOf(id string) (Rule, bool) {
	for _, r := range Rules() {
		if r.ID == id {
			return r, true
		}
	}
	return Rule{}, false
}

// IDs returns the ids of all rules of a severity.
func IDs(s Severity) []string {
	var ids []string
	for _, r := range Rules() {
		if r.Severity == s {
			ids = append(ids, r.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
