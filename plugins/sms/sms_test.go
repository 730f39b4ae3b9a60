package sms

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flowctl/plugins/internal/example"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
)

var update = flag.Bool("update", false, "write the wanted requests")

func clock() time.Time { return time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC) }

func TestConformance(t *testing.T) {
	t.Parallel()
	sdktest.Channel(t, sdktest.ChannelSuite{
		Channel: New(clock),
		Peer: func(t *testing.T) sdktest.Peer {
			s := startSMSC(t)
			return sdktest.Peer{
				With: s.with(""), Address: "+8613800000001",
				Arrived: func() []sdktest.Arrival { return arrivals(s.messages()) },
				Down:    func() { s.set(`{"refuse": 8}`) },
			}
		},
		Wrong: []sdktest.WrongWith{
			{With: `{}`, Path: ""},
			{With: `{"smpp": {"host": "h", "system_id": "s"}, "gateway": {"url": "http://h"}}`, Path: ""},
			{With: `{"smpp": {"host": "h", "system_id": "s", "colour": 1}}`, Path: "/colour"},
			{With: `{"smpp": {"system_id": "s"}}`, Path: "/smpp/host"},
			{With: `{"smpp": {"host": "h"}}`, Path: "/smpp/system_id"},
			{With: `{"smpp": {"host": "h", "system_id": "0123456789abcdef"}}`, Path: "/smpp/system_id"},
			{With: `{"smpp": {"host": "h", "system_id": "s", "source": "\u0000"}}`, Path: "/smpp/source"},
			{With: `{"smpp": {"host": "h", "system_id": "s", "port": -1}}`, Path: "/smpp/port"},
			{With: `{"smpp": {"host": "h", "system_id": "s", "window": -1}}`, Path: "/smpp/window"},
			{With: `{"smpp": {"host": "h", "system_id": "s", "keepalive": "soon"}}`, Path: "/smpp/keepalive"},
			{With: `{"smpp": {"host": "h", "system_id": "s", "receipts": "0s"}}`, Path: "/smpp/receipts"},
			{With: `{"smpp": {"host": "h", "system_id": "s", "reference": 4}}`, Path: "/smpp/reference"},
			{With: `{"max_length": 3, "gateway": {"url": "http://h"}}`, Path: "/max_length"},
			{With: `{"gateway": {"url": "http://h", "form": {"To": "{{.X}}"}}}`, Path: "/gateway/form/To"},
		},
	})
}

// What a repository is checked against when it is compiled is what the plugin says.
func TestSchema(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../../dsl/schemas/sms.json")
	if err != nil || strings.TrimSpace(string(file)) != schema {
		t.Errorf("dsl/schemas/sms.json is not the schema of this channel (%v)", err)
	}
}

func notification(with json.RawMessage, text string) sdk.Notification {
	return sdk.Notification{
		Key: "failed/1/load", With: with, Severity: "critical", Event: "failed", Short: text,
		Receiver: sdk.Receiver{Name: "Alice", Address: "+8613800000001", Kind: sdk.ReceiverPerson},
	}
}

// send sends a text and compares what the receipt says.
func send(t *testing.T, c *Channel, with json.RawMessage, text string, want sdk.Receipt) {
	t.Helper()
	r, err := c.Send(t.Context(), notification(with, text))
	if err != nil || r.Delivered != want.Delivered || r.Retryable != want.Retryable || r.Unanswered != want.Unanswered || !strings.Contains(r.Message, want.Message) {
		t.Errorf("%s: %+v, %v; want %+v", with, r, err, want)
	}
	if strings.Contains(r.Message, "pa ss") || strings.Contains(r.Message, "wr ong") {
		t.Errorf("the password is in %q", r.Message)
	}
}

var delivered = sdk.Receipt{Delivered: true}

func TestTexts(t *testing.T) {
	t.Parallel()
	s := startSMSC(t)
	c := New(clock)
	gsm, euro, han, emoji := strings.Repeat("abcdefgh", 20), strings.Repeat("{€}", 30), strings.Repeat("上游失败", 20), strings.Repeat("🙂x", 40)
	for _, text := range []string{"@£$ äöü\n^{}\\[~]|€ plain", gsm, gsm + "x", euro, "上游", han, emoji} {
		for _, bits := range []int{8, 16} {
			before := len(s.messages())
			send(t, c, s.with(fmt.Sprintf(`, "source": "Flows", "reference": %d`, bits)), text, delivered)
			parts := s.messages()[before:]
			if got := arrivals(parts); len(got) != 1 || got[0].Text != text {
				t.Errorf("%q with %d bits arrived as %+v", text, bits, got)
			}
			for i, p := range parts {
				wantUDH := ""
				if len(parts) > 1 {
					wantUDH = fmt.Sprintf("%02x%02x", len(parts), i+1)
				}
				if !strings.HasSuffix(p.UDH, wantUDH) || (p.Class != 0) != (p.UDH != "") || p.UDH != "" && len(p.UDH) != 2*(4+bits/8) {
					t.Errorf("part %d of %d has class %d and header %q", i+1, len(parts), p.Class, p.UDH)
				}
				if p.To != "8613800000001" || p.TON != 1 || p.NPI != 1 || p.Source != "Flows" || p.SourceTON != 5 || p.SourceNPI != 0 || p.WantsReceipt != 0 {
					t.Errorf("%+v", p)
				}
			}
		}
	}
	for source, want := range map[string][2]int{"+4930123": {1, 1}, "12345": {0, 0}} {
		send(t, c, s.with(fmt.Sprintf(`, "source": %q`, source)), "x", delivered)
		list := s.messages()
		if m := list[len(list)-1]; m.Source != strings.TrimPrefix(source, "+") || [2]int{m.SourceTON, m.SourceNPI} != want {
			t.Errorf("%s: %+v", source, m)
		}
	}
}

// What is sent again has the same header, so that a phone that has it drops it.
func TestSameReference(t *testing.T) {
	t.Parallel()
	s := startSMSC(t)
	for range 2 {
		send(t, New(clock), s.with(""), strings.Repeat("x", 200), delivered)
	}
	list := s.messages()
	if len(list) != 4 || list[0].UDH != list[2].UDH || list[1].UDH != list[3].UDH || list[0].UDH == list[1].UDH {
		t.Errorf("%+v", list)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := startSMSC(t)
	c := New(clock)
	for status, want := range map[int]sdk.Receipt{
		0x58: {Retryable: true, Message: "throttled"}, 0x14: {Retryable: true, Message: "queue"}, 0x08: {Retryable: true, Message: "system error"},
		0x0b: {Message: "destination"}, 0x7f: {Message: "0x0000007f"},
	} {
		s.set(fmt.Sprintf(`{"refuse": %d}`, status))
		send(t, c, s.with(""), "x", want)
	}
	s.set(`{"refuse": 0, "throttle": 1}`)
	send(t, c, s.with(""), "x", sdk.Receipt{Retryable: true, Message: "throttled"})
	send(t, c, s.with(""), "x", delivered)
	if n := s.binds(); n != 1 {
		t.Errorf("%d connections, want 1: a refusal ends none", n)
	}
	for with, want := range map[string]sdk.Receipt{
		strings.Replace(string(s.with("")), "pa ss", "wr ong", 1):                         {Message: "invalid password"},
		strings.Replace(string(s.with("")), fmt.Sprint(s.Plain), "1", 1):                  {Retryable: true, Message: "refused"},
		strings.Replace(string(s.with("")), fmt.Sprint(s.Plain), fmt.Sprint(s.Secure), 1): {Retryable: true}, // TLS is there
	} {
		send(t, c, json.RawMessage(with), "x", want)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := startSMSC(t)
	with := func(more string) json.RawMessage {
		return json.RawMessage(strings.Replace(string(s.with(more)), fmt.Sprint(s.Plain), fmt.Sprint(s.Secure), 1))
	}
	send(t, New(clock), with(fmt.Sprintf(`, "tls": true, "ca": %q`, s.certificate())), "secure", delivered)
	send(t, New(clock), with(`, "tls": true`), "x", sdk.Receipt{Message: "certificate"})
	send(t, New(clock), with(`, "tls": true, "ca": "sms_test.go"`), "x", sdk.Receipt{Message: "with/smpp/ca"})
	send(t, New(clock), with(`, "tls": true, "ca": "/nowhere"`), "x", sdk.Receipt{Message: "/nowhere"})
	if got := s.messages(); len(got) != 1 || got[0].Text != "secure" {
		t.Errorf("%+v", got)
	}
}

// A connection that was kept and is dead costs nothing but another; one that breaks when it is new is worth a retry.
func TestReconnect(t *testing.T) {
	t.Parallel()
	s := startSMSC(t)
	c := New(clock)
	send(t, c, s.with(""), "one", delivered)
	s.set(`{"drop": 1}`)
	send(t, c, s.with(""), "two", delivered)
	s.set(`{"drop": 2}`)
	send(t, c, s.with(""), "three", sdk.Receipt{Retryable: true, Message: "lost"})
	send(t, c, s.with(""), "three", delivered)
	if got, n := s.messages(), s.binds(); len(got) != 3 || n != 4 {
		t.Errorf("%d connections, %+v", n, got)
	}
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	s := startSMSC(t)
	c := New(clock)
	long := strings.Repeat("x", 200)
	for _, first := range []bool{false, true} {
		for state, want := range map[string]sdk.Receipt{
			"DELIVRD": {Delivered: true, Message: "the phone has it"},
			"EXPIRED": {Unanswered: true, Message: "EXPIRED"},
			"UNDELIV": {Message: "UNDELIV"},
			"REJECTD": {Message: "REJECTD"},
		} {
			s.set(fmt.Sprintf(`{"receipt": %q, "first": %t}`, state, first))
			send(t, c, s.with(`, "receipts": "1m"`), long, want)
		}
	}
	for _, state := range []string{"", "ENROUTE"} {
		s.set(fmt.Sprintf(`{"receipt": %q}`, state))
		send(t, c, s.with(`, "receipts": "10ms"`), long, sdk.Receipt{Delivered: true, Message: "did not confirm"})
	}
	if m := s.messages()[0]; m.WantsReceipt != 1 {
		t.Errorf("%+v", m)
	}
}

// The SMS centre sees no more requests at once than the window holds, and answers them in any order.
func TestWindow(t *testing.T) {
	t.Parallel()
	s := startSMSC(t)
	s.set(`{"silent": true, "most": 5}`)
	c := New(clock)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { send(t, c, s.with(`, "window": 5`), "x", delivered) })
	}
	group.Wait()
	if got, n := s.messages(), s.binds(); len(got) != 20 || n != 1 {
		t.Errorf("%d messages by %d connections", len(got), n)
	}
}

// Both sides enquire, what nobody knows is refused, and a connection that is not needed ends and is made again.
func TestKeepalive(t *testing.T) {
	t.Parallel()
	s := startSMSC(t)
	c := New(clock)
	with := s.with(`, "keepalive": "1ms"`)
	send(t, c, with, "x", delivered)
	var seen struct{ Enquiries, Answered int }
	s.tell(`{"enquire": 5}`, &seen)
	p := parsed(t, with)
	<-c.link(p.SMPP).session.done
	send(t, c, with, "x", delivered)
	if n := s.binds(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func parsed(t *testing.T, with json.RawMessage) *settings {
	t.Helper()
	s, problems := parse(with)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return s
}

// What is no SMS centre is worth a retry, and takes no memory.
func TestNoSMSC(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	}()
	with := fmt.Sprintf(`{"smpp": {"host": "127.0.0.1", "port": %d, "system_id": "flows"}}`, l.Addr().(*net.TCPAddr).Port)
	send(t, New(clock), json.RawMessage(with), "x", sdk.Receipt{Retryable: true, Message: "is that an SMS centre?"})
}

func TestGatewayConformance(t *testing.T) {
	t.Parallel()
	sdktest.Channel(t, sdktest.ChannelSuite{
		Channel: New(clock),
		Peer: func(t *testing.T) sdktest.Peer {
			var mu sync.Mutex
			var list []sdktest.Arrival
			down := false
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if down {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				list = append(list, sdktest.Arrival{To: r.FormValue("To"), Text: r.FormValue("Body")})
			}))
			t.Cleanup(web.Close)
			return sdktest.Peer{
				With:    json.RawMessage(fmt.Sprintf(`{"gateway": {"url": %q, "form": {"To": "{{.To}}", "Body": "{{.Short}}"}}}`, web.URL)),
				Address: "+8613800000001",
				Arrived: func() []sdktest.Arrival {
					mu.Lock()
					defer mu.Unlock()
					return append([]sdktest.Arrival(nil), list...)
				},
				Down: func() {
					mu.Lock()
					defer mu.Unlock()
					down = true
				},
			}
		},
	})
}

// TestExamples validates the settings of the documentation, sends with those of gateways, and compares what arrives.
func TestExamples(t *testing.T) {
	t.Parallel()
	examples := example.Channels(t, "../../docs/channels.md", "sms")
	answers := map[string]struct{ taken, busy, refused string }{
		"texts":  {},
		"twilio": {`{"sid": "SM1", "status": "queued"}`, "", ""},
		"aliyun": {`{"Code": "OK", "BizId": "SM1"}`, `{"Code": "isv.BUSINESS_LIMIT_CONTROL"}`, `{"Code": "isv.MOBILE_NUMBER_ILLEGAL"}`},
	}
	if len(examples) != len(answers) {
		t.Errorf("found %d examples", len(examples))
	}
	for name, with := range examples {
		if problems := New(clock).Validate(with); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
			continue
		}
		if parsed(t, with).Gateway == nil {
			continue
		}
		dump, answer := "", ""
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			dump = example.Dump(r, body)
			_, _ = io.WriteString(w, answer)
		}))
		defer web.Close()
		with = example.To(web.URL, with)
		const text = "[critical] \"orders\" <failed> 失败\nack: https://flows/ack/1-abc"
		answer = answers[name].taken
		if r, err := New(clock).Send(t.Context(), notification(with, text)); err != nil || !r.Delivered || r.ID != "SM1" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		example.Compare(t, filepath.Join("testdata", name+".txt"), dump, *update)
		if answers[name].busy != "" {
			answer = answers[name].busy
			send(t, New(clock), with, text, sdk.Receipt{Retryable: true})
			answer = answers[name].refused
			send(t, New(clock), with, text, sdk.Receipt{Message: answer})
		}
	}
}
