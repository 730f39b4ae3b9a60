package cli

import (
	"context"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newKill(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "kill TARGET",
		Short: "Kill what runs of a target",
		Long:  "Ends the process trees of all attempts of the target that run, and keeps what waits of it from starting. Prints the task runs concerned.",
		Example: `  flowctl kill warehouse.orders@2026-11-19
  flowctl kill warehouse.orders/load@2026-11-19`,
		Args: argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			if _, err := engine.ParseTarget(args[0]); err != nil {
				return err
			}
			tasks, err := svc.Kill(ctx, args[0])
			if err != nil {
				return err
			}
			return showList(g, &engine.List[engine.TaskRunView]{Items: tasks}, taskRunsTable)
		}),
	}
}
