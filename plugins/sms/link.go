package sms

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// link is the way to one SMS centre, for one configuration.
type link struct {
	turn    chan struct{} // holds one value; who has it may connect
	session *session
	ledger  ledger
}

func newLink() *link {
	l := &link{turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// connect returns a bound connection: the one that is there, or a new one.
func (l *link) connect(ctx context.Context, s *smppSettings) (c *session, fresh bool, err error) {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	defer func() { l.turn <- struct{}{} }()
	if l.session != nil && !l.session.lost() {
		return l.session, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, true, err
	}
	l.session, err = bind(ctx, conn, s, &l.ledger)
	if err != nil {
		l.session = nil
		return nil, true, fmt.Errorf("log in: %w", err)
	}
	return l.session, true, nil
}

// errTrust marks a configuration with which no connection can be trusted.
var errTrust = errors.New("with/smpp/ca holds no certificate that can be read")

func (s *smppSettings) dial(ctx context.Context) (net.Conn, error) {
	address := net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	if !s.TLS {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	trust := &tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12}
	if s.CA != "" {
		pem, err := os.ReadFile(s.CA)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errTrust, err)
		}
		if trust.RootCAs = x509.NewCertPool(); !trust.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%w: %s", errTrust, s.CA)
		}
	}
	return (&tls.Dialer{Config: trust}).DialContext(ctx, "tcp", address)
}

// early is how many receipts are kept that nobody waits for yet.
const early = 1000

// ledger holds delivery receipts. One can come before the answer that says what its message is called, and on a later connection. Its zero
// value is ready.
type ledger struct {
	mu      sync.Mutex
	waiting map[string]chan string // of final states
	entered []receipt              // the oldest first
}

func (l *ledger) enter(r receipt) {
	if r.state == "ENROUTE" || r.state == "ACCEPTD" { // more will come
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r.id = strings.ToLower(r.id)
	if w := l.waiting[r.id]; w != nil {
		delete(l.waiting, r.id)
		w <- r.state
		return
	}
	l.entered = append(l.entered, r)
	l.entered = l.entered[max(0, len(l.entered)-early):]
}

// await returns the final state of a message; empty when ctx ends before it is known.
func (l *ledger) await(ctx context.Context, id string) string {
	id = strings.ToLower(id)
	w := make(chan string, 1)
	l.mu.Lock()
	if i := slices.IndexFunc(l.entered, func(r receipt) bool { return r.id == id }); i >= 0 {
		w <- l.entered[i].state
		l.entered = slices.Delete(l.entered, i, i+1)
	} else {
		if l.waiting == nil {
			l.waiting = make(map[string]chan string)
		}
		l.waiting[id] = w
	}
	l.mu.Unlock()
	select {
	case state := <-w:
		return state
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, id)
	return ""
}
