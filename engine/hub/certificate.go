package hub

import (
	"context"
	"crypto/tls"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"flowctl/engine"
	"flowctl/engine/wire"
)

// errRevoked ends whatever a revoked agent does.
var errRevoked = status.Error(codes.Unauthenticated, "the certificate of this agent was revoked: join with a new token")

// admit refuses the certificates of revoked agents during the handshake. Whether a certificate is its agent's newest is found when it makes a call,
// where the answer can say what to do.
func (h *Hub) admit(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return nil // it comes to join
	}
	cert := s.PeerCertificates[0]
	h.mu.Lock()
	a := h.agents[cert.Subject.CommonName]
	h.mu.Unlock()
	if a != nil && !a.Revoked.IsZero() && a.Fingerprint == wire.Fingerprint(cert.RawSubjectPublicKeyInfo) {
		return fmt.Errorf("the certificate of agent %q was revoked", a.Name)
	}
	return nil
}

// Renew implements the call of the same name. The key stays the one that the agent joined with, so the old certificate remains good until it ends,
// and a reply that is lost costs nothing.
func (h *Hub) Renew(ctx context.Context, r *wire.RenewRequest) (*wire.RenewReply, error) {
	name, _ := ctx.Value(agentKey{}).(string)
	cert, err := h.ca.agentCertificate(name, r.Csr)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "certificate request: %v", err)
	}
	h.rows.Lock()
	defer h.rows.Unlock()
	a := h.known(name)
	switch {
	case a.Fingerprint != wire.Fingerprint(cert.RawSubjectPublicKeyInfo):
		return nil, status.Error(codes.InvalidArgument, "certificate request: it is not for the key that the agent joined with")
	case !a.Revoked.IsZero():
		return nil, errRevoked
	}
	a.CertificateEnds = cert.NotAfter
	if err := h.put(ctx, &a); err != nil {
		return nil, status.Errorf(codes.Internal, "%v", err)
	}
	h.opts.Log.Info("an agent renewed its certificate", "agent", name, "until", cert.NotAfter)
	return &wire.RenewReply{Certificate: cert.Raw}, nil
}

// Revoke takes an agent's certificate back: its stream ends, and it is refused until it joins again with a new token.
func (h *Hub) Revoke(ctx context.Context, name string) error {
	h.rows.Lock()
	defer h.rows.Unlock()
	a := h.known(name)
	if a.Name == "" {
		return engine.Errorf(engine.NotFound, "no agent %s: see flowctl get agents", name)
	}
	if !a.Revoked.IsZero() {
		return nil
	}
	a.Revoked = h.opts.Now()
	if err := h.put(ctx, &a); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.streams[name]; s != nil {
		s.fail(errRevoked)
	}
	h.opts.Log.Info("an agent was revoked", "agent", name)
	return nil
}

// known returns a copy of what is known of an agent, without a name when it is not known.
func (h *Hub) known(name string) engine.Agent {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.agents[name]; a != nil {
		return *a
	}
	return engine.Agent{}
}

// put stores an agent. The caller holds rows from before it read the agent.
func (h *Hub) put(ctx context.Context, a *engine.Agent) error {
	if err := h.opts.Store.PutAgent(ctx, a); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.agents[a.Name] = a
	return nil
}
