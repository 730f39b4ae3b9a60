package gate_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/gate"
)

var (
	asked    = period.At(time.Date(2026, 11, 20, 1, 0, 0, 0, time.UTC))
	question = engine.GateQuestion{
		GateKey: engine.GateKey{Run: 17, Task: "load", Asked: asked}, TaskRun: "shop/load@2026-11-19#2", Flow: "shop", Label: "2026-11-19", Version: 2,
		PeriodStart: asked.Add(-25 * time.Hour), PeriodEnd: asked.Add(-time.Hour), Until: asked.Add(30 * time.Minute),
	}
)

// start runs an asker whose reports are sent to the channel.
func start(t *testing.T) (*gate.Asker, <-chan engine.GateReport) {
	t.Helper()
	told := make(chan engine.GateReport, 100)
	a := gate.New(gate.Options{
		Secret: gate.Secret("secret"), URL: "https://flows.example.com/", Pause: time.Millisecond, Log: slog.New(slog.DiscardHandler),
		Told: func(_ context.Context, r engine.GateReport) error { told <- r; return nil },
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return a, told
}

// service answers each request by the next of the handlers, and then by the last one. It counts them.
func service(t *testing.T, handlers ...http.HandlerFunc) (url string, calls func() int) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := handlers[min(n, len(handlers)-1)]
		n++
		mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func breaks(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestQuestion(t *testing.T) {
	t.Parallel()
	a, told := start(t)
	var got map[string]any
	var user string
	url, _ := service(t, func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v: %v", r.Method, r.Header, err)
		}
		user, _, _ = r.BasicAuth()
		w.WriteHeader(http.StatusAccepted)
	})
	q := question
	q.URL = strings.Replace(url, "://", "://dq:pw@", 1) + "/check?day=1"
	a.Ask([]engine.GateQuestion{q})
	if r := <-told; r != (engine.GateReport{GateKey: q.GateKey}) {
		t.Errorf("report %+v", r)
	}
	want := map[string]any{
		"task_run": "shop/load@2026-11-19#2", "flow": "shop", "task": "load", "run": 17., "version": 2., "period": "2026-11-19",
		"period_start": "2026-11-19T00:00:00Z", "period_end": "2026-11-20T00:00:00Z", "asked_at": "2026-11-20T01:00:00Z", "timeout_s": 1800.,
		"callback_url": "https://flows.example.com/api/v1/gates/" + gate.Secret("secret").Token(q.GateKey),
	}
	if !reflect.DeepEqual(got, want) || user != "dq" {
		t.Errorf("user %q asked\n%v\nwant\n%v", user, got, want)
	}
}

func TestWhatGatesAnswer(t *testing.T) {
	t.Parallel()
	a, told := start(t)
	for name, c := range map[string]struct {
		answers []http.HandlerFunc
		calls   int
		report  engine.GateReport
		err     string // part of the report's
	}{
		"yes":               {[]http.HandlerFunc{says(200, `{"release": true, "message": "fine"}`)}, 1, engine.GateReport{Answer: &engine.GateAnswer{Release: true, Message: "fine"}}, ""},
		"no":                {[]http.HandlerFunc{says(200, ` {"release": false, "rows": 3}`)}, 1, engine.GateReport{Answer: &engine.GateAnswer{}}, ""},
		"no content":        {[]http.HandlerFunc{says(204, "")}, 1, engine.GateReport{}, ""},
		"text":              {[]http.HandlerFunc{says(200, "OK")}, 1, engine.GateReport{}, ""},
		"something else":    {[]http.HandlerFunc{says(202, `{"id": 3}`)}, 1, engine.GateReport{}, ""},
		"a list":            {[]http.HandlerFunc{says(200, `[{"release": true}]`)}, 1, engine.GateReport{}, ""},
		"too long":          {[]http.HandlerFunc{says(200, `{"release": true, "message": "`+strings.Repeat("x", 1<<20)+`"}`)}, 1, engine.GateReport{}, ""},
		"a text as verdict": {[]http.HandlerFunc{says(200, `{"release": "yes"}`)}, 1, engine.GateReport{}, "its answer is not as expected"},
		"not found":         {[]http.HandlerFunc{says(404, `{"release": true}`)}, 1, engine.GateReport{}, "it answered 404 Not Found"},
		"elsewhere":         {[]http.HandlerFunc{says(302, "")}, 1, engine.GateReport{}, "write the URL that it redirects to"},
		"busy, then yes":    {[]http.HandlerFunc{says(503, ""), breaks, says(429, ""), says(200, `{"release": true}`)}, 4, engine.GateReport{Answer: &engine.GateAnswer{Release: true}}, ""},
		"broken":            {[]http.HandlerFunc{says(500, "")}, 4, engine.GateReport{}, "it answered 500 Internal Server Error"},
		"gone":              {[]http.HandlerFunc{breaks}, 4, engine.GateReport{}, "EOF"},
	} {
		url, calls := service(t, c.answers...)
		q := question
		q.URL = url + "/check?key=hidden"
		a.Ask([]engine.GateQuestion{q})
		got := <-told
		c.report.GateKey = q.GateKey
		if c.err != "" && strings.Contains(got.Error, c.err) && !strings.Contains(got.Error, "hidden") {
			got.Error = ""
		}
		if !reflect.DeepEqual(got, c.report) || calls() != c.calls {
			t.Errorf("%s: %d calls, %+v, want %d and %+v", name, calls(), got, c.calls, c.report)
		}
	}
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	a, told := start(t)
	url, _ := service(t, says(200, `{"release": true, "message": "`+strings.Repeat("界", 1000)+`"}`))
	q := question
	q.URL = url
	a.Ask([]engine.GateQuestion{q})
	if m := (<-told).Answer.Message; len(m) > 1010 || !strings.HasSuffix(m, "界…") {
		t.Errorf("message %q", m)
	}
}

// TestManyAtOnce: a gate that takes long holds up no other, and no more than some questions are on their way.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	a, told := start(t)
	release := make(chan struct{})
	var mu sync.Mutex
	now, most := 0, 0
	url, _ := service(t, func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		<-release
		mu.Lock()
		now--
		mu.Unlock()
	})
	quick, _ := service(t, says(204, ""))
	q := question
	q.URL = url
	a.Ask([]engine.GateQuestion{q})
	q.URL = quick
	a.Ask([]engine.GateQuestion{q})
	<-told
	q.URL = url
	many := make([]engine.GateQuestion, 60)
	for i := range many {
		many[i] = q
	}
	a.Ask(many)
	close(release)
	for range 61 {
		<-told
	}
	if most > 32 {
		t.Errorf("%d at once", most)
	}
}
