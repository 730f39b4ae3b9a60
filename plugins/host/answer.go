package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flowctl/plugins/sdk"
)

// DefaultAnswer is how long a process has to answer a call when Options.Answer does not say. Starting an attempt is answered when it is on record.
// A check of a sensor, which is many questions, and a message of a channel, which may be a phone call, have longer times as long. What waits for
// the end of an attempt waits as long as the process describes itself when it is asked, which it is as often.
const (
	DefaultAnswer = time.Minute
	longer        = 10
)

// maxMessage is the longest message that is taken from a plugin, in bytes.
const maxMessage = 16 << 20

// ask bounds a call. Who is late is suspected of hanging. The bound is no deadline of the context, because that would travel: the plugin's end of
// the call would give up at the same time, and who is first is told as the reason.
func (p *Process) ask(ctx context.Context, call string, within time.Duration, f func(context.Context) error) error {
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(within, func() { cancel(sdk.ErrLate) })
	defer timer.Stop()
	err := f(bounded)
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(bounded), sdk.ErrLate):
		err = fmt.Errorf("%s: %w to %s within %v", p.title, sdk.ErrLate, call, within)
	case p.outOfTime(ctx, err):
		err = fmt.Errorf("%s: %w to %s in the time that there was: %v", p.title, sdk.ErrLate, call, err)
	default:
		return p.noted(ctx, err)
	}
	select {
	case p.suspect <- struct{}{}:
	default:
	}
	return err
}

// outOfTime tells whether a call ended with its caller's deadline.
func (p *Process) outOfTime(ctx context.Context, err error) bool {
	_, has := ctx.Deadline()
	return has && !p.isGone() && !errors.Is(ctx.Err(), context.Canceled) &&
		(errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled))
}

// examine kills a process that cannot describe itself any more. It asks every so often, and when a call was late. The attempts go on, and the next
// process finds them.
func (h *Host) examine(session context.Context, p *Process) {
	every := time.NewTicker(h.options.Answer)
	defer every.Stop()
	for {
		select {
		case <-p.suspect:
		case <-every.C:
		case <-session.Done():
			return
		}
		if _, err := h.describe(session, p); err != nil && session.Err() == nil {
			h.options.Log.Warn("a plugin process hangs and is killed", "plugin", p.title, "pid", p.card.PID, "error", err)
			p.kill()
			p.lose()
		}
	}
}

// describe asks a process what it is, which every plugin can tell at once.
func (h *Host) describe(ctx context.Context, p *Process) (*sdk.Client, error) {
	bounded, cancel := context.WithTimeout(ctx, h.options.Start)
	defer cancel()
	c, err := sdk.NewClient(bounded, p.conn)
	switch {
	case err == nil || ctx.Err() != nil:
	case bounded.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded): // the plugin knows the deadline too
		err = fmt.Errorf("it did not describe itself within %v", h.options.Start)
	case errors.Is(err, sdk.ErrGone):
		err = fmt.Errorf("it ended when it was asked what it is: %w", err)
	}
	return c, err
}
