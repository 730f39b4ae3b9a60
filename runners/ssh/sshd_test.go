//go:build linux

package ssh

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
)

// TestMain lets this binary be the near half.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "near" {
		os.Exit(Session(os.Getenv(process.EnvWork)))
	}
	os.Exit(m.Run())
}

// runner is the runner with this binary as its near half.
func runner(t testing.TB) Runner {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Runner{Near: []string{self, "near"}}
}

// server is an sshd of the test's own.
type server struct {
	t     testing.TB
	dir   string
	cache string // ~/.cache/flowctl of those who log in
	port  string
	own   string // the account that runs the test
}

// sshd starts one. The test listens itself, so that no port can be taken meanwhile.
func sshd(t testing.TB, options ...string) *server {
	t.Helper()
	path := "/usr/sbin/sshd"
	if _, err := os.Stat(path); err != nil {
		t.Skip("wants /usr/sbin/sshd: run scripts/peers")
	}
	own, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, dir: t.TempDir(), own: own.Username}
	home := filepath.Join(s.dir, "a home")
	s.cache = filepath.Join(home, ".cache", "flowctl")
	if os.Getuid() == 0 { // its folder for privilege separation
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.keygen("host", "")
	s.keygen("user", "")
	s.copy("user.pub", "authorized_keys")
	config := []string{
		"HostKey " + s.path("host"), "AuthorizedKeysFile " + s.path("authorized_keys"), "PidFile none", "UsePAM no", "StrictModes no",
		"PasswordAuthentication no", "PermitRootLogin yes", "MaxStartups 200", "LogLevel ERROR", "ListenAddress 127.0.0.1",
	}
	env := fmt.Sprintf("SetEnv HOME=%q", home) // only the first of these lines counts
	for _, option := range options {
		if more, ok := strings.CutPrefix(option, "SetEnv"); ok {
			env += more
		} else {
			config = append(config, option)
		}
	}
	config = append(config, env)
	s.write("sshd_config", strings.Join(config, "\n")+"\n")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, s.port, _ = net.SplitHostPort(l.Addr().String())
	s.serve(path, l)
	s.known()
	return s
}

// serve starts an sshd -i for each connection.
func (s *server) serve(path string, l net.Listener) {
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f, err := conn.(*net.TCPConn).File()
			_ = conn.Close()
			if err != nil {
				continue
			}
			cmd := exec.Command(path, "-i", "-f", s.path("sshd_config"), "-E", s.path("sshd.log"))
			cmd.Stdin, cmd.Stdout = f, f
			if err := cmd.Start(); err == nil {
				go func() { _ = cmd.Wait() }()
			}
			_ = f.Close()
		}
	}()
	s.t.Cleanup(func() {
		_ = l.Close()
		<-accepted
		if log, _ := os.ReadFile(s.path("sshd.log")); s.t.Failed() && len(log) > 0 {
			s.t.Logf("sshd: %s", log[max(0, len(log)-2000):])
		}
	})
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *server) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *server) copy(from, to string) { s.write(to, s.read(from)) }

// keygen makes a key pair.
func (s *server) keygen(name, passphrase string) {
	s.t.Helper()
	s.command("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", s.path(name))
}

func (s *server) command(name string, args ...string) string {
	s.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// known writes known_hosts with the host's key.
func (s *server) known() {
	key := strings.Fields(s.read("host.pub"))
	s.write("known_hosts", fmt.Sprintf("[127.0.0.1]:%s %s %s\n", s.port, key[0], key[1]))
}

// with is a `with` document for this server, changed by more settings; a nil takes one away.
func (s *server) with(more map[string]any) json.RawMessage {
	s.t.Helper()
	all := map[string]any{"host": "127.0.0.1", "port": s.port, "user": s.own, "known_hosts": s.path("known_hosts"), "identity": s.path("user")}
	for k, v := range more {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	b, err := json.Marshal(all)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// site executes attempts as an agent does.
type site struct {
	t      testing.TB
	runner *process.Runner
	dir    string
}

func newSite(t testing.TB) *site {
	t.Helper()
	r, err := process.Open(filepath.Join(t.TempDir(), "home"), runner(t))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, runner: r, dir: t.TempDir()}
	return s
}

// start begins an attempt in an empty folder, unless the spec says otherwise.
func (s *site) start(name string, spec sdk.Spec) string {
	s.t.Helper()
	spec.Attempt, spec.Work = name, filepath.Join(s.dir, name)
	if spec.Dir == "" {
		spec.Dir = s.t.TempDir()
	}
	spec.Env = append(spec.Env, "FLOWCTL_OUTPUT="+filepath.Join(spec.Work, "output"))
	if err := s.runner.Start(s.t.Context(), spec); err != nil {
		s.t.Fatal(err)
	}
	return spec.Work
}

// wait returns the result and the log. seen is called when the log has grown.
func (s *site) wait(work string, seen func(log string)) (sdk.Result, string) {
	s.t.Helper()
	var log bytes.Buffer
	r, err := s.runner.Wait(s.t.Context(), work, 0, func(_ int64, data []byte) error {
		log.Write(data)
		if seen != nil {
			seen(log.String())
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return r, log.String()
}

func (s *site) run(spec sdk.Spec) (sdk.Result, string) {
	s.t.Helper()
	return s.wait(s.start(fmt.Sprintf("attempt-%d", len(entries(s.t, s.dir))), spec), nil)
}

func entries(t testing.TB, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = f.Name()
	}
	return names
}
