package hive

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// finish cancels the operation and closes the session, over a connection of its own.
func finish(ctx context.Context, s settings, r record) error {
	c, err := dial(ctx, s)
	if err != nil {
		return err
	}
	defer c.close()
	if r.Operation != nil {
		if err := c.cancel(ctx, r.Operation); err != nil && !answered(err) {
			return err
		}
	}
	return c.closeSession(ctx, r.Session)
}

// Settle implements process.Settler. The process that looked after the attempt is dead; when it did not close the session, that is done here.
func (Runner) Settle(work string) {
	o, r, left, err := remaining(work)
	if err != nil || !left {
		return // a record that cannot be read: the folder is being removed
	}
	s, err := checked(o.With)
	if err != nil {
		return // it had no problems when the attempt began
	}
	ctx, cancel := context.WithTimeout(context.Background(), span(s.Reconnect))
	defer cancel()
	for {
		if err := finish(ctx, s, r); err == nil || answered(err) {
			_ = os.Remove(filepath.Join(work, recordFile))
			return
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return // the server ends it by itself, when its client is gone or its time is over
		}
	}
}
