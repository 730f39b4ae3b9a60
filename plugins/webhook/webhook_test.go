package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flowctl/plugins/internal/example"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
)

var update = flag.Bool("update", false, "write the wanted requests")

func clock() time.Time { return time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC) }

// receiver is a web server that keeps what it is sent.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	answer string
	got    []string // bodies
	dump   string   // of the last request
	header http.Header
}

func startReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, r.answer)
	if r.status >= 300 {
		return
	}
	r.dump, r.header, r.got = example.Dump(q, body), q.Header.Clone(), append(r.got, string(body))
}

func (r *receiver) bodies() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *receiver) answers(status int, answer string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.answer = status, answer
}

func TestConformance(t *testing.T) {
	t.Parallel()
	sdktest.Channel(t, sdktest.ChannelSuite{
		Channel: New(clock),
		Peer: func(t *testing.T) sdktest.Peer {
			r := startReceiver(t)
			return sdktest.Peer{
				With: json.RawMessage(fmt.Sprintf(`{"url": %q}`, r.URL)),
				Arrived: func() []sdktest.Arrival {
					var list []sdktest.Arrival
					for _, body := range r.bodies() {
						var fields struct{ To, Text string }
						if err := json.Unmarshal([]byte(body), &fields); err != nil {
							t.Error(err)
						}
						list = append(list, sdktest.Arrival{To: fields.To, Text: fields.Text})
					}
					return list
				},
				Down: func() { r.answers(http.StatusServiceUnavailable, "") },
			}
		},
		Wrong: []sdktest.WrongWith{
			{With: `{}`, Path: "/url"},
			{With: `{"url": "http://h", "colour": 1}`, Path: "/colour"},
			{With: `{"url": 1}`, Path: "/url"},
			{With: `{"url": "http://h", "success": {"status": "x"}}`, Path: "/success/status"},
			{With: `{"url": "http://h", "body": {"a": ["{{.X}}"]}}`, Path: "/body/a/0"},
		},
	})
}

// What a repository is checked against when it is compiled is what the plugin says.
func TestSchema(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../../dsl/schemas/webhook.json")
	if err != nil || strings.TrimSpace(string(file)) != schema {
		t.Errorf("dsl/schemas/webhook.json is not the schema of this channel (%v)", err)
	}
}

func notification(with json.RawMessage) sdk.Notification {
	return sdk.Notification{
		Key: "failed/1/load", With: with, Severity: "critical", Event: "failed", Subject: `[critical] "orders" <failed> 失败`,
		Short: "exit 3\nack: https://flows/ack/1-abc", Text: "What happened:\n  exit 3\n", At: clock(),
		Receiver: sdk.Receiver{Name: "pages", Kind: sdk.ReceiverChannel},
		Flow:     "warehouse.orders", Task: "load", Run: "warehouse.orders@2026-11-19", Period: "2026-11-19",
		Link: "https://flows/api/v1/runs/1", AckURL: "https://flows/ack/1-abc", LogTail: "exit 3\n", Blockers: []string{"warehouse.raw/load@2026-11-19 failed"},
	}
}

// TestExamples sends with the settings of the documentation, and compares what arrives.
func TestExamples(t *testing.T) {
	t.Parallel()
	examples := example.Channels(t, "../../docs/channels.md", "webhook")
	if len(examples) < 6 {
		t.Fatalf("found %d examples", len(examples))
	}
	taken := map[string]string{
		"dingtalk": `{"errcode":0,"errmsg":"ok"}`, "wecom": `{"errcode":0,"errmsg":"ok"}`, "feishu": `{"code":0,"data":{},"msg":"success"}`,
		"slack": "ok", "pagerduty": `{"status":"success"}`,
	}
	busy := map[string]string{
		"dingtalk": `{"errcode":130101,"errmsg":"send too fast"}`, "wecom": `{"errcode":45009}`, "feishu": `{"code":9499,"msg":"too many"}`,
	}
	for name, with := range examples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if problems := (Channel{}).Validate(with); len(problems) > 0 {
				t.Fatal(problems)
			}
			r := startReceiver(t)
			r.status = map[bool]int{true: http.StatusAccepted, false: http.StatusOK}[name == "pagerduty"]
			n := notification(example.To(r.URL, with))
			r.answer = taken[name]
			if got, err := New(clock).Send(t.Context(), n); err != nil || !got.Delivered {
				t.Fatalf("%+v, %v", got, err)
			}
			example.Compare(t, filepath.Join("testdata", name+".txt"), r.dump, *update)
			if busy[name] != "" {
				r.answers(http.StatusOK, busy[name])
				if got, err := New(clock).Send(t.Context(), n); err != nil || got.Delivered || !got.Retryable {
					t.Errorf("busy: %+v, %v", got, err)
				}
			}
		})
	}
}

// TestRecoveryResolves finds the incident that the failure opened.
func TestRecoveryResolves(t *testing.T) {
	t.Parallel()
	with := example.Channels(t, "../../docs/channels.md", "webhook")["pagerduty"]
	r := startReceiver(t)
	r.status = http.StatusAccepted
	n := notification(example.To(r.URL, with))
	var incidents []string
	for _, event := range []string{"failed", "recovered"} {
		n.Event, n.Key = event, event+"/1/load"
		if got, err := New(clock).Send(t.Context(), n); err != nil || !got.Delivered {
			t.Fatalf("%+v, %v", got, err)
		}
		var body struct {
			Action string `json:"event_action"`
			Dedup  string `json:"dedup_key"`
		}
		if err := json.Unmarshal([]byte(r.bodies()[len(r.bodies())-1]), &body); err != nil {
			t.Fatal(err)
		}
		incidents = append(incidents, body.Action+" "+body.Dedup)
	}
	if want := []string{"trigger warehouse.orders/load@2026-11-19", "resolve warehouse.orders/load@2026-11-19"}; !slices.Equal(incidents, want) {
		t.Errorf("got %q, want %q", incidents, want)
	}
}

// A receiver can verify the signature as the documentation says.
func TestSignature(t *testing.T) {
	t.Parallel()
	r := startReceiver(t)
	if got, err := New(clock).Send(t.Context(), notification([]byte(fmt.Sprintf(`{"url": %q, "secret": "k3y"}`, r.URL)))); err != nil || !got.Delivered {
		t.Fatalf("%+v, %v", got, err)
	}
	mac := hmac.New(sha256.New, []byte("k3y"))
	_, _ = fmt.Fprintf(mac, "%d.%s", clock().Unix(), r.bodies()[0])
	want := fmt.Sprintf("t=%d,v1=%s", clock().Unix(), hex.EncodeToString(mac.Sum(nil)))
	if got := r.header.Get("Flowctl-Signature"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
