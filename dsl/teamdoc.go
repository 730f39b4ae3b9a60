package dsl

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

func (d *decoder) team(c *catalogDraft, name text, k, n *node) {
	t := &teamDraft{name: name}
	members := false
	d.object(n, &teamShape, func(key string, v *node) {
		switch key {
		case "members":
			members = true
			t.members = d.texts(v, "a list of people")
		case "oncall":
			t.oncall = d.oncall(c, v)
		case "escalation":
			t.escalation = d.escalation(v)
		}
	})
	if n.kind == mappingNode && !members {
		d.report(k, diag.Missing, "add `members: [NAME]`", "team %s has no members", strconv.Quote(name.value))
	}
	c.teams = append(c.teams, t)
}

// oncall reads a rotation. What it leaves out comes from the team and the settings.
func (d *decoder) oncall(c *catalogDraft, n *node) *oncallDraft {
	o := &oncallDraft{oncall: flow.Oncall{Rotate: flow.Weekly}}
	handoff := text{value: ""}
	d.object(n, &oncallShape, func(key string, v *node) {
		switch key {
		case "rotate":
			if r := d.oneOf(v, string(flow.Daily), string(flow.Weekly)); r.value != "" {
				o.oncall.Rotate = flow.Rotation(r.value)
			}
		case "handoff":
			handoff = d.text(v, `a time such as "Mon 09:00"`)
		case "timezone":
			t := d.text(v, "a time zone such as Asia/Shanghai")
			o.oncall.Timezone = t.value
			c.zone(t)
		case "order":
			o.order = d.texts(v, "a list of people")
		case "overrides":
			d.list(v, "a list of overrides", func(item *node) { d.override(o, item) })
		}
	})
	d.handoff(&o.oncall, handoff)
	return o
}

// handoff reads "Mon 09:00" for a weekly rotation, "09:00" for a daily one.
func (d *decoder) handoff(o *flow.Oncall, t text) {
	monday := time.Monday
	weekly := o.Rotate == flow.Weekly
	if weekly {
		o.Weekday = &monday
	}
	o.Handoff = 9 * time.Hour
	if t.at.Line == 0 {
		return
	}
	clock, ok := t.value, !weekly
	if weekly {
		var day string
		day, clock, _ = strings.Cut(t.value, " ")
		i := slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, strings.ToLower(day))
		if ok = i >= 0; ok {
			weekday := time.Weekday(i)
			o.Weekday = &weekday
		}
	}
	at, err := time.Parse("15:04", clock)
	if !ok || err != nil || len(clock) != len("15:04") {
		want := `"09:00"`
		if weekly {
			want = `"Mon 09:00"`
		}
		d.reportAt(t.at, diag.BadSchedule, "write it like "+want, strconv.Quote(t.value)+" is no time for a "+string(o.Rotate)+" hand-off")
		return
	}
	o.Handoff = time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
}

func (d *decoder) override(o *oncallDraft, n *node) {
	v := flow.Override{Pos: d.src.pos(n)}
	failed := len(d.findings)
	d.object(n, &overrideShape, func(key string, n *node) {
		switch key {
		case "from":
			v.From = d.date(n)
		case "to":
			v.To = d.date(n)
		case "who":
			who := d.text(n, "a person's name")
			v.Who = who.value
			if who.at.Line > 0 {
				o.whos = append(o.whos, who)
			}
		}
	})
	d.require(n, n, "the override", "from", "to", "who")
	if len(d.findings) == failed && v.To < v.From {
		d.report(n, diag.BadSchedule, "exchange them", "the override ends before it begins")
	}
	o.oncall.Overrides = append(o.oncall.Overrides, v)
}

// date reads a day.
func (d *decoder) date(n *node) string {
	t := d.text(n, "a date such as 2026-12-24")
	if _, err := time.Parse(time.DateOnly, t.value); err != nil && t.at.Line > 0 {
		d.report(n, diag.BadSchedule, "write it like 2026-12-24", "%s is no date", strconv.Quote(t.value))
	}
	return t.value
}

func (d *decoder) escalation(n *node) (out []flow.Escalation) {
	d.list(n, "a list of steps", func(item *node) {
		e := flow.Escalation{Pos: d.src.pos(item)}
		var after optional[time.Duration]
		d.object(item, &escalationShape, func(key string, v *node) {
			switch key {
			case "after":
				after = d.duration(v)
				e.After = after.value
			case "notify":
				e.Notify = d.receivers(v)
			}
		})
		d.require(item, item, "the step", "after", "notify")
		if len(out) > 0 && after.set() && e.After <= out[len(out)-1].After {
			d.report(item, diag.WrongType, "sort the steps by `after`", "this step does not come after the one before it")
		}
		out = append(out, e)
	})
	return out
}
