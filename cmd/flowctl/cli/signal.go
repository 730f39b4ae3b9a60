package cli

import (
	"context"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newSignal(g *globals) *cobra.Command {
	cmd := verbsOnly(&cobra.Command{
		Use:   "signal",
		Short: "Announce data of a third party, for which tasks wait",
		Example: `  flowctl signal set crm.export 2026-11-19
  flowctl signal unset crm.export 2026-11-19
  flowctl get signals`,
	})
	cmd.AddCommand(
		signalVerb(g, "set", false, "Say that the data of a period is ready",
			"Lets tasks go on that wait for the signal. A date means every period that begins on it; FROM..TO is a range, both ends inclusive. "+
				"A period that is set already stays as it is. Prints the newest periods that are set."),
		signalVerb(g, "unset", true, "Say that the data of a period is not ready after all",
			"Lets tasks that have not started wait again; what has started goes on. A date means every period that begins on it; FROM..TO is a "+
				"range, both ends inclusive. Prints the newest periods that are set."),
	)
	return cmd
}

func signalVerb(g *globals, verb string, unset bool, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME PERIOD", Short: short, Long: long, Args: argsAs(cobra.ExactArgs(2)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			s, err := svc.SetSignal(ctx, engine.SignalRequest{Signal: args[0], Period: args[1], Unset: unset})
			if err != nil {
				return err
			}
			return g.show(s, func(v *view) { signalsTable(v, []engine.SignalView{*s}) })
		}),
	}
}

func getSignals(g *globals) *cobra.Command {
	return getter(g, "signals [NAME]", "List the signals of the active revision, with the newest periods that are set", cobra.MaximumNArgs(1), signalsTable,
		func(ctx context.Context, svc engine.Service, name string, p engine.Page) (*engine.List[engine.SignalView], error) {
			return svc.Signals(ctx, name, p)
		})
}

// signalsTable has a line for each period that is set, and one for each signal of which none is.
func signalsTable(v *view, signals []engine.SignalView) {
	var rows [][]string
	for _, s := range signals {
		if len(s.Set) == 0 {
			rows = append(rows, []string{s.Name, s.Schedule, "", "", ""})
		}
		for _, p := range s.Set {
			rows = append(rows, []string{s.Name, s.Schedule, p.Period, v.at(p.At), p.By})
		}
	}
	v.table([]string{"SIGNAL", "SCHEDULE", "PERIOD", "SET", "BY"}, rows)
}
