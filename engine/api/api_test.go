package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/engine/api"
)

var update = flag.Bool("update", false, "write docs/openapi.json")

const token = "t0ken"

// dial starts a server over svc and returns a client of it.
func dial(t testing.TB, svc engine.Service, o api.Options) (engine.Service, *httptest.Server) {
	t.Helper()
	o.Service, o.Token = svc, token
	srv := httptest.NewServer(api.NewServer(o))
	t.Cleanup(srv.Close)
	return connect(t, api.ClientOptions{BaseURL: srv.URL, Token: token}), srv
}

func connect(t testing.TB, o api.ClientOptions) engine.Service {
	t.Helper()
	c, err := api.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// calls are all calls of the Service but the streams, with arguments in which no field is empty.
var calls = map[string]func(context.Context, engine.Service) (any, error){
	"Sync":      func(ctx context.Context, s engine.Service) (any, error) { return s.Sync(ctx) },
	"Revisions": func(ctx context.Context, s engine.Service) (any, error) { return s.Revisions(ctx, page) },
	"Flows":     func(ctx context.Context, s engine.Service) (any, error) { return s.Flows(ctx, page) },
	"Flow":      func(ctx context.Context, s engine.Service) (any, error) { return s.Flow(ctx, "warehouse.orders") },
	"Tasks":     func(ctx context.Context, s engine.Service) (any, error) { return s.Tasks(ctx, "f", page) },
	"Runs":      func(ctx context.Context, s engine.Service) (any, error) { return s.Runs(ctx, runsQuery) },
	"FindRuns":  func(ctx context.Context, s engine.Service) (any, error) { return s.FindRuns(ctx, someTarget) },
	"Run":       func(ctx context.Context, s engine.Service) (any, error) { return s.Run(ctx, 7) },
	"Attempts":  func(ctx context.Context, s engine.Service) (any, error) { return s.Attempts(ctx, attemptsQuery) },
	"Explain":   func(ctx context.Context, s engine.Service) (any, error) { return s.Explain(ctx, someTarget) },
	"LogTimes":  func(ctx context.Context, s engine.Service) (any, error) { return s.LogTimes(ctx, 7) },
	"StartRun":  func(ctx context.Context, s engine.Service) (any, error) { return s.StartRun(ctx, startRun) },
	"Rerun": func(ctx context.Context, s engine.Service) (any, error) {
		r := filled[engine.RerunRequest]()
		r.Cascade = "data"
		return s.Rerun(ctx, r)
	},
	"Kill": func(ctx context.Context, s engine.Service) (any, error) { return s.Kill(ctx, someTarget) },
	"Succeed": func(ctx context.Context, s engine.Service) (any, error) {
		return s.Succeed(ctx, filled[engine.SucceedRequest]())
	},
	"Skip": func(ctx context.Context, s engine.Service) (any, error) { return s.Skip(ctx, someTarget) },
	"Delete": func(ctx context.Context, s engine.Service) (any, error) {
		return s.Delete(ctx, filled[engine.DeleteRequest]())
	},
	"Pause": func(ctx context.Context, s engine.Service) (any, error) {
		return s.Pause(ctx, filled[engine.PauseRequest]())
	},
	"Resume": func(ctx context.Context, s engine.Service) (any, error) {
		return s.Resume(ctx, filled[engine.PauseRequest]())
	},
	"Pauses":    func(ctx context.Context, s engine.Service) (any, error) { return s.Pauses(ctx, page) },
	"Backfills": func(ctx context.Context, s engine.Service) (any, error) { return s.Backfills(ctx, page) },
	"Backfill":  func(ctx context.Context, s engine.Service) (any, error) { return s.Backfill(ctx, 7) },
	"Agents":    func(ctx context.Context, s engine.Service) (any, error) { return s.Agents(ctx, page) },
	"Agent":     func(ctx context.Context, s engine.Service) (any, error) { return s.Agent(ctx, "host/1") },
	"AgentToken": func(ctx context.Context, s engine.Service) (any, error) {
		return s.AgentToken(ctx, filled[engine.AgentTokenRequest]())
	},
	"AgentTokens": func(ctx context.Context, s engine.Service) (any, error) { return s.AgentTokens(ctx, page) },
	"RevokeAgentToken": func(ctx context.Context, s engine.Service) (any, error) {
		return nil, s.RevokeAgentToken(ctx, "0123456789ab")
	},
	"ControlAgent": func(ctx context.Context, s engine.Service) (any, error) {
		return s.ControlAgent(ctx, "host/1", "drain")
	},
	"DeclareDead": func(ctx context.Context, s engine.Service) (any, error) { return s.DeclareDead(ctx, "host/1") },
	"Operations": func(ctx context.Context, s engine.Service) (any, error) {
		q := filled[engine.OperationsQuery]()
		q.Page = page
		return s.Operations(ctx, q)
	},
	"Events":  func(ctx context.Context, s engine.Service) (any, error) { return s.Events(ctx, eventsQuery) },
	"Signals": func(ctx context.Context, s engine.Service) (any, error) { return s.Signals(ctx, "crm.export", page) },
	"SetSignal": func(ctx context.Context, s engine.Service) (any, error) {
		return s.SetSignal(ctx, engine.SignalRequest{Signal: "crm.export", Period: "2026-11-19", Unset: true})
	},
	"AnswerGate": func(ctx context.Context, s engine.Service) (any, error) {
		return s.AnswerGate(ctx, "t0-k_en", filled[engine.GateAnswer]())
	},
	"AnswerGates": func(ctx context.Context, s engine.Service) (any, error) {
		return s.AnswerGates(ctx, filled[engine.GateRequest]())
	},
	"Alerts": func(ctx context.Context, s engine.Service) (any, error) {
		return s.Alerts(ctx, engine.AlertsQuery{Page: page, Target: "shop/load", Open: true})
	},
	"AckAlerts": func(ctx context.Context, s engine.Service) (any, error) {
		return s.AckAlerts(ctx, engine.AckRequest{ID: 3, Target: "shop"})
	},
	"Deliveries": func(ctx context.Context, s engine.Service) (any, error) {
		return s.Deliveries(ctx, engine.DeliveriesQuery{Page: page, Alert: 3, State: engine.DeliveryFailed})
	},
	"Silences": func(ctx context.Context, s engine.Service) (any, error) { return s.Silences(ctx, page) },
	"SilenceAlerts": func(ctx context.Context, s engine.Service) (any, error) {
		return s.SilenceAlerts(ctx, engine.SilenceRequest{Target: "shop", For: 7200, Why: "known"})
	},
	"LiftSilence":   func(ctx context.Context, s engine.Service) (any, error) { return s.LiftSilence(ctx, 3) },
	"Subscriptions": func(ctx context.Context, s engine.Service) (any, error) { return s.Subscriptions(ctx, page) },
	"Subscribe": func(ctx context.Context, s engine.Service) (any, error) {
		return s.Subscribe(ctx, engine.SubscribeRequest{Target: "shop", Person: "ann", Remove: true})
	},
	"TestAlert": func(ctx context.Context, s engine.Service) (any, error) {
		return s.TestAlert(ctx, engine.TestAlertRequest{Channel: "mail", Person: "ann"})
	},
	"RouteAlert": func(ctx context.Context, s engine.Service) (any, error) {
		return s.RouteAlert(ctx, engine.RouteQuery{Target: "shop/load", Event: "failed", Severity: "major", Kind: engine.Rerun, At: time.Date(2026, 11, 19, 1, 2, 3, 0, time.UTC)})
	},
	"Oncall": func(ctx context.Context, s engine.Service) (any, error) {
		return s.Oncall(ctx, engine.OncallQuery{Team: "data", At: time.Date(2026, 11, 19, 1, 2, 3, 0, time.UTC)})
	},
	"Overrides": func(ctx context.Context, s engine.Service) (any, error) { return s.Overrides(ctx, page) },
	"OverrideOncall": func(ctx context.Context, s engine.Service) (any, error) {
		return s.OverrideOncall(ctx, engine.OverrideRequest{
			Team: "data", Person: "ann", From: time.Date(2026, 12, 24, 1, 2, 3, 0, time.UTC), To: time.Date(2026, 12, 27, 0, 0, 0, 0, time.UTC), Why: "a wedding",
		})
	},
	"EndOverride": func(ctx context.Context, s engine.Service) (any, error) { return s.EndOverride(ctx, 3) },
	"StartBackfill": func(ctx context.Context, s engine.Service) (any, error) {
		return s.StartBackfill(ctx, backfill)
	},
	"PreviewBackfill": func(ctx context.Context, s engine.Service) (any, error) {
		return s.PreviewBackfill(ctx, backfill)
	},
	"ControlBackfill": func(ctx context.Context, s engine.Service) (any, error) {
		return s.ControlBackfill(ctx, 7, "pause")
	},
}

const someTarget = "f/load:eu@2026-10-25T02:15+02:00..2026-10-25T03:00#2"

var (
	page          = engine.Page{Cursor: "a/b c", Limit: 12}
	runsQuery     = engine.RunsQuery{Page: page, Target: someTarget, State: engine.RunFailed, Kind: engine.Rerun, Backfill: 3}
	attemptsQuery = engine.AttemptsQuery{Page: page, Target: someTarget, State: engine.Killing, Agent: "local"}
	eventsQuery   = engine.EventsQuery{Page: page, Target: someTarget, Kind: flow.Retrying}
	startRun      = engine.StartRun{Target: someTarget, Params: map[string]string{"table": "a'b\n"}, Extra: true, Force: true}
	backfill      = engine.BackfillRequest{
		Flows: []string{"a", "b"}, Group: "g", Every: "day", All: true, From: "2026-11-01", To: "2026-11-07",
		Reprocess: "failed", MaxActive: 4, MissingUpstream: "ignore", Cascade: "both",
	}
)

func TestEveryCallTravelsThereAndBack(t *testing.T) {
	t.Parallel()
	for name, do := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct, remote := &fake{}, &fake{}
			want, err := do(api.WithCaller(t.Context(), "admin"), direct)
			if err != nil {
				t.Fatal(err)
			}
			client, _ := dial(t, remote, api.Options{})
			got, err := do(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("answer over HTTP\n%+v\nwant\n%+v", got, want)
			}
			if !reflect.DeepEqual(remote.last(), direct.last()) {
				t.Errorf("the service was asked\n%+v\nwant\n%+v", remote.last(), direct.last())
			}
		})
	}
	streams := 3 // WatchRun, WatchBackfill, Logs
	if n := reflect.TypeFor[engine.Service]().NumMethod(); n != len(calls)+streams {
		t.Errorf("%d calls are tested, the service has %d", len(calls)+streams, n)
	}
}

func TestEveryErrorTravelsBack(t *testing.T) {
	t.Parallel()
	for _, want := range []*engine.Error{
		{Code: engine.Invalid, Field: "target", Message: "no such thing as that"},
		{Code: engine.NotFound, Message: "no flow x; did you mean y?"},
		{Code: engine.Conflict, Message: "f@2026-11-19 runs; give --kill"},
		{Code: engine.Unauthorized, Message: "not yours"},
		{Code: engine.Unavailable, Message: "no leader"},
	} {
		svc := &fake{err: want}
		svc.watchRun = func(context.Context, func(engine.RunDetail) error) error { return nil }
		client, _ := dial(t, svc, api.Options{})
		for name, do := range calls {
			_, err := do(t.Context(), client)
			var got *engine.Error
			if !errors.As(err, &got) || *got != *want {
				t.Errorf("%s: %#v, want %#v", name, err, want)
			}
		}
		if want.Code == engine.Unavailable {
			continue // streams try again
		}
		watch := client.WatchRun(t.Context(), 1, func(engine.RunDetail) error { return nil })
		logs := client.Logs(t.Context(), 1, 0, true, io.Discard)
		for name, err := range map[string]error{"WatchRun": watch, "Logs": logs} {
			var got *engine.Error
			if !errors.As(err, &got) || *got != *want {
				t.Errorf("%s: %#v, want %#v", name, err, want)
			}
		}
	}
}

func TestInternalErrorsStayInTheLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	client, _ := dial(t, &fake{err: errors.New("disk is full")}, api.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	_, err := client.Sync(t.Context())
	var e *engine.Error
	if err == nil || errors.As(err, &e) || strings.Contains(err.Error(), "disk") {
		t.Fatalf("error %v; want an internal one that hides its cause", err)
	}
	_, id, _ := strings.Cut(err.Error(), "of request ")
	if id == "" || !strings.Contains(log.String(), id) || !strings.Contains(log.String(), "disk is full") {
		t.Errorf("the log %q does not tell of request %q", log.String(), id)
	}
}

func TestInvalidRequestsNameThePlace(t *testing.T) {
	t.Parallel()
	client, srv := dial(t, &fake{}, api.Options{})
	_, err := client.StartBackfill(t.Context(), engine.BackfillRequest{From: "a", To: "b", Reprocess: "some"})
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != engine.Invalid || e.Field != "reprocess" || !strings.Contains(e.Message, "missing, failed, all") {
		t.Errorf("error %#v", err)
	}
	for path, want := range map[string]struct {
		body     string
		status   int
		location string
	}{
		"POST /api/v1/runs":                {`{"target":"f","typo":1}`, 422, "body.typo"},
		"POST /api/v1/backfills":           {`{"from":"2026"}`, 422, "body"},
		"POST /api/v1/kills":               {`{`, 400, "body"},
		"POST /api/v1/reruns":              {`{"target":"` + strings.Repeat("x", 2<<20) + `"}`, 413, ""},
		"GET /api/v1/runs?limit=5000":      {"", 422, "query.limit"},
		"GET /api/v1/runs?sate=active":     {"", 422, "query.sate"},
		"GET /api/v1/runs/x":               {"", 422, "path.id"},
		"GET /api/v1/nothing":              {"", 404, ""},
		"DELETE /api/v1/runs":              {"", 404, ""},
		"POST /api/v1/backfills/1/explode": {"", 422, "path.verb"},
		"GET /api/v1/explanations":         {"", 422, "query.target"},
	} {
		method, path, _ := strings.Cut(path, " ")
		req, _ := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(want.body))
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		var p struct {
			Errors []struct{ Location string }
		}
		if err := json.Unmarshal(b, &p); err != nil {
			t.Errorf("%s %s: %v in %s", method, path, err, b)
		}
		got := ""
		if len(p.Errors) > 0 {
			got = p.Errors[0].Location
		}
		if resp.StatusCode != want.status || got != want.location {
			t.Errorf("%s %s: %d at %q, want %d at %q: %s", method, path, resp.StatusCode, got, want.status, want.location, b)
		}
	}
}

// TestGatesAnswerWithoutTheAdminToken: their own token, in the path, is all they show. It is in no log.
func TestGatesAnswerWithoutTheAdminToken(t *testing.T) {
	t.Parallel()
	svc := &fake{}
	var log bytes.Buffer
	client, srv := dial(t, svc, api.Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	stranger := connect(t, api.ClientOptions{BaseURL: srv.URL})
	if _, err := stranger.AnswerGate(t.Context(), "gate-token", engine.GateAnswer{Release: true, Message: "fine"}); err != nil {
		t.Error(err)
	}
	if got := svc.last(); got.method != "AnswerGate" || !reflect.DeepEqual(got.args, []any{"gate-token", engine.GateAnswer{Release: true, Message: "fine"}}) {
		t.Errorf("call %+v", got)
	}
	if strings.Contains(log.String(), "gate-token") || !strings.Contains(log.String(), "/api/v1/gates/") {
		t.Errorf("log %s", log.String())
	}
	_, err := stranger.AnswerGates(t.Context(), engine.GateRequest{Target: "f"})
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != engine.Unauthorized {
		t.Errorf("an operator's answer without token: %v", err)
	}
	_, err = client.AnswerGate(t.Context(), "gate-token", engine.GateAnswer{Message: strings.Repeat("x", 1001)})
	if !errors.As(err, &e) || e.Code != engine.Invalid {
		t.Errorf("a long message: %v", err)
	}
	for body, want := range map[string]int{`{"release": true}`: 200, `{}`: 422, `{"release": "yes"}`: 422, "": 400, `{"release": true, "message": "` + strings.Repeat(" ", 70<<10) + `"}`: 413} {
		resp, err := http.Post(srv.URL+"/api/v1/gates/gate-token", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%.20s: %d, want %d", body, resp.StatusCode, want)
		}
	}
	resp, err := http.Get(srv.URL + "/api/v1/gates/gate-token")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("GET: %d", resp.StatusCode)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	_, srv := dial(t, &fake{}, api.Options{})
	for given, hint := range map[string]string{"": "FLOWCTL_TOKEN", "wrong": "admin-token"} {
		_, err := connect(t, api.ClientOptions{BaseURL: srv.URL, Token: given}).Flow(t.Context(), "f")
		var e *engine.Error
		if !errors.As(err, &e) || e.Code != engine.Unauthorized || !strings.Contains(e.Message, hint) {
			t.Errorf("token %q: %#v, want a hint at %s", given, err, hint)
		}
	}
	open := httptest.NewServer(api.NewServer(api.Options{Service: &fake{}}))
	defer open.Close()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, open.URL+"/api/v1/flows", nil)
	req.Header.Set("Authorization", "Bearer ")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a server without token answered %s", resp.Status)
	}
}

func TestUnreachableServer(t *testing.T) {
	t.Parallel()
	_, srv := dial(t, &fake{}, api.Options{})
	srv.Close()
	_, err := connect(t, api.ClientOptions{BaseURL: srv.URL}).Sync(t.Context())
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != engine.Unavailable || !strings.Contains(e.Message, srv.URL) || !strings.Contains(e.Message, "--server") {
		t.Errorf("error %#v", err)
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "hello", http.StatusNotFound) }))
	defer other.Close()
	_, err = connect(t, api.ClientOptions{BaseURL: other.URL}).Sync(t.Context())
	if !errors.As(err, &e) || e.Code != engine.Unavailable || !strings.Contains(e.Message, "not as a flowctl server") {
		t.Errorf("another server: %#v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := connect(t, api.ClientOptions{BaseURL: srv.URL}).Sync(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, address := range []string{"", "ftp://x", "http://", ":"} {
		if _, err := api.NewClient(api.ClientOptions{BaseURL: address}); !errors.As(err, &e) || e.Code != engine.Invalid {
			t.Errorf("NewClient(%q): %v", address, err)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	notReady := errors.New("no revision is active yet")
	ready := notReady
	h := api.NewServer(api.Options{Service: &fake{}, Ready: func() error { return ready }})
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	if w := get("/healthz"); w.Code != http.StatusOK || w.Header().Get("X-Request-Id") == "" {
		t.Errorf("/healthz: %d %v", w.Code, w.Header())
	}
	if w := get("/readyz"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), notReady.Error()) {
		t.Errorf("/readyz: %d %s", w.Code, w.Body)
	}
	ready = nil
	if w := get("/readyz"); w.Code != http.StatusOK {
		t.Errorf("/readyz: %d %s", w.Code, w.Body)
	}
	if w := get("/openapi.yaml"); !strings.Contains(w.Body.String(), "openapi: 3.1.0") {
		t.Errorf("/openapi.yaml: %.200s", w.Body)
	}
	if w := get("/openapi.json"); !json.Valid(w.Body.Bytes()) {
		t.Errorf("/openapi.json: %.200s", w.Body)
	}
	if w := get("/"); w.Code != http.StatusNotFound {
		t.Errorf("/: %d", w.Code)
	}
}

func TestPanicsAnswer(t *testing.T) {
	t.Parallel()
	client, _ := dial(t, nil, api.Options{}) // a nil Service panics
	_, err := client.Sync(t.Context())
	if err == nil || !strings.Contains(err.Error(), "internal error") {
		t.Errorf("error %v", err)
	}
}

func TestDocumentIsCommitted(t *testing.T) {
	t.Parallel()
	const file = "../../docs/openapi.json"
	got, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := api.Document(); !bytes.Equal(got, again) {
		t.Error("the document differs from one time to the next")
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the routes say (%v): go test ./engine/api -run Document -update", file, err)
	}
	if bytes.Contains(got, []byte("$schema")) {
		t.Error("the document speaks of $schema")
	}
}

func BenchmarkStartRun(b *testing.B) {
	client, _ := dial(b, &fake{}, api.Options{Now: time.Now})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := client.StartRun(b.Context(), startRun); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
}
