package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newExplain(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "explain TARGET",
		Short: "Say why runs and tasks stand where they stand",
		Long:  "Says of each task run of the target what holds it back, where it runs or how it ended, and the command that would help where there is one. Of one that waits for others it names the task runs at the root of that, and says when it may start at the earliest where that is known.",
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
		for _, n := range []string{standing(v, t), tardy(v, t), note(t.TaskRunView), remedy(t)} {
			if n != "" {
				v.line("  %s", n)
			}
		}
		for i, b := range t.Blockers {
			if i == mostBlockers {
				v.line("  - and %d more; -o json has them all", len(t.Blockers)-i)
				break
			}
			reason(v, "-", b)
		}
		for _, name := range t.Uncounted {
			v.line("  - %s does not count: the revision of its run has no such task", clean(name))
		}
		for _, r := range t.Roots {
			r.Message = r.TaskRun + ": " + r.Message
			reason(v, "root:", r.Blocker)
		}
		if t.EarliestStartAt != nil {
			v.line("  may start at %s at the earliest", v.instant(t.EarliestStartAt))
		}
	}
}

// standing tells where a task run executes or how long it took; empty when no attempt was made, or the one of another run stands for
// it. A task run starts with its first attempt.
func standing(v *view, t engine.ExplainedTask) string {
	agent, began := first(t.Agent, "an agent"), v.instant(t.StartedAt)
	switch {
	case t.Reference != "" || t.Attempts == 0:
		return ""
	case t.State == engine.Assigned:
		return fmt.Sprintf("attempt %d was given to %s, which has not started it yet", t.Attempts, agent)
	case t.State == engine.Running && t.Attempts == 1:
		return fmt.Sprintf("runs on %s since %s, for %s", agent, began, v.took(t.StartedAt, nil))
	case t.State == engine.Running:
		return fmt.Sprintf("attempt %d runs on %s; the first began at %s", t.Attempts, agent, began)
	case t.State == engine.Killing:
		return fmt.Sprintf("is being ended on %s", agent)
	case t.State.Final() && t.StartedAt != nil && t.FinishedAt != nil:
		return fmt.Sprintf("took %s, in %s, and ended at %s", v.took(t.StartedAt, t.FinishedAt), count(t.Attempts, "attempt"), v.instant(t.FinishedAt))
	}
	return ""
}

// tardy tells what a task run was marked for, and when it passed its gate.
func tardy(v *view, t engine.ExplainedTask) string {
	var marks []string
	if t.DependencyLateAt != nil {
		marks = append(marks, "late with its dependencies at "+v.instant(t.DependencyLateAt))
	}
	if t.OutputLateAt != nil {
		marks = append(marks, "late with its success at "+v.instant(t.OutputLateAt))
	}
	if t.GateReleasedAt != nil {
		marks = append(marks, "passed its gate at "+v.instant(t.GateReleasedAt))
	}
	return strings.Join(marks, ", ")
}

// remedy is the command that tells more about a failure.
func remedy(t engine.ExplainedTask) string {
	if t.State == engine.Failed && t.Attempt != 0 && t.Reference == "" {
		return "flowctl logs " + t.Name
	}
	return ""
}

// reason is a blocker behind a mark.
func reason(v *view, mark string, b engine.Blocker) {
	text := b.Message
	if text == "" {
		text = string(b.Kind) + " " + b.Ref
	}
	if b.Until != nil {
		text += ", until " + v.instant(b.Until)
	}
	v.line("  %s %s", mark, text)
	if len(b.Holders) > 0 {
		v.line("    held by %s", strings.Join(b.Holders, ", "))
	}
	if b.Hint != "" {
		v.line("    %s", b.Hint)
	}
}
