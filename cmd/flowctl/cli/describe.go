package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newDescribe(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe TARGET",
		Short: "Show a flow, run, task run, agent, backfill or revision in full",
		Long:  "Shows a flow when the target names no period, a run when it does, and the attempts of a task run when it names a task as well.",
		Example: `  flowctl describe warehouse.orders
  flowctl describe warehouse.orders@2026-11-19
  flowctl describe warehouse.orders/load@2026-11-19
  flowctl describe backfill 3`,
		Args: argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			t, err := engine.ParseTarget(args[0])
			switch {
			case err != nil:
				return err
			case t.From == "" && t.Version == 0 && t.Task == "":
				return describeFlow(ctx, g, svc, args[0])
			case t.Task == "":
				return describeRun(ctx, g, svc, args[0])
			}
			return describeAttempts(ctx, g, svc, args[0])
		}),
	}
	cmd.AddCommand(
		describer(g, "flow FLOW", "Show a flow with its tasks", describeFlow),
		describer(g, "run TARGET", "Show a run with its task runs", describeRun),
		describer(g, "attempt TARGET", "Show the attempts of a task run", describeAttempts),
		describer(g, "agent NAME", "Show an agent with its plugins, what it executes, and which tasks it cannot be given", describeAgent),
		describer(g, "backfill ID", "Show a backfill", describeBackfill),
		describer(g, "revision ID", "Show a commit with its diagnostics", describeRevision),
	)
	return cmd
}

func describer(g *globals, use, short string, run func(context.Context, *globals, engine.Service, string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error { return run(ctx, g, svc, args[0]) }),
	}
}

// withClient gives a verb the server.
func withClient(g *globals, run func(ctx context.Context, svc engine.Service, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		svc, err := g.client()
		if err != nil {
			return err
		}
		return run(cmd.Context(), svc, args)
	}
}

// flowDetail is a flow with its tasks.
type flowDetail struct {
	engine.FlowView
	TaskViews []engine.TaskView `json:"task_details"`
}

func describeFlow(ctx context.Context, g *globals, svc engine.Service, name string) error {
	f, err := svc.Flow(ctx, name)
	if err != nil {
		return err
	}
	tasks, err := collect(paging{}, func(p engine.Page) (*engine.List[engine.TaskView], error) { return svc.Tasks(ctx, name, p) })
	if err != nil {
		return err
	}
	d := flowDetail{*f, tasks.Items}
	return g.show(d, func(v *view) { flowView(v, d) })
}

func flowView(v *view, f flowDetail) {
	v.field("Flow", f.Name)
	v.field("Description", f.Description)
	v.field("Team", f.Team)
	v.field("Owner", f.Owner)
	v.field("Group", f.Group)
	v.field("Labels", pairs(f.Labels))
	v.field("Priority", fmt.Sprint(f.Priority))
	v.field("Schedule", f.Schedule)
	if f.Enabled {
		v.field("Next run", v.instant(f.NextAt))
	} else {
		v.field("Enabled", "no")
	}
	if f.Paused {
		v.field("Paused", "yes; flowctl resume "+f.Name)
	}
	v.field("File", fmt.Sprintf("%s:%d", f.File, f.Line))
	v.line("")
	tasksTable(v, f.TaskViews)
}

// oneRun returns the run that a target names, and refuses when it names several. Without a period that is the newest run.
func oneRun(ctx context.Context, svc engine.Service, target string) (*engine.RunView, error) {
	t, err := engine.ParseTarget(target)
	if err != nil {
		return nil, err
	}
	t.Task = ""
	if t.From == "" {
		l, err := svc.Runs(ctx, engine.RunsQuery{Target: t.String(), Page: engine.Page{Limit: 1}})
		if err != nil {
			return nil, err
		}
		if len(l.Items) == 0 {
			return nil, engine.Errorf(engine.NotFound, "%s has no run yet; start one with `flowctl run %s`", t.Flow, t.Flow)
		}
		return &l.Items[0], nil
	}
	runs, err := svc.FindRuns(ctx, t.String())
	switch {
	case err != nil:
		return nil, err
	case len(runs) == 0:
		return nil, engine.Errorf(engine.NotFound, "there is no run %s; `flowctl get runs %s` lists those there are", t, t.Flow)
	case len(runs) > 1:
		return nil, engine.Errorf(engine.Invalid, "%s names %d runs, from %s to %s; name one of them", t, len(runs), runs[0].Name, runs[len(runs)-1].Name)
	}
	return &runs[0], nil
}

func describeRun(ctx context.Context, g *globals, svc engine.Service, target string) error {
	r, err := oneRun(ctx, svc, target)
	if err != nil {
		return err
	}
	d, err := svc.Run(ctx, r.ID)
	if err != nil {
		return err
	}
	return g.show(d, func(v *view) { runView(v, *d) })
}

func runView(v *view, r engine.RunDetail) {
	v.field("Run", r.Name)
	v.field("State", v.paint(runState(r.RunView), runState(r.RunView)))
	v.field("Kind", string(r.Kind))
	if r.Backfill != 0 {
		v.field("Backfill", number(r.Backfill))
	}
	v.field("Period", v.at(r.PeriodStart)+" to "+v.at(r.PeriodEnd))
	v.field("Revision", strings.TrimSpace(number(r.Revision)+" "+commit(r.Commit)))
	v.field("Params", pairs(r.Params))
	v.field("Created", v.at(r.CreatedAt))
	v.field("Scheduled", v.at(r.ScheduledAt))
	v.field("Started", v.instant(r.StartedAt))
	v.field("Finished", v.instant(r.FinishedAt))
	v.field("Took", v.took(r.StartedAt, r.FinishedAt))
	v.line("")
	taskRunsTable(v, r.Tasks)
}

func describeAttempts(ctx context.Context, g *globals, svc engine.Service, target string) error {
	list, err := collect(paging{limit: mostPerPage}, func(p engine.Page) (*engine.List[engine.AttemptView], error) {
		return svc.Attempts(ctx, engine.AttemptsQuery{Page: p, Target: target})
	})
	if err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return engine.Errorf(engine.NotFound, "%s has no attempt yet; `flowctl explain %s` tells why", target, target)
	}
	return g.show(list, func(v *view) {
		for i, a := range list.Items {
			if i > 0 {
				v.line("")
			}
			attemptView(v, a)
		}
	})
}

func attemptView(v *view, a engine.AttemptView) {
	v.field("Task run", a.TaskRun)
	v.field("Attempt", fmt.Sprintf("%d (number %d of the server)", a.No, a.ID))
	v.field("State", v.paint(string(a.State), string(a.State)))
	v.field("Reason", why(a.Code, a.Message))
	if a.ExitCode != nil {
		v.field("Exit code", fmt.Sprint(*a.ExitCode))
	}
	v.field("Agent", a.Agent)
	v.field("Assigned", v.at(a.AssignedAt))
	v.field("Started", v.instant(a.StartedAt))
	v.field("Finished", v.instant(a.FinishedAt))
	v.field("Took", v.took(a.StartedAt, a.FinishedAt))
	if a.CPUS > 0 {
		v.field("CPU", seconds(a.CPUS))
	}
	if a.MaxRSS > 0 {
		v.field("Memory", bytesText(a.MaxRSS))
	}
	if a.Read+a.Written > 0 {
		v.field("Disk", bytesText(a.Read)+" read, "+bytesText(a.Written)+" written")
	}
}

func describeBackfill(ctx context.Context, g *globals, svc engine.Service, arg string) error {
	id, err := parseID[engine.BackfillID](arg)
	if err != nil {
		return err
	}
	b, err := svc.Backfill(ctx, id)
	if err != nil {
		return err
	}
	return g.show(b, func(v *view) { backfillView(v, *b) })
}

func backfillView(v *view, b engine.BackfillView) {
	v.field("Backfill", number(b.ID))
	v.field("State", v.paint(string(b.State), string(b.State)))
	v.field("Periods", b.From+".."+b.To)
	v.field("Ended", progress(b))
	v.field("Succeeded", fmt.Sprint(b.Succeeded))
	v.field("Failed", fmt.Sprint(b.Failed))
	created := fmt.Sprintf("%d, %d left alone because a run existed", b.Created, b.Skipped)
	if b.Unfinished > 0 {
		created += fmt.Sprintf(", %d of them unfinished", b.Unfinished)
	}
	v.field("Created", created)
	if b.MaxActive > 0 {
		v.field("Max active", fmt.Sprint(b.MaxActive))
	}
	v.field("Revision", number(b.Revision))
	v.field("Started by", b.By+", "+v.at(b.CreatedAt))
	v.field("Finished", v.instant(b.FinishedAt))
	v.field("Flows", strings.Join(b.Flows, ", "))
}

func describeRevision(ctx context.Context, g *globals, svc engine.Service, arg string) error {
	id, err := parseID[engine.RevisionID](arg)
	if err != nil {
		return err
	}
	all, err := collect(paging{}, func(p engine.Page) (*engine.List[engine.RevisionView], error) { return svc.Revisions(ctx, p) })
	if err != nil {
		return err
	}
	for i := range all.Items {
		if r := &all.Items[i]; r.ID == id {
			return g.show(r, func(v *view) { revisionView(v, *r) })
		}
	}
	return engine.Errorf(engine.NotFound, "there is no revision %d; `flowctl revisions` lists those there are", id)
}

func revisionView(v *view, r engine.RevisionView) {
	v.field("Revision", number(r.ID))
	v.field("State", v.paint(r.State, r.State))
	v.field("Commit", r.Commit)
	v.field("Author", r.Author)
	v.field("Subject", r.Subject)
	v.field("Committed", v.at(r.CommittedAt))
	v.field("Seen", v.at(r.SeenAt))
	v.field("Flows", flowCount(r))
	if len(r.Diagnostics) > 0 {
		v.line("")
		findings(v, r.Diagnostics)
	}
}
