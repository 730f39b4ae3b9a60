package hub

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"regexp"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"flowctl/engine"
	"flowctl/engine/wire"
)

// validName is what an agent may be called: the form of all names of the product.
var validName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$`)

// Token makes a one-time token with which one agent can join within ttl, and is given what the grant says.
func (h *Hub) Token(ctx context.Context, ttl time.Duration, by string, grant engine.Grant) (*engine.AgentToken, error) {
	secret := make([]byte, 24)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	token := wire.Token{Secret: hex.EncodeToString(secret), Fingerprint: h.ca.fingerprint()}
	now := h.opts.Now()
	row := engine.JoinToken{Hash: token.Hash(), Made: now, Expires: now.Add(ttl), By: by, Grant: grant}
	if err := h.opts.Store.PutToken(ctx, &row); err != nil {
		return nil, fmt.Errorf("store a join token: %w", err)
	}
	return &engine.AgentToken{ID: row.ID(), Token: token.String(), ExpiresAt: row.Expires}, nil
}

// Join implements the call of the same name.
func (h *Hub) Join(ctx context.Context, r *wire.JoinRequest) (*wire.JoinReply, error) {
	if !validName.MatchString(r.Name) {
		return nil, status.Errorf(codes.InvalidArgument,
			"%q cannot be the name of an agent: use up to 200 letters, digits, '_', '.', '-', and begin with a letter, digit or '_'", r.Name)
	}
	now := h.opts.Now()
	token, err := h.opts.Store.UseToken(ctx, wire.Token{Secret: r.Token}.Hash(), now)
	if err != nil {
		h.opts.Log.Warn("an agent was refused", "agent", r.Name, "reason", err)
		return nil, status.Error(codes.Unauthenticated, "the join token is unknown, used or expired: make another one on the server")
	}
	cert, err := h.ca.agentCertificate(r.Name, r.Csr)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "certificate request: %v", err)
	}
	a := &engine.Agent{
		Name: r.Name, Fingerprint: wire.Fingerprint(cert.RawSubjectPublicKeyInfo), CertificateEnds: cert.NotAfter, Grant: token.Grant,
		JoinedAt: now, LastSeen: now,
	}
	h.rows.Lock()
	defer h.rows.Unlock()
	if err := h.put(ctx, a); err != nil {
		return nil, status.Errorf(codes.Internal, "%v", err)
	}
	h.opts.Log.Info("an agent joined the fleet", "agent", a.Name)
	return &wire.JoinReply{Certificate: cert.Raw, Ca: h.ca.cert.Raw}, nil
}

// agentKey is the key of the agent's name in the context of an authenticated call.
type agentKey struct{}

// authenticate finds the agent that makes a call by its certificate.
func (h *Hub) authenticate(ctx context.Context) (context.Context, error) {
	cert := peerCertificate(ctx)
	if cert == nil {
		return nil, status.Error(codes.Unauthenticated, "no client certificate: join with a token first")
	}
	name := cert.Subject.CommonName
	h.mu.Lock()
	a := h.agents[name]
	h.mu.Unlock()
	switch {
	case a == nil || a.Fingerprint != wire.Fingerprint(cert.RawSubjectPublicKeyInfo):
		return nil, status.Errorf(codes.Unauthenticated, "the certificate of agent %q is not the one it joined with last: join with a new token", name)
	case !a.Revoked.IsZero():
		return nil, errRevoked
	}
	return context.WithValue(ctx, agentKey{}, name), nil
}

func peerCertificate(ctx context.Context) *x509.Certificate {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return nil
	}
	return info.State.VerifiedChains[0][0]
}

func (h *Hub) authenticateUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if info.FullMethod == wire.Agents_Join_FullMethodName {
		return next(ctx, req)
	}
	ctx, err := h.authenticate(ctx)
	if err != nil {
		return nil, err
	}
	return next(ctx, req)
}

// authenticated is a stream whose context names the agent.
type authenticated struct {
	grpc.ServerStream
	ctx context.Context
}

func (s authenticated) Context() context.Context { return s.ctx }

func (h *Hub) authenticateStream(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, err := h.authenticate(s.Context())
	if err != nil {
		return err
	}
	return next(srv, authenticated{s, ctx})
}
