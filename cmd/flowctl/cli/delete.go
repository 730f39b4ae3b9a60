package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

// manyDeleted is how many runs can be deleted without --yes.
const manyDeleted = 20

func newDelete(g *globals) *cobra.Command {
	var yes bool
	var r engine.DeleteRequest
	cmd := &cobra.Command{
		Use:   "delete TARGET",
		Short: "Delete runs that have not started",
		Long: `Deletes the target's runs of which nothing has started, as if they had never been made; of a flow without period, all such runs. What
waits for a deleted period waits until it is run or backfilled; generation makes no period again that it made before. Runs that have
started, reruns, extra runs and those of a backfill are left alone. Prints the deleted runs.`,
		Example: `  flowctl delete warehouse.orders --dry-run
  flowctl delete warehouse.orders@2026-11-01..2026-11-07 --yes`,
		Args: argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			if _, err := engine.ParseTarget(args[0]); err != nil {
				return err
			}
			r.Target = args[0]
			if !yes && !r.DryRun {
				would, err := svc.Delete(ctx, engine.DeleteRequest{Target: r.Target, DryRun: true})
				if err != nil {
					return err
				}
				if err := confirm(g, len(would.Deleted), manyDeleted, "This deletes", "deleted"); err != nil {
					return err
				}
			}
			d, err := svc.Delete(ctx, r)
			if err != nil {
				return err
			}
			return showDeletion(g, *d)
		}),
	}
	cmd.Flags().BoolVar(&r.DryRun, "dry-run", false, "say what would be deleted, and delete nothing")
	cmd.Flags().BoolVar(&yes, "yes", false, fmt.Sprintf("do not ask, even above %d runs", manyDeleted))
	return cmd
}

func showDeletion(g *globals, d engine.Deletion) error {
	if err := g.show(d, func(v *view) {
		for _, name := range d.Deleted {
			v.line("%s", name)
		}
	}); err != nil || g.output != formTable {
		return err
	}
	v := &view{zone: g.zone}
	for _, left := range d.Left {
		v.line("%s is left alone: %s", left.Run, left.Reason)
	}
	_, err := fmt.Fprint(g.err, v.String())
	return err
}
