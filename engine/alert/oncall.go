package alert

import (
	"slices"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// Duty says who is on call in a team.
type Duty struct {
	Primary   string         // key of a person
	Secondary string         // the next one of the rotation; empty when there is nobody else
	Until     period.Instant // the next hand-off, or when the override begins or ends if that is sooner
	Override  bool           // the primary stands in for the one of the rotation
}

// Rotation returns who is on call at an instant. Hand-offs are counted from 1970, so that the duty follows from the declaration alone and
// not from when it was read. What operators have said of the team goes before the declaration's overrides, the newest first. ok is false when
// the rotation has nobody.
func Rotation(o *flow.Oncall, said []engine.Override, at period.Instant) (d Duty, ok bool) {
	if o == nil || len(o.Order) == 0 {
		return Duty{}, false
	}
	zone, err := time.LoadLocation(o.Timezone)
	if err != nil { // the compiler has seen it
		zone = time.UTC
	}
	local := at.Time().In(zone)
	began, next := handoffs(o, local)
	d.Until = period.At(next)
	turn := days(began)
	if o.Rotate == flow.Weekly {
		turn = floorDiv(turn, 7)
	}
	first := turn % len(o.Order)
	if first < 0 {
		first += len(o.Order)
	}
	order := append(slices.Clone(o.Order[first:]), o.Order[:first]...)
	d.Primary = order[0]
	override := func(who string, from, to period.Instant) {
		switch {
		case to <= from: // it was taken back before it began
		case at < from:
			d.Until = min(d.Until, from)
		case at < to && !d.Override:
			d.Primary, d.Override, d.Until = who, true, min(d.Until, to)
		}
	}
	for _, v := range slices.Backward(said) {
		override(v.Person, v.From, v.To)
	}
	for i := range o.Overrides {
		from, to := overrideSpan(&o.Overrides[i], zone)
		override(o.Overrides[i].Who, from, to)
	}
	for _, who := range order[1:] {
		if who != d.Primary {
			d.Secondary = who
			break
		}
	}
	return d, true
}

// handoffs returns the newest hand-off at or before a time and the next one after it.
func handoffs(o *flow.Oncall, t time.Time) (began, next time.Time) {
	step, back := 1, 0
	if o.Rotate == flow.Weekly {
		step = 7
		if o.Weekday != nil {
			back = (int(t.Weekday()) - int(*o.Weekday) + 7) % 7
		}
	}
	on := func(day int) time.Time {
		h, m := int(o.Handoff/time.Hour), int(o.Handoff/time.Minute)%60
		return time.Date(t.Year(), t.Month(), t.Day()+day, h, m, 0, 0, t.Location())
	}
	if began = on(-back); began.After(t) {
		return on(-back - step), began
	}
	return began, on(step - back)
}

// days returns the number of a time's day since 1970, on the clock of its zone. Weeks are counted from a Monday.
func days(t time.Time) int {
	const monday = 4 // 1970-01-05
	y, m, d := t.Date()
	return int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()/86400) - monday
}

func floorDiv(a, b int) int {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}

// overrideSpan returns when an override begins and ends: its days, from midnight to midnight. The compiler has seen the dates.
func overrideSpan(v *flow.Override, zone *time.Location) (from, to period.Instant) {
	first, _ := time.ParseInLocation(time.DateOnly, v.From, zone)
	last, _ := time.ParseInLocation(time.DateOnly, v.To, zone)
	return period.At(first), period.At(last.AddDate(0, 0, 1))
}

// duty returns who is on call in a team.
func duty(p *flow.Project, overrides []engine.Override, team string, at period.Instant) (Duty, bool) {
	t := p.Teams[team]
	if t == nil {
		return Duty{}, false
	}
	var said []engine.Override
	for _, v := range overrides {
		if v.Team == team && p.People[v.Person] != nil {
			said = append(said, v)
		}
	}
	return Rotation(t.Oncall, said, at)
}
