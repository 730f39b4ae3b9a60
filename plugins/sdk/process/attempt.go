package process

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
)

// killTime is how long a killed tree may take to vanish. What is left then hangs in the kernel, and the attempt ends without it.
const killTime = 10 * time.Second

// attempt is one that this process started or adopted.
type attempt struct {
	runner *Runner
	work   string
	home   string   // folder of the plugin process that started it
	from   *foreign // that process; nil: this one

	begun   chan struct{} // closed when process is complete or never will be
	process Begun
	done    chan struct{} // closed when outcome is set
	outcome sdk.Result
	lease   sync.Mutex // held while it is renewed

	refs int      // guarded by runner.mu
	log  *os.File // open while refs > 0; nil: not opened yet

	mu     sync.Mutex
	cause  causeRecord
	killed bool // KILL was sent
	ending bool // the leader ended: too late for signals
	timers []*time.Timer
	stop   []func() // called when the leader has ended
}

func (a *attempt) over() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// attend waits for the end of a process that we started.
func (a *attempt) attend(h *proc.Handle) {
	_ = h.Ended(context.Background()) // if that fails, Peek waits
	exit, err := proc.Peek(a.process.PID)
	cause := a.close()
	e := exitOf(exit)
	if err != nil {
		e = problem(sdk.CodeLost, "the process %d could not be waited for: %v", a.process.PID, err)
	}
	if tree := a.tree(); tree.Left(a.runner.reaper(), os.Getpid()) {
		sweep(tree, graceOf(a.work, cause))
	}
	a.runner.settled(a.work)
	// The news goes first: until the process is reaped its end can be looked at again, by the keeper if we are killed here.
	a.tell(e)
	proc.Yield()
	a.store(e)
	a.runner.forget(a)
	h.Close()
	proc.Reap(a.process.PID)
	a.runner.journal.end(a.work)
}

// close ends the time for signals and returns why the attempt was ended by us, if it was.
func (a *attempt) close() causeRecord {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ending = true
	for _, t := range a.timers {
		t.Stop()
	}
	for _, stop := range a.stop {
		stop()
	}
	return a.cause
}

// record stores the end of an attempt that no process can be asked about, and makes it known.
func (a *attempt) record(e exitRecord) {
	a.store(e)
	a.tell(e)
	a.runner.forget(a)
}

func (a *attempt) store(e exitRecord) {
	if err := e.store(a.work, a.home); err != nil {
		fmt.Fprintf(os.Stderr, "record the end of %s: %v\n", a.work, err)
	}
}

// tell makes the end of an attempt known to those who wait for it.
func (a *attempt) tell(e exitRecord) {
	a.mu.Lock()
	cause := a.cause
	a.mu.Unlock()
	a.outcome = result(explained(a.work, e), cause)
	close(a.done)
}

// deadline ends the attempt when its time is over.
func (a *attempt) deadline() {
	a.after(time.Duration(a.process.Deadline-proc.Boot()), func() {
		if err := a.end(sdk.CodeTimeout, sdk.Terminate); err != nil {
			fmt.Fprintf(os.Stderr, "end %s at its timeout: %v\n", a.work, err)
		}
	})
}

func (a *attempt) after(d time.Duration, f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ending {
		a.timers = append(a.timers, time.AfterFunc(max(d, 0), f))
	}
}

// end signals the tree. The first cause stands.
func (a *attempt) end(code string, how sdk.Signal) error {
	<-a.begun
	first, now, err := a.decide(code, how)
	if err != nil {
		return err
	}
	switch {
	case now:
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), killTime)
			defer cancel()
			a.tree().Kill(ctx)
		}()
	case first:
		a.tree().Signal(syscall.SIGTERM)
		a.after(a.process.Grace, func() { _ = a.end(code, sdk.Kill) }) // its cause is on record
	}
	return nil
}

// decide records why and how the attempt ends: whether this is the first signal, and whether to kill now.
func (a *attempt) decide(code string, how sdk.Signal) (first, now bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ending || a.over() || a.killed {
		return false, false, nil
	}
	if a.cause.Code == "" {
		first = true
		c := causeRecord{Code: code, Timeout: a.process.Timeout}
		if how == sdk.Terminate {
			c.Until = proc.Boot() + int64(a.process.Grace)
		}
		if err := write(a.work, causeFile, c); err != nil {
			return false, false, fmt.Errorf("record why %s ends: %w", a.work, err)
		}
		a.cause = c
	}
	a.killed = how == sdk.Kill
	return first, a.killed, nil
}

// tree is all that came of the attempt's process.
func (a *attempt) tree() proc.Tree {
	b := a.process
	if a.from != nil {
		// Nobody here keeps its process id from being used again.
		if now, ok := a.from.find(a.work); !ok || !proc.Alive(now.PID, now.From, now.To) {
			b.PID = 0
		} else {
			b = now
		}
	}
	b.Work = a.work
	return b.Tree()
}
