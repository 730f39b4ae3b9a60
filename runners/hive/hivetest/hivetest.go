//go:build linux

// Package hivetest runs Apache's HiveServer2 for tests, through scripts/hiveserver2: on a port of its own, with a Derby metastore in memory and
// Tez in local mode. One takes about 10 seconds and half a gigabyte, so the tests of a package share it.
package hivetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a HiveServer2.
type Server struct {
	Port     string // on 127.0.0.1; binary transport
	HTTPPort string

	dir    string
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

// Start starts a server with settings of Hive's, each as name=value, and returns at once.
func Start(settings ...string) (*Server, error) {
	root, err := root()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "hiveserver2-")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{dir: dir, cancel: cancel, ended: make(chan struct{})}
	for _, port := range []*string{&s.Port, &s.HTTPPort} {
		if *port, err = FreePort(); err != nil {
			return nil, err
		}
	}
	args := append([]string{dir, s.Port, "hive.server2.transport.mode=all", "hive.server2.thrift.http.port=" + s.HTTPPort}, settings...)
	cmd := exec.CommandContext(ctx, filepath.Join(root, "scripts", "hiveserver2"), args...)
	log, err := os.Create(s.logPath())
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	go func() {
		runtime.LockOSThread() // the signal is sent when this thread ends
		s.err = cmd.Run()
		_ = log.Close()
		close(s.ended)
	}()
	return s, nil
}

func (s *Server) logPath() string { return filepath.Join(s.dir, "server.log") }

// root is the folder of the repository.
func root() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the tests do not run inside the repository")
		}
	}
	return "", err
}

// FreePort is a port of 127.0.0.1 that nothing listens on.
func FreePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// Want skips the test where scripts/peers could not install what it is about.
func Want(t testing.TB) {
	t.Helper()
	root, err := root()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(root, "bin", "peers", "hive", "made"), "/usr/sbin/slapd"} {
		if _, err := os.Stat(path); err != nil {
			t.Skip("wants HiveServer2 and slapd: run scripts/peers")
		}
	}
}

// patience is for a start on a busy machine.
const patience = 5 * time.Minute

// Ready returns when the server takes connections.
func (s *Server) Ready(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, port := range []string{s.Port, s.HTTPPort} {
		for {
			conn, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err == nil {
				_ = conn.Close()
				break
			}
			select {
			case <-time.After(100 * time.Millisecond): // nothing tells of a port of another process
			case <-s.ended:
				t.Fatalf("HiveServer2 ended: %v\n%s", s.err, s.Log())
			case <-ctx.Done():
				t.Fatalf("HiveServer2 does not start\n%s", s.Log())
			}
		}
	}
}

// Log is the end of what the server logged.
func (s *Server) Log() string {
	b, _ := os.ReadFile(s.logPath())
	return string(b[max(0, len(b)-4000):])
}

// Stop ends the server.
func (s *Server) Stop() {
	s.cancel()
	<-s.ended
	_ = os.RemoveAll(s.dir)
}

// LDAP starts Debian's slapd in dir until ctx ends, and returns its address. It takes one user with one password: `uid=USER,BASE`.
func LDAP(ctx context.Context, dir, base, user, password string) (string, error) {
	port, err := FreePort()
	if err != nil {
		return "", err
	}
	at := "ldap://127.0.0.1:" + port
	config := filepath.Join(dir, "slapd.conf")
	lines := []string{
		"include /etc/ldap/schema/core.schema", "modulepath /usr/lib/ldap", "moduleload back_mdb", "pidfile " + filepath.Join(dir, "slapd.pid"),
		"database mdb", "suffix " + base, fmt.Sprintf("rootdn uid=%s,%s", user, base), fmt.Sprintf("rootpw %q", password), "directory " + dir,
	}
	if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "/usr/sbin/slapd", "-f", config, "-h", at, "-d", "0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	go func() {
		runtime.LockOSThread()
		_ = cmd.Run()
	}()
	return at, nil
}

// Opens are the options with which Java lets Hive and Hadoop at what they want of it, as scripts/hiveserver2 does.
func Opens() string {
	var options []string
	for _, p := range strings.Fields("lang lang.invoke lang.reflect io math net nio text time util util.concurrent util.concurrent.atomic util.regex") {
		options = append(options, "--add-opens=java.base/java."+p+"=ALL-UNNAMED")
	}
	return strings.Join(options, " ")
}
