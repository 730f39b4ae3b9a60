package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// A server that was killed holds its lock until the kernel has taken it apart, so a lock that is held is tried for half a second.
const (
	lockTries = 50
	lockPause = 10 * time.Millisecond
)

// lock takes the file for this process and writes the process's number into it. The kernel frees it when the process ends.
func lock(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	err = flock(ctx, f)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err == nil {
		return f, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, readErr := os.ReadFile(path)
		if readErr != nil {
			holder = []byte("unknown")
		}
		err = fmt.Errorf("another flowctl server (process %s) uses it: stop that one, or choose another folder with --data",
			strings.TrimSpace(string(holder)))
	}
	return nil, errors.Join(fmt.Errorf("lock the data folder by %s: %w", path, err), f.Close())
}

func flock(ctx context.Context, f *os.File) error {
	for try := 1; ; try++ {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || try == lockTries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

// unlock frees the lock. To close the file would not do: a process that is being started right now holds a copy until its exec.
func unlock(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}
