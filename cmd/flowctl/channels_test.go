//go:build linux

package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flowctl/engine"
)

// TestBuiltinChannels sends by channels that the server serves itself, with a secret of its host that nobody is shown.
func TestBuiltinChannels(t *testing.T) {
	t.Parallel()
	received := make(chan string, 10)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if r.URL.Path != "/taken" {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "not with "+r.Header.Get("X-Token"))
			return
		}
		received <- r.Header.Get("X-Token") + " " + string(body)
	}))
	t.Cleanup(web.Close)
	s := newSite(t, map[string][]byte{
		"flowctl.yaml": []byte("version: 1\n"),
		"platform.yaml": fmt.Appendf(nil, `people: {alice: {name: Alice, sms: "+8613800000001", email: alice@example.com}}
teams: {data: {members: [alice]}}
secrets: {hook: {teams: [data]}}
channels:
  hook: {plugin: webhook, with: {url: "%[1]s/taken", headers: {X-Token: "${{ secret('hook') }}"}, body: {say: "{{.Subject}}"}}}
  shut: {plugin: webhook, with: {url: "%[1]s/refused", headers: {X-Token: "${{ secret('hook') }}"}}}
  texts: {plugin: sms, with: {gateway: {url: "%[1]s/taken", form: {to: "{{.To}}"}}}}
  mail: {plugin: email, with: {host: 127.0.0.1, port: 1, from: flows@example.com, password: "${{ secret('hook') }}"}}
`, web.URL),
	})
	if err := os.MkdirAll(filepath.Join(s.data, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.data, "secrets", "hook"), []byte("opensesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := s.startServer()
	s.awaitReady(server)
	for _, c := range []struct{ channel, to, got, says string }{
		{"hook", "", `opensesame {"say":"`, "200 OK"},
		{"texts", "alice", " to=%2B8613800000001", "200 OK"},
		{"shut", "", "", "403 Forbidden: not with ***"},
		{"mail", "alice", "", "connection refused"},
	} {
		v, err := s.client().TestAlert(t.Context(), engine.TestAlertRequest{Channel: c.channel, Person: c.to})
		if err != nil {
			t.Fatal(err)
		}
		if v.Delivered != (c.got != "") || !strings.Contains(v.Message, c.says) || strings.Contains(v.Message, "opensesame") {
			t.Errorf("%s: %+v", c.channel, v)
		}
		if v.Delivered {
			if got := <-received; !strings.HasPrefix(got, c.got) {
				t.Errorf("%s received %q, want %q", c.channel, got, c.got)
			}
		}
	}
	server.terminate(t)
}
