package agent

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"flowctl/engine/wire"
)

// identity is what an agent has from joining.
type identity struct {
	name string
	cert tls.Certificate // followed by the authority's certificate
	ca   *x509.Certificate
}

// Joined tells whether an agent joined with this data folder, so that Options.Token may be empty.
func Joined(dir string) bool {
	_, err := os.Stat(identityPath(dir))
	return err == nil
}

// Expired tells whether the agent of a data folder has to join again: its certificate ended while it did not run.
func Expired(dir string, now time.Time) bool {
	id, err := readIdentity(dir)
	return err == nil && id.expired(now)
}

func (id *identity) expired(now time.Time) bool { return now.After(id.cert.Leaf.NotAfter) }

func identityPath(dir string) string { return filepath.Join(dir, "identity.pem") }

// joining tells whether the token is to be used although there is a certificate.
type joining uint8

const (
	joinWhenNew joining = iota // there is no certificate, or one of another server
	joinNow                    // the server does not accept the certificate
	joinedNow                  // it was used; there is no second try
)

// joinAgain tells whether a new token can help after the server refused the certificate.
func (a *Agent) joinAgain(err error) bool {
	if a.join != joinWhenNew || a.opts.Token == "" || !errors.Is(err, errCertificate) {
		return false
	}
	a.join = joinNow
	return true
}

// identify returns the identity in the data folder, after joining when there is none, when the token is from another
// server than the one it joined, or when that server does not accept it any more.
func (a *Agent) identify(ctx context.Context) (*identity, error) {
	id, err := readIdentity(a.opts.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if a.opts.Token != "" {
		token, err := wire.ParseToken(a.opts.Token)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRefused, err)
		}
		if id == nil || wire.Fingerprint(id.ca.Raw) != token.Fingerprint || a.join == joinNow {
			if id, err = a.exchange(ctx, token, a.nameToJoin(id)); err == nil {
				a.join = joinedNow
			}
			return id, err
		}
	}
	if id == nil {
		return nil, fmt.Errorf("%w: it has not joined yet and has no token: make one with flowctl agents token", ErrRefused)
	}
	if a.opts.Name != "" && a.opts.Name != id.name {
		return nil, fmt.Errorf("%w: %s belongs to agent %q, not %q", ErrRefused, a.opts.Dir, id.name, a.opts.Name)
	}
	if id.expired(a.opts.Now()) {
		return nil, fmt.Errorf("%w: %w: it expired at %s: join with a new token", ErrRefused, errCertificate, id.cert.Leaf.NotAfter.Format(time.RFC3339))
	}
	return id, nil
}

// nameToJoin is the name to join under: the one that is asked for, else the one that the agent had.
func (a *Agent) nameToJoin(id *identity) string {
	if a.opts.Name == "" && id != nil {
		return id.name
	}
	return a.opts.Name
}

func readIdentity(dir string) (*identity, error) {
	path := identityPath(dir)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(data, data)
	if err != nil || len(pair.Certificate) != 2 {
		return nil, fmt.Errorf("%s is damaged (%v): remove it and join again with a new token", path, err)
	}
	ca, err := x509.ParseCertificate(pair.Certificate[1])
	if err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): remove it and join again with a new token", path, err)
	}
	return &identity{name: pair.Leaf.Subject.CommonName, cert: pair, ca: ca}, nil
}

// exchange joins: it exchanges the token for a certificate and stores it.
func (a *Agent) exchange(ctx context.Context, token wire.Token, name string) (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, err
	}
	pin := &pinned{fingerprint: token.Fingerprint, now: a.opts.Now}
	conn, err := grpc.NewClient("passthrough:///"+a.opts.Server, grpc.WithTransportCredentials(credentials.NewTLS(pin.tls())))
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // the one call on it is over
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	reply, err := wire.NewAgentsClient(conn).Join(ctx, &wire.JoinRequest{Token: token.Secret, Name: name, Csr: csr})
	switch code := status.Code(err); {
	case pin.mismatch.Load():
		return nil, fmt.Errorf("%w: the server at %s is not the one that made the token", ErrRefused, a.opts.Server)
	case code == codes.Unauthenticated || code == codes.InvalidArgument:
		return nil, fmt.Errorf("%w: %s", ErrRefused, status.Convert(err).Message())
	case err != nil:
		return nil, fmt.Errorf("join the server at %s: %w", a.opts.Server, err)
	}
	if err := storeIdentity(a.opts.Dir, key, reply.Certificate, reply.Ca); err != nil {
		return nil, fmt.Errorf("%w: store the certificate: %w", ErrRefused, err)
	}
	a.opts.Log.Info("joined", "server", a.opts.Server, "agent", name)
	return readIdentity(a.opts.Dir)
}

func storeIdentity(dir string, key crypto.PrivateKey, cert, ca []byte) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca})...)
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	f, err := os.OpenFile(identityPath(dir)+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), identityPath(dir))
}

// tls is the configuration of every connection after joining.
func (id *identity) tls(now func() time.Time) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(id.ca)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{id.cert}, RootCAs: roots, ServerName: wire.ServerName, Time: now,
	}
}

// pinned trusts the server whose authority has a fingerprint. It stands in for the authority's certificate, which a joining
// agent does not have yet; the server presents it.
type pinned struct {
	fingerprint string
	now         func() time.Time
	mismatch    atomic.Bool
}

func (p *pinned) tls() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         wire.ServerName,
		InsecureSkipVerify: true, // VerifyConnection does it, against the pinned authority
		VerifyConnection:   p.verify,
	}
}

func (p *pinned) verify(s tls.ConnectionState) error {
	roots := x509.NewCertPool()
	for _, cert := range s.PeerCertificates[1:] {
		if wire.Fingerprint(cert.Raw) == p.fingerprint {
			roots.AddCert(cert)
		}
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: wire.ServerName, CurrentTime: p.now()})
	if err != nil {
		p.mismatch.Store(true)
	}
	return err
}
