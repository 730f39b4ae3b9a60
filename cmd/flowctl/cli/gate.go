package cli

import (
	"context"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newGate(g *globals) *cobra.Command {
	cmd := verbsOnly(&cobra.Command{
		Use:   "gate",
		Short: "Answer in place of the quality gates that tasks wait for",
		Example: `  flowctl gate release warehouse.orders/load@2026-11-19 --why 'checked by hand'
  flowctl gate refuse warehouse.orders@2026-11-19`,
	})
	cmd.AddCommand(
		gateVerb(g, "release", true, "Let task runs start that wait for their gates",
			"Releases the target's task runs that wait for their gates; what the gates answer afterwards is refused. "+
				"It is on record who did it. Prints the task runs concerned."),
		gateVerb(g, "refuse", false, "Fail task runs that wait for their gates",
			"Fails the target's task runs that wait for their gates, as if these had refused them; what the gates answer afterwards is refused. "+
				"It is on record who did it. Prints the task runs concerned."),
	)
	return cmd
}

func gateVerb(g *globals, verb string, release bool, short, long string) *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: verb + " TARGET", Short: short, Long: long, Args: argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			if _, err := engine.ParseTarget(args[0]); err != nil {
				return err
			}
			tasks, err := svc.AnswerGates(ctx, engine.GateRequest{
				Target: args[0], GateAnswer: engine.GateAnswer{Release: release, Message: why},
			})
			if err != nil {
				return err
			}
			return showList(g, &engine.List[engine.TaskRunView]{Items: tasks}, taskRunsTable)
		}),
	}
	cmd.Flags().StringVar(&why, "why", "", "a reason, for the record")
	return cmd
}
