package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"flowctl/plugins/sdk"
)

// renewals is how often a lease is renewed within its length.
const renewals = 4

// grant asks the server for its word and returns when it asked, on the clock of leases: a lease lasts from then on. Word that comes late
// is worth as much less: what counts is that the server gave it after it was asked. An error says that the session ended first.
func (a *Agent) grant(s *session) (time.Duration, error) {
	asked := sdk.SinceBoot()
	s.out.ask(asked)
	for {
		a.mu.Lock()
		granted, grants := s.granted, s.grants
		a.mu.Unlock()
		if granted >= asked {
			return granted, nil
		}
		select {
		case <-grants:
		case <-s.gone:
			return 0, errDisconnected
		}
	}
}

// renewed takes the server's word; 0 is none.
func (a *Agent) renewed(s *session, at time.Duration) {
	if at == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s.granted = max(s.granted, at)
	close(s.grants)
	s.grants = make(chan struct{})
}

// keepLease renews the lease of a started attempt until ctx ends: at once, at once in each new session, and every so often. The runner
// enforces it, whatever becomes of this agent.
func (a *Agent) keepLease(ctx context.Context, at *attempt) {
	for {
		if a.lockSession(ctx) != nil {
			return
		}
		s := a.session
		a.mu.Unlock()
		granted, err := a.grant(s)
		if err == nil {
			a.renew(ctx, at, granted+at.lease)
		}
		again := time.NewTimer(at.lease / renewals)
		select {
		case <-again.C:
		case <-s.gone:
		case <-ctx.Done():
		}
		again.Stop()
	}
}

func (a *Agent) renew(ctx context.Context, at *attempt, until time.Duration) {
	runner, err := a.holder(ctx, at)
	if err == nil {
		err = runner.Renew(ctx, at.work, until)
	}
	if err != nil && ctx.Err() == nil {
		a.opts.Log.Warn("the lease of an attempt was not renewed", "attempt", at.id, "runner", at.runner, "error", err)
	}
}

func writeLease(folder string, lease time.Duration) error {
	if lease == 0 {
		return nil
	}
	return os.WriteFile(filepath.Join(folder, leaseFile), []byte(lease.String()), 0o600)
}

// readLease returns how long the lease of an attempt is that was found in its folder; 0: it has none. What was cut short was not started.
func readLease(folder string) time.Duration {
	data, err := os.ReadFile(filepath.Join(folder, leaseFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	lease, _ := time.ParseDuration(string(data))
	return lease
}
