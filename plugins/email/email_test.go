package email

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
)

func clock() time.Time { return time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC) }

func TestConformance(t *testing.T) {
	t.Parallel()
	sdktest.Channel(t, sdktest.ChannelSuite{
		Channel: New(clock),
		Peer: func(t *testing.T) sdktest.Peer {
			e := startExim(t)
			return sdktest.Peer{
				With: e.with(""), Address: "alice@example.com",
				Arrived: func() []sdktest.Arrival {
					var list []sdktest.Arrival
					for _, m := range e.mails() {
						list = append(list, sdktest.Arrival{To: m.to, Text: m.text})
					}
					return list
				},
				Down: func() { e.write("down", "") },
			}
		},
		Wrong: []sdktest.WrongWith{
			{With: `{"host": "h", "from": "a@b", "colour": 1}`, Path: "/colour"},
			{With: `{"host": "h", "from": "a@b", "port": "x"}`, Path: "/port"},
			{With: `{"host": "h", "from": "a@b", "port": 70000}`, Path: "/port"},
			{With: `{"from": "a@b"}`, Path: "/host"},
			{With: `{"host": "h", "from": "nobody"}`, Path: "/from"},
			{With: `{"host": "h", "from": "a@b\r\nBcc: c@d"}`, Path: "/from"},
			{With: `{"host": "h", "from": "a@b", "reply_to": "x"}`, Path: "/reply_to"},
			{With: `{"host": "h", "from": "a@b", "tls": "ssl"}`, Path: "/tls"},
			{With: `{"host": "h", "from": "a@b", "auth": "ntlm"}`, Path: "/auth"},
			{With: `{"host": "h", "from": "a@b", "tls": "none", "auth": "plain", "password": "x"}`, Path: "/auth"},
			{With: `{"host": "h", "from": "a@b", "user": "u"}`, Path: "/password"},
		},
	})
}

// What a repository is checked against when it is compiled is what the plugin says.
func TestSchema(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../../dsl/schemas/email.json")
	if err != nil || strings.TrimSpace(string(file)) != schema {
		t.Errorf("dsl/schemas/email.json is not the schema of this channel (%v)", err)
	}
}

func notification(with json.RawMessage) sdk.Notification {
	return sdk.Notification{
		Key: "failed/1/load", With: with, Severity: "critical", Event: "failed", Subject: "[critical] warehouse.orders/load 失败",
		Text: "What happened:\n  exit 3\nAcknowledge:\n  https://flows/ack/1-abc\n", HTML: `<a href="https://flows/ack/1-abc">ack</a>`,
		Receiver: sdk.Receiver{Name: "Alice 王", Address: "alice@example.com", Kind: sdk.ReceiverPerson},
		Flow:     "warehouse.orders", Task: "load", Run: "warehouse.orders@2026-11-19",
	}
}

func TestMail(t *testing.T) {
	t.Parallel()
	e := startExim(t)
	n := notification(e.with(`, "reply_to": "data@example.com"`))
	again := n
	recovered := n
	recovered.Key, recovered.Severity, recovered.Event, recovered.HTML = "recovered/1/load", "minor", "recovered", ""
	for _, n := range []sdk.Notification{n, again, recovered} {
		if r, err := New(clock).Send(t.Context(), n); err != nil || !r.Delivered || !strings.HasSuffix(r.ID, "@example.com>") {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	ids := map[string]int{}
	for _, m := range e.mails() {
		ids[m.header.Get("Message-Id")]++
		event := m.header.Get("X-Flowctl-Event")
		subject, err := new(mime.WordDecoder).DecodeHeader(m.header.Get("Subject"))
		if err != nil || subject != n.Subject {
			t.Errorf("subject %q, %v", subject, err)
		}
		to, err := m.header.AddressList("To")
		if err != nil || to[0].Name != "Alice 王" || to[0].Address != "alice@example.com" {
			t.Errorf("to %v, %v", to, err)
		}
		thread := "<" + identity("example.com", n.Flow, n.Task, n.Run) + ">"
		for name, want := range map[string]string{
			"From": `"Flows" <flows@example.com>`, "Reply-To": "<data@example.com>", "Date": "Fri, 20 Nov 2026 01:02:03 +0000",
			"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All", "References": thread, "In-Reply-To": thread,
			"X-Flowctl-Flow": n.Flow, "X-Flowctl-Task": n.Task, "X-Flowctl-Run": n.Run,
			"Importance": map[string]string{"failed": "high"}[event],
		} {
			if got := m.header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if m.text != n.Text || m.from != "<flows@example.com>" || m.html != map[string]string{"failed": n.HTML}[event] {
			t.Errorf("from %q, text %q, html %q", m.from, m.text, m.html)
		}
	}
	if len(ids) != 2 || ids["<"+identity("example.com", n.Key, n.Receiver.Address)+">"] != 2 {
		t.Errorf("two mails of one notification and one of another have the Message-IDs %v", ids)
	}
}

// What a notification says stays within its header.
func TestNoHeaderIsInjected(t *testing.T) {
	t.Parallel()
	e := startExim(t)
	n := notification(e.with(""))
	const more = "x\r\nBcc: eve@example.com\r\n\r\nbody\u2028"
	n.Subject, n.Key, n.Severity, n.Event, n.Flow, n.Task, n.Run, n.Receiver.Name = more, more, more, more, more, more, more, more
	if r, err := New(clock).Send(t.Context(), n); err != nil || !r.Delivered {
		t.Fatalf("%+v, %v", r, err)
	}
	mails := e.mails()
	if len(mails) != 1 || mails[0].header.Get("Bcc") != "" || mails[0].text != n.Text {
		t.Errorf("%+v", mails)
	}
	n.Receiver.Address = "alice@example.com\r\nBcc: eve@example.com"
	if r, err := New(clock).Send(t.Context(), n); err != nil || r.Delivered || r.Retryable {
		t.Errorf("a wrong address gives %+v, %v", r, err)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\r\nBcc: b")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(line(text), "\r\n\x00\v\f\u0085\u2028\u2029") {
			t.Errorf("%q is more than a line", line(text))
		}
	})
}

func TestLogin(t *testing.T) {
	t.Parallel()
	e := startExim(t)
	e.write("login", "")
	for _, c := range []struct {
		more      string
		port      int
		delivered bool
		says      string
	}{
		{`, "user": "flows", "password": "pa ss"`, e.port, true, "OK id="},
		{`, "user": "flows", "password": "pa ss", "auth": "plain"`, e.port, true, ""},
		{`, "user": "flows", "password": "pa ss", "auth": "login"`, e.port, true, ""},
		{`, "user": "flows", "password": "pa ss", "auth": "cram-md5"`, e.port, true, ""},
		{`, "user": "flows", "password": "pa ss", "auth": "plain", "tls": "implicit"`, e.secure, true, ""},
		{`, "user": "flows", "password": "pa ss", "tls": "implicit"`, e.secure, true, ""},
		{`, "user": "flows", "password": "pa ss", "tls": "none"`, e.port, true, ""},
		{`, "user": "flows", "password": "wr ong"`, e.port, false, "535"},
		{`, "password": "pa ss"`, e.port, false, "535"}, // as flows@example.com
		{``, e.port, false, "log in first"},
		{`, "ca": "/nowhere"`, e.port, false, "/nowhere"},
		{`, "ca": "exim_test.go"`, e.port, false, "no certificate"},
		{`, "ca": ""`, e.port, false, "certificate"}, // no CA of the system's
		{`, "ca": "", "tls": "implicit"`, e.secure, false, "certificate"},
	} {
		with := strings.Replace(string(e.with(c.more)), fmt.Sprint(e.port), fmt.Sprint(c.port), 1)
		r, err := New(clock).Send(t.Context(), notification(json.RawMessage(with)))
		if err != nil || r.Delivered != c.delivered || r.Retryable || !strings.Contains(r.Message, c.says) {
			t.Errorf("%s: %+v, %v; want delivered %t and %q", c.more, r, err, c.delivered, c.says)
		}
		if strings.Contains(r.Message, "pa ss") || strings.Contains(r.Message, "wr ong") {
			t.Errorf("%s: the password is in %q", c.more, r.Message)
		}
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	e := startExim(t)
	for to, want := range map[string]sdk.Receipt{
		"nobody@example.com": {Message: "no such mailbox"},
		"alice@elsewhere.de": {Message: "relay not permitted"},
		"full@example.com":   {Retryable: true, Message: "mailbox is full"},
	} {
		n := notification(e.with(""))
		n.Receiver.Address = to
		r, err := New(clock).Send(t.Context(), n)
		if err != nil || r.Delivered || r.Retryable != want.Retryable || !strings.Contains(r.Message, want.Message) {
			t.Errorf("%s: %+v, %v; want %+v", to, r, err, want)
		}
	}
	n := notification(json.RawMessage(`{"host": "127.0.0.1", "port": 1, "from": "flows@example.com"}`))
	if r, err := New(clock).Send(t.Context(), n); err != nil || r.Delivered || !r.Retryable {
		t.Errorf("nobody there: %+v, %v", r, err)
	}
	n = notification(e.with(""))
	n.Text = strings.Repeat("too much\n", 1<<18)
	if r, err := New(clock).Send(t.Context(), n); err != nil || r.Delivered || r.Retryable {
		t.Errorf("too long: %+v, %v", r, err)
	}
}

// A server that says nothing holds a call no longer than its context, and one that goes away is worth a retry.
func TestSilence(t *testing.T) {
	t.Parallel()
	for _, tls := range []string{"none", "implicit"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 2 {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				cancel()                              // the first call ends
				_, _ = conn.Read(make([]byte, 1<<10)) // with its connection, at the latest
				_ = conn.Close()
			}
		}()
		n := notification(json.RawMessage(fmt.Sprintf(`{"host": "127.0.0.1", "port": %d, "from": "flows@example.com", "tls": %q}`, l.Addr().(*net.TCPAddr).Port, tls)))
		if r, err := New(clock).Send(ctx, n); err == nil {
			t.Errorf("%s: a call that was cancelled gives %+v", tls, r)
		}
		_ = l.Close()
		<-done
		if r, err := New(clock).Send(t.Context(), n); err != nil || r.Delivered || !r.Retryable {
			t.Errorf("%s: %+v, %v", tls, r, err)
		}
	}
}
