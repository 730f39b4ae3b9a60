package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newRerun(g *globals) *cobra.Command {
	var r engine.RerunRequest
	var yes bool
	cmd := &cobra.Command{
		Use:   "rerun TARGET",
		Short: "Run again, as a new version",
		Long: `Makes the next version of each run of the target: all of them or, when one cannot be made, none. All tasks run anew, or those that
--failed, --from-task or the target choose; the others stand as they were. Prints the new runs.

--cascade goes on with all that follows these tasks, in other flows and later periods too: along needs (logical), from who writes a
path to who reads it (data), or both; --upstream with what they need. Runs that exist get one new version each; what has not begun
reads the new versions by itself. Needs on the newest success are not followed.`,
		Example: `  flowctl rerun warehouse.orders@2026-11-19 --failed
  flowctl rerun warehouse.orders@2026-11-01..2026-11-07 --from-task load
  flowctl rerun warehouse.orders/load@2026-11-19 --cascade logical --dry-run
  flowctl rerun warehouse.orders/load@2026-11-19 --at original`,
		Args: argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			if _, err := engine.ParseTarget(args[0]); err != nil {
				return err
			}
			if r.Failed && r.FromTask != "" {
				return usagef("--failed and --from-task choose tasks in two ways; give one")
			}
			r.Target = args[0]
			if !yes && !r.DryRun {
				if err := confirmRerun(ctx, g, svc, r); err != nil {
					return err
				}
			}
			runs, err := svc.Rerun(ctx, r)
			if err != nil {
				return err
			}
			return g.show(engine.List[engine.RunView]{Items: runs}, func(v *view) {
				for _, run := range runs {
					v.line("%s", run.Name)
				}
			})
		}),
	}
	cmd.Flags().BoolVar(&r.Failed, "failed", false, "only the tasks that failed, and those that wait for them")
	cmd.Flags().StringVar(&r.FromTask, "from-task", "", "this task and all that follow it in the run")
	cmd.Flags().StringVar(&r.At, "at", "latest", "with the files of: latest, original, or a commit")
	cmd.Flags().BoolVar(&r.Kill, "kill", false, "kill what still runs of it")
	cmd.Flags().BoolVar(&r.Upstream, "upstream", false, "with what these tasks need, as far as it has runs")
	cmd.Flags().StringVar(&r.Cascade, "cascade", "none", "with all that follows these tasks: none, logical, data or both")
	cmd.Flags().BoolVar(&r.DryRun, "dry-run", false, "say which runs would get a new version, and make none")
	cmd.Flags().BoolVar(&yes, "yes", false, fmt.Sprintf("do not ask, even above %d runs", manyRuns))
	return cmd
}

// confirmRerun asks before very many runs are made. A single run without cascade needs no look beforehand.
func confirmRerun(ctx context.Context, g *globals, svc engine.Service, r engine.RerunRequest) error {
	if t, err := engine.ParseTarget(r.Target); err != nil || t.To == "" && r.Cascade == "none" && !r.Upstream {
		return err
	}
	r.DryRun = true
	runs, err := svc.Rerun(ctx, r)
	if err != nil {
		return err
	}
	return confirm(g, len(runs), manyRuns, "This creates", "created")
}
