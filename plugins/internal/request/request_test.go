package request

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"flowctl/plugins/sdk"
)

func clock() time.Time { return time.Date(2026, 11, 20, 1, 2, 3, 4000, time.UTC) }

func TestFill(t *testing.T) {
	t.Parallel()
	f := &Fields{Subject: `a "b" <c>`, Event: "failed", Blockers: []string{"x", "y"}, Text: strings.Repeat("w", 1<<10)}
	for text, want := range map[string]string{
		"plain": "plain", "{{.Subject}}": `a "b" <c>`, "{{json .Subject}}": `"a \"b\" <c>"`, "{{clip .Subject 3}}": `a "`,
		"{{range .Blockers}}-{{.}}{{else}}none{{end}}": "-x-y", `{{join .Blockers ", "}}`: "x, y", "{{len .Blockers}}": "2",
		"{{if and (eq .Event `failed`) (not .Run)}}yes{{else}}no{{end}}": "yes", "{{with .Run}}{{.}}{{end}}": "", "{{/* c */}}": "",
	} {
		if got, err := fill(text, f); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"{{": "unclosed", "{{.Colour}}": "no field .Colour", "{{.Subject.X}}": "X", `{{printf "%9999d" 1}}`: "no function printf",
		"{{range 1000000000}}{{end}}": ".Blockers only", "{{range .Blockers}}{{range $.Blockers}}{{end}}{{end}}": ".Blockers only",
		`{{define "x"}}{{template "x"}}{{end}}`: "define", `{{template "template"}}`: "not allowed", `{{call .Subject}}`: "no function call",
		strings.Repeat("{{.Text}}", 65): "65536", "{{clip .Blockers 3}}": "wrong type", "{{$x := 1}}{{$x}}": "not allowed",
	} {
		if got, err := fill(text, f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want an error with %q", text, got, err, want)
		}
	}
}

func FuzzFill(f *testing.F) {
	for _, text := range []string{"{{.Subject}}", "{{range .Blockers}}{{.}}{{end}}", "{{if eq .Event `x`}}{{else}}{{json .}}{{end}}", "{{with .Run}}{{clip . 3}}{{end}}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := fill(text, sample()); err == nil && len(got) > max(maxText, len(text)) {
			t.Errorf("%d bytes", len(got))
		}
	})
}

// The example of https://help.aliyun.com/document_detail/56189.html
func TestAliyunSignature(t *testing.T) {
	t.Parallel()
	query := url.Values{}
	for name, value := range map[string]string{
		"AccessKeyId": "testId", "Action": "SendSms", "Format": "XML", "OutId": "123", "PhoneNumbers": "15300000001", "RegionId": "cn-hangzhou",
		"SignName": "阿里云短信测试专用", "SignatureMethod": "HMAC-SHA1", "SignatureNonce": "45e25e9b-0a6f-4070-8c85-2956eda1b466", "SignatureVersion": "1.0",
		"TemplateCode": "SMS_71390007", "TemplateParam": `{"customer":"test"}`, "Timestamp": "2017-07-12T02:42:19Z", "Version": "2017-05-25",
	} {
		query.Set(name, value)
	}
	if got := aliyunSignature("GET", "testSecret", query); got != "zJDF+Lrzhj/ThnlvIToysFRq6t4=" {
		t.Errorf("the signature is %s", got)
	}
}

// peer answers requests with a status and a body.
func peer(t *testing.T, answer http.HandlerFunc) (*Sender, *httptest.Server) {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return New(clock), s
}

func TestJudgement(t *testing.T) {
	t.Parallel()
	field := Success{Field: "result.0.code", Is: []any{"0", true}, Retry: []any{float64(7)}}
	for _, c := range []struct {
		status  int
		answer  string
		success Success
		want    sdk.Receipt
	}{
		{200, "", Success{}, sdk.Receipt{Delivered: true}},
		{204, "", Success{}, sdk.Receipt{Delivered: true}},
		{202, `{"id": 12345678901234567890}`, Success{}, sdk.Receipt{Delivered: true, ID: "12345678901234567890"}},
		{202, "", Success{Status: []int{200}}, sdk.Receipt{}},
		{418, "", Success{Status: []int{418}}, sdk.Receipt{Delivered: true}},
		{302, "", Success{}, sdk.Receipt{}},
		{400, "", Success{}, sdk.Receipt{}},
		{404, `{"id": 1}`, Success{}, sdk.Receipt{}},
		{408, "", Success{}, sdk.Receipt{Retryable: true}},
		{429, "", Success{}, sdk.Receipt{Retryable: true}},
		{503, "", Success{}, sdk.Receipt{Retryable: true}},
		{200, `{"result": [{"code": 0}], "id": "x"}`, field, sdk.Receipt{Delivered: true, ID: "x"}},
		{200, `{"result": [{"code": "0"}]}`, field, sdk.Receipt{Delivered: true}},
		{200, `{"result": [{"code": true}]}`, field, sdk.Receipt{Delivered: true}},
		{200, `{"result": [{"code": 7}]}`, field, sdk.Receipt{Retryable: true}},
		{400, `{"result": [{"code": 7}]}`, field, sdk.Receipt{Retryable: true}},
		{400, `{"result": [{"code": 0}]}`, field, sdk.Receipt{}},
		{200, `{"result": [{"code": 8}]}`, field, sdk.Receipt{}},
		{200, `{"result": [{"code": {}}]}`, field, sdk.Receipt{}},
		{200, `{"result": []}`, field, sdk.Receipt{}},
		{200, `{"result": null}`, field, sdk.Receipt{}},
		{200, `not JSON`, field, sdk.Receipt{}},
		{500, `{"result": [{"code": 0}]}`, field, sdk.Receipt{Retryable: true}},
	} {
		followed := false
		sender, s := peer(t, func(w http.ResponseWriter, r *http.Request) {
			followed = followed || r.URL.Path != "/"
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.answer)
		})
		got, err := sender.Send(t.Context(), &Spec{URL: s.URL, Success: c.success, ID: "id"}, sample(), nil)
		if got.Message == "" || err != nil || followed {
			t.Errorf("%d %s: %+v, %v, followed %t", c.status, c.answer, got, err, followed)
		}
		if got.Message = ""; got != c.want {
			t.Errorf("%d %s: %+v, want %+v", c.status, c.answer, got, c.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"0": 0, "7": 7 * time.Second, "Fri, 20 Nov 2026 01:02:13 GMT": 10*time.Second - 4*time.Microsecond, "31": -1, "-1": -1, "soon": -1, "": -1,
	} {
		calls, waited := 0, time.Duration(-1)
		sender, s := peer(t, func(w http.ResponseWriter, _ *http.Request) {
			if calls++; calls == 1 {
				w.Header().Set("Retry-After", header)
				w.WriteHeader(http.StatusTooManyRequests)
			}
		})
		sender.wait = func(_ context.Context, d time.Duration) error { waited = d; return nil }
		got, err := sender.Send(t.Context(), &Spec{URL: s.URL}, sample(), nil)
		if err != nil || waited != want || got.Delivered != (want >= 0) || got.Retryable == got.Delivered {
			t.Errorf("%q: waited %v, want %v: %+v, %v", header, waited, want, got, err)
		}
	}
}

// The real wait ends with its context.
func TestWait(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := wait(ctx, time.Hour); err == nil {
		t.Error("it waited")
	}
	if err := wait(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

// No message shows what may be secret.
func TestSecretsStayAway(t *testing.T) {
	t.Parallel()
	spec := func(to string) *Spec {
		return &Spec{
			URL: strings.Replace(to, "://", "://me:pass-in-url@", 1) + "/services/T0PSECRETPATH?token=T0PSECRETQUERY", Method: "POST", Password: "short", User: "u", Secret: "k3y",
			Headers: map[string]string{"Authorization": "Bearer T0PSECRETHEADER"}, Query: map[string]string{"q": "T0PSECRETPARAMETER"},
			Body: json.RawMessage(`{"routing_key": "T0PSECRETBODY", "text": "{{.Subject}}"}`),
		}
	}
	sender, s := peer(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "you said "+r.URL.String()+" and "+r.Header.Get("Authorization")+" and T0PSECRETHEADER, short, k3y and ")
		_, _ = io.Copy(w, r.Body)
	})
	for _, to := range []string{s.URL, "http://127.0.0.1:1", "http://127.0.0.1:1/%zz"} {
		got, err := sender.Send(t.Context(), spec(to), sample(), nil)
		if err != nil || got.Delivered || got.Message == "" {
			t.Errorf("%+v, %v", got, err)
		}
		for _, secret := range []string{"T0PSECRET", "pass-in-url", "short", "k3y"} {
			if strings.Contains(got.Message, secret) {
				t.Errorf("%s is in %q", secret, got.Message)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for with, want := range map[string]string{
		`{"url": "https://h/{{.To}}", "body": {"a": [1, "{{.Subject}}"]}}`: "",
		`{}`:                        "/url",
		`{"url": "ftp://h"}`:        "/url",
		`{"url": "http://{{.X}}/"}`: "/url",
		`{"url": "h"}`:              "/url",
		`{"url": "http://h", "method": "DELETE"}`:                                               "/method",
		`{"url": "http://h", "method": "GET", "body": {}}`:                                      "/method",
		`{"url": "http://h", "headers": {"a": "{{"}}`:                                           "/headers/a",
		`{"url": "http://h", "headers": {"a/b": "c"}}`:                                          "/headers/a~1b",
		`{"url": "http://h", "query": {"a": "{{.X}}"}}`:                                         "/query/a",
		`{"url": "http://h", "form": {"a": "{{.X}}"}}`:                                          "/form/a",
		`{"url": "http://h", "form": {"a": "b"}, "body": {}}`:                                   "/form",
		`{"url": "http://h", "body": {"a": ["b", {"c": "{{x}}"}]}}`:                             "/body/a/1/c",
		`{"url": "http://h", "password": "x"}`:                                                  "/user",
		`{"url": "http://h", "sign": "rot13"}`:                                                  "/sign",
		`{"url": "http://h", "sign": "hmac"}`:                                                   "/secret",
		`{"url": "http://h", "sign": "feishu", "secret": "x", "body": "y"}`:                     "/body",
		`{"url": "http://h", "sign": "aliyun", "secret": "x", "user": "u", "form": {"a": "b"}}`: "/query",
		`{"url": "http://h", "sign": "aliyun", "secret": "x"}`:                                  "/user",
		`{"url": "http://h", "success": {"field": "x"}}`:                                        "/success",
	} {
		var s Spec
		if err := json.Unmarshal([]byte(with), &s); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, p := range s.Check("/gateway") {
			got += strings.TrimPrefix(p.Path, "/gateway")
			if strings.Contains(p.Message, "ftp") {
				t.Errorf("%s: the URL is in %q", with, p.Message)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", with, got, want)
		}
	}
}
