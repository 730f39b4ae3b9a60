package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
)

// load makes an attempt from its work folder. One that is not over was started by another plugin process.
func (r *Runner) load(work string) (*attempt, error) {
	a := &attempt{runner: r, work: work, begun: make(chan struct{}), done: make(chan struct{})}
	close(a.begun)
	found, err := read(work, startFile, &a.start)
	if err != nil {
		return nil, err
	}
	if !found || a.start.Void {
		return nil, fmt.Errorf("%s: %w", work, sdk.ErrUnknown)
	}
	if _, err := read(work, causeFile, &a.cause); err != nil {
		return nil, err
	}
	e, over, err := a.exit()
	if err != nil {
		return nil, err
	}
	switch {
	case over:
	case a.start.Boot != r.boot:
		e, over = problem(sdk.CodeLost, "the machine was restarted before the end was recorded"), true
	case a.start.Home == r.home:
		e, over = problem(sdk.CodeLost, "the end was not recorded in %s", work), true
	}
	if over {
		a.outcome = result(e, a.cause, a.start.Timeout)
		close(a.done)
		return a, nil
	}
	a.from = r.foreign(a.start.Home)
	return a, nil
}

// exit reads how the attempt ended; false: it is not on record.
func (a *attempt) exit() (exitRecord, bool, error) {
	var e exitRecord
	found, err := read(a.work, exitFile, &e)
	if found && e.Version == 0 {
		e = problem(sdk.CodeLost, "the record of the end in %s was cut short", a.work)
	}
	return e, found, err
}

// adopt waits for the end of an attempt that another plugin process started.
func (a *attempt) adopt() {
	if a.start.Deadline > 0 {
		a.deadline()
	}
	e, err := a.awaitExit()
	cause := a.close()
	if err != nil {
		e = problem(sdk.CodeLost, "%v", err)
	}
	a.finish(result(e, cause, a.start.Timeout))
}

func (a *attempt) awaitExit() (exitRecord, error) {
	changed, stop, err := a.runner.watcher.watch(a.work)
	if err != nil {
		return exitRecord{}, err
	}
	defer stop()
	plugin := a.from.pluginGone
	for {
		if e, ok, err := a.exit(); ok || err != nil {
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
	if e, ok, err := a.exit(); ok && err == nil {
		return e, true
	}
	e := problem(sdk.CodeStart, "the runner plugin died before it started the process")
	_ = write(a.work, exitFile, e) // the same verdict follows from the same facts
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
	if e, ok, err := a.exit(); ok || err != nil {
		return e, err
	}
	sweep(a.tree(), a.close().Until)
	e := problem(sdk.CodeLost, "the process ended after its runner plugin and its keeper had died")
	return e, write(a.work, exitFile, e)
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

// keeper is the id of the keeper process; 0: not known.
func (f *foreign) keeper() int {
	b, err := os.ReadFile(filepath.Join(f.dir, KeeperLock))
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}
