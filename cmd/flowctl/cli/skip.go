package cli

import (
	"context"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newSkip(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "skip TARGET",
		Short: "Let task runs count as done without running them",
		Long: `Sets the target's task runs that did not succeed to skipped, so that what waits for them goes on without them. What runs must be killed
first. Prints the task runs concerned.`,
		Example: `  flowctl skip warehouse.orders/load@2026-11-19
  flowctl skip warehouse.orders@2026-11-19`,
		Args: argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			if _, err := engine.ParseTarget(args[0]); err != nil {
				return err
			}
			tasks, err := svc.Skip(ctx, args[0])
			if err != nil {
				return err
			}
			return showList(g, &engine.List[engine.TaskRunView]{Items: tasks}, taskRunsTable)
		}),
	}
}
