//go:build linux

package hive

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"flowctl/plugins/keeper"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
	"flowctl/runners/hive/hivetest"
)

// TestMain lets this binary be the process that looks after an attempt, the plugin and its keeper. It ends the servers that the tests share.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "near" {
		os.Exit(Session(os.Getenv(process.EnvWork), os.Stdout))
	}
	if len(os.Args) > 2 && os.Args[1] == "plugin" {
		os.Exit(verb(os.Args[2], os.Args[3:]))
	}
	if err := os.Setenv("HIVE_TEST_PASSWORD", "s3 cret"); err != nil {
		panic(err)
	}
	code := m.Run()
	for _, s := range []*shared{plain, guarded, bare} {
		s.stop()
	}
	os.Exit(code)
}

func verb(name string, args []string) int {
	self, err := os.Executable()
	if err == nil && name == "keep" {
		err = keeper.Run(args[0], args[2:], os.Stdin, os.Stdout) // args[1] is --
	} else if err == nil {
		return process.Serve(Runner{Near: []string{self, "near"}})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// The servers that the tests of this package share. plain goes on when a connection breaks; guarded asks slapd for passwords, over TLS; bare
// has neither, and is otherwise as it comes.
var (
	plain   = &shared{make: func(string) ([]string, error) { return []string{"hive.server2.close.session.on.disconnect=false"}, nil }}
	guarded = &shared{make: guard}
	bare    = &shared{make: func(string) ([]string, error) { return []string{"hive.server2.authentication=NOSASL"}, nil }}
)

// shared is a server that is started when it is first asked for.
type shared struct {
	make func(dir string) ([]string, error) // its settings

	once   sync.Once
	dir    string
	server *hivetest.Server
	err    error
}

func (s *shared) start() {
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "hive-test-"); s.err != nil {
			return
		}
		var settings []string
		if settings, s.err = s.make(s.dir); s.err == nil {
			s.server, s.err = hivetest.Start(settings...)
		}
	})
}

func (s *shared) stop() {
	if s.server != nil {
		s.server.Stop()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// with is a `with` document of the runner for the server, changed by more settings.
func (s *shared) with(t testing.TB, more map[string]any) json.RawMessage {
	t.Helper()
	hivetest.Want(t)
	for _, each := range []*shared{plain, guarded, bare} { // side by side
		each.start()
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	s.server.Ready(t)
	all := map[string]any{"host": "127.0.0.1", "port": s.server.Port, "user": "etl", "connect_timeout": "1m", "poll": "100ms"}
	if more["transport"] == "http" {
		all["port"] = s.server.HTTPPort
	}
	if s == bare {
		all["auth"] = "nosasl"
	}
	for k, v := range more {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// guard makes a certificate, starts slapd, and returns the settings that want both.
func guard(dir string) ([]string, error) {
	store := filepath.Join(dir, "store.p12")
	for _, args := range [][]string{
		{"-genkeypair", "-keyalg", "EC", "-alias", "hs2", "-dname", "CN=hs2.test", "-ext", "san=dns:hs2.test", "-ext", "bc=ca:true", "-validity", "2"},
		{"-exportcert", "-rfc", "-alias", "hs2", "-file", filepath.Join(dir, "ca.pem")},
	} {
		args = append(args, "-keystore", store, "-storetype", "PKCS12", "-storepass", "changeit")
		if out, err := exec.Command("keytool", args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("keytool %s: %w\n%s", args[0], err, out)
		}
	}
	at, err := hivetest.LDAP(context.Background(), dir, "dc=test", "etl", "s3 cret")
	return []string{
		"hive.server2.use.SSL=true", "hive.server2.keystore.path=" + store, "hive.server2.keystore.type=PKCS12", "hive.server2.keystore.password=changeit",
		"hive.server2.authentication=LDAP", "hive.server2.authentication.ldap.url=" + at, "hive.server2.authentication.ldap.baseDN=dc=test",
	}, err
}

// site executes attempts as an agent does.
type site struct {
	t         testing.TB
	commander Runner
	runner    *process.Runner
	dir       string
}

func newSite(t testing.TB) *site {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := Runner{Near: []string{self, "near"}}
	r, err := process.Open(filepath.Join(t.TempDir(), "home"), c)
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, commander: c, runner: r, dir: t.TempDir()}
}

// start begins an attempt.
func (s *site) start(name string, spec sdk.Spec) string {
	s.t.Helper()
	spec.Attempt, spec.Work, spec.Dir = name, filepath.Join(s.dir, name), s.dir
	if err := s.runner.Start(s.t.Context(), spec); err != nil {
		s.t.Fatal(err)
	}
	return spec.Work
}

// wait returns the result and the log. seen is called when the log has grown.
func (s *site) wait(work string, seen func(log string)) (sdk.Result, string) {
	s.t.Helper()
	return wait(s.t, s.runner, work, seen)
}

func wait(t testing.TB, r sdk.Runner, work string, seen func(log string)) (sdk.Result, string) {
	t.Helper()
	var log bytes.Buffer
	result, err := r.Wait(t.Context(), work, 0, func(_ int64, data []byte) error {
		log.Write(data)
		if seen != nil {
			seen(log.String())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return result, log.String()
}

// run executes a script.
func (s *site) run(spec sdk.Spec) (sdk.Result, string) {
	s.t.Helper()
	found, err := os.ReadDir(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.wait(s.start(fmt.Sprintf("attempt-%d", len(found)), spec), nil)
}

// once calls f at the first log that contains the text.
func once(text string, f func()) func(string) {
	done := false
	return func(log string) {
		if !done && strings.Contains(log, text) {
			done = true
			f()
		}
	}
}

// beats is a query whose job takes 2 or 3 ms for each of n rows, and counts them in a property of the server. The job can be killed between any
// thousand rows, since they come to it from another one.
func beats(property string, n int) string {
	return fmt.Sprintf(`set hive.vectorized.execution.enabled=false;
select count(*), count(concat('', reflect('java.lang.System', 'setProperty', '%s', cast(i as string)))),
  count(reflect('java.lang.Thread', 'sleep', cast(2 + pmod(i, 2) as bigint)))
from (select i from (select posexplode(split(space(%d), ' ')) as (i, x)) a distribute by i) n`, property, n-1)
}

// long is how many rows take longer than any test.
const long = 300_000

// beat asks a server how far such a query is; -1: it has not begun.
func beat(t testing.TB, with json.RawMessage, property string) int {
	t.Helper()
	s, err := checked(with)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	c, err := dial(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	session, err := c.open(ctx, "test", "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.closeSession(ctx, session) }()
	o, err := c.execute(ctx, session, fmt.Sprintf("select reflect('java.lang.System', 'getProperty', '%s')", property))
	if err != nil {
		t.Fatal(err)
	}
	for {
		status, err := c.status(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		if status.GetOperationState() == 2 {
			break
		}
	}
	set, err := c.fetch(ctx, o, resultRows, false, 1)
	if err != nil || len(rowsOf(set)) != 1 {
		t.Fatalf("%v, %v", set, err)
	}
	n, err := strconv.Atoi(rowsOf(set)[0][0])
	if err != nil {
		return -1
	}
	return n
}

// begun returns when the query has begun to count.
func begun(t testing.TB, with json.RawMessage, property string) {
	t.Helper()
	for beat(t, with, property) < 0 {
		time.Sleep(50 * time.Millisecond) // it is another process's property
	}
}

// handles reads what an attempt has on record.
func handles(t testing.TB, work string) record {
	t.Helper()
	_, r, found, err := remaining(work)
	if err != nil || !found || r.Operation == nil {
		t.Fatalf("it is not on record what runs on the server: %+v, %v", r, err)
	}
	return r
}

// closed fails the test unless the server has neither the operation nor the session any more. Whether the job's work has stopped is not asked here: in Tez's
// local mode it is threads of the server, which nobody can end against their will. TestJobsEnd asks it where it is processes.
func closed(t testing.TB, with json.RawMessage, r record) {
	t.Helper()
	s, err := checked(with)
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if _, err := c.status(t.Context(), r.Operation); !gone(err) {
		t.Errorf("the server still has the operation: %v", err)
	}
	if _, err := c.execute(t.Context(), r.Session, "select 1"); !gone(err) {
		t.Errorf("the server still has the session: %v", err)
	}
}
