package control

import (
	"context"
	"errors"
	"fmt"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/alert"
	"flowctl/engine/core"
)

// tell lets the desk see what a round of the machine changed, and adds the alerts and deliveries that follow from it: they are stored with
// their causes.
func (l *Loop) tell(ctx context.Context, c *engine.Changes) error {
	now := period.At(l.Now())
	if active := l.machine.Active(); active != nil {
		l.desk.Activate(active.Project)
	}
	if len(c.Events) > 0 {
		fresh, err := l.fresh(ctx, c.Events)
		if err != nil {
			return err
		}
		for i := range fresh {
			h, err := l.happening(ctx, c, fresh[i])
			if err != nil {
				return err
			}
			l.desk.Tell(now, h)
		}
	}
	l.desk.Tick(now)
	l.desk.Take(c)
	return nil
}

// fresh leaves out the events that were told before: the store keeps the first of a key.
func (l *Loop) fresh(ctx context.Context, all []engine.Event) ([]engine.Event, error) {
	keys := make([]string, len(all))
	for i := range all {
		keys[i] = all[i].Key
	}
	known, err := l.Store.Happened(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("look up what was told: %w", err)
	}
	var fresh []engine.Event
	seen := map[string]bool{}
	for i := range all {
		if !known[i] && !seen[keys[i]] {
			seen[keys[i]] = true
			fresh = append(fresh, all[i])
		}
	}
	return fresh, nil
}

// happening finds the run of an event and the project of its revision.
func (l *Loop) happening(ctx context.Context, c *engine.Changes, e engine.Event) (*alert.Happening, error) {
	h := &alert.Happening{Event: e}
	if e.Revision != 0 {
		rev, err := l.revision(ctx, e.Revision)
		if err != nil { // the active revision's people are told then
			l.Log.Error("the revision of an event cannot be read", "event", e.Key, "revision", e.Revision, "err", err)
		} else {
			h.Project, h.Commit = rev.Project, rev.Commit
		}
	}
	if e.Run == 0 {
		return h, nil
	}
	for i := len(c.Runs) - 1; i >= 0; i-- {
		if c.Runs[i].ID == e.Run {
			h.Of = &c.Runs[i]
			return h, nil
		}
	}
	r, err := l.Store.Run(ctx, e.Run)
	var problem *engine.Error
	if err != nil && (!errors.As(err, &problem) || problem.Code != engine.NotFound) {
		return nil, fmt.Errorf("read run %d: %w", e.Run, err)
	}
	h.Of = r
	return h, nil
}

// revision returns one that the machine need not hold.
func (l *Loop) revision(ctx context.Context, id engine.RevisionID) (*core.Revision, error) {
	if rev := l.machine.Revision(id); rev != nil {
		return rev, nil
	}
	return l.Options.Revision(ctx, id)
}

// deliver sends what is due, now that it is stored.
func (l *Loop) deliver() {
	due := l.desk.Due()
	if l.Deliver == nil || len(due) == 0 {
		return
	}
	var p *flow.Project
	if active := l.machine.Active(); active != nil {
		p = active.Project
	}
	for i := range due {
		l.senders.Go(func() {
			r := l.Deliver(l.sending, p, &due[i])
			if l.sending.Err() != nil { // it is sent again after the restart
				return
			}
			if err := l.atDesk(l.sending, func(d *alert.Desk, now period.Instant) error { d.Sent(now, r); return nil }); err != nil {
				l.Log.Warn("what became of an alert could not be noted", "delivery", r.ID, "err", err)
			}
		})
	}
}

// atDesk calls f with the desk, on the loop's goroutine, and returns once what it changed is durable.
func (l *Loop) atDesk(ctx context.Context, f func(d *alert.Desk, now period.Instant) error) error {
	_, err := l.call(ctx, request{desk: f})
	return err
}
