package dsl

import (
	"strings"

	"flowctl/dsl/diag"
)

// emptySchedule reports a schedule without any period.
func (l *linter) emptySchedule() {
	s := l.draft.schedule
	if s == nil || l.flow.Schedule == nil || !l.flow.Schedule.Empty() {
		return
	}
	message, hint := "no period begins between start and end", "move one of them"
	field := "end"
	switch {
	case s.spec.Cron != "" && s.spec.Start == "" && s.spec.End == "":
		field, message, hint = "cron", "it never fires: no month has such a day", "correct the day or the month"
	case s.spec.Cron != "":
		field, message = "cron", "it never fires between start and end"
	case s.calendar.value != "":
		field, message, hint = "calendar", "no day of the calendar lies between start and end", "move start or end, or correct the calendar"
	}
	at, ok := s.fields[field]
	if !ok {
		at = s.at
	}
	l.warn(at, diag.NeverRuns, hint, message)
}

// falseConditions reports conditions that are false whatever happens. One of a template may be false by its arguments, on purpose.
func (l *linter) falseConditions() {
	for _, t := range l.draft.tasks {
		if value, fixed := l.programs.Fixed(t.when); fixed && !value {
			l.warn(t.when.Parts[0].Pos, diag.NeverRuns, "remove the task, or let the condition depend on something",
				"the condition is always false, so the task is always skipped")
		}
	}
}

// clockChanges reports the clock times at which a flow is due and that its zone skips or shows twice.
func (l *linter) clockChanges() {
	s := l.draft.schedule
	if s == nil || l.flow.Schedule == nil || l.year == 0 {
		return
	}
	clashes := l.flow.Schedule.Clashes(l.year, l.year+1)
	if len(clashes) == 0 {
		return
	}
	times := make([]string, 0, len(clashes))
	for _, c := range clashes {
		what := " does not exist"
		if c.Twice {
			what = " comes twice"
		}
		times = append(times, c.Clock+what)
	}
	at := s.at
	for _, field := range []string{"timezone", "once", "cron", "at"} { // the last one that is given
		if place, ok := s.fields[field]; ok {
			at = place
		}
	}
	l.warn(at, diag.DST, "choose another time, or `timezone: UTC`; a time that does not exist is moved forward, one that comes twice counts the first time",
		"clocks are changed when it is due: "+strings.Join(times, ", ")+" ("+l.flow.Schedule.Zone().String()+")")
}
