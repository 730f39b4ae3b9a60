package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"flowctl/plugins/sdk"
)

const (
	// chunk is how much of a log travels at once.
	chunk = 64 << 10
	// patience is how long a new Wait looks at its attempt before it has the log watched: most attempts are over by then.
	patience = 20 * time.Millisecond
)

// Wait implements sdk.Runner.
func (r *Runner) Wait(ctx context.Context, work string, offset int64, log func(int64, []byte) error) (sdk.Result, error) {
	if offset < 0 {
		return sdk.Result{}, fmt.Errorf("log offset %d: %w", offset, sdk.ErrInvalid)
	}
	a, err := r.find(work)
	if err != nil {
		return sdk.Result{}, err
	}
	defer r.release(a)
	select {
	case <-a.begun:
	case <-ctx.Done():
		return sdk.Result{}, ctx.Err()
	}
	f, err := r.openLog(a)
	if err != nil {
		return sdk.Result{}, err
	}
	if err := r.follow(ctx, a, f, offset, log); err != nil {
		return sdk.Result{}, err
	}
	return a.outcome, nil
}

// openLog returns the attempt's log; nil: there is none, because the process never started.
func (r *Runner) openLog(a *attempt) (*os.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.log == nil {
		f, err := os.Open(filepath.Join(a.work, logFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		a.log = f
	}
	return a.log, nil
}

// follow sends the log from offset on until the attempt is over and all was sent.
func (r *Runner) follow(ctx context.Context, a *attempt, f *os.File, offset int64, log func(int64, []byte) error) error {
	early := time.NewTimer(patience)
	defer early.Stop()
	var grown <-chan struct{}
	for {
		over := a.over() // before the read: what is read afterwards is all
		var err error
		if offset, err = r.copy(f, offset, log); err != nil || over {
			return err
		}
		select {
		case <-a.done:
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		case <-early.C:
			var stop func()
			grown, stop = r.changes(a.work)
			defer stop()
		}
	}
}

// copy sends what the log holds from offset on, and returns the new offset.
func (r *Runner) copy(f *os.File, offset int64, log func(int64, []byte) error) (int64, error) {
	if f == nil {
		return offset, nil
	}
	buf := r.buffers.Get().(*[chunk]byte)
	defer r.buffers.Put(buf)
	for {
		n, err := f.ReadAt(buf[:], offset)
		if n > 0 {
			if err := log(offset, buf[:n]); err != nil {
				return offset, err
			}
			offset += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return offset, nil
		}
		if err != nil {
			return offset, fmt.Errorf("read the log: %w", err)
		}
	}
}

// changes returns a channel that gets a value after changes in a work folder. Where the kernel cannot tell, because its limits
// are reached, it gets one every so often.
func (r *Runner) changes(work string) (<-chan struct{}, func()) {
	changed, stop, err := r.watcher.watch(work)
	if err == nil {
		return changed, stop
	}
	r.warn.Do(func() { fmt.Fprintf(os.Stderr, "logs will lag by %v: %v\n", lag, err) })
	often := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		tick := time.NewTicker(lag)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			select {
			case often <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return often, cancel
}

// lag is how late changes are seen without inotify.
const lag = 200 * time.Millisecond
