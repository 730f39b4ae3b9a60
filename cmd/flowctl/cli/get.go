package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

// paging are the flags of lists.
type paging struct {
	limit  int
	cursor string
}

func (p *paging) flags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&p.limit, "limit", 100, "items at most; 0 = all")
	cmd.Flags().StringVar(&p.cursor, "cursor", "", "where to go on: next of the former list")
}

// mostPerPage is what the API gives at once.
const mostPerPage = 1000

// collect fetches pages until there are enough items or no more.
func collect[T any](p paging, fetch func(engine.Page) (*engine.List[T], error)) (*engine.List[T], error) {
	if p.limit < 0 {
		return nil, usagef("--limit %d: give a number from 0", p.limit)
	}
	all := &engine.List[T]{Items: []T{}, Next: p.cursor}
	for {
		want := mostPerPage
		if p.limit > 0 {
			want = min(want, p.limit-len(all.Items))
		}
		page, err := fetch(engine.Page{Cursor: all.Next, Limit: want})
		if err != nil {
			return nil, err
		}
		all.Items = append(all.Items, page.Items...)
		all.Next = page.Next
		if page.Next == "" || p.limit > 0 && len(all.Items) >= p.limit {
			return all, nil
		}
	}
}

// showList writes a list, and says on stderr when there is nothing or more than it holds.
func showList[T any](g *globals, l *engine.List[T], table func(*view, []T)) error {
	if err := g.show(l, func(v *view) { table(v, l.Items) }); err != nil {
		return err
	}
	if g.output != formTable {
		return nil
	}
	if len(l.Items) == 0 {
		fmt.Fprintln(g.err, "nothing found")
	}
	if l.Next != "" {
		fmt.Fprintf(g.err, "there are more: give --limit 0, or --cursor %s\n", l.Next)
	}
	return nil
}

func newGet(g *globals) *cobra.Command {
	cmd := verbsOnly(&cobra.Command{
		Use:   "get",
		Short: "List flows, runs and everything else",
		Example: `  flowctl get flows
  flowctl get runs warehouse.orders@2026-11-01..2026-11-07 --state failed
  flowctl get attempts warehouse.orders/load@2026-11-19 -o json`,
	})
	cmd.AddCommand(getFlows(g), getTasks(g), getRuns(g), getAttempts(g), getAgents(g), getBackfills(g), getPauses(g), getRevisions(g), getOperations(g),
		getEvents(g), getSignals(g), getAlerts(g), getDeliveries(g), getSilences(g), getOverrides(g), getSubscriptions(g))
	return cmd
}

// getter makes one verb of get: fetch asks for a page, of what the argument names when there is one.
func getter[T any](g *globals, use, short string, args cobra.PositionalArgs, table func(*view, []T),
	fetch func(ctx context.Context, svc engine.Service, arg string, p engine.Page) (*engine.List[T], error),
) *cobra.Command {
	var p paging
	cmd := &cobra.Command{
		Use: use, Short: short, Args: argsAs(args),
		RunE: func(cmd *cobra.Command, args []string) error {
			svc, err := g.client()
			if err != nil {
				return err
			}
			list, err := collect(p, func(page engine.Page) (*engine.List[T], error) {
				return fetch(cmd.Context(), svc, first(args...), page)
			})
			if err != nil {
				return err
			}
			return showList(g, list, table)
		},
	}
	p.flags(cmd)
	return cmd
}

// only is the list of one thing that a name or number asked for.
func only[T any](item *T, err error) (*engine.List[T], error) {
	if err != nil {
		return nil, err
	}
	return &engine.List[T]{Items: []T{*item}}, nil
}

func getFlows(g *globals) *cobra.Command {
	return getter(g, "flows [FLOW]", "List the flows of the active revision", cobra.MaximumNArgs(1), flowsTable,
		func(ctx context.Context, svc engine.Service, name string, p engine.Page) (*engine.List[engine.FlowView], error) {
			if name != "" {
				return only(svc.Flow(ctx, name))
			}
			return svc.Flows(ctx, p)
		})
}

func getTasks(g *globals) *cobra.Command {
	return getter(g, "tasks [FLOW]", "List the tasks of the active revision", cobra.MaximumNArgs(1), tasksTable,
		func(ctx context.Context, svc engine.Service, flow string, p engine.Page) (*engine.List[engine.TaskView], error) {
			return svc.Tasks(ctx, flow, p)
		})
}

func getRuns(g *globals) *cobra.Command {
	var state, kind string
	var backfill int64
	cmd := getter(g, "runs [TARGET]", "List runs, newest first", cobra.MaximumNArgs(1), runsTable,
		func(ctx context.Context, svc engine.Service, target string, p engine.Page) (*engine.List[engine.RunView], error) {
			return svc.Runs(ctx, engine.RunsQuery{
				Page: p, Target: target, State: engine.RunState(state), Kind: engine.RunKind(kind), Backfill: engine.BackfillID(backfill),
			})
		})
	cmd.Flags().StringVar(&state, "state", "", "only these: active, succeeded or failed")
	cmd.Flags().StringVar(&kind, "kind", "", "only these: scheduled, manual, backfill or rerun")
	cmd.Flags().Int64Var(&backfill, "backfill", 0, "only runs of the backfill of this number")
	return cmd
}

func getAttempts(g *globals) *cobra.Command {
	var state, agent string
	cmd := getter(g, "attempts [TARGET]", "List executions of tasks, newest first", cobra.MaximumNArgs(1), attemptsTable,
		func(ctx context.Context, svc engine.Service, target string, p engine.Page) (*engine.List[engine.AttemptView], error) {
			return svc.Attempts(ctx, engine.AttemptsQuery{Page: p, Target: target, State: engine.State(state), Agent: agent})
		})
	cmd.Flags().StringVar(&state, "state", "", "only these: assigned, running, killing, succeeded, failed or killed")
	cmd.Flags().StringVar(&agent, "agent", "", "only those of this agent")
	return cmd
}

func getAgents(g *globals) *cobra.Command {
	return getter(g, "agents", "List the agents", cobra.NoArgs, agentsTable,
		func(ctx context.Context, svc engine.Service, _ string, p engine.Page) (*engine.List[engine.AgentView], error) {
			return svc.Agents(ctx, p)
		})
}

func getBackfills(g *globals) *cobra.Command {
	return getter(g, "backfills [ID]", "List backfills, newest first", cobra.MaximumNArgs(1), backfillsTable,
		func(ctx context.Context, svc engine.Service, arg string, p engine.Page) (*engine.List[engine.BackfillView], error) {
			if arg == "" {
				return svc.Backfills(ctx, p)
			}
			id, err := parseID[engine.BackfillID](arg)
			if err != nil {
				return nil, err
			}
			return only(svc.Backfill(ctx, id))
		})
}

func getPauses(g *globals) *cobra.Command {
	return getter(g, "pauses", "List what is paused", cobra.NoArgs, pausesTable,
		func(ctx context.Context, svc engine.Service, _ string, p engine.Page) (*engine.List[engine.PauseView], error) {
			return svc.Pauses(ctx, p)
		})
}

func getRevisions(g *globals) *cobra.Command {
	return getter(g, "revisions", "List compiled and rejected commits, newest first", cobra.NoArgs, revisionsTable,
		func(ctx context.Context, svc engine.Service, _ string, p engine.Page) (*engine.List[engine.RevisionView], error) {
			return svc.Revisions(ctx, p)
		})
}

func getOperations(g *globals) *cobra.Command {
	return operations(g, "operations [TARGET]", "List what operators did, newest first")
}

func getEvents(g *globals) *cobra.Command {
	var kind string
	cmd := getter(g, "events [TARGET]", "List what alerts tell of: failures, retries, lost agents, newest first", cobra.MaximumNArgs(1), eventsTable,
		func(ctx context.Context, svc engine.Service, target string, p engine.Page) (*engine.List[engine.EventView], error) {
			return svc.Events(ctx, engine.EventsQuery{Page: p, Target: target, Kind: flow.Event(kind)})
		})
	cmd.Flags().StringVar(&kind, "kind", "", "only these: failed, retrying, killed, expired, recovered and so on")
	return cmd
}

func parseID[ID ~int64](s string) (ID, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, usagef("%q is no number; `flowctl get` lists them", s)
	}
	return ID(n), nil
}
