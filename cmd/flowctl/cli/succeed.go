package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newSucceed(g *globals) *cobra.Command {
	var outputs []string
	cmd := &cobra.Command{
		Use:   "succeed TARGET",
		Short: "Declare task runs succeeded without running them",
		Long:  "Sets the target's task runs that did not succeed to succeeded, so that what waits for them goes on. Prints the task runs concerned.",
		Example: `  flowctl succeed warehouse.orders/load@2026-11-19
  flowctl succeed warehouse.orders/count@2026-11-19 --output rows=1204`,
		Args: argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			if _, err := engine.ParseTarget(args[0]); err != nil {
				return err
			}
			values, err := keyValues("--output", outputs)
			if err != nil {
				return err
			}
			tasks, err := svc.Succeed(ctx, engine.SucceedRequest{Target: args[0], Outputs: values})
			if err != nil {
				return err
			}
			return showList(g, &engine.List[engine.TaskRunView]{Items: tasks}, taskRunsTable)
		}),
	}
	cmd.Flags().VarP(&outputFlag{g, &outputs}, "output", "o", "give the task run an output: KEY=VALUE, may be repeated; or the form of the results: table, json or yaml")
	return cmd
}

// outputFlag is both: --output KEY=VALUE, an output of the task run, and -o json, the form of the results as on all verbs. No form
// holds an equals sign, so they cannot be mistaken for each other.
type outputFlag struct {
	g       *globals
	outputs *[]string
}

// Set takes an output or a form.
func (f *outputFlag) Set(s string) error {
	if strings.Contains(s, "=") {
		*f.outputs = append(*f.outputs, s)
		return nil
	}
	f.g.output = s
	return f.g.checkOutput()
}

// Type names the value in the help.
func (f *outputFlag) Type() string { return "KEY=VALUE" }

// String returns the default for the help: none.
func (f *outputFlag) String() string { return "" }
