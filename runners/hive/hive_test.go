//go:build linux

package hive

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowctl/plugins/host"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	with := plain.with(t, nil)
	sdktest.Attempts(t, sdktest.Deeds{
		Commander: newSite(t).commander,
		Succeed:   sdk.Spec{With: with, Text: "select 'done'"},
		Fail:      sdk.Spec{With: with, Text: "select 'done'; select nothing"},
		Endless:   sdk.Spec{With: with, Text: "select reflect('java.lang.Thread', 'sleep', cast(600000 + 0 * rand() as bigint))"},
		Mark:      "INFO  : Completed executing command(",
	})
}

func TestScript(t *testing.T) {
	t.Parallel()
	here := newSite(t)
	script := filepath.Join(t.TempDir(), "load.hql")
	text := `-- what a script can hold;
set hivevar:own=mine;
create database script; use script;
create table t (a int, b string) partitioned by (ds string);
insert into t partition (ds = '${ds}') /* not a hint; */ values (1, 'one;'), (2, null), (3, 'a\tb');
select a, b, ds, '${hivevar:own} ${FLOWCTL_FLOW}' as own from t where ds = '${hivevar:ds}' and b is null;
select 1 + 1.5, true, 2L, cast(0.25 as double), array(1, 2), unhex('00ff'), ${literal};
select '${hiveconf:hive.fetch.task.caching}', current_database();
select posexplode(split(space(4), ' '));
`
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, log := here.run(sdk.Spec{
		File: script, Env: []string{"FLOWCTL_FLOW=f", "FLOWCTL_WORK=/here"},
		Args: []sdk.Arg{{Name: "ds", Value: "2026-11-19"}, {Name: "literal", Value: `'it\'s \u0024{ds}; -- \\'`}},
		With: plain.with(t, map[string]any{"rows": 3, "settings": map[string]any{"hive.fetch.task.caching": false}}),
	})
	if r.State != sdk.Succeeded || r.ExitCode != 0 {
		t.Fatalf("%+v\n%s", r, log)
	}
	for _, want := range []string{
		"flowctl: hive: statement 5 of 9 (load.hql:5): insert into t",
		"flowctl: hive: 100%: Map 1 1/1",
		"\nINFO  : Completed executing command(",
		"\na\tb\tds\town\n2\tNULL\t2026-11-19\tmine f\n",
		"\n2.5\ttrue\t2\t0.25\t[1,2]\t00ff\tit's ${ds}; -- \\\n",
		"\nfalse\tscript\n",
		"\npos\tval\n0\t\n1\t\n2\t\nflowctl: hive: there are more rows: the log shows the first 3",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if _, err := os.Stat(filepath.Join(here.dir, "attempt-0", recordFile)); err == nil {
		t.Error("the session is not said to be closed")
	}
}

// What Hive answers names the statement, the line and Hive's own codes.
func TestErrors(t *testing.T) {
	t.Parallel()
	here := newSite(t)
	with := plain.with(t, nil)
	for name, c := range map[string]struct {
		spec sdk.Spec
		code string
		want []string
	}{
		"no such table": {
			sdk.Spec{With: with, Text: "select 1;\n\nselect *\n from nowhere_to_be_found;"}, sdk.CodeExit,
			[]string{"statement 2 of 2 (run:4): ", "nowhere_to_be_found", "SQL state 42S02, code 10001"},
		},
		"no SQL":             {sdk.Spec{With: with, Text: "select 1;\nselekt 2"}, sdk.CodeExit, []string{"statement 2 of 2 (run:2): ", "ParseException", "SQL state 42000, code 40000"}},
		"no such database":   {sdk.Spec{With: plain.with(t, map[string]any{"database": "nowhere"}), Text: "select 1"}, sdk.CodeStart, []string{"open a session", "nowhere"}},
		"a setting":          {sdk.Spec{With: plain.with(t, map[string]any{"settings": map[string]any{"hive.users.in.admin.role": "etl"}}), Text: "select 1"}, sdk.CodeStart, []string{"hive.users.in.admin.role"}},
		"an open quote":      {sdk.Spec{With: with, Text: "select 1;\nselect 'a"}, sdk.CodeStart, []string{"run: line 2: the quote ' that begins here is not closed"}},
		"nothing":            {sdk.Spec{With: with, Text: "-- nothing\n;"}, sdk.CodeStart, []string{"run holds no statement"}},
		"no such file":       {sdk.Spec{With: with, File: "/nowhere.hql"}, sdk.CodeStart, []string{"/nowhere.hql"}},
		"an unnamed value":   {sdk.Spec{With: with, Text: "select 1", Args: []sdk.Arg{{Value: "a"}}}, sdk.CodeStart, []string{"argument 1 has no name"}},
		"an odd name":        {sdk.Spec{With: with, Text: "select 1", Args: []sdk.Arg{{Name: "a b", Value: "a"}}}, sdk.CodeStart, []string{`"a b" cannot be the name of a variable`}},
		"a value that grows": {sdk.Spec{With: with, Text: "select 1", Args: []sdk.Arg{{Name: "a", Value: "${env:HOME}"}}}, sdk.CodeStart, []string{"the value of a holds ${"}},
	} {
		work := here.start(strings.ReplaceAll(name, " ", "-"), c.spec)
		r, log := here.wait(work, nil)
		for _, want := range c.want {
			if r.State != sdk.Failed || r.Code != c.code || !strings.Contains(r.Message, want) {
				t.Errorf("%s: %+v, want %s and %q; log:\n%s", name, r, c.code, want, log)
			}
		}
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	here := newSite(t)
	hivetestCA := func() string { guarded.start(); return filepath.Join(guarded.dir, "ca.pem") }
	trusted := map[string]any{"ca": hivetestCA(), "server_name": "hs2.test"}
	for name, c := range map[string]struct {
		server *shared
		more   map[string]any
		want   string // empty: it works
	}{
		"none":                    {plain, nil, ""},
		"none over http":          {plain, map[string]any{"transport": "http"}, ""},
		"nosasl":                  {bare, nil, ""},
		"ldap":                    {guarded, map[string]any{"auth": "ldap", "password": "s3 cret", "tls": trusted}, ""},
		"ldap over https":         {guarded, map[string]any{"auth": "ldap", "password_env": "HIVE_TEST_PASSWORD", "tls": trusted, "transport": "http"}, ""},
		"a wrong password":        {guarded, map[string]any{"auth": "ldap", "password": "secret", "tls": trusted}, "refuses the login of etl"},
		"a wrong one over https":  {guarded, map[string]any{"auth": "plain", "password": "secret", "tls": trusted, "transport": "http"}, "401 Unauthorized (check user and password)"},
		"no such variable":        {guarded, map[string]any{"auth": "ldap", "password_env": "HIVE_TEST_NONE", "tls": trusted}, "no HIVE_TEST_NONE"},
		"another name":            {guarded, map[string]any{"auth": "ldap", "password": "s3 cret", "tls": map[string]any{"ca": hivetestCA()}}, "certificate"},
		"an unknown authority":    {guarded, map[string]any{"auth": "ldap", "password": "s3 cret", "tls": true}, "certificate"},
		"tls is wanted":           {guarded, map[string]any{"auth": "ldap", "password": "s3 cret"}, "tls"},
		"tls is not wanted":       {plain, map[string]any{"tls": true}, "begin TLS"},
		"sasl is not wanted":      {bare, map[string]any{"auth": "none", "connect_timeout": "2s"}, "transport"},
		"sasl is wanted":          {plain, map[string]any{"auth": "nosasl"}, "open a session"},
		"no http":                 {plain, map[string]any{"transport": "http", "port": nil}, "connect"},
		"another path":            {plain, map[string]any{"transport": "http", "http_path": "nowhere"}, "405 Method Not Allowed (check http_path)"},
		"nobody is there":         {plain, map[string]any{"port": 1}, "connection refused"},
		"no file of authorities":  {plain, map[string]any{"tls": map[string]any{"ca": "/nowhere.pem"}}, "with.tls.ca"},
		"no file of certificates": {plain, map[string]any{"tls": map[string]any{"cert": "/nowhere.pem", "key": "/nowhere.pem"}}, "with.tls.cert"},
	} {
		r, log := here.run(sdk.Spec{With: c.server.with(t, c.more), Text: "set hive.server2.authentication"})
		if c.want == "" && r.State != sdk.Succeeded {
			t.Errorf("%s: %+v\n%s", name, r, log)
		}
		if c.want != "" && (r.Code != sdk.CodeStart || !strings.Contains(r.Message, c.want)) {
			t.Errorf("%s: %+v, want %q", name, r, c.want)
		}
	}
}

// A kill cancels the statement and closes the session, by which the server ends its jobs, before it says so.
func TestKill(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*site, string){
		"terminate": func(s *site, work string) { tell(s, work, sdk.Terminate) },
		"kill":      func(s *site, work string) { tell(s, work, sdk.Kill) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, with := newSite(t), plain.with(t, nil)
			work := here.start("a", sdk.Spec{With: with, Text: beats(name, long)})
			var left record
			r, log := here.wait(work, once("Status: Running", func() {
				begun(t, with, name)
				left = handles(t, work)
				kill(here, work)
			}))
			if r.State != sdk.Killed || r.Code != sdk.CodeKilled {
				t.Errorf("%+v\n%s", r, log)
			}
			if _, err := os.Stat(filepath.Join(work, recordFile)); err == nil {
				t.Errorf("the session was not closed\n%s", log)
			}
			closed(t, with, left)
		})
	}
}

func tell(s *site, work string, how sdk.Signal) {
	if err := s.runner.Signal(s.t.Context(), work, how); err != nil {
		s.t.Error(err)
	}
}

// The timeout ends a statement that the server is still compiling, too: no operation is known then.
func TestTimeout(t *testing.T) {
	t.Parallel()
	here := newSite(t)
	r, log := here.run(sdk.Spec{With: plain.with(t, nil), Text: "select reflect('java.lang.Thread', 'sleep', 8000L)", Timeout: 3 * time.Second})
	if r.State != sdk.Failed || r.Code != sdk.CodeTimeout {
		t.Errorf("%+v\n%s", r, log)
	}
}

// A statement goes on, with all of its log, when the plugin is killed: its session is held by a process of its own.
func TestPluginIsKilled(t *testing.T) {
	t.Parallel()
	with := bare.with(t, nil) // a server that ends the sessions of those who hang up
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.New(host.Options{Dir: t.TempDir(), Self: self, Builtin: []string{"runner-hive"}, Idle: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close(context.Background()) })
	p, err := h.Runner(t.Context(), "hive", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	work, property := filepath.Join(t.TempDir(), "a"), "plugin"
	if err := p.Start(t.Context(), sdk.Spec{Attempt: "a", Work: work, Dir: "/", With: with, Text: beats(property, 1000)}); err != nil {
		t.Fatal(err)
	}
	begun(t, with, property)
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Gone()
	next, err := h.Runner(t.Context(), "hive", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := next.Recover(t.Context(), work); err != nil || found != sdk.Running {
		t.Fatalf("recover: %v, %v", found, err)
	}
	r, log := wait(t, next, work, nil)
	if r.State != sdk.Succeeded || strings.Count(log, "statement 2 of 2") != 1 || !strings.HasSuffix(log, "\n1000\t1000\t1000\n") {
		t.Errorf("%+v\n%s", r, log)
	}
}

// When the process that holds the session is killed, too, the plugin ends what runs before it says so.
func TestNearIsKilled(t *testing.T) {
	t.Parallel()
	here, with := newSite(t), plain.with(t, nil)
	work := here.start("a", sdk.Spec{With: with, Text: beats("near", long)})
	var left record
	r, log := here.wait(work, once("Status: Running", func() {
		begun(t, with, "near")
		left = handles(t, work)
		lines, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, path := range lines {
			if env, _ := os.ReadFile(path); strings.Contains(string(env), "FLOWCTL_WORK="+work) {
				pid := 0
				for _, c := range filepath.Base(filepath.Dir(path)) {
					pid = 10*pid + int(c-'0')
				}
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}))
	if r.Code != sdk.CodeSignal {
		t.Errorf("%+v\n%s", r, log)
	}
	if _, err := os.Stat(filepath.Join(work, recordFile)); err == nil {
		t.Error("the session was not closed")
	}
	closed(t, with, left)
}
