//go:build linux

package main_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"flowctl/engine"
	"flowctl/plugins/host"
)

// TestBuiltinPlugins launches each plugin that flowctl serves.
func TestBuiltinPlugins(t *testing.T) {
	t.Parallel()
	h, err := host.New(host.Options{Dir: t.TempDir(), Self: os.Getenv(binaryVariable)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, plugin := range host.Builtin() {
		kind, name, _ := strings.Cut(plugin, "-")
		var err error
		switch kind {
		case "runner":
			_, err = h.Runner(t.Context(), name, "", nil)
		case "sensor":
			_, err = h.Sensor(t.Context(), name, nil)
		case "channel":
			_, err = h.Channel(t.Context(), name, nil)
		}
		if err != nil {
			t.Errorf("%s: %v", plugin, err)
		}
	}
}

// TestInputBehindWebServer has one task make what another waits for, which is looked at again as soon as the first has ended.
func TestInputBehindWebServer(t *testing.T) {
	t.Parallel()
	var made atomic.Bool
	var early atomic.Int32
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			made.Store(true)
		case r.URL.Path != "/orders/dt=2026-11-19/_SUCCESS" || !made.Load():
			early.Add(1)
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("ETag", `"1"`)
		}
	}))
	t.Cleanup(web.Close)
	s := newSite(t, map[string][]byte{
		"flowctl.yaml": []byte("version: 1\n"),
		"teams.yaml":   []byte("people: {alice: {name: Alice, email: alice@example.com}}\nteams: {data: {members: [alice]}}\n"),
		"orders.yaml": fmt.Appendf(nil, `flow: orders
team: data
schedule: {every: day, start: 2026-11-19, end: 2026-11-20}
tasks:
  report:
    inputs: ["%[1]s/orders/dt=${{ ds }}/", "tcp://%[2]s"]
    run: 'true'
  make:
    success: outputs
    outputs: ["%[1]s/orders/dt=${{ ds }}/"]
    runner: python
    start_after: 1m
    run: |
      import urllib.request
      urllib.request.urlopen("%[1]s/", data=b"")
`, web.URL, web.Listener.Addr()),
	})
	server := s.startServer()
	s.awaitReady(server)
	run, err := s.client().StartRun(t.Context(), engine.StartRun{Target: "orders@2026-11-19"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.client().WatchRun(t.Context(), run.ID, func(d engine.RunDetail) error {
		run = &d.RunView
		return nil
	}); err != nil || run.State != engine.RunSucceeded {
		t.Errorf("the run is %s (%v)", run.State, err)
	}
	if early.Load() == 0 {
		t.Error("the path was not looked at before it was there")
	}
	server.terminate(t)
}
