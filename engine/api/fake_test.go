package api_test

import (
	"context"
	"io"
	"reflect"
	"strconv"
	"sync"
	"time"

	"flowctl/engine"
	"flowctl/engine/api"
)

// fake is a Service that remembers what it was asked and answers with filled values, or with err. Watches and logs do what the
// test says.
type fake struct {
	mu    sync.Mutex
	calls []call
	err   error

	watchRun      func(ctx context.Context, f func(engine.RunDetail) error) error
	watchBackfill func(ctx context.Context, f func(engine.BackfillView) error) error
	logs          func(ctx context.Context, offset int64, follow bool, w io.Writer) error
}

type call struct {
	method string
	caller string
	args   []any
}

func (f *fake) record(ctx context.Context, method string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call{method, api.Caller(ctx), args})
	return f.err
}

func (f *fake) last() call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[len(f.calls)-1]
}

func answer[T any](err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	v := filled[T]()
	return &v, nil
}

func answers[T any](err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return []T{filled[T](), filled[T]()}, nil
}

func (f *fake) Sync(ctx context.Context) (*engine.RevisionView, error) {
	return answer[engine.RevisionView](f.record(ctx, "Sync"))
}

func (f *fake) Revisions(ctx context.Context, p engine.Page) (*engine.List[engine.RevisionView], error) {
	return answer[engine.List[engine.RevisionView]](f.record(ctx, "Revisions", p))
}

func (f *fake) Flows(ctx context.Context, p engine.Page) (*engine.List[engine.FlowView], error) {
	return answer[engine.List[engine.FlowView]](f.record(ctx, "Flows", p))
}

func (f *fake) Flow(ctx context.Context, name string) (*engine.FlowView, error) {
	return answer[engine.FlowView](f.record(ctx, "Flow", name))
}

func (f *fake) Tasks(ctx context.Context, flow string, p engine.Page) (*engine.List[engine.TaskView], error) {
	return answer[engine.List[engine.TaskView]](f.record(ctx, "Tasks", flow, p))
}

func (f *fake) Runs(ctx context.Context, q engine.RunsQuery) (*engine.List[engine.RunView], error) {
	return answer[engine.List[engine.RunView]](f.record(ctx, "Runs", q))
}

func (f *fake) FindRuns(ctx context.Context, target string) ([]engine.RunView, error) {
	return answers[engine.RunView](f.record(ctx, "FindRuns", target))
}

func (f *fake) Run(ctx context.Context, id engine.RunID) (*engine.RunDetail, error) {
	return answer[engine.RunDetail](f.record(ctx, "Run", id))
}

func (f *fake) Attempts(ctx context.Context, q engine.AttemptsQuery) (*engine.List[engine.AttemptView], error) {
	return answer[engine.List[engine.AttemptView]](f.record(ctx, "Attempts", q))
}

func (f *fake) Explain(ctx context.Context, target string) (*engine.Explanation, error) {
	return answer[engine.Explanation](f.record(ctx, "Explain", target))
}

func (f *fake) Logs(ctx context.Context, id engine.AttemptID, offset int64, follow bool, w io.Writer) error {
	if err := f.record(ctx, "Logs", id, offset, follow); err != nil {
		return err
	}
	return f.logs(ctx, offset, follow, w)
}

func (f *fake) LogTimes(ctx context.Context, id engine.AttemptID) (*engine.LogTimes, error) {
	return answer[engine.LogTimes](f.record(ctx, "LogTimes", id))
}

func (f *fake) StartRun(ctx context.Context, r engine.StartRun) (*engine.RunView, error) {
	return answer[engine.RunView](f.record(ctx, "StartRun", r))
}

func (f *fake) Rerun(ctx context.Context, r engine.RerunRequest) ([]engine.RunView, error) {
	return answers[engine.RunView](f.record(ctx, "Rerun", r))
}

func (f *fake) Kill(ctx context.Context, target string) ([]engine.TaskRunView, error) {
	return answers[engine.TaskRunView](f.record(ctx, "Kill", target))
}

func (f *fake) Succeed(ctx context.Context, r engine.SucceedRequest) ([]engine.TaskRunView, error) {
	return answers[engine.TaskRunView](f.record(ctx, "Succeed", r))
}

func (f *fake) Skip(ctx context.Context, target string) ([]engine.TaskRunView, error) {
	return answers[engine.TaskRunView](f.record(ctx, "Skip", target))
}

func (f *fake) Delete(ctx context.Context, r engine.DeleteRequest) (*engine.Deletion, error) {
	return answer[engine.Deletion](f.record(ctx, "Delete", r))
}

func (f *fake) Pause(ctx context.Context, r engine.PauseRequest) ([]engine.PauseView, error) {
	return answers[engine.PauseView](f.record(ctx, "Pause", r))
}

func (f *fake) Resume(ctx context.Context, r engine.PauseRequest) ([]engine.PauseView, error) {
	return answers[engine.PauseView](f.record(ctx, "Resume", r))
}

func (f *fake) Pauses(ctx context.Context, p engine.Page) (*engine.List[engine.PauseView], error) {
	return answer[engine.List[engine.PauseView]](f.record(ctx, "Pauses", p))
}

func (f *fake) WatchRun(ctx context.Context, id engine.RunID, fn func(engine.RunDetail) error) error {
	if err := f.record(ctx, "WatchRun", id); err != nil {
		return err
	}
	return f.watchRun(ctx, fn)
}

func (f *fake) StartBackfill(ctx context.Context, r engine.BackfillRequest) (*engine.BackfillView, error) {
	return answer[engine.BackfillView](f.record(ctx, "StartBackfill", r))
}

func (f *fake) PreviewBackfill(ctx context.Context, r engine.BackfillRequest) (*engine.BackfillPreview, error) {
	return answer[engine.BackfillPreview](f.record(ctx, "PreviewBackfill", r))
}

func (f *fake) Backfills(ctx context.Context, p engine.Page) (*engine.List[engine.BackfillView], error) {
	return answer[engine.List[engine.BackfillView]](f.record(ctx, "Backfills", p))
}

func (f *fake) Backfill(ctx context.Context, id engine.BackfillID) (*engine.BackfillView, error) {
	return answer[engine.BackfillView](f.record(ctx, "Backfill", id))
}

func (f *fake) ControlBackfill(ctx context.Context, id engine.BackfillID, verb string) (*engine.BackfillView, error) {
	return answer[engine.BackfillView](f.record(ctx, "ControlBackfill", id, verb))
}

func (f *fake) WatchBackfill(ctx context.Context, id engine.BackfillID, fn func(engine.BackfillView) error) error {
	if err := f.record(ctx, "WatchBackfill", id); err != nil {
		return err
	}
	return f.watchBackfill(ctx, fn)
}

func (f *fake) Agents(ctx context.Context, p engine.Page) (*engine.List[engine.AgentView], error) {
	return answer[engine.List[engine.AgentView]](f.record(ctx, "Agents", p))
}

func (f *fake) Agent(ctx context.Context, name string) (*engine.AgentDetail, error) {
	return answer[engine.AgentDetail](f.record(ctx, "Agent", name))
}

func (f *fake) AgentToken(ctx context.Context, r engine.AgentTokenRequest) (*engine.AgentToken, error) {
	return answer[engine.AgentToken](f.record(ctx, "AgentToken", r))
}

func (f *fake) AgentTokens(ctx context.Context, p engine.Page) (*engine.List[engine.AgentTokenView], error) {
	return answer[engine.List[engine.AgentTokenView]](f.record(ctx, "AgentTokens", p))
}

func (f *fake) RevokeAgentToken(ctx context.Context, id string) error {
	return f.record(ctx, "RevokeAgentToken", id)
}

func (f *fake) Events(ctx context.Context, q engine.EventsQuery) (*engine.List[engine.EventView], error) {
	return answer[engine.List[engine.EventView]](f.record(ctx, "Events", q))
}

func (f *fake) Signals(ctx context.Context, name string, p engine.Page) (*engine.List[engine.SignalView], error) {
	return answer[engine.List[engine.SignalView]](f.record(ctx, "Signals", name, p))
}

// AnswerGate is the call of a stranger: nobody says who asks.
func (f *fake) AnswerGate(_ context.Context, token string, a engine.GateAnswer) (*engine.TaskRunView, error) {
	return answer[engine.TaskRunView](f.record(context.Background(), "AnswerGate", token, a))
}

func (f *fake) AnswerGates(ctx context.Context, r engine.GateRequest) ([]engine.TaskRunView, error) {
	return answers[engine.TaskRunView](f.record(ctx, "AnswerGates", r))
}

func (f *fake) SetSignal(ctx context.Context, r engine.SignalRequest) (*engine.SignalView, error) {
	return answer[engine.SignalView](f.record(ctx, "SetSignal", r))
}

func (f *fake) ControlAgent(ctx context.Context, name, verb string) (*engine.AgentView, error) {
	return answer[engine.AgentView](f.record(ctx, "ControlAgent", name, verb))
}

func (f *fake) Alerts(ctx context.Context, q engine.AlertsQuery) (*engine.List[engine.AlertView], error) {
	return answer[engine.List[engine.AlertView]](f.record(ctx, "Alerts", q))
}

func (f *fake) AckAlerts(ctx context.Context, r engine.AckRequest) ([]engine.AlertView, error) {
	return answers[engine.AlertView](f.record(ctx, "AckAlerts", r))
}

func (f *fake) Deliveries(ctx context.Context, q engine.DeliveriesQuery) (*engine.List[engine.DeliveryView], error) {
	return answer[engine.List[engine.DeliveryView]](f.record(ctx, "Deliveries", q))
}

func (f *fake) Silences(ctx context.Context, p engine.Page) (*engine.List[engine.SilenceView], error) {
	return answer[engine.List[engine.SilenceView]](f.record(ctx, "Silences", p))
}

func (f *fake) SilenceAlerts(ctx context.Context, r engine.SilenceRequest) (*engine.SilenceView, error) {
	return answer[engine.SilenceView](f.record(ctx, "SilenceAlerts", r))
}

func (f *fake) LiftSilence(ctx context.Context, id engine.SilenceID) (*engine.SilenceView, error) {
	return answer[engine.SilenceView](f.record(ctx, "LiftSilence", id))
}

func (f *fake) Subscriptions(ctx context.Context, p engine.Page) (*engine.List[engine.SubscriptionView], error) {
	return answer[engine.List[engine.SubscriptionView]](f.record(ctx, "Subscriptions", p))
}

func (f *fake) Subscribe(ctx context.Context, r engine.SubscribeRequest) (*engine.SubscriptionView, error) {
	return answer[engine.SubscriptionView](f.record(ctx, "Subscribe", r))
}

func (f *fake) TestAlert(ctx context.Context, r engine.TestAlertRequest) (*engine.TestAlertView, error) {
	return answer[engine.TestAlertView](f.record(ctx, "TestAlert", r))
}

func (f *fake) RouteAlert(ctx context.Context, q engine.RouteQuery) (*engine.RouteView, error) {
	return answer[engine.RouteView](f.record(ctx, "RouteAlert", q))
}

func (f *fake) Oncall(ctx context.Context, q engine.OncallQuery) (*engine.List[engine.DutyView], error) {
	return answer[engine.List[engine.DutyView]](f.record(ctx, "Oncall", q))
}

func (f *fake) Overrides(ctx context.Context, p engine.Page) (*engine.List[engine.OverrideView], error) {
	return answer[engine.List[engine.OverrideView]](f.record(ctx, "Overrides", p))
}

func (f *fake) OverrideOncall(ctx context.Context, r engine.OverrideRequest) (*engine.OverrideView, error) {
	return answer[engine.OverrideView](f.record(ctx, "OverrideOncall", r))
}

func (f *fake) EndOverride(ctx context.Context, id engine.OverrideID) (*engine.OverrideView, error) {
	return answer[engine.OverrideView](f.record(ctx, "EndOverride", id))
}

func (f *fake) DeclareDead(ctx context.Context, agent string) ([]engine.AttemptView, error) {
	return answers[engine.AttemptView](f.record(ctx, "DeclareDead", agent))
}

func (f *fake) Operations(ctx context.Context, q engine.OperationsQuery) (*engine.List[engine.OperationView], error) {
	return answer[engine.List[engine.OperationView]](f.record(ctx, "Operations", q))
}

// filled returns a T in which every field has a value of its own, so that a field lost on the way is seen.
func filled[T any]() T {
	var v T
	n := 0
	fill(reflect.ValueOf(&v).Elem(), &n)
	return v
}

func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 11, 19, 1, 2, *n%60, 345000, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"+strconv.Itoa(*n)), reflect.ValueOf("value"+strconv.Itoa(*n)))
	case reflect.String:
		v.SetString("text" + strconv.Itoa(*n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8: // diag.Severity
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.Bool:
		v.SetBool(true)
	default:
		panic("no value for " + v.Type().String())
	}
}
