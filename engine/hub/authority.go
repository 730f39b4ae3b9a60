package hub

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"flowctl/engine/wire"
)

// lifetime of the authority itself, and of the certificate that a server makes with each start.
const lifetime = 20 * 365 * 24 * time.Hour

// agentLifetime of the certificates of agents, which renew them, unless Options say otherwise.
const agentLifetime = 30 * 24 * time.Hour

// skew is how far an agent's clock may be behind the server's, or a tenth of a certificate's life, if that is less.
const skew = 24 * time.Hour

// authority is the server's own certificate authority.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	now  func() time.Time
	life time.Duration // of the certificates of agents
}

// openAuthority reads the authority from dir, or makes a new one there.
func openAuthority(dir string, now func() time.Time, life time.Duration) (*authority, error) {
	path := filepath.Join(dir, "authority.pem")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newAuthority(dir, path, now, life)
	}
	if err != nil {
		return nil, fmt.Errorf("read the certificate authority: %w", err)
	}
	pair, err := tls.X509KeyPair(data, data)
	if err != nil {
		return nil, fmt.Errorf("read the certificate authority from %s: %w", path, err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("read the certificate authority from %s: its key cannot sign", path)
	}
	return &authority{cert: pair.Leaf, key: signer, now: now, life: life}, nil
}

func newAuthority(dir, path string, now func() time.Time, life time.Duration) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "flowctl"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	a := &authority{cert: template, key: key, now: now, life: life}
	if a.cert, err = a.sign(template, key.Public(), lifetime); err != nil {
		return nil, fmt.Errorf("make the certificate authority: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the certificate authority: %w", err)
	}
	if err := writeDurably(path, text); err != nil {
		return nil, fmt.Errorf("store the certificate authority: %w", err)
	}
	return a, nil
}

// writeDurably writes a secret so that a crash leaves all of it or nothing.
func writeDurably(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// fingerprint is what join tokens pin.
func (a *authority) fingerprint() string { return wire.Fingerprint(a.cert.Raw) }

// sign issues a certificate that is good for a time. The template says what it is for; sign fills in the rest.
func (a *authority) sign(template *x509.Certificate, public crypto.PublicKey, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = a.now().Add(-min(skew, life/10))
	template.NotAfter = a.now().Add(life)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// agentCertificate issues the certificate of an agent for the key of its request.
func (a *authority) agentCertificate(name string, csr []byte) (*x509.Certificate, error) {
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, err
	}
	if err := req.CheckSignature(); err != nil {
		return nil, err
	}
	return a.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, req.PublicKey, a.life)
}

// serverTLS makes a certificate for this server, anew with each start, and the configuration that wants client certificates
// of this authority where one is given. Join is the one call that comes without.
func (a *authority) serverTLS() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert, err := a.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: wire.ServerName},
		DNSNames:    []string{wire.ServerName},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key.Public(), lifetime)
	if err != nil {
		return nil, fmt.Errorf("make the server's certificate: %w", err)
	}
	agents := x509.NewCertPool()
	agents.AddCert(a.cert)
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw, a.cert.Raw}, PrivateKey: key}},
		ClientAuth:   tls.VerifyClientCertIfGiven,
		ClientCAs:    agents,
		Time:         a.now,
	}, nil
}
