package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"flowctl/plugins/sdk"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// connection is a client with all it goes through.
type connection struct {
	*ssh.Client
	below []func() error // closes the clients of the hosts between and the keys' agent, last one first
}

func (c *connection) Close() error {
	err := c.Client.Close()
	for i := len(c.below) - 1; i >= 0; i-- {
		err = errors.Join(err, c.below[i]())
	}
	return err
}

// dial connects to the host through the hosts between. All of it has connect_timeout.
func dial(ctx context.Context, s settings) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, s.ConnectTimeout.value())
	defer cancel()
	route, err := s.route()
	if err != nil {
		return nil, err
	}
	known, err := readKnown(s.KnownHosts)
	if err != nil {
		return nil, err
	}
	signers, done, err := s.signers()
	if err != nil {
		return nil, err
	}
	c := &connection{below: []func() error{done}}
	for _, h := range route {
		next, err := login(ctx, c.Client, h, known, signers)
		if err != nil {
			if c.Client != nil {
				_ = c.Close()
			} else {
				_ = done()
			}
			if ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				err = fmt.Errorf("no answer within connect_timeout (%v): %w", s.ConnectTimeout.value(), err)
			}
			return nil, fmt.Errorf("log in to %s@%s: %w", h.user, h.address(), err)
		}
		if c.Client != nil {
			c.below = append(c.below, c.Client.Close)
		}
		c.Client = next
	}
	return c, nil
}

// login connects to one host, through another unless that is nil.
func login(ctx context.Context, through *ssh.Client, h hop, known *known, signers []ssh.Signer) (*ssh.Client, error) {
	config := known.config(h)
	config.User, config.Auth = h.user, []ssh.AuthMethod{ssh.PublicKeys(signers...)}
	var conn net.Conn
	var err error
	if through != nil {
		conn, err = through.DialContext(ctx, "tcp", h.address())
	} else {
		conn, err = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext(ctx, "tcp", h.address())
	}
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // what a lost connection still holds must not arrive late: it would renew a lease that we have given up
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c, channels, requests, err := ssh.NewClientConn(conn, h.address(), config)
	if err != nil {
		_ = conn.Close()
		return nil, explain(err, h)
	}
	return ssh.NewClient(c, channels, requests), nil
}

// explain says what to do about a refusal.
func explain(err error, h hop) error {
	if strings.Contains(err.Error(), "unable to authenticate") { // the library has no type for the client's side
		return fmt.Errorf("%w: the host accepts none of the keys: add the public key to ~%s/.ssh/authorized_keys there, or check identity, certificate and agent", err, h.user)
	}
	return err
}

// signers returns the keys to offer, and what closes the agent that may hold some.
func (s settings) signers() ([]ssh.Signer, func() error, error) {
	var all []ssh.Signer
	done := func() error { return nil }
	if s.Identity != "" {
		key, err := s.key()
		if err != nil {
			return nil, nil, err
		}
		all = append(all, key)
	}
	if s.Agent.on() {
		socket := os.Getenv("SSH_AUTH_SOCK")
		if socket == "" {
			return nil, nil, errors.New("agent: SSH_AUTH_SOCK is not set where the flowctl agent runs: start it with an ssh-agent, or use identity")
		}
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return nil, nil, fmt.Errorf("agent: reach the ssh-agent at SSH_AUTH_SOCK: %w", err)
		}
		keys, err := agent.NewClient(conn).Signers()
		if err != nil {
			_ = conn.Close()
			return nil, nil, fmt.Errorf("agent: list the keys of the ssh-agent: %w", err)
		}
		all, done = append(all, keys...), conn.Close
	}
	if s.Certificate != "" {
		certified, err := s.certify(all)
		if err != nil {
			_ = done()
			return nil, nil, err
		}
		all = append([]ssh.Signer{certified}, all...)
	}
	return all, done, nil
}

// key reads the identity.
func (s settings) key() (ssh.Signer, error) {
	path, err := sdk.ExpandHome(s.Identity)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	passphrase := s.Passphrase
	if s.PassphraseEnv != "" {
		if passphrase = os.Getenv(s.PassphraseEnv); passphrase == "" {
			return nil, fmt.Errorf("passphrase_env: the variable %s is not set where the flowctl agent runs", s.PassphraseEnv)
		}
	}
	key, err := ssh.ParsePrivateKey(pem)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked) && passphrase == "":
		return nil, fmt.Errorf("identity: %s is encrypted: set passphrase or passphrase_env", path)
	case errors.As(err, &locked):
		key, err = ssh.ParsePrivateKeyWithPassphrase(pem, []byte(passphrase))
	}
	if err != nil {
		return nil, fmt.Errorf("identity: read %s: %w", path, err)
	}
	return key, nil
}

// certify joins the certificate with its key.
func (s settings) certify(keys []ssh.Signer) (ssh.Signer, error) {
	path, err := sdk.ExpandHome(s.Certificate)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil, fmt.Errorf("certificate: read %s: %w", path, err)
	}
	certificate, ok := public.(*ssh.Certificate)
	if !ok {
		return nil, fmt.Errorf("certificate: %s is a plain key: ssh-keygen -s writes certificates to NAME-cert.pub", path)
	}
	for _, key := range keys {
		if bytes.Equal(key.PublicKey().Marshal(), certificate.Key.Marshal()) {
			return ssh.NewCertSigner(certificate, key)
		}
	}
	return nil, fmt.Errorf("certificate: %s is for a key that neither identity nor the ssh-agent has", path)
}
