package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

// manyRuns is how many runs a backfill may create without --yes.
const manyRuns = 1000

func newBackfill(g *globals) *cobra.Command {
	var r engine.BackfillRequest
	var w waiting
	var dryRun, yes bool
	cmd := &cobra.Command{
		Use:   "backfill [FLOW...] --from PERIOD --to PERIOD",
		Short: "Run the past: many periods of many flows",
		Long: `Creates the runs of a range of periods, both ends inclusive, in the order of their ends, behind scheduled runs. Periods that have a
run are left alone, unless --reprocess says otherwise. Prints the backfill once it is stored; with --wait, its progress until it
ends, and exits 0 when all runs succeeded, 1 when not, 8 when --wait-timeout passed.`,
		Example: `  flowctl backfill warehouse.orders --from 2026-11-01 --to 2026-11-07 --dry-run
  flowctl backfill --all --from 2026-11-09 --to 2026-11-15 --max-active 20 --wait
  flowctl backfill pause 3`,
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			r.Flows = args
			if err := checkBackfill(r); err != nil {
				return err
			}
			if err := w.check(); err != nil {
				return err
			}
			if dryRun {
				return previewBackfill(ctx, g, svc, r)
			}
			if !yes {
				if err := confirmBackfill(ctx, g, svc, r); err != nil {
					return err
				}
			}
			b, err := svc.StartBackfill(ctx, r)
			if err != nil {
				return err
			}
			if !w.wait {
				return g.show(b, func(v *view) { startedView(v, *b) })
			}
			return w.forBackfill(ctx, g, svc, *b)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&r.From, "from", "", "first period: a label, or a date, which means every period that begins on it")
	f.StringVar(&r.To, "to", "", "last period, inclusive")
	f.StringVar(&r.Group, "group", "", "all enabled flows of this group")
	f.StringVar(&r.Every, "every", "", "all enabled flows of this kind: hour, day, week, month or cron")
	f.BoolVar(&r.All, "all", false, "all enabled flows that have a schedule")
	f.IntVar(&r.MaxActive, "max-active", 0, "runs at once; 0 = what the server takes for good")
	f.StringVar(&r.MissingUpstream, "missing-upstream", "wait", "a need on a period outside the backfill that has no run: wait or ignore")
	f.StringVar(&r.Reprocess, "reprocess", "missing", "which periods: missing, failed (and missing), or all")
	f.StringVar(&r.Cascade, "cascade", "none", "with the enabled flows that depend on these, along: none, logical, data or both")
	f.BoolVar(&dryRun, "dry-run", false, "say what would become of each period, and do nothing")
	f.BoolVar(&yes, "yes", false, fmt.Sprintf("do not ask, even above %d runs", manyRuns))
	w.flags(cmd)
	cmd.AddCommand(backfillGet(g), backfillControl(g, "pause", "Create no more runs of a backfill until it is resumed"),
		backfillControl(g, "resume", "Go on with a paused backfill"), backfillControl(g, "cancel", "End a backfill: kill what runs of it, and create no more"))
	return cmd
}

func checkBackfill(r engine.BackfillRequest) error {
	ways := 0
	for _, way := range []bool{len(r.Flows) > 0, r.Group != "", r.Every != "", r.All} {
		if way {
			ways++
		}
	}
	switch {
	case ways == 0:
		return usagef("name flows, or give --group, --every or --all")
	case r.All && ways > 1:
		return usagef("--all takes every flow with a schedule: leave the other choices out")
	case r.From == "" || r.To == "":
		return usagef("a backfill wants --from and --to")
	case r.MaxActive < 0:
		return usagef("--max-active %d: give a number from 0", r.MaxActive)
	}
	return nil
}

func previewBackfill(ctx context.Context, g *globals, svc engine.Service, r engine.BackfillRequest) error {
	p, err := svc.PreviewBackfill(ctx, r)
	if err != nil {
		return err
	}
	return g.show(p, func(v *view) { previewView(v, *p) })
}

func previewView(v *view, p engine.BackfillPreview) {
	rows := make([][]string, 0, len(p.Items))
	for _, d := range p.Items {
		rows = append(rows, []string{d.Run, d.Action, d.Reason})
	}
	v.table([]string{"RUN", "ACTION", "REASON"}, rows)
	if len(p.Missing) > 0 {
		v.line("needed from outside the backfill, and not there (--missing-upstream ignore goes on without):")
		for _, m := range p.Missing {
			v.line("  %s", m)
		}
	}
	v.line("%s would be created", count(p.Total, "run"))
}

// confirmBackfill asks before very many runs are created.
func confirmBackfill(ctx context.Context, g *globals, svc engine.Service, r engine.BackfillRequest) error {
	p, err := svc.PreviewBackfill(ctx, r)
	if err != nil {
		return err
	}
	return confirm(g, p.Total, manyRuns, "This creates", "created")
}

func startedView(v *view, b engine.BackfillView) {
	v.line("backfill %d: %s of %s, %s..%s", b.ID, count(b.Total, "run"), some(b.Flows), b.From, b.To)
}

func endedView(v *view, b engine.BackfillView) {
	alone := ""
	if b.Skipped > 0 {
		alone = fmt.Sprintf(", %s left alone because a run existed", count(b.Skipped, "period"))
	}
	v.line("backfill %d is %s: %d succeeded, %d failed%s", b.ID, b.State, b.Succeeded, b.Failed, alone)
}

func backfillGet(g *globals) *cobra.Command {
	return describer(g, "get ID", "Show a backfill", describeBackfill)
}

func backfillControl(g *globals, verb, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID", Short: short, Args: argsAs(cobra.ExactArgs(1)),
		Example: "  flowctl backfill " + verb + " 3",
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			id, err := parseID[engine.BackfillID](args[0])
			if err != nil {
				return err
			}
			b, err := svc.ControlBackfill(ctx, id, verb)
			if err != nil {
				return err
			}
			return g.show(b, func(v *view) { v.line("backfill %d is %s", b.ID, b.State) })
		}),
	}
}

// forBackfill follows a backfill to its end; the error says how it ended.
func (w *waiting) forBackfill(ctx context.Context, g *globals, svc engine.Service, b engine.BackfillView) error {
	if g.output == formTable {
		v := &view{zone: g.zone}
		startedView(v, b)
		fmt.Fprint(g.out, v.String())
	}
	ctx, done := w.limit(ctx)
	bar := newProgress(g, b.Total)
	err := svc.WatchBackfill(ctx, b.ID, func(now engine.BackfillView) error {
		b = now
		bar.show(now)
		return nil
	})
	bar.end()
	if err := done(err, fmt.Sprintf("backfill %d", b.ID)); err != nil {
		if exitCode(err) == exitPending {
			return &exitError{exitPending, fmt.Errorf("%w; see `flowctl get runs --backfill %d --state active`", err, b.ID)}
		}
		return err
	}
	if err := g.show(b, func(v *view) { endedView(v, b) }); err != nil {
		return err
	}
	switch {
	case b.Failed > 0:
		return &exitError{exitProblems, fmt.Errorf("%s failed; see `flowctl get runs --backfill %d --state failed`", count(b.Failed, "run"), b.ID)}
	case b.State != engine.BackfillDone:
		return &exitError{exitProblems, fmt.Errorf("backfill %d was %s", b.ID, b.State)}
	}
	return nil
}
