package cli

import (
	"context"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newRevisions(g *globals) *cobra.Command {
	var p paging
	cmd := &cobra.Command{
		Use:   "revisions",
		Short: "List compiled and rejected commits with all their diagnostics",
		Long:  "Lists the commits that the server compiled, newest first, and under the table every diagnostic of each in full.",
		Args:  argsAs(cobra.NoArgs),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, _ []string) error {
			list, err := collect(p, func(page engine.Page) (*engine.List[engine.RevisionView], error) { return svc.Revisions(ctx, page) })
			if err != nil {
				return err
			}
			return showList(g, list, revisionsView)
		}),
	}
	p.flags(cmd)
	return cmd
}

func revisionsView(v *view, all []engine.RevisionView) {
	revisionsTable(v, all)
	for _, r := range all {
		if len(r.Diagnostics) > 0 {
			v.line("")
			v.line("revision %d, commit %s, is %s:", r.ID, commit(r.Commit), r.State)
			findings(v, r.Diagnostics)
		}
	}
}
