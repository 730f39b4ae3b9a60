//go:build linux

package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"flowctl/engine"
)

// TestAMailIsAcknowledged has a task fail, and its mail arrive in a mailbox of Debian's exim by way of the plugin's process and SMTP. Whoever
// opens the link in it changes nothing yet; the button behind it acknowledges.
func TestAMailIsAcknowledged(t *testing.T) {
	t.Parallel()
	box := startPost(t)
	s := newSite(t, map[string][]byte{
		"flowctl.yaml": []byte("version: 1\n"),
		"flows.yaml": fmt.Appendf(nil, `people: {alice: {name: Alice, email: alice@example.com}}
teams: {data: {members: [alice]}}
channels: {mail: {plugin: email, with: {host: 127.0.0.1, port: %d, tls: none, from: flows@example.com}}}
---
flow: load
team: data
tasks:
  orders: {run: "echo the disk is full; exit 3"}
`, box.port),
	})
	server := s.startServer()
	s.awaitReady(server)
	if _, stderr, code := s.flowctl(t.Context(), "run", "load", "--wait"); code != 1 {
		t.Fatalf("the run ended with %d: %s", code, stderr)
	}
	m := box.awaitMail()
	text, err := io.ReadAll(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	if to := m.Header.Get("Envelope-To"); to != "alice@example.com" || m.Header.Get("X-Flowctl-Event") != "failed" || m.Header.Get("X-Flowctl-Task") != "orders" {
		t.Errorf("to %s: %v", to, m.Header)
	}
	body := strings.NewReplacer("=\r\n", "", "=\n", "").Replace(string(text)) // without the breaks of quoted-printable
	if !strings.Contains(body, "the disk is full") {
		t.Errorf("the mail lacks the end of the log:\n%s", body)
	}
	link := regexp.MustCompile(`http://[0-9.:]+/ack/[0-9a-f-]+`).FindString(body)
	if link == "" {
		t.Fatalf("the mail lacks a link to acknowledge:\n%s", body)
	}
	s.visit(link, http.Get)
	if a := s.onlyAlert(); a.State != "open" || !strings.HasPrefix(a.Subject, "load/orders@") {
		t.Errorf("after a look at the link: %+v", a)
	}
	s.visit(link, func(link string) (*http.Response, error) { return http.PostForm(link, url.Values{}) })
	if a := s.onlyAlert(); a.State != "acknowledged" || a.AckedBy != "Alice" {
		t.Errorf("after the button: %+v", a)
	}
	server.terminate(t)
}

// visit asks for a page, without any token.
func (s *site) visit(link string, ask func(string) (*http.Response, error)) {
	s.t.Helper()
	resp, err := ask(link)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		page, _ := io.ReadAll(resp.Body)
		s.t.Fatalf("%s: %s\n%s", link, resp.Status, page)
	}
}

// onlyAlert returns the one alert there is, as the command line shows it.
func (s *site) onlyAlert() engine.AlertView {
	s.t.Helper()
	out, stderr, code := s.flowctl(s.t.Context(), "get", "alerts", "-o", "json")
	var alerts engine.List[engine.AlertView]
	if err := json.Unmarshal([]byte(out), &alerts); err != nil || code != 0 || len(alerts.Items) != 1 {
		s.t.Fatalf("get alerts: %v, %d, %s%s", err, code, out, stderr)
	}
	return alerts.Items[0]
}

// post is a mail server of Debian's for one test: exim, with a mailbox for example.com.
type post struct {
	t    testing.TB
	dir  string
	port int
}

const (
	eximPath = "/usr/sbin/exim4"
	postConf = `
primary_hostname = mail.example.com
exim_user = USER
exim_group = GROUP
spool_directory = DIR/spool
log_file_path = DIR/log/%slog
domainlist local_domains = example.com
deliver_drop_privilege = true
acl_smtp_rcpt = check_rcpt
keep_environment =
begin acl
check_rcpt:
  accept domains = +local_domains
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = DIR/box
  maildir_format
  envelope_to_add
`
)

// startPost starts a mail server that ends with the test. Tests skip where Debian's exim is not installed.
func startPost(t testing.TB) *post {
	t.Helper()
	if _, err := exec.LookPath(eximPath); err != nil {
		t.Skip("wants /usr/sbin/exim4: run scripts/peers")
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	own, err := user.Current()
	check(err)
	if own.Uid == "0" { // it never delivers as root
		own, err = user.Lookup("Debian-exim")
		check(err)
	}
	group, err := user.LookupGroupId(own.Gid)
	check(err)
	dir, err := os.MkdirTemp("", "exim-test-") // its user cannot enter the folders of t.TempDir
	check(err)
	p := &post{t: t, dir: dir}
	t.Cleanup(func() {
		if log, _ := os.ReadFile(filepath.Join(dir, "log/mainlog")); t.Failed() {
			t.Logf("exim: %s", log[max(0, len(log)-3000):])
		}
		_ = os.RemoveAll(dir)
	})
	uid, _ := strconv.Atoi(own.Uid)
	gid, _ := strconv.Atoi(own.Gid)
	for _, sub := range []string{"", "spool", "log", "box", "box/new", "box/tmp", "box/cur"} {
		check(os.MkdirAll(filepath.Join(dir, sub), 0o700))
		check(os.Chown(filepath.Join(dir, sub), uid, gid))
	}
	config := strings.NewReplacer("DIR", dir, "USER", own.Username, "GROUP", group.Name)
	check(os.WriteFile(filepath.Join(dir, "exim.conf"), []byte(config.Replace(postConf)), 0o644))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	p.port = l.Addr().(*net.TCPAddr).Port
	p.serve(l)
	return p
}

// serve starts an exim for each connection, as inetd does.
func (p *post) serve(l net.Listener) {
	var group sync.WaitGroup
	group.Go(func() {
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
			cmd := exec.Command(eximPath, "-C", filepath.Join(p.dir, "exim.conf"), "-odi", "-bs")
			cmd.Stdin, cmd.Stdout = f, f
			if err := cmd.Start(); err == nil {
				group.Go(func() { _ = cmd.Wait() })
			}
			_ = f.Close()
		}
	})
	p.t.Cleanup(func() {
		_ = l.Close()
		group.Wait()
	})
}

// awaitMail returns the first mail that a mailbox holds.
func (p *post) awaitMail() *mail.Message {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(pause) {
		files, err := filepath.Glob(filepath.Join(p.dir, "box/new/*"))
		if err != nil {
			p.t.Fatal(err)
		}
		if len(files) == 0 {
			continue
		}
		raw, err := os.ReadFile(files[0])
		if err != nil {
			p.t.Fatal(err)
		}
		m, err := mail.ReadMessage(strings.NewReader(string(raw)))
		if err != nil {
			p.t.Fatalf("%v\n%s", err, raw)
		}
		return m
	}
	p.t.Fatal("no mail within a minute")
	return nil
}
