//go:build linux

// Package python tests the example of a plugin in Python as agents would use it.
package python

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowctl/plugins/host"
	"flowctl/plugins/keeper"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
)

// TestMain lets this binary stand in for flowctl, which is the keeper of plugins.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "plugin" && os.Args[2] == "keep" {
		if err := keeper.Run(os.Args[3], os.Args[5:], os.Stdin, os.Stdout); err != nil { // os.Args[4] is --
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// site is a plugin folder that holds the plugin.
type site struct {
	plugins string
	sum     string
}

func newSite(t *testing.T) *site {
	t.Helper()
	python, err := filepath.Abs("../../../bin/peers/python/bin/python3")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		t.Skip("gRPC for Python is not installed: run scripts/peers")
	}
	text, err := os.ReadFile("flowctl-runner-sqlite")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	s := &site{plugins: t.TempDir()}
	path := filepath.Join(s.plugins, "flowctl-runner-sqlite")
	if err := os.WriteFile(path, []byte("#!"+python+"\n"+rest), 0o700); err != nil {
		t.Fatal(err)
	}
	if s.sum, err = host.Sum(path); err != nil {
		t.Fatal(err)
	}
	return s
}

// open returns a host with a folder of its own.
func (s *site) open(t *testing.T) *host.Host {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.New(host.Options{Dir: t.TempDir(), Self: self, PluginDir: s.plugins, Idle: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Errorf("close the host: %v", err)
		}
	})
	return h
}

func (s *site) runner(t *testing.T, h *host.Host) *host.Process {
	t.Helper()
	p, err := h.Runner(t.Context(), "sqlite", "", []string{s.sum})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const memory = `{"database": ":memory:"}`

// endless is a statement that never ends.
const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;"

func TestConformance(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	task := func(sql string) sdk.Spec { return sdk.Spec{Text: sql, With: json.RawMessage(memory)} }
	sdktest.Attempts(t, sdktest.Deeds{
		Open:    func(t *testing.T) sdktest.Process { return s.runner(t, s.open(t)) },
		Mark:    "it began",
		Succeed: task("SELECT 'it began';"),
		Fail:    task("SELECT 'it began'; SELECT * FROM nowhere;"),
		Endless: task("SELECT 'it began'; " + endless),
		Leases:  true,
	})
}

// run executes SQL on a database and returns the result and the log.
func run(t *testing.T, p sdk.Runner, spec sdk.Spec) (sdk.Result, string) {
	t.Helper()
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	return wait(t, p, spec.Work)
}

func wait(t *testing.T, p sdk.Runner, work string) (sdk.Result, string) {
	t.Helper()
	var log strings.Builder
	r, err := p.Wait(t.Context(), work, 0, func(offset int64, data []byte) error {
		if offset != int64(log.Len()) {
			t.Errorf("log chunk at %d, want %d", offset, log.Len())
		}
		log.Write(data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, log.String()
}

func TestSQL(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.runner(t, s.open(t))
	dir := t.TempDir()
	file := filepath.Join(dir, "load.sql")
	if err := os.WriteFile(file, []byte("CREATE TABLE days (day, n); -- one; two\nINSERT INTO days VALUES (:ds, 3), ('a;b', NULL);\nSELECT * FROM days"), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := sdk.Spec{
		Attempt: "1", Work: filepath.Join(dir, "work"), Dir: dir, File: file, With: json.RawMessage(`{"database": "shop.db"}`),
		Args: []sdk.Arg{{Name: "ds", Value: "2026-11-19"}}, Env: []string{"PATH=/usr/bin:/bin"},
	}
	r, log := run(t, p, spec)
	if r.State != sdk.Succeeded || r.CPU <= 0 || r.MaxRSS <= 0 || log != "2026-11-19\t3\na;b\t\n" {
		t.Errorf("got %+v, log %q", r, log)
	}
	spec.Work, spec.File, spec.Text = filepath.Join(dir, "again"), "", "INSERT INTO days VALUES (1, 1); SELECT * FROM nowhere;"
	if r, log := run(t, p, spec); r.Code != sdk.CodeExit || r.ExitCode != 1 || log != "sqlite: no such table: nowhere\n" {
		t.Errorf("got %+v, log %q", r, log)
	}
	spec.Work, spec.Text = filepath.Join(dir, "count"), "SELECT count(*) FROM days"
	if r, log := run(t, p, spec); r.State != sdk.Succeeded || log != "2\n" {
		t.Errorf("what failed was kept: %+v, log %q", r, log)
	}
	for with, path := range map[string]string{`{}`: "/database", `{"a/b": 1}`: "/a~1b", `[]`: "", `{"database": 1}`: "/database"} {
		if problems := p.Validate(json.RawMessage(with)); len(problems) != 1 || problems[0].Path != path || problems[0].Message == "" {
			t.Errorf("%s has the problems %+v", with, problems)
		}
	}
}

// TestSurvivesThePlugin kills the plugin process: the attempt goes on, and another process tells how it ended.
func TestSurvivesThePlugin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	h := s.open(t)
	p := s.runner(t, h)
	dir := t.TempDir()
	spec := sdk.Spec{
		Attempt: "1", Work: filepath.Join(dir, "work"), Dir: dir, With: json.RawMessage(memory), Env: []string{"PATH=/usr/bin:/bin"},
		Text: "SELECT 'it began'; " + endless, Timeout: time.Minute,
	}
	if err := p.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if live, err := p.Stop(t.Context(), false); err != nil || live != 1 {
		t.Errorf("stop: %d live attempts, %v", live, err)
	}
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Gone()
	q := s.runner(t, h)
	if q.PID() == p.PID() {
		t.Fatal("the host returned the dead process")
	}
	if found, err := q.Recover(t.Context(), spec.Work); err != nil || found != sdk.Running {
		t.Fatalf("recover: %v, %v", found, err)
	}
	if err := q.Signal(t.Context(), spec.Work, sdk.Terminate); err != nil {
		t.Fatal(err)
	}
	if r, log := wait(t, q, spec.Work); r.State != sdk.Killed || log != "it began\n" {
		t.Errorf("got %+v, log %q", r, log)
	}
}

// TestByHand starts the plugin without a host, and with one that speaks another version.
func TestByHand(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for want, env := range map[string][]string{
		"This is a plugin of flowctl":  nil,
		"speaks version 1 of the prot": {"FLOWCTL_PLUGIN=" + sdk.Handshake().MagicCookieValue, "PLUGIN_PROTOCOL_VERSIONS=2,3"},
	} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(s.plugins, "flowctl-runner-sqlite"))
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %s, %v; want %q", env, out, err, want)
		}
	}
}
