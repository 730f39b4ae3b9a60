package simulate

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowctl/dsl"
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/alert"
)

// Verdict is what became of a test of flows.
type Verdict struct {
	Test       string     `json:"test"`
	Pos        flow.Pos   `json:"pos"`
	Checks     int        `json:"checks"` // that were made
	Mismatches []Mismatch `json:"mismatches"`
}

// Passed tells whether everything was as expected.
func (v *Verdict) Passed() bool { return len(v.Mismatches) == 0 }

// Mismatch is a check that failed.
type Mismatch struct {
	Pos     flow.Pos        `json:"pos"`
	Subject string          `json:"subject"` // the run or task run
	At      time.Time       `json:"at"`
	Field   flow.CheckField `json:"field"` // empty: an action was refused
	Want    string          `json:"want"`
	Got     string          `json:"got"`
	Why     []string        `json:"why,omitempty"` // what blocks it, or how it failed
}

// What is shown of an instant that has not come, and of an empty list.
const (
	never   = "never"
	nothing = "nothing"
)

// Check runs a test of a project's flows. The only error is the context's.
func Check(ctx context.Context, p *flow.Project, t *flow.Test) (*Verdict, error) {
	w := newWorld(Input{Project: p, From: t.From, To: t.To, Outcomes: t.Given})
	w.start()
	v := &Verdict{Test: t.Name, Pos: t.Pos, Mismatches: []Mismatch{}}
	end := t.To - 1
	order := slices.Clone(t.Expect)
	slices.SortStableFunc(order, func(a, b flow.Expectation) int { return cmp.Compare(cmp.Or(a.At, end), cmp.Or(b.At, end)) })
	for i := range order {
		if err := w.advance(ctx, cmp.Or(order[i].At, end)); err != nil {
			return nil, err
		}
		w.compare(v, &order[i], cmp.Or(order[i].At, t.To))
	}
	for _, r := range w.trace.refused {
		v.Mismatches = append(v.Mismatches, Mismatch{Pos: r.Pos, Subject: r.Action, At: r.At, Want: "done", Got: "refused: " + r.Message})
	}
	slices.SortStableFunc(v.Mismatches, func(a, b Mismatch) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
	return v, nil
}

// compare makes the checks of an expectation now.
func (w *world) compare(v *Verdict, e *flow.Expectation, at period.Instant) {
	f := w.project.Flow(e.Flow)
	name := e.Flow
	if e.Task != "" {
		name += "/" + e.Task
	}
	if e.Newest {
		w.compareRun(v, e, name, w.newest(e.Flow), at)
		return
	}
	for _, p := range e.Periods {
		_, row := w.ledger.Highest(e.Flow, p.Start)
		var r *traced
		if row != nil {
			r = w.trace.runs[row.ID]
		}
		w.compareRun(v, e, name+"@"+f.Schedule.Label(p), r, at)
	}
}

// newest returns the run of a flow that was created last, nil when there is none.
func (w *world) newest(name string) *traced {
	for _, r := range slices.Backward(w.trace.order) {
		if r.row.Flow == name {
			return r
		}
	}
	return nil
}

func (w *world) compareRun(v *Verdict, e *flow.Expectation, subject string, r *traced, at period.Instant) {
	s := w.standing(e.Task, r)
	for _, c := range e.Checks {
		v.Checks++
		want := c.Want
		switch c.Field {
		case flow.CheckStarted, flow.CheckEnded:
			want = w.clock(c.At)
		case flow.CheckBlockers, flow.CheckOutputs, flow.CheckEvents, flow.CheckTold:
			want = cmp.Or(want, nothing)
		}
		if got := s.field(w, c.Field); got != want {
			v.Mismatches = append(v.Mismatches, Mismatch{
				Pos: c.Pos, Subject: subject, At: at.Time(), Field: c.Field, Want: want, Got: got, Why: s.why,
			})
		}
	}
}

// standing is where a run or task run stands.
type standing struct {
	state          string
	started, ended period.Instant
	attempts       int
	outputs        map[string]string
	blockers       []string
	events         []string
	told           []string
	why            []string
}

func (w *world) standing(task string, r *traced) *standing {
	s := &standing{state: flow.Absent}
	if r == nil {
		return s
	}
	for _, e := range w.trace.events {
		if e.Run == r.row.ID && (task == "" || e.Task == task) {
			s.events = append(s.events, string(e.Kind))
			s.told = append(s.told, w.told(&e, &r.row)...)
		}
	}
	slices.Sort(s.events)
	slices.Sort(s.told)
	s.told = slices.Compact(s.told)
	switch {
	case task == "":
		s.state, s.started, s.ended = string(r.row.State), r.row.Started, r.row.Finished
		return s
	case r.tasks[task] == nil:
		return s
	}
	row := &r.tasks[task].row
	s.state, s.started, s.ended, s.attempts, s.outputs = string(row.State), row.Started, row.Finished, row.Attempts, row.Outputs
	if why := cmp.Or(row.Message, string(row.Code)); why != "" {
		s.why = append(s.why, why)
	}
	for _, b := range w.blockers(r)[task] {
		s.blockers = append(s.blockers, cmp.Or(b.Ref, string(b.Kind)))
		s.why = append(s.why, cmp.Or(b.Message, b.Ref))
	}
	slices.Sort(s.blockers)
	return s
}

// told names who is told of an event, by which channels.
func (w *world) told(e *engine.Event, r *engine.Run) (names []string) {
	f := w.project.Flow(e.Flow)
	o := alert.Occasion{Kind: e.Kind, Flow: e.Flow, Task: e.Task, Backfill: e.Backfill != 0, By: e.By, Values: alert.Values(f, e.Task, r, "")}
	for _, to := range (&alert.Router{Project: w.project, Programs: &expr.Programs{}}).Route(&o, e.At).To {
		names = append(names, strings.TrimSpace(to.Channel+" "+cmp.Or(to.Person, to.Address)))
	}
	return names
}

func (s *standing) field(w *world, field flow.CheckField) string {
	switch field {
	case flow.CheckState:
		return s.state
	case flow.CheckStarted:
		return w.clock(s.started)
	case flow.CheckEnded:
		return w.clock(s.ended)
	case flow.CheckAttempts:
		return strconv.Itoa(s.attempts)
	case flow.CheckBlockers:
		return cmp.Or(strings.Join(s.blockers, ", "), nothing)
	case flow.CheckOutputs:
		return cmp.Or(dsl.OutputsText(s.outputs), nothing)
	case flow.CheckEvents:
		return cmp.Or(strings.Join(s.events, ", "), nothing)
	case flow.CheckTold:
		return cmp.Or(strings.Join(s.told, ", "), nothing)
	}
	return ""
}

// clock writes an instant as tests do, in the repository's zone, with the offset that tells apart what a clock shows twice.
func (w *world) clock(at period.Instant) string {
	if at == 0 {
		return never
	}
	zone, err := time.LoadLocation(w.project.Timezone)
	if err != nil { // the compiler has seen it
		zone = time.UTC
	}
	t := at.Time().In(zone)
	if t.Nanosecond() == 0 && t.Second() == 0 {
		return t.Format("2006-01-02T15:04Z07:00")
	}
	return t.Format("2006-01-02T15:04:05.999999Z07:00")
}
