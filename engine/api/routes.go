package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

// body is an answer with a JSON body.
type body[T any] struct{ Body T }

// request is a request with a JSON body.
type request[T any] struct{ Body T }

// none is a request without parameters.
type none struct{}

// PageParams are the parameters of lists. It is exported because huma sees no others when they are embedded.
type PageParams struct {
	Cursor string `query:"cursor" doc:"next of the former page"`
	Limit  int    `query:"limit" minimum:"0" maximum:"1000" doc:"items at most; 0 = 100"`
}

// The parameters of calls. Defaults and limits are those of engine.Page.
type (
	runID struct {
		ID int64 `path:"id" minimum:"1"`
	}
	flowName struct {
		Name string `path:"name"`
	}
	target struct {
		Target string `query:"target" required:"true" doc:"flow[/task][@period[..period]][#version]"`
	}
	taskParams struct {
		PageParams
		Flow string `query:"flow" doc:"of this flow only"`
	}
	runParams struct {
		PageParams
		Target   string `query:"target" doc:"flow[@period[..period]][#version]"`
		State    string `query:"state" enum:"active,succeeded,failed"`
		Kind     string `query:"kind" enum:"scheduled,manual,backfill,rerun"`
		Backfill int64  `query:"backfill" minimum:"1"`
	}
	attemptParams struct {
		PageParams
		Target string `query:"target" doc:"flow[/task][@period[..period]][#version]"`
		State  string `query:"state" enum:"assigned,running,killing,succeeded,failed,killed"`
		Agent  string `query:"agent"`
	}
	operationParams struct {
		PageParams
		Target string    `query:"target" doc:"of a flow, task, run or task run, with all that is part of it"`
		By     string    `query:"by"`
		Verb   string    `query:"verb"`
		Since  time.Time `query:"since"`
		Until  time.Time `query:"until"`
	}
	eventParams struct {
		PageParams
		Target string `query:"target" doc:"flow[/task][@period][#version]"`
		Kind   string `query:"kind" doc:"failed, retrying, killed and so on"`
	}
	signalParams struct {
		PageParams
		Name string `query:"name" doc:"this signal only"`
	}
	gateToken struct {
		Token string `path:"token" maxLength:"1000" doc:"the last part of callback_url"`
		Body  engine.GateAnswer
	}
	alertParams struct {
		PageParams
		Target string `query:"target" doc:"flow[/task]"`
		Open   bool   `query:"open" doc:"only those that are neither acknowledged nor closed"`
	}
	deliveryParams struct {
		PageParams
		Alert int64  `query:"alert" minimum:"1" doc:"of this alert only"`
		State string `query:"state" enum:"pending,delivered,failed,silenced"`
	}
	routeParams struct {
		Target   string    `query:"target" doc:"flow[/task]; empty for events of the installation"`
		Event    string    `query:"event" required:"true" doc:"failed, output_late, agent_lost and so on"`
		Severity string    `query:"severity" enum:"critical,major,minor" doc:"of an event of the installation; its usual one when empty"`
		Kind     string    `query:"kind" enum:"scheduled,manual,backfill,rerun" doc:"of the run; scheduled when empty"`
		At       time.Time `query:"at" doc:"when it happens; now when empty"`
	}
	oncallParams struct {
		Team string    `query:"team" doc:"this team only"`
		At   time.Time `query:"at" doc:"now when empty"`
	}
	backfillVerb struct {
		ID   int64  `path:"id" minimum:"1"`
		Verb string `path:"verb" enum:"pause,resume,cancel"`
	}
	agentVerb struct {
		Name string `path:"name"`
		Verb string `path:"verb" enum:"drain,undrain,revoke"`
	}
	targetBody struct {
		Target string `json:"target" doc:"flow[/task][@period[..period]][#version]"`
	}
)

func (p PageParams) page() engine.Page { return engine.Page{Cursor: p.Cursor, Limit: p.Limit} }

// routes registers all calls on mux and returns their document.
func (s *server) routes(mux *http.ServeMux) *huma.OpenAPI {
	api := newHuma(mux)
	svc := s.Service
	s.readRoutes(api, svc)
	s.runRoutes(api, svc)
	s.backfillRoutes(api, svc)
	s.signalRoutes(api, svc)
	s.gateRoutes(api, svc)
	s.alertRoutes(api, svc)
	s.streamRoutes(api, svc)
	return api.OpenAPI()
}

func (s *server) readRoutes(api huma.API, svc engine.Service) {
	get(s, api, "/revisions", "list-revisions", "List compiled and rejected commits, newest first",
		func(ctx context.Context, in *PageParams) (*engine.List[engine.RevisionView], error) {
			return list(svc.Revisions(ctx, in.page()))
		})
	post(s, api, "/revisions", "sync", http.StatusOK, "Follow the repository now; returns the newest revision, active or rejected",
		func(ctx context.Context, _ *none) (*engine.RevisionView, error) { return svc.Sync(ctx) })
	get(s, api, "/flows", "list-flows", "List the flows of the active revision",
		func(ctx context.Context, in *PageParams) (*engine.List[engine.FlowView], error) {
			return list(svc.Flows(ctx, in.page()))
		})
	get(s, api, "/flows/{name}", "get-flow", "Get a flow",
		func(ctx context.Context, in *flowName) (*engine.FlowView, error) { return svc.Flow(ctx, in.Name) })
	get(s, api, "/tasks", "list-tasks", "List the tasks of the active revision",
		func(ctx context.Context, in *taskParams) (*engine.List[engine.TaskView], error) {
			return list(svc.Tasks(ctx, in.Flow, in.page()))
		})
	get(s, api, "/agents", "list-agents", "List the agents",
		func(ctx context.Context, in *PageParams) (*engine.List[engine.AgentView], error) {
			return list(svc.Agents(ctx, in.page()))
		})
	get(s, api, "/agents/{name}", "get-agent", "Get an agent with what it has and does",
		func(ctx context.Context, in *flowName) (*engine.AgentDetail, error) { return svc.Agent(ctx, in.Name) })
	post(s, api, "/agents/tokens", "create-agent-token", http.StatusCreated, "Make a one-time token with which one agent can join",
		func(ctx context.Context, in *request[engine.AgentTokenRequest]) (*engine.AgentToken, error) {
			return svc.AgentToken(ctx, in.Body)
		})
	get(s, api, "/agents/tokens", "list-agent-tokens", "List the tokens with which agents can join",
		func(ctx context.Context, in *PageParams) (*engine.List[engine.AgentTokenView], error) {
			return list(svc.AgentTokens(ctx, in.page()))
		})
	post(s, api, "/agents/tokens/{name}/revoke", "revoke-agent-token", http.StatusOK, "Take a token back that was not used",
		func(ctx context.Context, in *flowName) (*struct{}, error) {
			return &struct{}{}, svc.RevokeAgentToken(ctx, in.Name)
		})
	post(s, api, "/agents/{name}/{verb}", "control-agent", http.StatusOK, "Keep an agent from being given work, lift that, or take its certificate back",
		func(ctx context.Context, in *agentVerb) (*engine.AgentView, error) {
			return svc.ControlAgent(ctx, in.Name, in.Verb)
		})
	post(s, api, "/agents/{name}/declare-dead", "declare-dead", http.StatusOK, "Settle as lost what an agent holds that is gone for good",
		func(ctx context.Context, in *flowName) (*engine.List[engine.AttemptView], error) {
			return items(svc.DeclareDead(ctx, in.Name))
		})
	get(s, api, "/operations", "list-operations", "List what operators did, newest first",
		func(ctx context.Context, in *operationParams) (*engine.List[engine.OperationView], error) {
			return list(svc.Operations(ctx, engine.OperationsQuery{
				Page: in.page(), Target: in.Target, By: in.By, Verb: in.Verb, Since: in.Since, Until: in.Until,
			}))
		})
	get(s, api, "/events", "list-events", "List what alerts tell of, newest first",
		func(ctx context.Context, in *eventParams) (*engine.List[engine.EventView], error) {
			return list(svc.Events(ctx, engine.EventsQuery{Page: in.page(), Target: in.Target, Kind: flow.Event(in.Kind)}))
		})
}

func (s *server) signalRoutes(api huma.API, svc engine.Service) {
	get(s, api, "/signals", "list-signals", "List the signals of the active revision with the newest periods that are set",
		func(ctx context.Context, in *signalParams) (*engine.List[engine.SignalView], error) {
			return list(svc.Signals(ctx, in.Name, in.page()))
		})
	post(s, api, "/signals", "set-signal", http.StatusOK, "Announce periods of a third party's data, or take that back; to repeat it changes nothing",
		func(ctx context.Context, in *request[engine.SignalRequest]) (*engine.SignalView, error) {
			return svc.SetSignal(ctx, in.Body)
		})
}

// gatePath is where quality gates answer. The token in it is all that they have to show.
const gatePath = "/api/v1/gates/"

// maxAnswer bounds what a quality gate sends, in bytes.
const maxAnswer = 64 << 10

func (s *server) gateRoutes(api huma.API, svc engine.Service) {
	op := operation(http.MethodPost, "/gates/{token}", "answer-gate", "Answer the question that a quality gate was asked; a token answers once, then 409", http.StatusOK)
	op.Security = []map[string][]string{{}}
	op.Errors = []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable}
	op.MaxBodyBytes = maxAnswer
	register(s, api, op, "body", func(ctx context.Context, in *gateToken) (*engine.TaskRunView, error) {
		return svc.AnswerGate(ctx, in.Token, in.Body)
	})
	post(s, api, "/gates", "answer-gates", http.StatusOK, "Answer in place of the quality gates that the target's task runs wait for",
		func(ctx context.Context, in *request[engine.GateRequest]) (*engine.List[engine.TaskRunView], error) {
			return items(svc.AnswerGates(ctx, in.Body))
		})
}

func (s *server) alertRoutes(api huma.API, svc engine.Service) {
	get(s, api, "/alerts", "list-alerts", "List alerts, newest first",
		func(ctx context.Context, in *alertParams) (*engine.List[engine.AlertView], error) {
			return list(svc.Alerts(ctx, engine.AlertsQuery{Page: in.page(), Target: in.Target, Open: in.Open}))
		})
	post(s, api, "/alerts/acks", "acknowledge", http.StatusOK, "Say that the caller looks after an alert, or after all that are open for a target",
		func(ctx context.Context, in *request[engine.AckRequest]) (*engine.List[engine.AlertView], error) {
			return items(svc.AckAlerts(ctx, in.Body))
		})
	get(s, api, "/alerts/route", "route-alert", "Say who would be told of an event, by which channel and why",
		func(ctx context.Context, in *routeParams) (*engine.RouteView, error) {
			return svc.RouteAlert(ctx, engine.RouteQuery{
				Target: in.Target, Event: flow.Event(in.Event), Severity: flow.Severity(in.Severity), Kind: engine.RunKind(in.Kind), At: in.At,
			})
		})
	post(s, api, "/alerts/tests", "test-alert", http.StatusOK, "Send a test message by a channel and wait for what becomes of it",
		func(ctx context.Context, in *request[engine.TestAlertRequest]) (*engine.TestAlertView, error) {
			return svc.TestAlert(ctx, in.Body)
		})
	get(s, api, "/deliveries", "list-deliveries", "List messages to receivers, newest first",
		func(ctx context.Context, in *deliveryParams) (*engine.List[engine.DeliveryView], error) {
			return list(svc.Deliveries(ctx, engine.DeliveriesQuery{Page: in.page(), Alert: engine.AlertID(in.Alert), State: engine.DeliveryState(in.State)}))
		})
	get(s, api, "/silences", "list-silences", "List the silences in force",
		func(ctx context.Context, in *PageParams) (*engine.List[engine.SilenceView], error) {
			return list(svc.Silences(ctx, in.page()))
		})
	post(s, api, "/silences", "silence", http.StatusCreated, "Tell nobody of a flow or a task for some time",
		func(ctx context.Context, in *request[engine.SilenceRequest]) (*engine.SilenceView, error) {
			return svc.SilenceAlerts(ctx, in.Body)
		})
	post(s, api, "/silences/{id}/lift", "lift-silence", http.StatusOK, "End a silence early",
		func(ctx context.Context, in *runID) (*engine.SilenceView, error) {
			return svc.LiftSilence(ctx, engine.SilenceID(in.ID))
		})
	get(s, api, "/subscriptions", "list-subscriptions", "List who is told of flows and tasks that are not theirs",
		func(ctx context.Context, in *PageParams) (*engine.List[engine.SubscriptionView], error) {
			return list(svc.Subscriptions(ctx, in.page()))
		})
	post(s, api, "/subscriptions", "subscribe", http.StatusOK, "Tell a person of a flow or a task from now on, or no more; to repeat it changes nothing",
		func(ctx context.Context, in *request[engine.SubscribeRequest]) (*engine.SubscriptionView, error) {
			return svc.Subscribe(ctx, in.Body)
		})
	get(s, api, "/oncall", "oncall", "Say who is on call, by team",
		func(ctx context.Context, in *oncallParams) (*engine.List[engine.DutyView], error) {
			return list(svc.Oncall(ctx, engine.OncallQuery{Team: in.Team, At: in.At}))
		})
	get(s, api, "/oncall/overrides", "list-overrides", "List who stands in on call, now and later, as operators have said",
		func(ctx context.Context, in *PageParams) (*engine.List[engine.OverrideView], error) {
			return list(svc.Overrides(ctx, in.page()))
		})
	post(s, api, "/oncall/overrides", "override-oncall", http.StatusCreated, "Let somebody stand in on call for some time",
		func(ctx context.Context, in *request[engine.OverrideRequest]) (*engine.OverrideView, error) {
			return svc.OverrideOncall(ctx, in.Body)
		})
	post(s, api, "/oncall/overrides/{id}/end", "end-override", http.StatusOK, "End an override early, or take it back",
		func(ctx context.Context, in *runID) (*engine.OverrideView, error) {
			return svc.EndOverride(ctx, engine.OverrideID(in.ID))
		})
}

func (s *server) runRoutes(api huma.API, svc engine.Service) {
	get(s, api, "/runs", "list-runs", "List runs, newest first",
		func(ctx context.Context, in *runParams) (*engine.List[engine.RunView], error) {
			return list(svc.Runs(ctx, engine.RunsQuery{
				Page: in.page(), Target: in.Target, State: engine.RunState(in.State), Kind: engine.RunKind(in.Kind),
				Backfill: engine.BackfillID(in.Backfill),
			}))
		})
	get(s, api, "/runs/find", "find-runs", "Find the runs that a target names: of each period the highest version, unless it names one",
		func(ctx context.Context, in *target) (*engine.List[engine.RunView], error) {
			return items(svc.FindRuns(ctx, in.Target))
		})
	get(s, api, "/runs/{id}", "get-run", "Get a run with its task runs",
		func(ctx context.Context, in *runID) (*engine.RunDetail, error) {
			return svc.Run(ctx, engine.RunID(in.ID))
		})
	post(s, api, "/runs", "start-run", http.StatusCreated, "Start a run",
		func(ctx context.Context, in *request[engine.StartRun]) (*engine.RunView, error) {
			return svc.StartRun(ctx, in.Body)
		})
	post(s, api, "/reruns", "rerun", http.StatusCreated, "Run again: creates the next version of each run of the target",
		func(ctx context.Context, in *request[engine.RerunRequest]) (*engine.List[engine.RunView], error) {
			return items(svc.Rerun(ctx, in.Body))
		})
	post(s, api, "/kills", "kill", http.StatusOK, "Kill what runs of the target",
		func(ctx context.Context, in *request[targetBody]) (*engine.List[engine.TaskRunView], error) {
			return items(svc.Kill(ctx, in.Body.Target))
		})
	post(s, api, "/successes", "succeed", http.StatusOK, "Declare the target's task runs succeeded without running them",
		func(ctx context.Context, in *request[engine.SucceedRequest]) (*engine.List[engine.TaskRunView], error) {
			return items(svc.Succeed(ctx, in.Body))
		})
	post(s, api, "/skips", "skip", http.StatusOK, "Let the target's task runs that did not succeed count as done",
		func(ctx context.Context, in *request[targetBody]) (*engine.List[engine.TaskRunView], error) {
			return items(svc.Skip(ctx, in.Body.Target))
		})
	post(s, api, "/deletions", "delete", http.StatusOK, "Delete the target's runs that have not started",
		func(ctx context.Context, in *request[engine.DeleteRequest]) (*engine.Deletion, error) {
			return svc.Delete(ctx, in.Body)
		})
	get(s, api, "/pauses", "list-pauses", "List what is paused",
		func(ctx context.Context, in *PageParams) (*engine.List[engine.PauseView], error) {
			return list(svc.Pauses(ctx, in.page()))
		})
	post(s, api, "/pauses", "pause", http.StatusCreated, "Keep a target, or all that is scheduled after an instant, from being dispatched",
		func(ctx context.Context, in *request[engine.PauseRequest]) (*engine.List[engine.PauseView], error) {
			return items(svc.Pause(ctx, in.Body))
		})
	post(s, api, "/resumes", "resume", http.StatusOK, "Take pauses back",
		func(ctx context.Context, in *request[engine.PauseRequest]) (*engine.List[engine.PauseView], error) {
			return items(svc.Resume(ctx, in.Body))
		})
	get(s, api, "/attempts", "list-attempts", "List attempts, newest first",
		func(ctx context.Context, in *attemptParams) (*engine.List[engine.AttemptView], error) {
			return list(svc.Attempts(ctx, engine.AttemptsQuery{
				Page: in.page(), Target: in.Target, State: engine.State(in.State), Agent: in.Agent,
			}))
		})
	get(s, api, "/attempts/{id}/log/times", "get-log-times", "Say when the parts of a log arrived",
		func(ctx context.Context, in *struct {
			ID int64 `path:"id" minimum:"1"`
		}) (*engine.LogTimes, error) {
			return svc.LogTimes(ctx, engine.AttemptID(in.ID))
		})
	get(s, api, "/explanations", "explain", "Say why each task run of the target stands where it stands",
		func(ctx context.Context, in *target) (*engine.Explanation, error) { return svc.Explain(ctx, in.Target) })
}

func (s *server) backfillRoutes(api huma.API, svc engine.Service) {
	get(s, api, "/backfills", "list-backfills", "List backfills, newest first",
		func(ctx context.Context, in *PageParams) (*engine.List[engine.BackfillView], error) {
			return list(svc.Backfills(ctx, in.page()))
		})
	get(s, api, "/backfills/{id}", "get-backfill", "Get a backfill",
		func(ctx context.Context, in *runID) (*engine.BackfillView, error) {
			return svc.Backfill(ctx, engine.BackfillID(in.ID))
		})
	post(s, api, "/backfills", "start-backfill", http.StatusCreated, "Start a backfill; returns once it is stored",
		func(ctx context.Context, in *request[engine.BackfillRequest]) (*engine.BackfillView, error) {
			return svc.StartBackfill(ctx, in.Body)
		})
	post(s, api, "/backfills/preview", "preview-backfill", http.StatusOK, "Say what a backfill would do, and do nothing",
		func(ctx context.Context, in *request[engine.BackfillRequest]) (*engine.BackfillPreview, error) {
			return svc.PreviewBackfill(ctx, in.Body)
		})
	post(s, api, "/backfills/{id}/{verb}", "control-backfill", http.StatusOK, "Pause, resume or cancel a backfill",
		func(ctx context.Context, in *backfillVerb) (*engine.BackfillView, error) {
			return svc.ControlBackfill(ctx, engine.BackfillID(in.ID), in.Verb)
		})
}

// operation describes a call below /api/v1 and its errors.
func operation(method, path, id, summary string, status int) huma.Operation {
	return huma.Operation{
		Method: method, Path: "/api/v1" + path, OperationID: id, Summary: summary, DefaultStatus: status,
		Errors: []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
	}
}

func get[I, O any](s *server, api huma.API, path, id, summary string, call func(context.Context, *I) (*O, error)) {
	register(s, api, operation(http.MethodGet, path, id, summary, http.StatusOK), "query", call)
}

func post[I, O any](s *server, api huma.API, path, id string, status int, summary string, call func(context.Context, *I) (*O, error)) {
	register(s, api, operation(http.MethodPost, path, id, summary, status), "body", call)
}

func register[I, O any](s *server, api huma.API, op huma.Operation, in string, call func(context.Context, *I) (*O, error)) {
	huma.Register(api, op, func(ctx context.Context, i *I) (*body[O], error) {
		out, err := call(ctx, i)
		if err != nil {
			return nil, s.problem(ctx, in, err)
		}
		return &body[O]{*out}, nil
	})
}

// list makes an absent list an empty one: the wire has no null lists.
func list[T any](l *engine.List[T], err error) (*engine.List[T], error) {
	if err == nil && l.Items == nil {
		l.Items = []T{}
	}
	return l, err
}

func items[T any](all []T, err error) (*engine.List[T], error) {
	if err != nil {
		return nil, err
	}
	return list(&engine.List[T]{Items: all}, nil)
}
