package email

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// exim is a mail server of Debian's for one test: it knows the domain example.com, and the login flows with the password "pa ss".
type exim struct {
	t      testing.TB
	dir    string
	port   int // offers STARTTLS
	secure int // TLS from the first byte on
}

const eximPath = "/usr/sbin/exim4"

const eximConfig = `
primary_hostname = mail.example.com
exim_user = USER
exim_group = GROUP
spool_directory = DIR/spool
log_file_path = DIR/log/%slog
tls_advertise_hosts = *
tls_certificate = DIR/cert.pem
tls_privatekey = DIR/key.pem
domainlist local_domains = example.com
queue_only = true
deliver_drop_privilege = true
message_size_limit = 1M
acl_smtp_mail = check_mail
acl_smtp_rcpt = check_rcpt
keep_environment =
begin acl
check_mail:
  defer condition = ${if exists{DIR/down}}
        message = come back later
  deny  condition = ${if exists{DIR/login}}
        !authenticated = *
        message = log in first
  accept
check_rcpt:
  deny   local_parts = nobody
         message = there is no such mailbox
  defer  local_parts = full
         message = the mailbox is full
  accept domains = +local_domains
  deny   message = relay not permitted
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
  return_path_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{flows}}{eq{$auth3}{pa ss}}}}
  server_set_id = $auth2
  server_advertise_condition = ${if def:tls_in_cipher}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{flows}}{eq{$auth2}{pa ss}}}}
  server_set_id = $auth1
  server_advertise_condition = ${if def:tls_in_cipher}
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{flows}{pa ss}fail}
  server_set_id = $auth1
`

// startExim starts a mail server that ends with the test. Tests skip where Debian's exim is not installed.
func startExim(t testing.TB) *exim {
	t.Helper()
	path, err := exec.LookPath(eximPath)
	if err != nil {
		t.Skip("wants /usr/sbin/exim4: run scripts/peers")
	}
	own, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if own.Uid == "0" { // it never delivers as root
		if own, err = user.Lookup("Debian-exim"); err != nil {
			t.Fatal(err)
		}
	}
	group, err := user.LookupGroupId(own.Gid)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "exim-test-") // its user cannot enter the folders of t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if log, _ := os.ReadFile(filepath.Join(dir, "log/mainlog")); t.Failed() {
			t.Logf("exim: %s", log[max(0, len(log)-3000):])
		}
		_ = os.RemoveAll(dir)
	})
	e := &exim{t: t, dir: dir}
	e.certify()
	for _, sub := range []string{"", "spool", "log", "box", "box/new", "box/tmp", "box/cur"} {
		uid, _ := strconv.Atoi(own.Uid)
		gid, _ := strconv.Atoi(own.Gid)
		if err := os.MkdirAll(e.path(sub), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(e.path(sub), uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	config := strings.NewReplacer("DIR", dir, "USER", own.Username, "GROUP", group.Name)
	e.write("exim.conf", config.Replace(eximConfig))
	e.port, e.secure = e.serve(path), e.serve(path, "-tls-on-connect")
	return e
}

func (e *exim) path(name string) string { return filepath.Join(e.dir, name) }

func (e *exim) write(name, text string) {
	e.t.Helper()
	if err := os.WriteFile(e.path(name), []byte(text), 0o644); err != nil {
		e.t.Fatal(err)
	}
}

// serve starts an exim for each connection to a port, as inetd does.
func (e *exim) serve(path string, args ...string) int {
	e.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		e.t.Fatal(err)
	}
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
			cmd := exec.Command(path, append([]string{"-C", e.path("exim.conf"), "-bs"}, args...)...)
			cmd.Stdin, cmd.Stdout = f, f
			if err := cmd.Start(); err == nil {
				group.Go(func() { _ = cmd.Wait() })
			}
			_ = f.Close()
		}
	})
	e.t.Cleanup(func() {
		_ = l.Close()
		group.Wait()
	})
	return l.Addr().(*net.TCPAddr).Port
}

// certify makes a CA and a certificate for 127.0.0.1.
func (e *exim) certify() {
	e.t.Helper()
	check := func(err error) {
		if err != nil {
			e.t.Fatal(err)
		}
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	check(err)
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	check(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	check(err)
	e.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})))
	e.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	e.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
}

// received is a mail as its receiver's mailbox holds it.
type received struct {
	to, from   string // of the envelope
	header     mail.Header
	raw        string
	text, html string
}

// mails delivers what was taken, and returns what the mailboxes hold.
func (e *exim) mails() []received {
	e.t.Helper()
	if out, err := exec.Command(eximPath, "-C", e.path("exim.conf"), "-qff").CombinedOutput(); err != nil {
		e.t.Fatalf("deliver: %v\n%s", err, out)
	}
	files, err := filepath.Glob(e.path("box/new/*"))
	if err != nil {
		e.t.Fatal(err)
	}
	var list []received
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			e.t.Fatal(err)
		}
		list = append(list, e.read(raw))
	}
	return list
}

func (e *exim) read(raw []byte) received {
	e.t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		e.t.Fatalf("%v\n%s", err, raw)
	}
	r := received{to: m.Header.Get("Envelope-To"), from: m.Header.Get("Return-Path"), header: m.Header, raw: string(raw)}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		e.t.Fatalf("%v\n%s", err, raw)
	}
	if kind == "text/plain" {
		r.text = e.decode(m.Header.Get("Content-Transfer-Encoding"), m.Body)
		return r
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return r
		}
		text := e.decode(part.Header.Get("Content-Transfer-Encoding"), part)
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			r.html = text
		} else {
			r.text = text
		}
	}
}

func (e *exim) decode(encoding string, body io.Reader) string {
	e.t.Helper()
	if encoding == "quoted-printable" {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		e.t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// with is the configuration that reaches the server, with more settings.
func (e *exim) with(more string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"host": "127.0.0.1", "port": %d, "from": "Flows <flows@example.com>", "ca": %q%s}`, e.port, e.path("ca.pem"), more))
}
