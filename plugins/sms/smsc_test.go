package sms

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"flowctl/plugins/sdktest"
)

// smsc is an SMS centre for one test: testdata/smsc.js.
type smsc struct {
	t             testing.TB
	dir           string
	Plain, Secure int // ports

	mu      sync.Mutex
	stdin   io.Writer
	answers *bufio.Reader
}

// message is a short message as the SMS centre took it.
type message struct {
	Source       string
	SourceTON    int `json:"source_ton"`
	SourceNPI    int `json:"source_npi"`
	To           string
	TON, NPI     int
	Class        int `json:"esm_class"`
	Coding       int
	WantsReceipt int `json:"wants_receipt"`
	Text         string
	UDH          string
}

// startSMSC starts an SMS centre that ends with the test. Tests skip where the package is not installed.
func startSMSC(t testing.TB) *smsc {
	t.Helper()
	modules, err := filepath.Abs("../../bin/peers/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "smpp")); err != nil {
		t.Skip("wants the npm package smpp: run scripts/peers")
	}
	s := &smsc{t: t, dir: t.TempDir()}
	s.certify()
	cmd := exec.Command("node", "testdata/smsc.js", filepath.Join(s.dir, "key.pem"), s.certificate())
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.stdin, s.answers = stdin, bufio.NewReader(stdout)
	t.Cleanup(func() {
		_ = stdin.Close() // it ends by that
		if err := cmd.Wait(); err != nil {
			t.Errorf("the SMS centre: %v", err)
		}
	})
	s.read(s)
	return s
}

func (s *smsc) certificate() string { return filepath.Join(s.dir, "cert.pem") }

// certify makes a certificate for 127.0.0.1 that is its own CA.
func (s *smsc) certify() {
	s.t.Helper()
	check := func(err error) {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	now := time.Now()
	own := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	der, err := x509.CreateCertificate(rand.Reader, own, own, key.Public(), key)
	check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	check(err)
	check(os.WriteFile(s.certificate(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(os.WriteFile(filepath.Join(s.dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

func (s *smsc) read(into any) {
	s.t.Helper()
	line, err := s.answers.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, into)
	}
	if err != nil {
		s.t.Fatalf("the SMS centre says %q: %v", line, err)
	}
}

// tell gives a command and reads the answer.
func (s *smsc) tell(command string, answer any) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := io.WriteString(s.stdin, command+"\n"); err != nil {
		s.t.Fatal(err)
	}
	s.read(answer)
}

// set changes how it behaves.
func (s *smsc) set(mode string) { s.tell(`{"set": `+mode+`}`, &struct{}{}) }

// messages returns what it has taken.
func (s *smsc) messages() []message {
	var l struct{ Messages []message }
	s.tell(`{"list": true}`, &l)
	return l.Messages
}

// binds counts the logins.
func (s *smsc) binds() int {
	var l struct{ Binds []any }
	s.tell(`{"list": true}`, &l)
	return len(l.Binds)
}

// arrivals puts long messages together.
func arrivals(list []message) []sdktest.Arrival {
	whole := make(map[string]int) // what came of a reference
	var out []sdktest.Arrival
	for i, m := range list {
		key := fmt.Sprint(i)
		if m.UDH != "" {
			key = m.To + m.UDH[:len(m.UDH)-2]
		}
		at, begun := whole[key]
		if !begun {
			at = len(out)
			whole[key] = at
			out = append(out, sdktest.Arrival{To: "+" + m.To})
		}
		out[at].Text += m.Text
	}
	return out
}

// with is the configuration that reaches the SMS centre, with more settings.
func (s *smsc) with(more string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"smpp": {"host": "127.0.0.1", "port": %d, "system_id": "flows", "password": "pa ss"%s}}`, s.Plain, more))
}
