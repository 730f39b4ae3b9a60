package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newRun(g *globals) *cobra.Command {
	var r engine.StartRun
	var params []string
	var w waiting
	cmd := &cobra.Command{
		Use:   "run TARGET",
		Short: "Start a run now",
		Long: `Starts a run of a flow: for the period that the target names, else for the last one that ended; a flow without schedule gets
a new run each time. flow/task makes a run of that task alone. Prints the run's name; with --wait, each change until it ends,
and exits 0 when it succeeded, 1 when it failed, 8 when --wait-timeout passed.`,
		Example: `  flowctl run warehouse.orders --wait
  flowctl run warehouse.orders@2026-11-18 --param table=orders_v2
  flowctl run warehouse.orders/load@2026-11-19 --force`,
		Args: argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			var err error
			if _, err = engine.ParseTarget(args[0]); err != nil {
				return err
			}
			r.Target = args[0]
			if r.Params, err = keyValues("--param", params); err != nil {
				return err
			}
			if err := w.check(); err != nil {
				return err
			}
			run, err := svc.StartRun(ctx, r)
			if err != nil {
				return err
			}
			if !w.wait {
				return g.show(run, func(v *view) { v.line("%s", run.Name) })
			}
			return w.forRun(ctx, g, svc, run)
		}),
	}
	cmd.Flags().BoolVar(&r.Extra, "extra", false, "run a period that is still open or off the calendar; it satisfies no need")
	cmd.Flags().BoolVar(&r.Force, "force", false, "do not wait for dependencies")
	cmd.Flags().StringArrayVar(&params, "param", nil, "override a parameter of the flow: KEY=VALUE, may be repeated")
	w.flags(cmd)
	return cmd
}

// waiting are the flags of verbs that can wait for an end.
type waiting struct {
	wait    bool
	timeout time.Duration
}

func (w *waiting) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&w.wait, "wait", false, "wait for the end and show what happens until then")
	cmd.Flags().DurationVar(&w.timeout, "wait-timeout", 0, "with --wait: stop waiting after this long and exit 8; 0 = never")
}

func (w *waiting) check() error {
	if w.timeout < 0 {
		return usagef("--wait-timeout %s: give a positive duration", w.timeout)
	}
	if w.timeout > 0 && !w.wait {
		return usagef("--wait-timeout wants --wait")
	}
	return nil
}

// limit bounds ctx, and tells afterwards whether it was the time that ran out.
func (w *waiting) limit(ctx context.Context) (context.Context, func(error, string) error) {
	if w.timeout == 0 {
		return ctx, func(err error, _ string) error { return err }
	}
	bounded, cancel := context.WithTimeout(ctx, w.timeout)
	return bounded, func(err error, what string) error {
		defer cancel()
		if err != nil && ctx.Err() == nil && bounded.Err() != nil {
			return &exitError{exitPending, fmt.Errorf("%s did not end within %s, and goes on", what, w.timeout)}
		}
		return err
	}
}

// forRun follows a run to its end; the error says how it ended.
func (w *waiting) forRun(ctx context.Context, g *globals, svc engine.Service, run *engine.RunView) error {
	ctx, done := w.limit(ctx)
	news := runNews{g: g}
	var last engine.RunDetail
	err := svc.WatchRun(ctx, run.ID, func(d engine.RunDetail) error {
		last = d
		news.tell(d)
		return nil
	})
	if err := done(err, run.Name); err != nil {
		if exitCode(err) == exitPending {
			return &exitError{exitPending, fmt.Errorf("%w; see `flowctl explain %s`", err, run.Name)}
		}
		return err
	}
	if g.output != formTable {
		if err := g.show(last, nil); err != nil {
			return err
		}
	}
	return verdict(last)
}

// runNews prints what changed in a run since it was told last.
type runNews struct {
	g     *globals
	run   engine.RunState
	tasks map[string]engine.State
}

func (n *runNews) tell(d engine.RunDetail) {
	v := &view{zone: n.g.zone, now: n.g.now(), color: n.g.color && n.g.output == formTable}
	at := v.now.In(v.zone).Format("15:04:05")
	say := func(name, state, note string) {
		line := fmt.Sprintf("%s  %s  %s", at, clean(name), v.paint(state, state))
		if note != "" {
			line += "  " + clean(note)
		}
		fmt.Fprintln(n.g.news(), line)
	}
	if n.tasks == nil {
		n.tasks = make(map[string]engine.State, len(d.Tasks))
	}
	if n.run == "" {
		say(d.Name, string(d.State), "")
		n.run = d.State
	}
	for _, t := range d.Tasks {
		if n.tasks[t.Task] != t.State {
			n.tasks[t.Task] = t.State
			say(t.Name, string(t.State), note(t))
		}
	}
	if n.run != d.State {
		n.run = d.State
		say(d.Name, string(d.State), v.took(d.StartedAt, d.FinishedAt))
	}
}

// verdict turns how a run ended into the exit code.
func verdict(d engine.RunDetail) error {
	switch d.State {
	case engine.RunSucceeded:
		return nil
	case engine.RunFailed:
		for _, t := range d.Tasks {
			if t.State.Bad() && t.Attempt != 0 {
				return &exitError{exitProblems, fmt.Errorf("%s failed at %s; see `flowctl logs %s`", d.Name, t.Task, t.Name)}
			}
		}
		return &exitError{exitProblems, fmt.Errorf("%s failed; see `flowctl explain %s`", d.Name, d.Name)}
	}
	return &exitError{exitPending, fmt.Errorf("%s is still %s", d.Name, d.State)}
}
