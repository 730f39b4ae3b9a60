package agent

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"

	"flowctl/engine/wire"
)

// renewAt is when a certificate is to be renewed: when a third of its life is left.
func (id *identity) renewAt() time.Time {
	leaf := id.cert.Leaf
	return leaf.NotAfter.Add(-leaf.NotAfter.Sub(leaf.NotBefore) / 3)
}

// The time is looked at this often at least, since the clock of a machine may be set; a renewal that failed is tried again after renewPause.
const (
	renewLook  = time.Hour
	renewPause = time.Minute
)

// renewCertificate renews the certificate in time, as long as the stream lasts. The connection goes on with the old one, which the server accepted; the next one
// uses the new one.
func (a *Agent) renewCertificate(s *session, id *identity) {
	for {
		left := id.renewAt().Sub(a.opts.Now())
		if left > 0 {
			if !sleep(s.ctx, min(left, renewLook)) {
				return
			}
			continue
		}
		renewed, err := a.newCertificate(s, id)
		if err == nil {
			id = renewed
			a.opts.Log.Info("renewed the certificate", "until", id.cert.Leaf.NotAfter)
			continue
		}
		a.opts.Log.Warn("the certificate was not renewed", "ends", id.cert.Leaf.NotAfter, "reason", err)
		if !sleep(s.ctx, renewPause) {
			return
		}
	}
}

// newCertificate exchanges the certificate for a new one of the same key, which never leaves this host, and stores it.
func (a *Agent) newCertificate(s *session, id *identity) (*identity, error) {
	key, ok := id.cert.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key cannot sign")
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, err
	}
	reply, err := s.client.Renew(s.ctx, &wire.RenewRequest{Csr: csr})
	if err != nil {
		return nil, err
	}
	if err := storeIdentity(a.opts.Dir, key, reply.Certificate, id.ca.Raw); err != nil {
		return nil, fmt.Errorf("store the certificate: %w", err)
	}
	return readIdentity(a.opts.Dir)
}

// alerts are credentials that notice when the server refuses the certificate. With TLS 1.3 the handshake is over by then for the agent, and the first
// thing it reads is an alert, of which gRPC keeps no more than the text.
type alerts struct {
	credentials.TransportCredentials
	refused atomic.Bool
}

func (c *alerts) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		return nil, nil, err
	}
	return &firstRead{Conn: conn, alerts: c}, info, nil
}

// Clone returns c itself, which serves one connection.
func (c *alerts) Clone() credentials.TransportCredentials { return c }

// refusal marks the errors after which connecting again is useless.
func (c *alerts) refusal(err error) error {
	if c.refused.Load() {
		return fmt.Errorf("%w: %w: it was revoked, or has expired by the server's clock: join with a new token", ErrRefused, errCertificate)
	}
	return refusal(err)
}

// firstRead looks at how the first Read of a connection ends.
type firstRead struct {
	net.Conn
	alerts *alerts
	past   atomic.Bool
}

func (r *firstRead) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	if r.past.CompareAndSwap(false, true) {
		if alert := (*net.OpError)(nil); errors.As(err, &alert) && alert.Op == "remote error" { // what crypto/tls calls an alert
			r.alerts.refused.Store(true)
		}
	}
	return n, err
}
