package http

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"flowctl/plugins/sdktest"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	var gets atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/set/_SUCCESS", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", `"1"`) })
	mux.HandleFunc("/old", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Last-Modified", "Thu, 19 Nov 2026 00:00:00 GMT")
		w.Header().Set("Content-Length", "7")
	})
	mux.HandleFunc("/with%20space", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/old", http.StatusFound) })
	mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		gets.Add(1)
	})
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("/private", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "etl" || password != "sesame" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	as := func(user, path string) string { return strings.Replace(server.URL, "//", "//"+user+"@", 1) + path }
	closed := httptest.NewServer(nil)
	closed.Close()

	cases := []struct {
		path    string
		exists  bool
		version string
		err     string // a part of it
	}{
		{server.URL + "/set/", true, `"1"`, ""},
		{server.URL + "/set/?part=1", true, `"1"`, ""},
		{server.URL + "/set", false, "", ""},
		{server.URL + "/old", true, "Thu, 19 Nov 2026 00:00:00 GMT 7", ""},
		{server.URL + "/moved", true, "Thu, 19 Nov 2026 00:00:00 GMT 7", ""},
		{server.URL + "/with%20space", true, "", ""},
		{server.URL + "/absent", false, "", ""},
		{server.URL + "/gone", false, "", ""},
		{server.URL + "/get", true, "", ""},
		{server.URL + "/broken", false, "", "HEAD " + server.URL + "/broken: 502 Bad Gateway"},
		{as("etl:sesame", "/private"), true, "", ""},
		{as("etl:guess", "/private"), false, "", "HEAD " + as("etl:xxxxx", "/private") + ": 403 Forbidden"},
		{closed.URL + "/", false, "", "connection refused"},
		{strings.Replace(closed.URL, "//", "//etl:guess@", 1) + "/", false, "", "connection refused"},
		{strings.Replace(server.URL, "http://", "tcp://", 1), true, "", ""},
		{strings.Replace(closed.URL, "http://", "tcp://", 1), false, "", "connection refused"},
		{"tcp://etl:guess@host", false, "", "nor tcp://HOST:PORT"},
		{"http://etl:guess@host:port/", false, "", "not a URL: invalid port"},
		{"http:///path", false, "", "no http:// or https:// URL with a host"},
		{"ftp://etl:guess@host/path", false, "", "ftp://etl:xxxxx@host/path is no http://"},
	}
	var paths []string
	for range 3 { // more than are asked about at once
		for _, c := range cases {
			paths = append(paths, c.path)
		}
	}
	states, err := sdktest.Serve(t, New()).Check(t.Context(), "", paths)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range states {
		c := cases[i%len(cases)]
		if s.Exists != c.exists || s.Version != c.version || (s.Error == "") != (c.err == "") || !strings.Contains(s.Error, c.err) {
			t.Errorf("%s: got %+v, want %v, version %q, error %q", c.path, s, c.exists, c.version, c.err)
		}
		if strings.Contains(s.Error, "guess") {
			t.Errorf("a password is shown: %s", s.Error)
		}
	}
	if gets.Load() != 3 {
		t.Errorf("%d GET requests where HEAD is not allowed, want 3", gets.Load())
	}
}

// TestConnections has many checks of one server share a few connections.
func TestConnections(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	paths := make([]string, 1000)
	for i := range paths {
		paths[i] = fmt.Sprint(server.URL, "/", i)
	}
	if _, err := New().Check(t.Context(), "", paths); err != nil {
		t.Fatal(err)
	}
	if n := connections.Load(); n > 4*parallel {
		t.Errorf("%d connections for %d paths", n, len(paths))
	}
}
