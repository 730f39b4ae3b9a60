package ssh

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// Settle implements process.Settler. The near half is dead; when it did not see the end of the task, the host is asked to end it. When the host
// cannot be reached, the lease ends it.
func (Runner) Settle(work string) {
	path := filepath.Join(work, begunFile)
	if _, err := os.Stat(path); err != nil {
		return
	}
	o, s, err := readOrder(work)
	if err != nil {
		return // it was there when the near half read it: the folder is being removed
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.overdue())
	defer cancel()
	for !ended(ctx, o, s) {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
	}
	_ = os.Remove(path)
}

// ended has the host end the attempt and tells whether it did.
func ended(ctx context.Context, o order, s settings) bool {
	c, err := dial(ctx, s)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	if c.end(o) != nil {
		return false
	}
	c.forget(o)
	return true
}
