package api

import (
	"context"
	"net/url"
	"strconv"

	"flowctl/engine"
)

func (c *client) Sync(ctx context.Context) (*engine.RevisionView, error) {
	return submit[engine.RevisionView](ctx, c, "/revisions", nil)
}

func (c *client) Revisions(ctx context.Context, p engine.Page) (*engine.List[engine.RevisionView], error) {
	return fetch[engine.List[engine.RevisionView]](ctx, c, "/revisions", pageOf(p))
}

func (c *client) Flows(ctx context.Context, p engine.Page) (*engine.List[engine.FlowView], error) {
	return fetch[engine.List[engine.FlowView]](ctx, c, "/flows", pageOf(p))
}

func (c *client) Flow(ctx context.Context, name string) (*engine.FlowView, error) {
	return fetch[engine.FlowView](ctx, c, "/flows/"+url.PathEscape(name), nil)
}

func (c *client) Tasks(ctx context.Context, flow string, p engine.Page) (*engine.List[engine.TaskView], error) {
	return fetch[engine.List[engine.TaskView]](ctx, c, "/tasks", pageOf(p).set("flow", flow))
}

func (c *client) Runs(ctx context.Context, q engine.RunsQuery) (*engine.List[engine.RunView], error) {
	p := pageOf(q.Page).set("target", q.Target).set("state", string(q.State)).set("kind", string(q.Kind)).number("backfill", int64(q.Backfill))
	return fetch[engine.List[engine.RunView]](ctx, c, "/runs", p)
}

func (c *client) FindRuns(ctx context.Context, target string) ([]engine.RunView, error) {
	return itemsOf(fetch[engine.List[engine.RunView]](ctx, c, "/runs/find", params{}.set("target", target)))
}

func (c *client) Run(ctx context.Context, id engine.RunID) (*engine.RunDetail, error) {
	return fetch[engine.RunDetail](ctx, c, "/runs/"+number(id), nil)
}

func (c *client) Attempts(ctx context.Context, q engine.AttemptsQuery) (*engine.List[engine.AttemptView], error) {
	p := pageOf(q.Page).set("target", q.Target).set("state", string(q.State)).set("agent", q.Agent)
	return fetch[engine.List[engine.AttemptView]](ctx, c, "/attempts", p)
}

func (c *client) Explain(ctx context.Context, target string) (*engine.Explanation, error) {
	return fetch[engine.Explanation](ctx, c, "/explanations", params{}.set("target", target))
}

func (c *client) StartRun(ctx context.Context, r engine.StartRun) (*engine.RunView, error) {
	return submit[engine.RunView](ctx, c, "/runs", r)
}

func (c *client) Rerun(ctx context.Context, r engine.RerunRequest) ([]engine.RunView, error) {
	return itemsOf(submit[engine.List[engine.RunView]](ctx, c, "/reruns", r))
}

func (c *client) Kill(ctx context.Context, target string) ([]engine.TaskRunView, error) {
	return itemsOf(submit[engine.List[engine.TaskRunView]](ctx, c, "/kills", targetBody{target}))
}

func (c *client) Succeed(ctx context.Context, r engine.SucceedRequest) ([]engine.TaskRunView, error) {
	return itemsOf(submit[engine.List[engine.TaskRunView]](ctx, c, "/successes", r))
}

func (c *client) Skip(ctx context.Context, target string) ([]engine.TaskRunView, error) {
	return itemsOf(submit[engine.List[engine.TaskRunView]](ctx, c, "/skips", targetBody{target}))
}

func (c *client) Delete(ctx context.Context, r engine.DeleteRequest) (*engine.Deletion, error) {
	return submit[engine.Deletion](ctx, c, "/deletions", r)
}

func (c *client) Pause(ctx context.Context, r engine.PauseRequest) ([]engine.PauseView, error) {
	return itemsOf(submit[engine.List[engine.PauseView]](ctx, c, "/pauses", r))
}

func (c *client) Resume(ctx context.Context, r engine.PauseRequest) ([]engine.PauseView, error) {
	return itemsOf(submit[engine.List[engine.PauseView]](ctx, c, "/resumes", r))
}

func (c *client) Pauses(ctx context.Context, p engine.Page) (*engine.List[engine.PauseView], error) {
	return fetch[engine.List[engine.PauseView]](ctx, c, "/pauses", pageOf(p))
}

func (c *client) StartBackfill(ctx context.Context, r engine.BackfillRequest) (*engine.BackfillView, error) {
	return submit[engine.BackfillView](ctx, c, "/backfills", r)
}

func (c *client) PreviewBackfill(ctx context.Context, r engine.BackfillRequest) (*engine.BackfillPreview, error) {
	return submit[engine.BackfillPreview](ctx, c, "/backfills/preview", r)
}

func (c *client) Backfills(ctx context.Context, p engine.Page) (*engine.List[engine.BackfillView], error) {
	return fetch[engine.List[engine.BackfillView]](ctx, c, "/backfills", pageOf(p))
}

func (c *client) Backfill(ctx context.Context, id engine.BackfillID) (*engine.BackfillView, error) {
	return fetch[engine.BackfillView](ctx, c, "/backfills/"+number(id), nil)
}

func (c *client) ControlBackfill(ctx context.Context, id engine.BackfillID, verb string) (*engine.BackfillView, error) {
	return submit[engine.BackfillView](ctx, c, "/backfills/"+number(id)+"/"+url.PathEscape(verb), nil)
}

func (c *client) Agents(ctx context.Context, p engine.Page) (*engine.List[engine.AgentView], error) {
	return fetch[engine.List[engine.AgentView]](ctx, c, "/agents", pageOf(p))
}

func (c *client) Agent(ctx context.Context, name string) (*engine.AgentDetail, error) {
	return fetch[engine.AgentDetail](ctx, c, "/agents/"+url.PathEscape(name), nil)
}

func (c *client) AgentToken(ctx context.Context, r engine.AgentTokenRequest) (*engine.AgentToken, error) {
	return submit[engine.AgentToken](ctx, c, "/agents/tokens", r)
}

func (c *client) AgentTokens(ctx context.Context, p engine.Page) (*engine.List[engine.AgentTokenView], error) {
	return fetch[engine.List[engine.AgentTokenView]](ctx, c, "/agents/tokens", pageOf(p))
}

func (c *client) RevokeAgentToken(ctx context.Context, id string) error {
	_, err := submit[struct{}](ctx, c, "/agents/tokens/"+url.PathEscape(id)+"/revoke", nil)
	return err
}

func (c *client) ControlAgent(ctx context.Context, name, verb string) (*engine.AgentView, error) {
	return submit[engine.AgentView](ctx, c, "/agents/"+url.PathEscape(name)+"/"+url.PathEscape(verb), nil)
}

func (c *client) DeclareDead(ctx context.Context, agent string) ([]engine.AttemptView, error) {
	return itemsOf(submit[engine.List[engine.AttemptView]](ctx, c, "/agents/"+url.PathEscape(agent)+"/declare-dead", nil))
}

func (c *client) Operations(ctx context.Context, q engine.OperationsQuery) (*engine.List[engine.OperationView], error) {
	p := pageOf(q.Page).set("target", q.Target).set("by", q.By).set("verb", q.Verb).instant("since", q.Since).instant("until", q.Until)
	return fetch[engine.List[engine.OperationView]](ctx, c, "/operations", p)
}

func (c *client) Events(ctx context.Context, q engine.EventsQuery) (*engine.List[engine.EventView], error) {
	p := pageOf(q.Page).set("target", q.Target).set("kind", string(q.Kind))
	return fetch[engine.List[engine.EventView]](ctx, c, "/events", p)
}

func (c *client) Signals(ctx context.Context, name string, p engine.Page) (*engine.List[engine.SignalView], error) {
	return fetch[engine.List[engine.SignalView]](ctx, c, "/signals", pageOf(p).set("name", name))
}

func (c *client) SetSignal(ctx context.Context, r engine.SignalRequest) (*engine.SignalView, error) {
	return submit[engine.SignalView](ctx, c, "/signals", r)
}

func (c *client) AnswerGate(ctx context.Context, token string, a engine.GateAnswer) (*engine.TaskRunView, error) {
	return submit[engine.TaskRunView](ctx, c, "/gates/"+url.PathEscape(token), a)
}

func (c *client) AnswerGates(ctx context.Context, r engine.GateRequest) ([]engine.TaskRunView, error) {
	return itemsOf(submit[engine.List[engine.TaskRunView]](ctx, c, "/gates", r))
}

func (c *client) Alerts(ctx context.Context, q engine.AlertsQuery) (*engine.List[engine.AlertView], error) {
	p := pageOf(q.Page).set("target", q.Target)
	if q.Open {
		p = p.set("open", "true")
	}
	return fetch[engine.List[engine.AlertView]](ctx, c, "/alerts", p)
}

func (c *client) AckAlerts(ctx context.Context, r engine.AckRequest) ([]engine.AlertView, error) {
	return itemsOf(submit[engine.List[engine.AlertView]](ctx, c, "/alerts/acks", r))
}

func (c *client) Deliveries(ctx context.Context, q engine.DeliveriesQuery) (*engine.List[engine.DeliveryView], error) {
	p := pageOf(q.Page).number("alert", int64(q.Alert)).set("state", string(q.State))
	return fetch[engine.List[engine.DeliveryView]](ctx, c, "/deliveries", p)
}

func (c *client) Silences(ctx context.Context, p engine.Page) (*engine.List[engine.SilenceView], error) {
	return fetch[engine.List[engine.SilenceView]](ctx, c, "/silences", pageOf(p))
}

func (c *client) SilenceAlerts(ctx context.Context, r engine.SilenceRequest) (*engine.SilenceView, error) {
	return submit[engine.SilenceView](ctx, c, "/silences", r)
}

func (c *client) LiftSilence(ctx context.Context, id engine.SilenceID) (*engine.SilenceView, error) {
	return submit[engine.SilenceView](ctx, c, "/silences/"+number(id)+"/lift", nil)
}

func (c *client) Subscriptions(ctx context.Context, p engine.Page) (*engine.List[engine.SubscriptionView], error) {
	return fetch[engine.List[engine.SubscriptionView]](ctx, c, "/subscriptions", pageOf(p))
}

func (c *client) Subscribe(ctx context.Context, r engine.SubscribeRequest) (*engine.SubscriptionView, error) {
	return submit[engine.SubscriptionView](ctx, c, "/subscriptions", r)
}

func (c *client) TestAlert(ctx context.Context, r engine.TestAlertRequest) (*engine.TestAlertView, error) {
	return submit[engine.TestAlertView](ctx, c, "/alerts/tests", r)
}

func (c *client) RouteAlert(ctx context.Context, q engine.RouteQuery) (*engine.RouteView, error) {
	p := params{}.set("target", q.Target).set("event", string(q.Event)).set("severity", string(q.Severity)).set("kind", string(q.Kind)).instant("at", q.At)
	return fetch[engine.RouteView](ctx, c, "/alerts/route", p)
}

func (c *client) Oncall(ctx context.Context, q engine.OncallQuery) (*engine.List[engine.DutyView], error) {
	return fetch[engine.List[engine.DutyView]](ctx, c, "/oncall", params{}.set("team", q.Team).instant("at", q.At))
}

func (c *client) Overrides(ctx context.Context, p engine.Page) (*engine.List[engine.OverrideView], error) {
	return fetch[engine.List[engine.OverrideView]](ctx, c, "/oncall/overrides", pageOf(p))
}

func (c *client) OverrideOncall(ctx context.Context, r engine.OverrideRequest) (*engine.OverrideView, error) {
	return submit[engine.OverrideView](ctx, c, "/oncall/overrides", r)
}

func (c *client) EndOverride(ctx context.Context, id engine.OverrideID) (*engine.OverrideView, error) {
	return submit[engine.OverrideView](ctx, c, "/oncall/overrides/"+number(id)+"/end", nil)
}

func number[ID ~int64](id ID) string { return strconv.FormatInt(int64(id), 10) }

func itemsOf[T any](l *engine.List[T], err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return l.Items, nil
}
