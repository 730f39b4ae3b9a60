package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
)

// Commander is what the author of a runner implements: it says which process executes a spec.
type Commander interface {
	sdk.Plugin
	// Command is called once for each attempt, concurrently. It may write files into spec.Work. An error is the attempt's end: start_failed with
	// the error's text.
	Command(spec sdk.Spec) (Command, error)
}

// Command is a process to start.
type Command struct {
	// Path is looked up in Env's PATH when it holds no slash; a relative one with a slash is below Dir.
	Path string
	Args []string // without the program's own name
	Env  []string // nil: the spec's
	Dir  string   // empty: the spec's
	// Elsewhere is how long at most something of the attempt goes on out of reach after the process was killed. Its lease ends so much earlier.
	Elsewhere time.Duration
}

// Serve serves c as a runner plugin and returns the exit code for main.
func Serve(c Commander) int {
	dir := os.Getenv(sdk.EnvDir)
	if dir == "" { // started by hand: go-plugin will say so
		return sdk.Serve(c)
	}
	proc.IgnoreSIGCHLD()
	r, err := Open(dir, c)
	if err != nil {
		fmt.Fprintf(os.Stderr, "serve %s: %v\n", c.Describe().Name, err)
		return 1
	}
	return sdk.Serve(r)
}

// Runner executes attempts as processes. It implements sdk.Runner and sdk.Drainer.
type Runner struct {
	commander Commander
	home      string
	boot      string
	lock      *os.File // PluginLock
	null      *os.File
	keeper    int // the parent, when it inherits the tasks and their orphans; 0: it does not
	journal   *journal
	watcher   *watcher
	buffers   sync.Pool // *[chunk]byte
	warn      sync.Once

	mu       sync.Mutex
	live     map[string]*attempt
	homes    map[string]*foreign
	draining bool
	drained  func()
}

// Open returns a runner that keeps its journal in dir. Only one can have it at a time; it is held until this process ends,
// because its attempts are this process's children.
func Open(dir string, c Commander) (*Runner, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	boot, err := proc.BootID()
	if err != nil {
		return nil, fmt.Errorf("ask which boot this is: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, PluginLock))
	if err != nil {
		return nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	if err := write(dir, cardFile, card{Version: recordVersion, Boot: boot, Home: dir}); err != nil {
		return nil, err
	}
	if err := write(dir, voidFile, card{Version: recordVersion, Void: true}); err != nil {
		return nil, err
	}
	j, err := openJournal(dir)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	r := &Runner{
		commander: c, home: dir, boot: boot, lock: lock, null: null, keeper: keeperOf(dir), journal: j, watcher: newWatcher(),
		live: make(map[string]*attempt), homes: make(map[string]*foreign),
	}
	r.buffers.New = func() any { return new([chunk]byte) }
	return r, nil
}

// keeperOf returns the id of the keeper if it is this process's parent, otherwise 0.
func keeperOf(dir string) int {
	b, err := os.ReadFile(filepath.Join(dir, KeeperLock))
	if err != nil || string(b) != strconv.Itoa(os.Getppid()) {
		return 0
	}
	return os.Getppid()
}

// reaper is the process that inherits orphans; 0: not known, or the keeper has died.
func (r *Runner) reaper() int {
	if os.Getppid() != r.keeper {
		return 0
	}
	return r.keeper
}

// lockFile takes a lock that lasts as long as this process; an error says that another has it. Hosts look at it, which may be other users.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: another process has it: %w", path, err)
	}
	return f, nil
}

// Describe implements sdk.Plugin.
func (r *Runner) Describe() sdk.Description { return r.commander.Describe() }

// Validate implements sdk.Plugin.
func (r *Runner) Validate(with json.RawMessage) []sdk.Problem { return r.commander.Validate(with) }

// Live implements sdk.Drainer.
func (r *Runner) Live() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.own()
}

// own counts the attempts that this process started; adopted ones do not suffer from its end.
func (r *Runner) own() int {
	n := 0
	for _, a := range r.live {
		if a.from == nil {
			n++
		}
	}
	return n
}

// Drained implements sdk.Drainer.
func (r *Runner) Drained(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drained = f
}

// Drain implements sdk.Drainer.
func (r *Runner) Drain() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
	return r.own()
}

// Signal implements sdk.Runner.
func (r *Runner) Signal(_ context.Context, work string, how sdk.Signal) error {
	a, err := r.find(work)
	if err != nil {
		return err
	}
	defer r.release(a)
	return a.end(sdk.CodeKilled, how)
}

// Recover implements sdk.Runner.
func (r *Runner) Recover(ctx context.Context, work string) (sdk.Recovered, error) {
	if !filepath.IsAbs(work) {
		return sdk.NotStarted, fmt.Errorf("work folder %q is not absolute: %w", work, sdk.ErrInvalid)
	}
	// Whoever creates the record first decides: a start that is still under way somewhere finds this one and gives up.
	err := place(filepath.Join(r.home, voidFile), filepath.Join(work, startFile))
	if err == nil {
		return sdk.NotStarted, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return sdk.NotStarted, err
	}
	a, err := r.find(work)
	if errors.Is(err, sdk.ErrUnknown) {
		return sdk.NotStarted, nil
	}
	if err != nil {
		return sdk.NotStarted, err
	}
	defer r.release(a)
	if a.from != nil {
		if err := a.decided(ctx); err != nil {
			return sdk.NotStarted, err
		}
	}
	switch {
	case !a.over():
		return sdk.Running, nil
	case a.outcome.Code == sdk.CodeUnstarted:
		return sdk.NotStarted, nil
	}
	return sdk.Finished, nil
}

// find returns an attempt from memory or from its work folder; the caller releases it.
func (r *Runner) find(work string) (*attempt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.live[work]; a != nil {
		a.refs++
		return a, nil
	}
	a, err := r.load(work)
	if err != nil {
		return nil, err
	}
	a.refs++
	if !a.over() {
		a.refs++ // forget's
		r.live[work] = a
		go a.adopt()
	}
	return a, nil
}

// release gives back what find returned.
func (r *Runner) release(a *attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a.refs--
	if a.refs == 0 && a.log != nil {
		_ = a.log.Close()
		a.log = nil
	}
}

// forget takes an attempt that is over out of memory: from now on its work folder answers.
func (r *Runner) forget(a *attempt) {
	r.mu.Lock()
	delete(r.live, a.work)
	drained := r.drained
	if drained != nil && (a.from != nil || r.own() > 0) {
		drained = nil
	}
	r.mu.Unlock()
	r.release(a)
	if drained != nil {
		drained()
	}
}
