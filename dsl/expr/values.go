package expr

import (
	"strconv"
	"time"

	"flowctl/dsl/period"
)

// Scope says where a template stands.
type Scope uint8

// The scopes.
const (
	Creation Scope = iota // inputs, outputs, signals: period, params, matrix and the shortcuts
	Dispatch              // args, with, env: everything
	Run                   // run: as Dispatch, but the text is code, so params must be quoted
	When                  // when: one expression, true or false
	Config                // env, with: as Dispatch, and secret()
	Peer                  // the settings of connections and channels: secret() alone, since they belong to no run
)

// Values are what the contexts hold. In scope Creation only Period, Params and Matrix are read.
type Values struct {
	Flow   Flow
	Task   Task
	Run    RunValues
	Period Period
	Params map[string]string
	Matrix map[string]string
	Env    map[string]string
	Needs  map[string]Need // by the name in `needs`: a task of the flow, or flow/task
	// Quote quotes text for the runner's language. Nil makes quote() an error.
	Quote func(string) string
}

// Flow is the context flow.
type Flow struct {
	Name, Team, Owner, Group string
	Labels                   map[string]string
}

// Task is the context task.
type Task struct{ Name string }

// RunValues is the context run.
type RunValues struct {
	Kind        string // scheduled, manual, backfill or rerun
	Version     int
	ScheduledAt period.Instant
	Revision    string
}

// Period is the context period, and what ds, ds_nodash and hour are made from: its start, or its end for a cron period, as
// in its label.
type Period struct {
	Start, End period.Instant
	Label      string
	Kind       string         // hour, day, week, month, cron, once or demand
	Zone       *time.Location // of the schedule; nil = UTC
}

// Need is one entry of the context needs. The need on a task with a matrix has ByKey alone: needs.load.eu.state.
type Need struct {
	State   string
	Outputs map[string]string
	ByKey   map[string]Need // by the key of the expansion, such as eu
}

func (p *Period) local(t period.Instant) time.Time {
	if p.Zone == nil {
		return t.Time()
	}
	return t.Time().In(p.Zone)
}

func (p *Period) named() time.Time {
	if p.Kind == "cron" {
		return p.local(p.End)
	}
	return p.local(p.Start)
}

// context returns the value of a top-level name.
func (v *Values) context(name string) any {
	switch name {
	case "flow":
		return map[string]any{"name": v.Flow.Name, "team": v.Flow.Team, "owner": v.Flow.Owner, "group": v.Flow.Group, "labels": texts(v.Flow.Labels)}
	case "task":
		return map[string]any{"name": v.Task.Name}
	case "run":
		return map[string]any{"kind": v.Run.Kind, "version": v.Run.Version, "scheduled_at": v.Period.local(v.Run.ScheduledAt), "revision": v.Run.Revision}
	case "period":
		return map[string]any{"start": v.Period.local(v.Period.Start), "end": v.Period.local(v.Period.End), "label": v.Period.Label, "kind": v.Period.Kind}
	case "params":
		return texts(v.Params)
	case "matrix":
		return texts(v.Matrix)
	case "env":
		return texts(v.Env)
	case "needs":
		return needs(v.Needs)
	case "ds":
		return v.Period.named().Format(time.DateOnly)
	case "ds_nodash":
		return v.Period.named().Format("20060102")
	case "hour":
		return v.Period.named().Format("15")
	case "quote":
		return v.quote
	case "secret":
		return secretOf
	}
	return nil
}

func texts(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, s := range m {
		out[k] = s
	}
	return out
}

func needs(m map[string]Need) map[string]any {
	out := make(map[string]any, len(m))
	for name, n := range m {
		if n.ByKey != nil {
			out[name] = needs(n.ByKey)
			continue
		}
		outputs := make(map[string]any, len(n.Outputs))
		for k, s := range n.Outputs {
			outputs[k] = output(s)
		}
		out[name] = map[string]any{"state": n.State, "outputs": outputs}
	}
	return out
}

// output reads text as a number or truth value if that is printed as the same text.
func output(s string) any {
	if n, err := strconv.Atoi(s); err == nil && strconv.Itoa(n) == s {
		return n
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && strconv.FormatFloat(f, 'f', -1, 64) == s && finite(f) {
		return f
	}
	switch s {
	case "true":
		return true
	case "false":
		return false
	}
	return s
}
