package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
)

// leaseRecord says when the lease of an attempt ends, since boot. A record that is gone, or was cut short, ends it now.
type leaseRecord struct {
	Until     int64         `json:"until"`
	Elsewhere time.Duration `json:"elsewhere,omitempty"` // how much earlier it ends here; see Command
}

var errLease = errors.New("the server was not heard of for as long as on_agent_lost allows")

// lease records the lease of an attempt that is about to start.
func lease(work string, until, elsewhere time.Duration) error {
	switch left := until - sdk.SinceBoot(); {
	case left <= 0:
		return errLease
	case left <= 2*elsewhere: // it could end between two renewals
		return fmt.Errorf("lost_after must be longer than %v: so long may the task go on out of reach, and as much again it takes to renew the lease", 2*elsewhere)
	}
	if err := write(work, leaseFile, leaseRecord{int64(until), elsewhere}); err != nil {
		return fmt.Errorf("record its lease: %w", err)
	}
	return nil
}

// leaseOf returns when the lease of an attempt ends here; false: it has none.
func leaseOf(work string) (until int64, leased bool) {
	var l leaseRecord
	found, err := read(work, leaseFile, &l)
	return l.Until - int64(l.Elsewhere), found && err == nil
}

// graceOf returns when what is left of a tree is to be killed: at the end of the grace, or of the lease.
func graceOf(work string, c causeRecord) int64 {
	if until, leased := leaseOf(work); leased {
		return min(until, c.Until)
	}
	return c.Until
}

// awaitLease returns when the lease of an attempt has ended; false: ctx ended first.
func awaitLease(ctx context.Context, work string) bool {
	for {
		until, _ := leaseOf(work)
		if until <= proc.Boot() {
			return ctx.Err() == nil
		}
		if !proc.SleepUntil(ctx, until) {
			return false
		}
	}
}

// Enforce ends a process tree whose plugin is dead when its lease ends, and returns then, or with ctx.
func Enforce(ctx context.Context, b Begun) {
	if _, leased := leaseOf(b.Work); !leased || !awaitLease(ctx, b.Work) {
		return
	}
	var cause causeRecord
	if found, err := read(b.Work, causeFile, &cause); err == nil && !found {
		err = write(b.Work, causeFile, causeRecord{Code: sdk.CodeAgentLost})
		if err != nil {
			fmt.Fprintf(os.Stderr, "record why %s ends: %v\n", b.Work, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, killTime)
	defer cancel()
	b.Tree().Kill(ctx)
}

// enforce ends the attempt when its lease ends.
func (a *attempt) enforce() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a.mu.Lock()
	ending := a.ending
	a.stop = append(a.stop, cancel)
	a.mu.Unlock()
	if ending || !awaitLease(ctx, a.work) {
		return
	}
	if err := a.end(sdk.CodeAgentLost, sdk.Kill); err != nil { // whatever is wrong with the record, it must not go on
		fmt.Fprintf(os.Stderr, "end %s with its lease: %v\n", a.work, err)
		ctx, cancel := context.WithTimeout(context.Background(), killTime)
		defer cancel()
		a.tree().Kill(ctx)
	}
}

// Renew implements sdk.Leaser.
func (r *Runner) Renew(_ context.Context, work string, lease time.Duration) error {
	a, err := r.find(work)
	if err != nil {
		return err
	}
	defer r.release(a)
	a.lease.Lock()
	defer a.lease.Unlock()
	var l leaseRecord
	found, err := read(work, leaseFile, &l)
	switch {
	case err != nil:
		return err
	case a.over():
		return nil
	case !found:
		return fmt.Errorf("the attempt in %s has no lease: %w", work, sdk.ErrInvalid)
	case l.Until-int64(l.Elsewhere) <= proc.Boot():
		return fmt.Errorf("the lease of the attempt in %s has ended: %w", work, sdk.ErrInvalid)
	case int64(lease) <= l.Until:
		return nil
	}
	l.Until = int64(lease)
	return write(work, leaseFile, l)
}
