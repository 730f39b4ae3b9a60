package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
)

// load makes an attempt from its work folder. One that is not over was started by another plugin process.
func (r *Runner) load(work string) (*attempt, error) {
	a := &attempt{runner: r, work: work, begun: make(chan struct{}), done: make(chan struct{})}
	close(a.begun)
	var c card
	found, err := read(work, startFile, &c)
	if err != nil {
		return nil, err
	}
	if !found || c.Void {
		return nil, fmt.Errorf("%s: %w", work, sdk.ErrUnknown)
	}
	a.home = c.Home
	if _, err := read(work, causeFile, &a.cause); err != nil {
		return nil, err
	}
	e, over, err := exitOn(work)
	if err != nil {
		return nil, err
	}
	switch {
	case over:
	case c.Boot != r.boot:
		e, over = problem(sdk.CodeLost, "the machine was restarted before the end was recorded"), true
	case c.Home == r.home:
		e, over = problem(sdk.CodeLost, "the end was not recorded in %s", work), true
	}
	if over {
		a.outcome = result(explained(work, e), a.cause)
		close(a.done)
		return a, nil
	}
	a.from = r.foreign(c.Home)
	if b, ok := a.from.find(work); ok {
		a.process = b
	}
	return a, nil
}

// adopt waits for the end of an attempt that another plugin process started.
func (a *attempt) adopt() {
	if a.process.Deadline > 0 {
		a.deadline()
	}
	if _, leased := leaseOf(a.work); leased {
		go a.enforce()
	}
	e := a.awaitExit()
	a.close()
	a.runner.settled(a.work)
	a.tell(e)
	a.runner.forget(a)
}

// awaitExit returns when the end is on record, or nobody is left who could record it.
func (a *attempt) awaitExit() exitRecord {
	changed, stop := a.runner.changes(a.work)
	defer stop()
	plugin := a.from.pluginGone
	for {
		e, ok, err := exitOn(a.work)
		if ok {
			return e
		}
		var again <-chan time.Time
		if err != nil { // no descriptors left, perhaps: that tells nothing of the attempt
			again = time.After(time.Second)
		}
		select {
		case <-changed:
		case <-again:
		case <-plugin:
			plugin = nil
			if e, ok := a.neverStarted(); ok {
				return e
			}
		case <-a.from.gone:
			if e, ok := a.neverStarted(); ok {
				return e
			}
			return a.lost()
		}
	}
}

// neverStarted settles an attempt whose plugin died between start.json and the journal. It looks at the journal before exit.json,
// since what is over leaves the journal after that was written.
func (a *attempt) neverStarted() (exitRecord, bool) {
	starts, err := ReadJournal(a.from.dir)
	if err != nil || slices.ContainsFunc(starts, func(b Begun) bool { return b.Work == a.work }) {
		return exitRecord{}, false
	}
	if e, ok, err := exitOn(a.work); ok && err == nil {
		return e, true
	}
	e := problem(sdk.CodeUnstarted, "the runner plugin died before it started the process")
	_ = e.store(a.work, a.home) // the same verdict follows from the same facts
	return e, true
}

// decided returns when it is known whether the process was started: at once, save for attempts whose plugin is at it or died at it.
func (a *attempt) decided(ctx context.Context) error {
	for {
		if a.over() {
			return nil
		}
		if b, ok := a.from.find(a.work); ok && b.PID != 0 {
			return nil
		}
		select {
		case <-a.done:
		case <-time.After(decidePause): // the journal of another process: nothing tells of a line in it
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const decidePause = time.Millisecond

// lost waits for the end of a process whose exit nobody will record.
func (a *attempt) lost() exitRecord {
	if b, ok := a.from.find(a.work); ok && proc.Alive(b.PID, b.From, b.To) {
		if h, err := proc.Open(b.PID); err == nil {
			if proc.Alive(b.PID, b.From, b.To) {
				_ = h.Ended(context.Background())
			}
			h.Close()
		}
	}
	if e, ok, err := exitOn(a.work); ok && err == nil {
		return e
	}
	sweep(a.tree(), graceOf(a.work, a.close()))
	e := problem(sdk.CodeLost, "the process ended after its runner plugin and its keeper had died")
	if err := e.store(a.work, a.home); err != nil {
		fmt.Fprintf(os.Stderr, "record the end of %s: %v\n", a.work, err)
	}
	return e
}

// foreign is another plugin process, dead or alive, that attempts of ours were started by.
type foreign struct {
	dir        string
	pluginGone chan struct{} // closed when the plugin process has ended
	gone       chan struct{} // closed when its keeper has ended, too: nobody writes exit.json any more
}

// foreign returns the process with that folder. The caller holds r.mu.
func (r *Runner) foreign(dir string) *foreign {
	f := r.homes[dir]
	if f == nil {
		f = &foreign{dir: dir, pluginGone: make(chan struct{}), gone: make(chan struct{})}
		r.homes[dir] = f
		go f.outlive()
	}
	return f
}

// outlive blocks on the locks that the plugin process and its keeper hold: there is no earlier sign of their ends.
func (f *foreign) outlive() {
	awaitLock(filepath.Join(f.dir, PluginLock))
	close(f.pluginGone)
	awaitLock(filepath.Join(f.dir, KeeperLock))
	close(f.gone)
}

// awaitLock returns when nobody has the lock. Errors mean that there is nobody either.
func awaitLock(path string) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	for {
		if err := unix.Flock(int(file.Fd()), unix.LOCK_SH); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// Dead tells whether the plugin process with this folder and its keeper have both ended.
func Dead(dir string) bool {
	for _, name := range []string{PluginLock, KeeperLock} {
		file, err := os.Open(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false // not known
		}
		err = unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		_ = file.Close()
		if err != nil {
			return false
		}
	}
	return true
}

// find returns the start of an attempt from the journal.
func (f *foreign) find(work string) (Begun, bool) {
	all, err := ReadJournal(f.dir)
	if err != nil {
		return Begun{}, false
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Work == work {
			return all[i], true
		}
	}
	return Begun{}, false
}
