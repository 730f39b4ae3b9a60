package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newExplain(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "explain TARGET",
		Short: "Say why runs and tasks stand where they stand",
		Long:  "Says of each task run of the target what holds it back, and the command that would help where there is one.",
		Example: `  flowctl explain warehouse.orders@2026-11-19
  flowctl explain warehouse.orders/load@2026-11-19`,
		Args: argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			if _, err := engine.ParseTarget(args[0]); err != nil {
				return err
			}
			e, err := svc.Explain(ctx, args[0])
			if err != nil {
				return err
			}
			return g.show(e, func(v *view) { explanationView(v, *e) })
		}),
	}
}

// mostBlockers is how many a person wants to see at once: a monthly run can miss hundreds of hours.
const mostBlockers = 12

func explanationView(v *view, e engine.Explanation) {
	for _, t := range e.Tasks {
		v.WriteString(clean(t.Name) + ": " + v.paint(string(t.State), string(t.State)) + "\n")
		if n := note(t.TaskRunView); n != "" {
			v.line("  %s", n)
		}
		for i, b := range t.Blockers {
			if i == mostBlockers {
				v.line("  - and %d more; -o json has them all", len(t.Blockers)-i)
				break
			}
			blockerView(v, b)
		}
	}
}

func blockerView(v *view, b engine.Blocker) {
	text := b.Message
	if text == "" {
		text = string(b.Kind) + " " + b.Ref
	}
	if b.Until != nil {
		text += ", until " + v.instant(b.Until)
	}
	v.line("  - %s", text)
	if len(b.Holders) > 0 {
		v.line("    held by %s", strings.Join(b.Holders, ", "))
	}
	if b.Hint != "" {
		v.line("    %s", b.Hint)
	}
}
