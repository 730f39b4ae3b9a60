package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/engine/alert"
)

func newAlerts(g *globals) *cobra.Command {
	cmd := verbsOnly(&cobra.Command{
		Use:   "alerts",
		Short: "Say who is told of trouble, and look after alerts",
		Example: `  flowctl alerts route --task warehouse.orders/load --event failed
  flowctl alerts ack 17
  flowctl alerts silence --task warehouse.orders --for 2h --why 'the warehouse moves'
  flowctl get alerts --open`,
	})
	cmd.AddCommand(alertsAck(g), alertsRoute(g), alertsSilence(g), alertsSubscribe(g), alertsTest(g))
	return cmd
}

func alertsRoute(g *globals) *cobra.Command {
	var q engine.RouteQuery
	var event, severity, kind, at string
	cmd := &cobra.Command{
		Use:   "route [PATH] --event EVENT [--task FLOW[/TASK]]",
		Short: "Say who would be told of an event, by which channel and why",
		Long: `Prints who would be told if an event happened: each receiver with channel, address and reason, and whom no channel reaches.

With PATH, a flows root or anything inside one, it needs no server; subscriptions are left out then, since the server keeps them. Conditions
of rules see a run of the last period that has ended. Events of the installation as a whole, such as agent_lost, take no --task.`,
		Example: `  flowctl alerts route --task warehouse.orders/load --event failed
  flowctl alerts route flows --task warehouse.orders/load --event output_late --at 2026-12-24T03:00
  flowctl alerts route --event too_few_agents --severity critical`,
		Args: argsAs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := g.checkOutput(); err != nil {
				return err
			}
			if event == "" {
				return usagef("say which event, such as --event failed")
			}
			q.Event, q.Severity, q.Kind = flow.Event(event), flow.Severity(severity), engine.RunKind(kind)
			var err error
			if q.At, err = instantOr(g, at, g.now()); err != nil {
				return err
			}
			v, err := routeOf(cmd.Context(), g, args, q)
			if err != nil {
				return err
			}
			if err := g.show(v, func(t *view) { routeTable(t, v) }); err != nil {
				return err
			}
			if len(v.Items) == 0 && g.output == formTable {
				fmt.Fprintln(g.err, "nobody is told")
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.Target, "task", "", "what it happens to: FLOW/TASK, or FLOW")
	f.StringVar(&event, "event", "", "failed, output_late, agent_lost and so on")
	f.StringVar(&severity, "severity", "", "of an event of the installation: critical, major or minor (default its usual one)")
	f.StringVar(&kind, "kind", "", "of the run: scheduled, manual, backfill or rerun (default scheduled)")
	f.StringVar(&at, "at", "", "when it happens, such as 2026-12-24T03:00 (default now)")
	return cmd
}

// routeOf asks the repository at a path, or else the server.
func routeOf(ctx context.Context, g *globals, args []string, q engine.RouteQuery) (*engine.RouteView, error) {
	if len(args) == 0 {
		svc, err := g.client()
		if err != nil {
			return nil, err
		}
		return svc.RouteAlert(ctx, q)
	}
	repo, err := compileRoot(g.streams, args[0])
	if err != nil {
		return nil, err
	}
	return alert.Explain(repo.project, nil, nil, q)
}

// instantOr reads an instant, or takes another one when none is given.
func instantOr(g *globals, text string, or time.Time) (time.Time, error) {
	if text == "" {
		return or, nil
	}
	return parseInstant(g, text)
}

func routeTable(v *view, r *engine.RouteView) {
	rows := [][]string{}
	for _, i := range r.Items {
		rows = append(rows, []string{i.Channel, first(i.Name, i.Channel), i.Address, string(i.Severity), strings.Join(i.Reasons, "; ")})
	}
	for _, i := range r.Unreachable {
		rows = append(rows, []string{"-", i.Name, first(i.Address, "-"), string(i.Severity), strings.Join(i.Reasons, "; ")})
	}
	v.table([]string{"CHANNEL", "RECEIVER", "ADDRESS", "SEVERITY", "WHY"}, rows)
}

func alertsAck(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "ack ID | TARGET",
		Short: "Say that you look after an alert",
		Long: `Acknowledges an alert by its number, or all that are open for a flow or a task: nobody else is told because nobody has answered, and
nobody is told again. Prints the alerts that nobody had acknowledged before.`,
		Example: "  flowctl alerts ack 17\n  flowctl alerts ack warehouse.orders/load",
		Args:    argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			r := engine.AckRequest{Target: args[0]}
			if n, err := strconv.ParseInt(args[0], 10, 64); err == nil {
				r = engine.AckRequest{ID: engine.AlertID(n)}
			}
			acked, err := svc.AckAlerts(ctx, r)
			if err != nil {
				return err
			}
			return showList(g, &engine.List[engine.AlertView]{Items: acked}, alertsTable)
		}),
	}
}

func alertsSilence(g *globals) *cobra.Command {
	var r engine.SilenceRequest
	var length string
	var lift int64
	cmd := &cobra.Command{
		Use:   "silence --task FLOW[/TASK] --for DURATION --why TEXT | --lift ID",
		Short: "Tell nobody of a flow or a task for some time",
		Long: `Holds back what would be told of a flow or a task. What has not recovered by the end of the silence is told then, so nothing is lost; what
was on its way is told all the same. Who silenced what, and why, is in the operation log. Prints the silence; flowctl get silences lists those
in force.`,
		Example: `  flowctl alerts silence --task warehouse.orders --for 2h --why 'the warehouse moves'
  flowctl alerts silence --lift 3`,
		Args: argsAs(cobra.NoArgs),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, _ []string) error {
			show := func(s *engine.SilenceView, err error) error {
				if err != nil {
					return err
				}
				return showList(g, &engine.List[engine.SilenceView]{Items: []engine.SilenceView{*s}}, silencesTable)
			}
			if lift != 0 {
				if r.Target+length+r.Why != "" {
					return usagef("--lift stands alone")
				}
				return show(svc.LiftSilence(ctx, engine.SilenceID(lift)))
			}
			d, err := time.ParseDuration(length)
			if err != nil || r.Target == "" || r.Why == "" {
				return usagef("give --task FLOW[/TASK], --for with a duration such as 2h, and --why; or --lift ID")
			}
			r.For = d.Seconds()
			return show(svc.SilenceAlerts(ctx, r))
		}),
	}
	f := cmd.Flags()
	f.StringVar(&r.Target, "task", "", "FLOW, or FLOW/TASK")
	f.StringVar(&length, "for", "", "how long, such as 2h or 45m")
	f.StringVar(&r.Why, "why", "", "for those who ask later where the alerts are")
	f.Int64Var(&lift, "lift", 0, "end the silence of this number now")
	return cmd
}

func alertsSubscribe(g *globals) *cobra.Command {
	var r engine.SubscribeRequest
	cmd := &cobra.Command{
		Use:   "subscribe --task FLOW[/TASK] --person PERSON [--remove]",
		Short: "Tell a person of a flow or a task that is not theirs",
		Long: `Adds a person of the repository's people to those whom the rule by priority tells of a flow or a task: by email, and at priority 0 to 4
by SMS too. Doing it again changes nothing. flowctl get subscriptions lists them.`,
		Example: "  flowctl alerts subscribe --task warehouse.orders --person dave\n  flowctl alerts subscribe --task warehouse.orders --person dave --remove",
		Args:    argsAs(cobra.NoArgs),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, _ []string) error {
			if r.Target == "" || r.Person == "" {
				return usagef("give --task FLOW[/TASK] and --person")
			}
			s, err := svc.Subscribe(ctx, r)
			if err != nil {
				return err
			}
			return showList(g, &engine.List[engine.SubscriptionView]{Items: []engine.SubscriptionView{*s}}, subscriptionsTable)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&r.Target, "task", "", "FLOW, or FLOW/TASK")
	f.StringVar(&r.Person, "person", "", "a name in people")
	f.BoolVar(&r.Remove, "remove", false, "no more")
	return cmd
}

func alertsTest(g *globals) *cobra.Command {
	var r engine.TestAlertRequest
	cmd := &cobra.Command{
		Use:   "test CHANNEL [--to PERSON]",
		Short: "Send a test message by a channel",
		Long: `Sends a message that says that it is a test, once, and prints what became of it. A webhook needs no --to.

Exit status: 0 when the other side has taken it, 1 when not.`,
		Example: "  flowctl alerts test mail --to alice",
		Args:    argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			r.Channel = args[0]
			v, err := svc.TestAlert(ctx, r)
			if err != nil {
				return err
			}
			err = g.show(v, func(t *view) {
				result := "was delivered"
				if !v.Delivered {
					result = "was not delivered"
				}
				t.line("%s", strings.Join(strings.Fields("the message "+via(r.Channel, v.Address)+result), " "))
				t.field("answer", v.Message)
				t.field("receipt", v.Receipt)
			})
			if err == nil && !v.Delivered {
				return &exitError{code: exitProblems}
			}
			return err
		}),
	}
	cmd.Flags().StringVar(&r.Person, "to", "", "a name in people")
	return cmd
}

// via says by which channel, and where to when there is an address.
func via(channel, address string) string {
	if address == "" {
		return "by " + channel + " "
	}
	return "by " + channel + " to " + address + " "
}

func newOncall(g *globals) *cobra.Command {
	cmd := verbsOnly(&cobra.Command{
		Use:     "oncall",
		Short:   "Say who is on call, and who stands in",
		Example: "  flowctl oncall show --team data\n  flowctl oncall override data --who carol --to 2026-12-27",
	})
	cmd.AddCommand(oncallShow(g), oncallOverride(g))
	return cmd
}

func oncallShow(g *globals) *cobra.Command {
	var q engine.OncallQuery
	var at string
	cmd := &cobra.Command{
		Use:   "show [PATH]",
		Short: "Say who is on call in each team, and until when",
		Long: `Prints the primary and the secondary of each team's rotation, and when duty changes next. With PATH, a flows root or anything inside one, it
needs no server, and knows only the overrides of the repository.`,
		Example: "  flowctl oncall show\n  flowctl oncall show flows --team data --at 2026-12-24T12:00",
		Args:    argsAs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := g.checkOutput(); err != nil {
				return err
			}
			var err error
			if q.At, err = instantOr(g, at, g.now()); err != nil {
				return err
			}
			duties, err := dutiesOf(cmd.Context(), g, args, q)
			if err != nil {
				return err
			}
			return showList(g, duties, dutiesTable)
		},
	}
	cmd.Flags().StringVar(&q.Team, "team", "", "this team only")
	cmd.Flags().StringVar(&at, "at", "", "when, such as 2026-12-24T12:00 (default now)")
	return cmd
}

func oncallOverride(g *globals) *cobra.Command {
	var r engine.OverrideRequest
	var from, to string
	var remove int64
	cmd := &cobra.Command{
		Use:   "override TEAM --who PERSON --to WHEN [--from WHEN] [--why TEXT] | --remove ID",
		Short: "Let somebody stand in on call",
		Long: `Puts a person of the repository's people in the place of who is on call in a team, from now or a later time on, until another time. It goes
before the rotation and before the overrides of the repository; of two, the newer one holds. Who said so is in the operation log. Prints the
override; flowctl get overrides lists those in force and to come, and --remove ends one early or takes it back.

A time is an instant such as 2026-12-24T18:00, or a date, which is its midnight, in the time zone of --zone.`,
		Example: `  flowctl oncall override data --who carol --from 2026-12-24 --to 2026-12-27 --why 'bob is away'
  flowctl oncall override --remove 3`,
		Args: argsAs(cobra.MaximumNArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			show := func(v *engine.OverrideView, err error) error {
				if err != nil {
					return err
				}
				return showList(g, &engine.List[engine.OverrideView]{Items: []engine.OverrideView{*v}}, overridesTable)
			}
			if remove != 0 {
				if len(args) > 0 || r.Person+r.Why+from+to != "" {
					return usagef("--remove stands alone")
				}
				return show(svc.EndOverride(ctx, engine.OverrideID(remove)))
			}
			if len(args) == 0 || r.Person == "" || to == "" {
				return usagef("give a team, --who with a person, and --to with a time such as 2026-12-27; or --remove ID")
			}
			r.Team = args[0]
			var err error
			if r.From, err = instantOr(g, from, time.Time{}); err != nil {
				return err
			}
			if r.To, err = parseInstant(g, to); err != nil {
				return err
			}
			return show(svc.OverrideOncall(ctx, r))
		}),
	}
	f := cmd.Flags()
	f.StringVar(&r.Person, "who", "", "a name in people")
	f.StringVar(&from, "from", "", "when it begins, such as 2026-12-24T18:00 (default now)")
	f.StringVar(&to, "to", "", "when it ends")
	f.StringVar(&r.Why, "why", "", "for those who ask later")
	f.Int64Var(&remove, "remove", 0, "end the override of this number now")
	return cmd
}

func overridesTable(v *view, overrides []engine.OverrideView) {
	rows := make([][]string, 0, len(overrides))
	for _, o := range overrides {
		rows = append(rows, []string{number(o.ID), o.Team, o.Person, v.at(o.From), v.at(o.To), o.By, o.Why})
	}
	v.table([]string{"ID", "TEAM", "ON CALL", "FROM", "TO", "BY", "WHY"}, rows)
}

func dutiesOf(ctx context.Context, g *globals, args []string, q engine.OncallQuery) (*engine.List[engine.DutyView], error) {
	if len(args) == 0 {
		svc, err := g.client()
		if err != nil {
			return nil, err
		}
		return svc.Oncall(ctx, q)
	}
	repo, err := compileRoot(g.streams, args[0])
	if err != nil {
		return nil, err
	}
	duties, err := alert.Duties(repo.project, nil, q.Team, q.At)
	return &engine.List[engine.DutyView]{Items: duties}, err
}

func dutiesTable(v *view, duties []engine.DutyView) {
	rows := make([][]string, 0, len(duties))
	for _, d := range duties {
		if d.Primary == "" {
			rows = append(rows, []string{d.Team, "nobody", "", ""})
			continue
		}
		who := d.Primary
		if d.Override {
			who += " (override)"
		}
		rows = append(rows, []string{d.Team, who, d.Secondary, v.at(d.Until)})
	}
	v.table([]string{"TEAM", "ON CALL", "SECONDARY", "UNTIL"}, rows)
}

func alertsTable(v *view, alerts []engine.AlertView) {
	rows := make([][]string, 0, len(alerts))
	for _, a := range alerts {
		rows = append(rows, []string{
			number(a.ID), a.State, string(a.Severity), a.Subject, string(a.Event), strconv.Itoa(a.Events), v.at(a.OpenedAt), a.AckedBy, first(a.Why, a.Detail),
		})
	}
	v.table([]string{"ID", "STATE", "SEVERITY", "SUBJECT", "EVENT", "EVENTS", "OPENED", "ACKED BY", "NOTE"}, rows)
}

func deliveriesTable(v *view, deliveries []engine.DeliveryView) {
	rows := make([][]string, 0, len(deliveries))
	for _, d := range deliveries {
		rows = append(rows, []string{
			number(d.ID), string(d.State), d.To.Channel, first(d.To.Name, d.To.Address), d.Subject, strconv.Itoa(d.Tries), v.at(d.At), d.Message,
		})
	}
	v.table([]string{"ID", "STATE", "CHANNEL", "RECEIVER", "SUBJECT", "TRIES", "AT", "NOTE"}, rows)
}

func silencesTable(v *view, silences []engine.SilenceView) {
	rows := make([][]string, 0, len(silences))
	for _, s := range silences {
		rows = append(rows, []string{number(s.ID), s.Target, s.By, v.at(s.Until), s.Why})
	}
	v.table([]string{"ID", "TASK", "BY", "UNTIL", "WHY"}, rows)
}

func subscriptionsTable(v *view, subs []engine.SubscriptionView) {
	rows := make([][]string, 0, len(subs))
	for _, s := range subs {
		rows = append(rows, []string{s.Target, s.Person, s.By, v.at(s.At)})
	}
	v.table([]string{"TASK", "PERSON", "BY", "AT"}, rows)
}

func getAlerts(g *globals) *cobra.Command {
	var open bool
	cmd := getter(g, "alerts [FLOW[/TASK]]", "List alerts, newest first", cobra.MaximumNArgs(1), alertsTable,
		func(ctx context.Context, svc engine.Service, target string, p engine.Page) (*engine.List[engine.AlertView], error) {
			return svc.Alerts(ctx, engine.AlertsQuery{Page: p, Target: target, Open: open})
		})
	cmd.Flags().BoolVar(&open, "open", false, "only those that are neither acknowledged nor closed")
	return cmd
}

func getDeliveries(g *globals) *cobra.Command {
	var state string
	var id int64
	cmd := getter(g, "deliveries", "List the messages that tell of alerts and news, newest first", cobra.NoArgs, deliveriesTable,
		func(ctx context.Context, svc engine.Service, _ string, p engine.Page) (*engine.List[engine.DeliveryView], error) {
			return svc.Deliveries(ctx, engine.DeliveriesQuery{Page: p, Alert: engine.AlertID(id), State: engine.DeliveryState(state)})
		})
	cmd.Flags().StringVar(&state, "state", "", "only these: pending, delivered, failed or silenced")
	cmd.Flags().Int64Var(&id, "alert", 0, "only those that tell of the alert of this number")
	return cmd
}

func getSilences(g *globals) *cobra.Command {
	return getter(g, "silences", "List the silences in force", cobra.NoArgs, silencesTable,
		func(ctx context.Context, svc engine.Service, _ string, p engine.Page) (*engine.List[engine.SilenceView], error) {
			return svc.Silences(ctx, p)
		})
}

func getOverrides(g *globals) *cobra.Command {
	return getter(g, "overrides", "List who stands in on call, now and later", cobra.NoArgs, overridesTable,
		func(ctx context.Context, svc engine.Service, _ string, p engine.Page) (*engine.List[engine.OverrideView], error) {
			return svc.Overrides(ctx, p)
		})
}

func getSubscriptions(g *globals) *cobra.Command {
	return getter(g, "subscriptions", "List who is told of flows and tasks that are not theirs", cobra.NoArgs, subscriptionsTable,
		func(ctx context.Context, svc engine.Service, _ string, p engine.Page) (*engine.List[engine.SubscriptionView], error) {
			return svc.Subscriptions(ctx, p)
		})
}
