package hub

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"flowctl/engine/wire"
)

func TestARevokedAgentIsCutOffAndRefusedAtTheHandshake(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.join("a")
	s, _ := r.connect(c)
	r.send(s, &wire.AgentMessage{Hello: &wire.Hello{BootId: "b", Slots: 1, Labels: []string{"own"}}})
	r.fleet.expect(t, "joined a")
	if got := strings.Join((<-r.fleet.hellos).Labels, " "); got != "given own" {
		t.Errorf("labels %q", got)
	}
	if err := r.hub.Revoke(t.Context(), "nobody"); err == nil {
		t.Error("an agent that does not exist was revoked")
	}
	for range 2 {
		if err := r.hub.Revoke(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	for {
		if _, err := s.Recv(); err != nil {
			if status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), "revoked") {
				t.Errorf("the stream ended with %v", err)
			}
			break
		}
	}
	r.fleet.expect(t, "lost a")
	if _, err := c.Renew(t.Context(), &wire.RenewRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a call on the old connection: %v", err)
	}
	if a := r.store.agents["a"]; a.Revoked.IsZero() {
		t.Error("that it was revoked is not stored")
	}
	r.hub.Close()
	again, err := New(t.Context(), r.hub.opts) // a new server knows
	if err != nil {
		t.Fatal(err)
	}
	if again.known("a").Revoked.IsZero() {
		t.Error("a new server lets it in")
	}
}

func TestRenewalKeepsTheKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.join("a")
	before := r.store.agents["a"]
	if left := before.CertificateEnds.Sub(before.JoinedAt); left < agentLifetime-time.Second || left > agentLifetime {
		t.Errorf("the certificate lasts %v", left)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{nil, csr} {
		if _, err := c.Renew(t.Context(), &wire.RenewRequest{Csr: bad}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("request %d bytes long: %v", len(bad), err)
		}
	}
	if a := r.store.agents["a"]; a.Fingerprint != before.Fingerprint {
		t.Error("a refused renewal changed the key")
	}
}
