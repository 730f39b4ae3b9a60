package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

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
		a.outcome = result(e, a.cause)
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
	e, err := a.awaitExit()
	cause := a.close()
	if err != nil {
		e = problem(sdk.CodeLost, "%v", err)
	}
	a.finish(result(e, cause))
}

func (a *attempt) awaitExit() (exitRecord, error) {
	changed, stop, err := a.runner.watcher.watch(a.work)
	if err != nil {
		return exitRecord{}, err
	}
	defer stop()
	plugin := a.from.pluginGone
	for {
		if e, ok, err := exitOn(a.work); ok || err != nil {
			return e, err
		}
		select {
		case <-changed:
		case <-plugin:
			plugin = nil
			if e, ok := a.neverStarted(); ok {
				return e, nil
			}
		case <-a.from.gone:
			if e, ok := a.neverStarted(); ok {
				return e, nil
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
	e := problem(sdk.CodeStart, "the runner plugin died before it started the process")
	_ = e.store(a.work, a.home) // the same verdict follows from the same facts
	return e, true
}

// lost waits for the end of a process whose exit nobody will record.
func (a *attempt) lost() (exitRecord, error) {
	b, known := a.from.find(a.work)
	if known && proc.Alive(b.PID, b.From, b.To) {
		if h, err := proc.Open(b.PID); err == nil {
			if proc.Alive(b.PID, b.From, b.To) {
				_ = h.Ended(context.Background())
			}
			h.Close()
		}
	}
	if e, ok, err := exitOn(a.work); ok || err != nil {
		return e, err
	}
	sweep(a.tree(), a.close().Until)
	e := problem(sdk.CodeLost, "the process ended after its runner plugin and its keeper had died")
	return e, e.store(a.work, a.home)
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
