package engine

import (
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
)

// Values are what expressions see of a run and one of its tasks, but for needs and quote. The flow and the commit are those of the run's revision;
// the matrix is the task's.
func (r *Run) Values(f *flow.Flow, task string, matrix map[string]string, commit string) *expr.Values {
	params := make(map[string]string, len(f.Params))
	for _, p := range f.Params {
		params[p.Name] = p.Default
		if given, ok := r.Params[p.Name]; ok {
			params[p.Name] = given
		}
	}
	return &expr.Values{
		Flow: expr.Flow{Name: f.Name, Team: f.Team, Owner: f.Owner, Group: f.Group, Labels: f.Labels},
		Task: expr.Task{Name: task},
		Run:  expr.RunValues{Kind: string(r.Kind), Version: r.Version, ScheduledAt: r.Due, Revision: commit},
		Period: expr.Period{
			Start: r.Period.Start, End: r.Period.End, Label: r.Label, Kind: r.Period.Kind.String(), Zone: f.Schedule.Zone(),
		},
		Params: params, Matrix: matrix,
	}
}
