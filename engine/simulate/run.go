package simulate

import (
	"cmp"
	"context"
	"slices"
	"time"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// Play simulates a project and returns what came of it. The only error is the context's.
func Play(ctx context.Context, in Input) (*Result, error) {
	w := newWorld(in)
	w.start()
	if err := w.advance(ctx, in.To-1); err != nil {
		return nil, err
	}
	return w.result(in), nil
}

// result puts together what was traced.
func (w *world) result(in Input) *Result {
	r := &Result{
		From: in.From.Time(), To: in.To.Time(), Seed: in.Seed, Flows: []FlowSum{}, Runs: make([]Run, 0, len(w.trace.order)),
		Assumed: w.behaviour.assumptions(), Idle: w.behaviour.idle(), IdleSignals: w.behaviour.idleSignals(),
		Refusals: append([]Refusal{}, w.trace.refused...),
	}
	late := map[string][]float64{}
	sums := map[string]*FlowSum{}
	for _, t := range w.trace.order {
		run := w.run(t)
		sum := sums[run.Flow]
		if sum == nil {
			sum = &FlowSum{Flow: run.Flow}
			sums[run.Flow] = sum
		}
		sum.add(&run, in.To.Time())
		r.Totals.add(&run, in.To.Time())
		if run.FinishedAt != nil {
			late[run.Flow] = append(late[run.Flow], run.LateS)
		}
		r.Runs = append(r.Runs, run)
	}
	for _, name := range sorted(sums) {
		sum := sums[name]
		if all := late[name]; len(all) > 0 {
			slices.Sort(all)
			sum.LateMedianS, sum.LateMaxS = all[len(all)/2], all[len(all)-1]
		}
		r.Flows = append(r.Flows, *sum)
	}
	r.Failures = failures(r.Runs)
	r.Events = w.trace.told()
	r.Agents, r.Pools = w.use(r, in)
	return r
}

// told lists the events.
func (tr *trace) told() []Event {
	all := make([]Event, len(tr.events))
	for i, e := range tr.events {
		all[i] = Event{At: e.At.Time(), Kind: e.Kind, Subject: cmp.Or(e.Flow, e.Agent), Detail: e.Detail}
		if r := tr.runs[e.Run]; r != nil {
			all[i].Subject = r.row.Name(e.Task)
		}
	}
	return all
}

// failures counts what failed by itself, by task and reason.
func failures(runs []Run) []FailureSum {
	counts := map[FailureSum]int{}
	for i := range runs {
		for _, t := range runs[i].Tasks {
			if t.State.Bad() && t.State != engine.UpstreamFailed {
				counts[FailureSum{Task: runs[i].Flow + "/" + t.Task, Reason: t.Reason}]++
			}
		}
	}
	all := []FailureSum{}
	for f, n := range counts {
		f.TaskRuns = n
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b FailureSum) int {
		return cmp.Or(cmp.Compare(b.TaskRuns, a.TaskRuns), cmp.Compare(a.Task, b.Task), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}

// add counts a run.
func (s *Totals) add(r *Run, to time.Time) {
	s.Runs++
	switch r.State {
	case engine.RunSucceeded:
		s.Succeeded++
	case engine.RunFailed:
		s.Failed++
	default:
		s.Unfinished++
	}
	s.TaskRuns += len(r.Tasks)
	for i := range r.Tasks {
		for _, a := range r.Tasks[i].Attempts {
			s.Attempts++
			s.QueuedS += a.AssignedAt.Sub(a.ReadyAt).Seconds()
			if a.StartedAt != nil {
				s.BusyS += or(a.FinishedAt, to).Sub(*a.StartedAt).Seconds()
			}
		}
		if at := r.Tasks[i].ReadyAt; at != nil {
			s.QueuedS += to.Sub(*at).Seconds()
		}
	}
}

func or(t *time.Time, other time.Time) time.Time {
	if t == nil {
		return other
	}
	return *t
}

func (w *world) run(t *traced) Run {
	row := &t.row
	r := Run{
		Name: row.Name(""), Flow: row.Flow, Period: row.Label, Kind: row.Kind, State: row.State,
		DueAt: row.Due.Time(), CreatedAt: row.Created.Time(), StartedAt: instant(row.Started), FinishedAt: instant(row.Finished),
		Tasks: make([]TaskRun, 0, len(t.tasks)), CriticalPath: w.criticalPath(t),
	}
	if row.Started != 0 {
		r.DelayS = row.Started.Sub(row.Due).Seconds()
	}
	if row.Finished != 0 {
		r.LateS = row.Finished.Sub(row.Due).Seconds()
	}
	var blockers map[string][]engine.Blocker
	if row.State != engine.RunSucceeded {
		blockers = w.blockers(t)
	}
	for _, def := range w.project.Flow(row.Flow).Tasks {
		if task := t.tasks[def.Name]; task != nil {
			r.Tasks = append(r.Tasks, taskRun(row, task, blockers[def.Name]))
		}
	}
	return r
}

func taskRun(r *engine.Run, t *tracedTask, blockers []engine.Blocker) TaskRun {
	out := TaskRun{
		Name: r.Name(t.row.Task), Task: t.row.Task, State: t.row.State, FinishedAt: instant(t.row.Finished),
		Reason: cmp.Or(t.row.Message, string(t.row.Code)), Attempts: make([]Attempt, 0, len(t.attempts)), Blockers: blockers,
	}
	if t.row.State == engine.Ready {
		out.ReadyAt = instant(t.ready.at)
	}
	for _, a := range t.attempts {
		out.Attempts = append(out.Attempts, Attempt{
			No: a.row.No, Agent: a.row.Agent, State: a.row.State, Reason: a.row.Code,
			ReadyAt: a.ready.at.Time(), ReadyBy: a.ready.by, AssignedAt: a.assigned.at.Time(), AssignedBy: a.assigned.by,
			StartedAt: instant(a.row.Started), FinishedAt: instant(a.row.Finished),
		})
	}
	return out
}

func instant(i period.Instant) *time.Time {
	if i == 0 {
		return nil
	}
	t := i.Time()
	return &t
}
