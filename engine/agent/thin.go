package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"flowctl/plugins/sdk"
)

const (
	// thinStep is how much of a log has become useless before it is given back to the disk.
	thinStep = 4 << 20
	// thinMargin stays at both of its ends: a longer secret than those that are known now may be learned.
	thinMargin = 64 << 10
)

// thin makes a hole in the runner's log of an attempt, of which the middle is left out, so that a task that does not stop printing does not fill
// the disk. The size of the log stays, and so do all offsets.
type thin struct {
	at   *attempt
	done int64 // up to which the hole reaches
	err  error // of the first time: it is not tried again
}

// to gives back what has become useless.
func (t *thin) to(from, to int64) {
	from, to = max(from+thinMargin, t.done), to-thinMargin
	if t.err != nil || to-from < thinStep {
		return
	}
	t.err = t.punch(from, to)
	t.done = to
}

func (t *thin) punch(from, to int64) error {
	f, err := os.OpenFile(filepath.Join(t.at.work, sdk.LogFile), os.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // nothing is written
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || t.at.user != nil && !t.at.user.Owns(info) { // another account made it
		return errors.New("it is no file of the account")
	}
	if err := punchHole(f, from, to-from); err != nil {
		return fmt.Errorf("make a hole in it: %w", err)
	}
	return nil
}
