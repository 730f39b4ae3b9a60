package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"flowctl/engine"
	"flowctl/engine/wire"
	"flowctl/plugins/sdk"
)

// errRewound ends a Wait whose log position is no longer the one that the server wants.
var errRewound = errors.New("the server wants the log from another position")

const (
	// patience is how long a runner is asked that cannot be launched or does not answer, while its attempt may be running, in pauses.
	patience = 900
	// breaksMost is how often in a row a runner may break while it watches an attempt, without any more of its log and without calm: the pauses
	// between grow by one each, so that this takes minutes. After calm, a break is the first again.
	breaksMost = 20
	calm       = 5 * time.Minute
	// takeUpPatience is how long an agent that starts waits for the answers of its runners before it connects, in pauses.
	takeUpPatience = 15
	// takeUpMost is how many attempts it asks about at once.
	takeUpMost = 32
)

// await carries the log of a started attempt to the server until the attempt is over, and reports that. lost says that the
// runner must be asked first whether it knows the attempt.
func (a *Agent) await(at *attempt, lost bool) {
	if at.lease > 0 {
		ctx, cancel := context.WithCancel(a.ctx)
		defer cancel()
		a.work.Go(func() { a.keepLease(ctx, at) })
	}
	var breaks breaks
	for {
		if lost {
			found, err := a.find(at)
			if a.ctx.Err() != nil {
				return
			}
			if err != nil {
				a.bury(at, fmt.Sprintf("how it ended is not known: %v", err))
				return
			}
			if found == sdk.NotStarted && a.giveBack(at) {
				return
			}
			if found == sdk.NotStarted {
				a.bury(at, noRecord)
				return
			}
			if a.running(at) {
				a.signal(at)
			}
			lost = false
		}
		began := a.opts.Now()
		res, err := a.wait(at)
		switch {
		case err == nil && a.finish(at, res):
			return
		case a.ctx.Err() != nil:
			return
		case err == nil: // the server wants some of the log again
		case errors.Is(err, sdk.ErrUnknown):
			a.bury(at, noRecord)
			return
		case errors.Is(err, errRewound) || errors.Is(err, errDisconnected) || errors.Is(err, context.Canceled):
		default:
			a.opts.Log.Warn("the runner is asked again about an attempt", "attempt", at.id, "runner", at.runner, "reason", err)
			n := breaks.count(a.sentOf(at), a.opts.Now().Sub(began))
			if n > breaksMost {
				_ = a.trySignal(a.ctx, at) // nobody looks after it from here on
				a.bury(at, fmt.Sprintf("how it ended is not known: its runner broke %d times in a row: %v", n, err))
				return
			}
			lost = true
			if !errors.Is(err, sdk.ErrGone) {
				n++
			}
			if !sleep(a.ctx, time.Duration(n-1)*a.opts.Pause) {
				return
			}
		}
	}
}

// breaks counts how often in a row a runner broke that watched an attempt.
type breaks struct {
	n    int
	sent int64 // of the attempt's log, at the last
}

// count counts a break: sent is how much of the log there is, held how long the runner watched before it.
func (b *breaks) count(sent int64, held time.Duration) int {
	if sent > b.sent || held >= calm {
		b.n = 0
	}
	b.n++
	b.sent = sent
	return b.n
}

func (a *Agent) sentOf(at *attempt) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return at.sent
}

// ended is what a Wait found: the result, and the wait that found it.
type ended struct {
	result sdk.Result
	wait   int
}

// wait waits for a session and then for the end of the attempt, sending its log meanwhile.
func (a *Agent) wait(at *attempt) (ended, error) {
	ctx, cancel := context.WithCancel(a.ctx)
	defer cancel()
	s, offset, no, err := a.beginWait(at, cancel)
	if err != nil {
		return ended{}, err
	}
	runner, err := a.holder(ctx, at)
	if err != nil {
		return ended{}, fmt.Errorf("launch runner %s: %w", at.runner, err)
	}
	ship, start := newShipment(offset, a.opts.MaxLog, a.secrets.masked(), func(offset int64, data []byte) error {
		if err := s.out.log(at.id, offset, data); err != nil {
			return err
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if at.waits != no || a.session != s {
			return errRewound // what was queued may be lost with the old session
		}
		at.sent = offset + int64(len(data))
		return nil
	})
	t := thin{at: at}
	res, err := runner.Wait(ctx, at.work, start, func(offset int64, data []byte) error {
		if err := ship.take(offset, data); err != nil {
			return err
		}
		t.to(ship.useless())
		return nil
	})
	if t.err != nil {
		a.opts.Log.Warn("the log of an attempt lies on the disk as a whole, though it is too long", "attempt", at.id, "error", t.err)
	}
	if err == nil {
		err = ship.end()
	}
	return ended{res, no}, err
}

// beginWait returns the session, the log position from which it wants the log, and the number of this wait, as soon as there
// is a session.
func (a *Agent) beginWait(at *attempt, cancel context.CancelFunc) (s *session, offset int64, no int, err error) {
	if err := a.lockSession(a.ctx); err != nil {
		return nil, 0, 0, err
	}
	defer a.mu.Unlock()
	at.cancel = cancel
	return a.session, at.sent, at.waits, nil
}

// lockSession locks mu as soon as there is a session; an error says that ctx ended first.
func (a *Agent) lockSession(ctx context.Context) error {
	a.mu.Lock()
	for a.session == nil {
		connected := a.connected
		a.mu.Unlock()
		select {
		case <-connected:
		case <-ctx.Done():
			return ctx.Err()
		}
		a.mu.Lock()
	}
	return nil
}

// finish concludes an attempt with the runner's result. It is false when the server wants some of the log again first.
func (a *Agent) finish(at *attempt, e ended) bool {
	res := engine.Result{
		State: engine.State(e.result.State), Code: engine.ErrorCode(e.result.Code), Message: a.secrets.text(e.result.Message),
		ExitCode: e.result.ExitCode, MaxRSS: e.result.MaxRSS, CPU: e.result.CPU.Microseconds(),
		Read: e.result.Read, Written: e.result.Written,
	}
	if !a.judge(at, &res) {
		return false
	}
	res = a.withOutputs(at, res)
	a.mu.Lock()
	defer a.mu.Unlock()
	if at.waits != e.wait {
		return false
	}
	if at.result.State.Final() { // its log is sent once more; what it left may have moved since
		res = at.result
	}
	a.reportEnd(at, res)
	return true
}

// conclude ends an attempt with a result that the runner does not have, and so must be on disk.
func (a *Agent) conclude(at *attempt, res engine.Result) {
	res.Message = a.secrets.text(res.Message)
	if err := writeMessage(filepath.Join(at.folder, resultFile), wire.FromResult(res)); err != nil {
		a.opts.Log.Warn("the result of an attempt was not stored", "attempt", at.id, "error", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	at.own = true
	a.reportEnd(at, res)
}

// reportEnd is called with mu held.
func (a *Agent) reportEnd(at *attempt, res engine.Result) {
	at.phase, at.result, at.cancel = finished, res, nil
	if a.session != nil {
		a.session.out.report(at.report())
	}
}

const noRecord = "how it ended is not known: the runner has no record of it"

// bury ends an attempt of which nobody can tell how it ended, though it was started or may have been.
func (a *Agent) bury(at *attempt, why string) {
	res := engine.Result{State: engine.Failed, Code: engine.CodeLost, ExitCode: -1, Message: why}
	if a.judge(at, &res) {
		a.conclude(at, a.withOutputs(at, res))
	}
}

// withOutputs adds to a success what the attempt wrote to $FLOWCTL_OUTPUT, or fails it when that makes no sense.
func (a *Agent) withOutputs(at *attempt, res engine.Result) engine.Result {
	if res.State != engine.Succeeded {
		return res
	}
	outputs, err := readOutputs(filepath.Join(at.work, outputFile), at.user)
	if err != nil {
		res.State, res.Code, res.Message = engine.Failed, engine.CodeOutput, a.secrets.text(err.Error())
	}
	if len(outputs) > 0 {
		secrets := a.secrets.masked() // once: it reads files
		for k, v := range outputs {
			outputs[k] = masked(v, secrets)
		}
	}
	res.Outputs = outputs
	return res
}

// find asks the runner about an attempt until it answers, as long as there is patience.
func (a *Agent) find(at *attempt) (sdk.Recovered, error) {
	ctx, cancel := context.WithTimeout(a.ctx, patience*a.opts.Pause)
	defer cancel()
	var last error
	for {
		found, err := a.recover(ctx, at)
		if err == nil {
			return found, nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		a.opts.Log.Warn("the runner cannot be asked about an attempt", "attempt", at.id, "runner", at.runner, "error", err)
		if !sleep(ctx, a.opts.Pause) {
			return sdk.NotStarted, fmt.Errorf("runner %s could not be asked for %v: %w", at.runner, patience*a.opts.Pause, last)
		}
	}
}

// giveBack forgets an attempt that was not started and never will be, so that the server sends it again. It is false when the
// agent had said that it was started.
func (a *Agent) giveBack(at *attempt) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at.runs || a.remove(at.folder) != nil {
		return false
	}
	delete(a.attempts, at.id)
	if a.session != nil {
		a.session.out.report(engine.Report{Attempt: at.id, Kind: engine.ReportUnknown})
	}
	return true
}

// recover asks a new plugin process about an attempt that another one was given.
func (a *Agent) recover(ctx context.Context, at *attempt) (sdk.Recovered, error) {
	for try := 1; ; try++ {
		runner, err := a.holder(ctx, at)
		if err == nil {
			var found sdk.Recovered
			if found, err = runner.Recover(ctx, at.work); err == nil {
				return found, nil
			}
		}
		if try == startTries || ctx.Err() != nil {
			return sdk.NotStarted, err
		}
	}
}

// signal asks the runner for the end of an attempt, as long as there is patience. Wait tells when it has come.
func (a *Agent) signal(at *attempt) {
	ctx, cancel := context.WithTimeout(a.ctx, patience*a.opts.Pause)
	defer cancel()
	err := a.trySignal(ctx, at)
	for err != nil && !a.over(at) && !errors.Is(err, sdk.ErrUnknown) && !errors.Is(err, sdk.ErrInvalid) && sleep(ctx, a.opts.Pause) {
		if _, err = a.recover(ctx, at); err == nil { // another process may have to take it over first
			err = a.trySignal(ctx, at)
		}
	}
	if err != nil && !a.over(at) && a.ctx.Err() == nil {
		a.opts.Log.Warn("an attempt could not be signalled", "attempt", at.id, "error", err)
		a.mu.Lock()
		at.killed = false // so that asking again tries again
		a.mu.Unlock()
	}
}

func (a *Agent) trySignal(ctx context.Context, at *attempt) error {
	runner, err := a.holder(ctx, at)
	if err != nil {
		return err
	}
	return runner.Signal(ctx, at.work, sdk.Terminate)
}

func (a *Agent) over(at *attempt) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return at.phase == finished
}

// recoverAll takes up the attempts that a past life of the agent left in their folders.
func (a *Agent) recoverAll() error {
	found, err := a.foundAttempts()
	if err != nil {
		return fmt.Errorf("look for attempts: %w", err)
	}
	ctx, cancel := context.WithTimeout(a.ctx, takeUpPatience*a.opts.Pause)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(takeUpMost)
	for _, at := range found {
		group.Go(func() error {
			if err := a.takeUp(ctx, at); err != nil {
				return fmt.Errorf("take up attempt %d: %w", at.id, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	a.removeEmptyFolders()
	return nil
}

// takeUp finds out what became of one attempt. The folder of an attempt that was not started is removed before the server
// can send the attempt again. A runner that does not answer in time is asked on, while the server hears that the attempt is held.
func (a *Agent) takeUp(ctx context.Context, at *attempt) error {
	at.phase, at.lease = started, readLease(at.folder)
	if at.result, at.own = readResult(at.folder); at.own {
		at.phase = finished
		a.hold(at)
		return nil
	}
	found, err := a.recover(ctx, at)
	if err == nil && found == sdk.NotStarted {
		return a.remove(at.folder) // and never will be; the server sends it again
	}
	at.runs = err == nil
	a.hold(at)
	a.trees.keep(at.tree)
	a.work.Go(func() {
		defer a.trees.release(at.tree)
		a.await(at, err != nil)
	})
	return nil
}

func (a *Agent) hold(at *attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.attempts[at.id] = at
}

// sleep is false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
