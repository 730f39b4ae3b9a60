package phone

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	cryptotls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"flowctl/plugins/internal/example"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
)

func clock() time.Time { return time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC) }

// channel is the one of all tests, as a process has one.
var channel = New(clock)

// gateway keeps the calls that it is asked for.
type gateway struct {
	*httptest.Server
	mu     sync.Mutex
	down   bool
	bodies []string
	last   *http.Request
}

func startGateway(t testing.TB) *gateway {
	g := &gateway{}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down || err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	g.bodies, g.last = append(g.bodies, string(body)), r
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"sid": "CA1", "status": "queued"}`)
}

// No peer can read a text out of a call, so the suite, which asks for it, goes by a gateway; the tests below make calls.
func TestConformance(t *testing.T) {
	t.Parallel()
	sdktest.Channel(t, sdktest.ChannelSuite{
		Channel: channel,
		Peer: func(t *testing.T) sdktest.Peer {
			g := startGateway(t)
			return sdktest.Peer{
				With: json.RawMessage(fmt.Sprintf(`{"gateway": {"url": %q}}`, g.URL)), Address: "+8613800000001",
				Arrived: func() []sdktest.Arrival {
					g.mu.Lock()
					defer g.mu.Unlock()
					var list []sdktest.Arrival
					for _, body := range g.bodies {
						var fields struct{ To, Short string }
						if err := json.Unmarshal([]byte(body), &fields); err != nil {
							t.Error(err)
						}
						list = append(list, sdktest.Arrival{To: fields.To, Text: fields.Short})
					}
					return list
				},
				Down: func() {
					g.mu.Lock()
					defer g.mu.Unlock()
					g.down = true
				},
			}
		},
		Wrong: []sdktest.WrongWith{
			{With: `{}`, Path: "/server"},
			{With: `{"server": "pbx", "from": "1", "colour": 1}`, Path: "/colour"},
			{With: `{"server": 1}`, Path: "/server"},
			{With: `{"server": "pbx:0", "from": "1"}`, Path: "/server"},
			{With: `{"server": "sip:pbx/x", "from": "1"}`, Path: "/server"},
			{With: `{"server": "pbx"}`, Path: "/from"},
			{With: `{"server": "pbx", "from": "a b"}`, Path: "/from"},
			{With: `{"server": "pbx", "from": "1", "transport": "sctp"}`, Path: "/transport"},
			{With: `{"server": "pbx", "from": "1", "ca": "x"}`, Path: "/ca"},
			{With: `{"server": "pbx", "from": "1", "domain": "a>b"}`, Path: "/domain"},
			{With: `{"server": "pbx", "from": "1", "user": "u"}`, Path: "/password"},
			{With: `{"server": "pbx", "from": "1", "plus": "x"}`, Path: "/plus"},
			{With: `{"server": "pbx", "from": "1", "ring": "46s"}`, Path: "/ring"},
			{With: `{"server": "pbx", "from": "1", "ring": "long"}`, Path: "/ring"},
			{With: `{"server": "pbx", "from": "1", "voice": "-w/etc"}`, Path: "/voice"},
			{With: `{"server": "pbx", "from": "1", "speed": 1}`, Path: "/speed"},
			{With: `{"server": "pbx", "from": "1", "repeat": 11}`, Path: "/repeat"},
			{With: `{"server": "pbx", "from": "1", "key": "A"}`, Path: "/key"},
			{With: `{"server": "pbx", "from": "1", "key": "12"}`, Path: "/key"},
			{With: `{"gateway": {}}`, Path: "/gateway/url"},
			{With: `{"gateway": {"url": "http://h", "body": {"to": "{{.Number}}"}}}`, Path: "/gateway/body/to"},
			{With: `{"gateway": {"url": "http://h"}, "voice": "en"}`, Path: "/voice"},
		},
	})
}

// What a repository is checked against when it is compiled is what the plugin says.
func TestSchema(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../../dsl/schemas/phone.json")
	if err != nil || strings.TrimSpace(string(file)) != schema {
		t.Errorf("dsl/schemas/phone.json is not the schema of this channel (%v)", err)
	}
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	for with, want := range map[string]bool{`{"server": "pbx", "from": "1"}`: true, `{"gateway": {"url": "http://h"}}`: false} {
		if got, err := channel.Capabilities(t.Context(), json.RawMessage(with)); err != nil || got.Acknowledges != want {
			t.Errorf("%s: %+v, %v", with, got, err)
		}
	}
}

func notification(with json.RawMessage) sdk.Notification {
	return sdk.Notification{
		Key: "failed/1/load", With: with, Severity: "critical", Event: "failed", Subject: "load failed",
		Short: "[critical] orders load failed\nack: https://flows/ack/1-abc", AckURL: "https://flows/ack/1-abc", AckToken: "1-abc", At: clock(),
		Receiver: sdk.Receiver{Name: "Alice", Address: "+86 138-0000-0001", Kind: sdk.ReceiverPerson},
	}
}

// spokenTime is how long espeak-ng speaks a text.
func spokenTime(t *testing.T, text string) time.Duration {
	t.Helper()
	wav, err := exec.Command("espeak-ng", "-s", "150", "-v", "en", "--stdout", text).Output()
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(len(wav)-44) * time.Second / (2 * 22050)
}

func TestSpeech(t *testing.T) {
	t.Parallel()
	for kind, l := range map[uint8]law{typePCMU: muLaw, typePCMA: aLaw} {
		t.Run(strconv.Itoa(int(kind)), func(t *testing.T) {
			t.Parallel()
			p := startSIPp(t, "answer", 1, "-key", "law", strconv.Itoa(int(kind)))
			go p.ear.hear(0, "")
			r, err := channel.Send(t.Context(), notification(p.with("")))
			if err != nil || !r.Delivered || r.Acknowledged || r.ID == "" {
				t.Fatalf("%+v, %v", r, err)
			}
			p.played()
			packets, times := p.ear.heard()
			length := time.Duration(len(packets)-pause) * frameTime
			want := spokenTime(t, "[critical] orders load failed\n\nPress 1 to acknowledge.")
			if off := length - want; off < -frameTime || off > frameTime {
				t.Errorf("the message lasts %v, want %v", length, want)
			}
			loud := 0
			for i, packet := range packets {
				first := packets[0]
				if packet.PayloadType != kind || packet.SSRC != first.SSRC || packet.Marker != (i == 0) || len(packet.Payload) != frameSamples ||
					packet.SequenceNumber != first.SequenceNumber+uint16(i) || packet.Timestamp != first.Timestamp+uint32(i*frameSamples) {
					t.Fatalf("packet %d: %+v", i, packet.Header)
				}
				isLoud := loudness(packet.Payload, l) > 300
				if isLoud {
					loud++
				}
				if isLoud && i >= len(packets)-pause {
					t.Errorf("packet %d of %d is loud, in the pause", i, len(packets))
				}
			}
			if spoken := len(packets) - pause; loud < spoken/3 {
				t.Errorf("%d of %d packets are loud: that is no speech", loud, spoken)
			}
			took, due := times[len(times)-1].Sub(times[0]), time.Duration(len(times)-1)*frameTime
			if took < due-2*frameTime || took > due+2*time.Second {
				t.Errorf("%d packets took %v, want %v", len(times), took, due)
			}
		})
	}
}

// loudness is the mean amplitude of a frame.
func loudness(frame []byte, l law) int {
	sum := 0
	for _, code := range frame {
		sum += max(decoded(l)[code], -decoded(l)[code])
	}
	return sum / len(frame)
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	p := startSIPp(t, "answer", 1, "-key", "law", "0")
	go p.ear.hear(0, "")
	wav := filepath.Join(t.TempDir(), "alarm.wav")
	if err := os.WriteFile(wav, tone(rate/2), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := channel.Send(t.Context(), notification(p.with(fmt.Sprintf(`, "repeat": 2, "wav": %q`, wav))))
	if err != nil || !r.Delivered || r.Acknowledged {
		t.Fatalf("%+v, %v", r, err)
	}
	p.played()
	packets, _ := p.ear.heard()
	if want := 2 * (25 + pause); len(packets) != want {
		t.Fatalf("%d packets, want %d", len(packets), want)
	}
	for i, packet := range packets {
		if loud := loudness(packet.Payload, muLaw) > 300; loud != (i%(25+pause) < 25) {
			t.Fatalf("packet %d: loud is %t", i, loud)
		}
	}
}

// Whoever answers presses 7, which means nothing, and then the key.
func TestKeyAcknowledges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scenario, more, pressed string
		args                    []string
		nothing                 bool // to acknowledge
		want                    bool
	}{
		"event":                        {scenario: "answer", pressed: "71", want: true},
		"another key":                  {scenario: "answer", pressed: "7*", more: `, "key": "*"`, want: true},
		"wrong keys":                   {scenario: "answer", pressed: "723"},
		"nothing to":                   {scenario: "answer", pressed: "1", nothing: true},
		"info":                         {scenario: "info", args: []string{"-key", "signal", "1"}, want: true},
		"info over TCP":                {scenario: "info", args: []string{"-key", "signal", "11", "-t", "t1"}, more: `, "transport": "tcp", "key": "#"`, want: true},
		"event over TCP":               {scenario: "answer", args: []string{"-t", "t1"}, pressed: "1", more: `, "transport": "tcp"`, want: true},
		"by way of a server":           {scenario: "answer", pressed: "1", more: `, "domain": "calls.example.com"`, want: true},
		"another international prefix": {scenario: "answer", pressed: "1", more: `, "plus": "00"`, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startSIPp(t, c.scenario, 1, append([]string{"-key", "law", "0"}, c.args...)...)
			go p.ear.hear(10, c.pressed)
			n := notification(p.with(c.more))
			if c.nothing {
				n.AckURL, n.AckToken, n.Short = "", "", "recovered"
			}
			r, err := channel.Send(t.Context(), n)
			if err != nil || !r.Delivered || r.Acknowledged != c.want || r.Retryable || r.Unanswered {
				t.Fatalf("%+v, %v; want acknowledged %t", r, err, c.want)
			}
			p.played()
			log, err := os.ReadFile(p.log)
			number := "INVITE sip:+8613800000001@127.0.0.1:"
			switch {
			case strings.Contains(c.more, "plus"):
				number = "INVITE sip:008613800000001@127.0.0.1:"
			case strings.Contains(c.more, "domain"):
				number = "INVITE sip:+8613800000001@calls.example.com "
			}
			if err != nil || !strings.Contains(string(log), number) {
				t.Errorf("there is no %s (%v)", number, err)
			}
		})
	}
}

func TestNobodyTakesIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scenario, status, more string
		want                   sdk.Receipt
	}{
		"busy":                    {"refuse", "486 Busy Here", "", sdk.Receipt{Unanswered: true, Message: "busy"}},
		"busy everywhere":         {"refuse", "600 Busy Everywhere", "", sdk.Receipt{Unanswered: true, Message: "busy"}},
		"declined":                {"refuse", "603 Decline", "", sdk.Receipt{Unanswered: true, Message: "declined"}},
		"no answer by the server": {"refuse", "480 Temporarily Unavailable", "", sdk.Receipt{Unanswered: true, Message: "nobody answered"}},
		"no such number":          {"refuse", "404 Not Found", "", sdk.Receipt{Message: "404"}},
		"overloaded":              {"refuse", "503 Service Unavailable", "", sdk.Receipt{Retryable: true, Message: "503"}},
		"wants a login":           {"refuse", "401 Unauthorized", "", sdk.Receipt{Message: "with/password"}},
		"rings":                   {"ring", "", `, "ring": "1s"`, sdk.Receipt{Unanswered: true, Message: "nobody answered within 1s"}},
		"taken too late":          {"late", "", `, "ring": "1s"`, sdk.Receipt{Unanswered: true, Message: "nobody answered within 1s"}},
		"leaves":                  {"leave", "", "", sdk.Receipt{Unanswered: true, Message: "ended before"}},
		"speaks no G.711":         {"answer", "", "", sdk.Receipt{Message: "G.711"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind := "0"
			if c.scenario == "answer" {
				kind = "3"
			}
			p := startSIPp(t, c.scenario, 1, "-key", "status", c.status, "-key", "law", kind)
			r, err := channel.Send(t.Context(), notification(p.with(c.more)))
			if err != nil || r.Delivered || r.Retryable != c.want.Retryable || r.Unanswered != c.want.Unanswered || !strings.Contains(r.Message, c.want.Message) {
				t.Errorf("%+v, %v; want %+v", r, err, c.want)
			}
			p.played()
		})
	}
}

// digestParts are what a digest is made of (RFC 2617, section 3.2.2), but for the password.
var digestParts = regexp.MustCompile(`Proxy-Authorization: Digest username="(.*?)", realm="(.*?)", nonce="(.*?)", uri="(.*?)", algorithm=MD5, cnonce="(.*?)", qop=auth, nc=(.*?), response="(.*?)"`)

func TestLogin(t *testing.T) {
	t.Parallel()
	const verify = `<verifyauth assign_to="trusted" username="flows" password="pa ss"/>`
	const present = `<ereg regexp="response=" search_in="hdr" header="Proxy-Authorization:" assign_to="trusted"/>` // what sipp cannot verify
	for name, c := range map[string]struct {
		status, header, check, password string
		delivered                       bool
	}{
		"server":         {"401 Unauthorized", "WWW-Authenticate", verify, "pa ss", true},
		"proxy":          {"407 Proxy Authentication Required", "Proxy-Authenticate", present, "pa ss", true},
		"wrong password": {"401 Unauthorized", "WWW-Authenticate", verify, "wr ong", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startSIPp(t, "login", 1, "-key", "challenge", c.status, "-key", "header", c.header, "-key", "check", c.check, "-key", "law", "0")
			go p.ear.hear(5, "1")
			r, err := channel.Send(t.Context(), notification(p.with(fmt.Sprintf(`, "user": "flows", "password": %q`, c.password))))
			if err != nil || r.Delivered != c.delivered || r.Acknowledged != c.delivered || r.Retryable || r.Unanswered {
				t.Fatalf("%+v, %v", r, err)
			}
			p.played()
			log, err := os.ReadFile(p.log)
			if err != nil || strings.Contains(string(log), c.password) || strings.Contains(r.Message, c.password) {
				t.Errorf("the password is shown: %q (%v)", r.Message, err)
			}
			if name == "proxy" {
				d := digestParts.FindStringSubmatch(string(log))
				if d == nil || d[7] != md5Hex(md5Hex("flows:calls:pa ss"), d[3], d[6], d[5], "auth", md5Hex("INVITE", d[4])) {
					t.Errorf("the digest is %q", d)
				}
			}
		})
	}
}

func md5Hex(parts ...string) string {
	sum := md5.Sum([]byte(strings.Join(parts, ":")))
	return hex.EncodeToString(sum[:])
}

// Each log-in, call and log-out is a call of the scenario's.
func TestRegister(t *testing.T) {
	t.Parallel()
	p := startSIPp(t, "register", 3, "-key", "law", "0")
	go p.ear.hear(5, "1")
	r, err := channel.Send(t.Context(), notification(p.with(`, "user": "flows", "password": "pa ss", "register": true`)))
	if err != nil || !r.Acknowledged {
		t.Fatalf("%+v, %v", r, err)
	}
	p.played()
	refusing := startSIPp(t, "register", 1, "-key", "law", "0")
	r, err = channel.Send(t.Context(), notification(refusing.with(`, "user": "flows", "password": "wr ong", "register": true`)))
	if err != nil || r.Delivered || r.Retryable || r.Unanswered || !strings.Contains(r.Message, "403") || strings.Contains(r.Message, "wr ong") {
		t.Errorf("%+v, %v", r, err)
	}
	refusing.played()
}

// TLS ends at a proxy: Debian's sipp has none.
func TestTLS(t *testing.T) {
	t.Parallel()
	certificate, ca := certify(t)
	p := startSIPp(t, "answer", 1, "-key", "law", "0", "-t", "t1")
	go p.ear.hear(5, "1")
	l, err := cryptotls.Listen("tcp", "127.0.0.1:0", &cryptotls.Config{Certificates: []cryptotls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() { forward(l, p.port) })
	t.Cleanup(func() {
		_ = l.Close()
		group.Wait()
	})
	with := func(more string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"server": %q, "transport": "tls", "from": "1000", "repeat": 1%s}`, l.Addr(), more))
	}
	for more, says := range map[string]string{"": "certificate", `, "ca": "/nowhere"`: "/nowhere", `, "ca": "phone_test.go"`: "no certificate"} {
		r, err := channel.Send(t.Context(), notification(with(more)))
		if err != nil || r.Delivered || r.Retryable || !strings.Contains(r.Message, says) {
			t.Errorf("%s: %+v, %v", more, r, err)
		}
	}
	r, err := channel.Send(t.Context(), notification(with(fmt.Sprintf(`, "ca": %q`, ca))))
	if err != nil || !r.Acknowledged {
		t.Fatalf("%+v, %v", r, err)
	}
	p.played()
}

// forward takes connections to a port until the listener is closed.
func forward(l net.Listener, port int) {
	var group sync.WaitGroup
	defer group.Wait()
	for {
		near, err := l.Accept()
		if err != nil {
			return
		}
		if near.(*cryptotls.Conn).Handshake() != nil {
			_ = near.Close()
			continue
		}
		far, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			_ = near.Close()
			continue
		}
		for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
			group.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
			})
		}
	}
}

// certify makes a certificate for 127.0.0.1, which is its own CA.
func certify(t *testing.T) (cryptotls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return cryptotls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	wav := filepath.Join(t.TempDir(), "alarm.wav")
	if err := os.WriteFile(wav, tone(rate), 0o644); err != nil {
		t.Fatal(err)
	}
	for with, want := range map[string]sdk.Receipt{
		`{"server": "127.0.0.1:1", "transport": "tcp", "from": "1", "wav": "` + wav + `"}`: {Retryable: true, Message: "refused"},
		`{"server": "127.0.0.1:1", "from": "1", "wav": "/nowhere"}`:                        {Message: "/nowhere"},
		`{"server": "127.0.0.1:1", "from": "1", "wav": "phone_test.go"}`:                   {Message: "no WAV"},
		`{"server": "127.0.0.1:1", "from": "1", "voice": "klingonese"}`:                    {Message: "klingonese"},
		`{"server": "nowhere.invalid", "from": "1", "wav": "` + wav + `"}`:                 {Retryable: true, Message: "nowhere.invalid"},
	} {
		r, err := channel.Send(t.Context(), notification(json.RawMessage(with)))
		if err != nil || r.Delivered || r.Unanswered || r.Retryable != want.Retryable || !strings.Contains(r.Message, want.Message) {
			t.Errorf("%s: %+v, %v; want %+v", with, r, err, want)
		}
	}
}

// A call that is cut off ends at the other side too.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, scenario := range []string{"ring", "answer"} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			p := startSIPp(t, scenario, 1, "-key", "law", "0")
			ctx, cancel := context.WithTimeout(t.Context(), time.Second+reserve)
			defer cancel()
			if scenario == "ring" {
				ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				defer cancel()
			}
			wav := filepath.Join(t.TempDir(), "alarm.wav")
			if err := os.WriteFile(wav, tone(20*rate), 0o644); err != nil {
				t.Fatal(err)
			}
			r, err := channel.Send(ctx, notification(p.with(fmt.Sprintf(`, "wav": %q`, wav))))
			if (err == nil) != (scenario == "answer") || r.Delivered {
				t.Errorf("%+v, %v", r, err)
			}
			p.played()
		})
	}
}

func TestGatewayOfTheDocumentation(t *testing.T) {
	t.Parallel()
	examples := example.Channels(t, "../../docs/channels.md", "phone")
	if len(examples) != 2 {
		t.Fatalf("found %d examples", len(examples))
	}
	for name, with := range examples {
		if problems := channel.Validate(with); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
	g := startGateway(t)
	with := strings.Replace(string(examples["twilio-calls"]), "https://api.twilio.com", g.URL, 1)
	n := notification(json.RawMessage(with))
	n.Subject = "Load & go failed"
	r, err := channel.Send(t.Context(), n)
	if err != nil || !r.Delivered || r.Acknowledged || r.ID != "CA1" {
		t.Fatalf("%+v, %v", r, err)
	}
	if user, password, _ := g.last.BasicAuth(); user != "AC0123" || password != "secret-twilio" || !strings.HasPrefix(g.last.URL.Path, "/2010-04-01/Accounts/AC0123/Calls.json") {
		t.Errorf("%s as %s %s", g.last.URL, user, password)
	}
	if body := g.bodies[0]; !strings.Contains(body, "To=%2B86+138-0000-0001") || !strings.Contains(body, "%3ELoad+%26amp%3B+go+failed%3C") {
		t.Error(body)
	}
}
