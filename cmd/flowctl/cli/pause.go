package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newPause(g *globals) *cobra.Command {
	var all bool
	var after, group string
	cmd := &cobra.Command{
		Use:   "pause TARGET | --group GROUP | --all --scheduled-after INSTANT",
		Short: "Keep tasks from being dispatched until they are resumed",
		Long: `Holds a flow, a task, or either for some periods: what is paused is created as ever and waits, and what runs already goes on. A pause
of a period holds all its versions, also those that are made later. With --group it holds each flow that is in the group now.

With --all and --scheduled-after it sets the platform's horizon: no run is dispatched that is scheduled after that instant. Runs that
operators ask for are scheduled when they are asked for. Prints what was paused; flowctl get pauses lists all.`,
		Example: `  flowctl pause warehouse.orders
  flowctl pause warehouse.orders/load@2026-11-19..2026-11-21
  flowctl pause --group warehouse
  flowctl pause --all --scheduled-after 2026-11-20T06:00`,
		Args: argsAs(cobra.MaximumNArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			r, err := pauseRequest(args, group, all)
			if err != nil {
				return err
			}
			if all != (after != "") {
				return usagef("--all and --scheduled-after go together: they hold all that is scheduled after an instant")
			}
			if all {
				at, err := parseInstant(g, after)
				if err != nil {
					return err
				}
				r.ScheduledAfter = &at
			}
			return showPauses(g)(svc.Pause(ctx, r))
		}),
	}
	cmd.Flags().StringVar(&group, "group", "", "hold the flows of this group")
	cmd.Flags().BoolVar(&all, "all", false, "hold everything that is scheduled after an instant")
	cmd.Flags().StringVar(&after, "scheduled-after", "", "with --all: that instant, such as 2026-11-20T06:00 or 2026-11-20T06:00:00+08:00")
	return cmd
}

func newResume(g *globals) *cobra.Command {
	var all bool
	var group string
	cmd := &cobra.Command{
		Use:   "resume TARGET | --group GROUP | --all",
		Short: "Let go what was paused",
		Long: `Takes back the pause of exactly this target; with --group, those of the flows that are in the group now; with --all, the platform's
horizon. What waits then goes on by itself. Prints what was resumed.`,
		Example: `  flowctl resume warehouse.orders
  flowctl resume --all`,
		Args: argsAs(cobra.MaximumNArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			r, err := pauseRequest(args, group, all)
			if err != nil {
				return err
			}
			return showPauses(g)(svc.Resume(ctx, r))
		}),
	}
	cmd.Flags().StringVar(&group, "group", "", "let go the flows of this group")
	cmd.Flags().BoolVar(&all, "all", false, "lift the horizon that pause --all set")
	return cmd
}

// pauseRequest reads what both verbs are about: a target, a group or everything.
func pauseRequest(args []string, group string, all bool) (engine.PauseRequest, error) {
	r := engine.PauseRequest{Target: first(args...), Group: group, All: all}
	if (r.Target != "") == (group != "" || all) || group != "" && all {
		return r, usagef("name a target, or give --group or --all")
	}
	if r.Target == "" {
		return r, nil
	}
	_, err := engine.ParseTarget(r.Target)
	return r, err
}

// parseInstant reads an instant that a person wrote, in the zone of the screen unless it names another.
func parseInstant(g *globals, s string) (time.Time, error) {
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(form, s, g.zone); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, usagef("%q is no instant: write 2026-11-20T06:00, or 2026-11-20T06:00:00+08:00", s)
}

// showPauses prints pauses that were made or taken back.
func showPauses(g *globals) func([]engine.PauseView, error) error {
	return func(ps []engine.PauseView, err error) error {
		if err != nil {
			return err
		}
		return showList(g, &engine.List[engine.PauseView]{Items: ps}, pausesTable)
	}
}
