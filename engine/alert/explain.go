package alert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"flowctl/dsl"
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// Explain says who would be told of an event, as for a run of the last period that has ended then.
func Explain(p *flow.Project, subs []engine.Subscription, overrides []engine.Override, q engine.RouteQuery) (*engine.RouteView, error) {
	o := Occasion{Kind: q.Event, Severity: q.Severity}
	subject, err := checkEvent(q)
	if err != nil {
		return nil, err
	}
	at := period.At(q.At)
	if subject != flow.OfPlatform {
		f, task, err := Find(p, q.Target)
		switch {
		case err != nil:
			return nil, err
		case subject == flow.OfTask && task == "":
			return nil, &engine.Error{Code: engine.Invalid, Field: "task", Message: fmt.Sprintf("%s is an event of tasks: name one of %s", q.Event, q.Target)}
		}
		o.Flow, o.Task = f.Name, task
		if o.Owner = f.Owner; o.Owner == "" {
			o.Owner = "oncall:" + f.Team
		}
		run := engine.Run{Flow: f.Name, Version: 1, Kind: cmp.Or(q.Kind, engine.Scheduled), Due: at}
		if last, ok := f.Schedule.LastEnded(at); ok {
			run.Period, run.Label, run.Due = last, f.Schedule.Label(last), f.Schedule.Due(last)
		}
		o.Values = Values(f, task, &run, "")
	}
	r := (&Router{Project: p, Subscriptions: subs, Overrides: overrides, Programs: &expr.Programs{}}).Route(&o, at)
	v := &engine.RouteView{Event: q.Event, Target: q.Target, At: q.At.UTC(), Severity: r.Severity, Alert: r.Trouble, Items: items(r.To), Unreachable: items(r.Nobody)}
	return v, nil
}

func checkEvent(q engine.RouteQuery) (flow.Subject, error) {
	var names []string
	for _, e := range flow.Events() {
		names = append(names, string(e.Event))
		if e.Event != q.Event {
			continue
		}
		if q.Severity != "" && !slices.Contains([]flow.Severity{flow.Critical, flow.Major, flow.Minor}, q.Severity) {
			return "", &engine.Error{Code: engine.Invalid, Field: "severity", Message: fmt.Sprintf("%q is no severity: critical, major, minor", q.Severity)}
		}
		if (e.Subject == flow.OfPlatform) != (q.Target == "") {
			if q.Target == "" {
				return "", &engine.Error{Code: engine.Invalid, Field: "task", Message: fmt.Sprintf("%s is an event of a %s: name it", q.Event, e.Subject)}
			}
			return "", &engine.Error{Code: engine.Invalid, Field: "task", Message: fmt.Sprintf("%s is an event of the installation as a whole: name no task", q.Event)}
		}
		return e.Subject, nil
	}
	return "", &engine.Error{Code: engine.Invalid, Field: "event", Message: fmt.Sprintf("%q is no kind of event: there are %s", q.Event, strings.Join(names, ", "))}
}

// Find returns what flow[/task] names.
func Find(p *flow.Project, target string) (*flow.Flow, string, error) {
	name, task, _ := strings.Cut(target, "/")
	f := p.Flow(name)
	switch {
	case f == nil:
		return nil, "", engine.Errorf(engine.NotFound, "no flow %q in the revision", name)
	case task != "" && f.Task(task) == nil:
		return nil, "", engine.Errorf(engine.NotFound, "flow %s has no task %q", name, task)
	}
	return f, task, nil
}

func items(list []Addressee) []engine.RouteItem {
	out := []engine.RouteItem{}
	for _, a := range list {
		out = append(out, engine.RouteItem{ToldView: engine.ToldView(toldOf(a)), Severity: a.Severity, Reasons: a.Reasons})
	}
	return out
}

// Duties says who is on call in the teams of a project, by name; with a team, in that one.
func Duties(p *flow.Project, overrides []engine.Override, team string, at time.Time) ([]engine.DutyView, error) {
	if team != "" && p.Teams[team] == nil {
		return nil, Unknown("team", team, p.Teams)
	}
	list := []engine.DutyView{}
	for _, name := range sortedKeys(p.Teams) {
		if team != "" && name != team {
			continue
		}
		v := engine.DutyView{Team: name}
		if d, ok := duty(p, overrides, name, period.At(at)); ok {
			v.Primary, v.Secondary, v.Override, v.Until = d.Primary, d.Secondary, d.Override, d.Until.Time()
		}
		list = append(list, v)
	}
	return list, nil
}

// Unknown says that a project lacks a team or a person, and which name is near.
func Unknown[V any](what, name string, known map[string]V) error {
	message := fmt.Sprintf("no %s %q in the revision", what, name)
	if hint := dsl.Suggest(name, sortedKeys(known)); hint != "" {
		message += ": " + hint
	}
	return &engine.Error{Code: engine.NotFound, Field: what, Message: message}
}
