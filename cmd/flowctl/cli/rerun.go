package cli

import (
	"context"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newRerun(g *globals) *cobra.Command {
	var r engine.RerunRequest
	cmd := &cobra.Command{
		Use:   "rerun TARGET",
		Short: "Run again, as a new version",
		Long: `Makes the next version of each run of the target. All tasks run anew, or those that --failed or --from-task choose; the others
stand as they were. Prints the new runs.`,
		Example: `  flowctl rerun warehouse.orders@2026-11-19 --failed
  flowctl rerun warehouse.orders@2026-11-01..2026-11-07 --from-task load
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
	return cmd
}
