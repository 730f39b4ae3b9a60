package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newSync(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "sync",
		Short: "Make the newest commit of the repository live now",
		Long:  "Has the server look at the repository, and returns when the newest commit is active (also when it already was) or, with its diagnostics and exit code 1, rejected.",
		Args:  argsAs(cobra.NoArgs),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, _ []string) error {
			r, err := svc.Sync(ctx)
			if err != nil {
				return err
			}
			if err := g.show(r, func(v *view) { syncView(v, *r) }); err != nil {
				return err
			}
			if r.State == "rejected" {
				return &exitError{exitProblems, fmt.Errorf("commit %s is rejected; the last good revision stays active", commit(r.Commit))}
			}
			return nil
		}),
	}
}

func syncView(v *view, r engine.RevisionView) {
	findings(v, r.Diagnostics)
	if r.State != "rejected" {
		v.line("revision %d is %s: commit %s, %d flows", r.ID, r.State, commit(r.Commit), r.Flows)
	}
}
