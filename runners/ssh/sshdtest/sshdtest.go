//go:build linux

// Package sshdtest runs Debian's sshd for tests: on a port of its own, with keys of its own, for the account that runs the test, in a
// home that is thrown away.
package sshdtest

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// Server is an sshd.
type Server struct {
	Cache string // ~/.cache/flowctl of those who log in
	Port  string // on 127.0.0.1
	User  string // the account that runs the test, which is the one that can log in

	t   testing.TB
	dir string
}

// Start starts an sshd that ends with the test, with lines for its configuration. It takes the key in the file user, and what else
// authorized_keys is made to say. Tests skip where Debian's sshd is not installed.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	path := "/usr/sbin/sshd"
	if _, err := os.Stat(path); err != nil {
		t.Skip("wants /usr/sbin/sshd: run scripts/peers")
	}
	own, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, dir: t.TempDir(), User: own.Username}
	home := filepath.Join(s.dir, "a home")
	s.Cache = filepath.Join(home, ".cache", "flowctl")
	if os.Getuid() == 0 { // its folder for privilege separation
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.Keygen("host", "")
	s.Keygen("user", "")
	s.Copy("user.pub", "authorized_keys")
	config := []string{
		"HostKey " + s.Path("host"), "AuthorizedKeysFile " + s.Path("authorized_keys"), "PidFile none", "UsePAM no", "StrictModes no",
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
	s.Write("sshd_config", strings.Join(config, "\n")+"\n")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, s.Port, _ = net.SplitHostPort(l.Addr().String())
	s.serve(path, l)
	s.known()
	return s
}

// serve starts an sshd -i for each connection.
func (s *Server) serve(path string, l net.Listener) {
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
			cmd := exec.Command(path, "-i", "-f", s.Path("sshd_config"), "-E", s.Path("sshd.log"))
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
		if log, _ := os.ReadFile(s.Path("sshd.log")); s.t.Failed() && len(log) > 0 {
			s.t.Logf("sshd: %s", log[max(0, len(log)-2000):])
		}
	})
}

// Path is that of a file of the server's: host and user (private keys, with .pub and, where made, -cert.pub), known_hosts,
// authorized_keys, sshd_config.
func (s *Server) Path(name string) string { return filepath.Join(s.dir, name) }

// Write replaces a file.
func (s *Server) Write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.Path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// Read returns the content of a file.
func (s *Server) Read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(s.Path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// Copy copies a file.
func (s *Server) Copy(from, to string) { s.Write(to, s.Read(from)) }

// Keygen makes a key pair.
func (s *Server) Keygen(name, passphrase string) {
	s.t.Helper()
	s.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", s.Path(name))
}

// Command runs a program and returns what it printed.
func (s *Server) Command(name string, args ...string) string {
	s.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// known writes known_hosts with the host's key.
func (s *Server) known() {
	key := strings.Fields(s.Read("host.pub"))
	s.Write("known_hosts", fmt.Sprintf("[127.0.0.1]:%s %s %s\n", s.Port, key[0], key[1]))
}

// With is a `with` document of the runner for this server, changed by more settings; a nil takes one away.
func (s *Server) With(more map[string]any) json.RawMessage {
	s.t.Helper()
	all := map[string]any{"host": "127.0.0.1", "port": s.Port, "user": s.User, "known_hosts": s.Path("known_hosts"), "identity": s.Path("user")}
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
