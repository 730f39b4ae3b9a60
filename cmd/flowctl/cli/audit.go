package cli

import (
	"context"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newAudit(g *globals) *cobra.Command {
	cmd := operations(g, "audit [TARGET]", "List who did what, newest first")
	cmd.Long = `Lists what operators did: runs, reruns, kills, pauses, deletions and all else that changed what the scheduler would have done by
itself. With a target, what was done to it and to its parts.`
	cmd.Example = `  flowctl audit warehouse.orders --since 2026-11-19
  flowctl audit --by alice --verb rerun -o json`
	return cmd
}

// operations makes a verb that lists the operation log.
func operations(g *globals, use, short string) *cobra.Command {
	var by, verb, from, to string
	cmd := getter(g, use, short, cobra.MaximumNArgs(1), operationsTable,
		func(ctx context.Context, svc engine.Service, target string, p engine.Page) (*engine.List[engine.OperationView], error) {
			q := engine.OperationsQuery{Page: p, Target: target, By: by, Verb: verb}
			var err error
			if from != "" {
				if q.Since, err = parseInstant(g, from); err != nil {
					return nil, err
				}
			}
			if to != "" {
				if q.Until, err = parseInstant(g, to); err != nil {
					return nil, err
				}
			}
			return svc.Operations(ctx, q)
		})
	cmd.Flags().StringVar(&by, "by", "", "only what this person did")
	cmd.Flags().StringVar(&verb, "verb", "", "only this verb: run, rerun, kill, pause, …")
	cmd.Flags().StringVar(&from, "since", "", "only from this instant on, such as 2026-11-19 or 2026-11-19T06:00")
	cmd.Flags().StringVar(&to, "until", "", "only up to this instant")
	return cmd
}
