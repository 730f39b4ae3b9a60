package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"flowctl/engine"
	"flowctl/plugins/sdk"
)

// Plugins is where an agent gets its runners and sensors. A plugin may be asked for often; it is launched once. After one
// answered sdk.ErrGone, asking again gives a new one.
type Plugins interface {
	// The runner's process belongs to a user of the operating system; empty = the agent's own. Pins are the SHA-256 of the executables that a third
	// party's plugin may be; the others need none.
	Runner(ctx context.Context, name, user string, pins []string) (Runner, error)
	// Holder is Runner for attempts that were started: the executable may have changed since.
	Holder(ctx context.Context, name, user string, pins []string) (Runner, error)
	Sensor(ctx context.Context, name string, pins []string) (Sensor, error)
	// Clear removes, as a user, what processes of the user left in a folder.
	Clear(ctx context.Context, user, folder string) error
}

// Runner is what an agent needs of a runner; see sdk.Runner and sdk.Leaser.
type Runner interface {
	Start(ctx context.Context, spec sdk.Spec) error
	Wait(ctx context.Context, work string, offset int64, log func(offset int64, data []byte) error) (sdk.Result, error)
	Signal(ctx context.Context, work string, how sdk.Signal) error
	Renew(ctx context.Context, work string, lease time.Duration) error
	Recover(ctx context.Context, work string) (sdk.Recovered, error)
}

// Sensor is what an agent needs of a sensor; see sdk.Sensor.
type Sensor interface {
	Check(ctx context.Context, base string, paths []string) ([]sdk.PathState, error)
}

// Options are what an Agent is made of.
type Options struct {
	Name      string // empty: the name it joined with
	Dir       string // the data folder; one agent at a time
	Server    string // host:port of the server's port for agents
	Token     string // for joining; may be empty when the agent has joined before
	Labels    []string
	Slots     int   // how many attempts it offers to execute at once
	MaxLog    int64 // of an attempt, in bytes: of a longer one the middle is left out; 0 = any length
	Admission Admission
	Users     []string // of the operating system, as whom it lets tasks run
	// CPU (cores) and Memory (bytes) are what tasks that say what they need may take altogether; 0 = all of the machine.
	CPU      float64
	Memory   int64
	EnvFiles map[string]string // by runner: NAME=VALUE lines that its attempts see, in place of Dir/env/RUNNER.env
	Version  string
	Plugins  Plugins
	// Installed names the plugins for people to see; those that are not named work as well.
	Installed []engine.Plugin
	Recheck   time.Duration // before a check of outputs that failed is first repeated; 0 = a second
	Pause     time.Duration // before a runner that broke is asked again; 0 = a second
	Log       *slog.Logger
	Now       func() time.Time
}

// ErrRefused is wrapped by the error of Run when the server will not take this agent in, so that trying again is useless.
var ErrRefused = errors.New("the agent is not accepted")

// ErrInUse is wrapped by the error of Run when another agent works in the data folder. Plugins that run there are the other's.
var ErrInUse = errors.New("another agent works in the data folder")

// Agent executes attempts. See the package comment.
type Agent struct {
	opts      Options
	bootID    string
	env       []string // what every attempt sees
	secrets   *secrets
	machine   *machine
	admission *admission
	host      engine.Host
	runnerEnv map[string][]string // from environment files
	trees     *trees
	trash     *trash

	ctx  context.Context // of Run
	join joining         // of Run's goroutine
	work sync.WaitGroup  // attempts, kills and probes in progress

	mu        sync.Mutex
	attempts  map[engine.AttemptID]*attempt
	session   *session      // nil: not connected
	connected chan struct{} // closed when session is set, then replaced
}

// New prepares the data folder.
func New(o Options) (*Agent, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	o.Dir, o.Pause = dir, cmp.Or(o.Pause, time.Second)
	for _, sub := range []string{"work", "trees", "blobs", "workspace"} {
		if err := os.MkdirAll(filepath.Join(o.Dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("prepare the agent's data folder: %w", err)
		}
	}
	boot, err := bootID()
	if err != nil {
		return nil, fmt.Errorf("find out when the machine was started: %w", err)
	}
	m := &machine{dir: o.Dir}
	a := &Agent{
		opts:      o,
		machine:   m,
		admission: &admission{Admission: o.Admission, now: o.Now},
		host:      m.host(&o),
		bootID:    boot,
		secrets:   newSecrets(filepath.Join(dir, "secrets"), os.Environ()),
		env:       baseEnv(os.Environ(), filepath.Join(o.Dir, "workspace")),
		attempts:  map[engine.AttemptID]*attempt{},
		connected: make(chan struct{}),
	}
	if a.runnerEnv, err = readEnvFiles(filepath.Join(o.Dir, "env"), o.EnvFiles); err != nil {
		return nil, err
	}
	if err := a.openUp(); err != nil {
		return nil, err
	}
	return a, nil
}

// Run joins when the agent has not yet, connects, and executes attempts until ctx ends, connecting again whenever the
// stream breaks. Attempts that run when it returns go on, and are found again by the next Run on the same folder. It returns
// nil when ctx ended, else why going on is useless; see ErrRefused and ErrInUse.
func (a *Agent) Run(ctx context.Context) error {
	lock, err := lockFolder(ctx, a.opts.Dir)
	if err != nil {
		return err
	}
	defer lock.Close() //nolint:errcheck // it only releases the lock
	if a.trees, err = openTrees(a.opts.Dir, a.bootID, a.opts.Now); err != nil {
		return err
	}
	if a.trash, err = openTrash(a.opts.Dir); err != nil {
		return fmt.Errorf("prepare the spare folders: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	a.ctx = ctx
	defer a.work.Wait()
	defer cancel()
	a.work.Go(func() { a.trash.empty(ctx, a.remove, a.opts.Log) })
	a.work.Go(func() { a.trees.clean(ctx, a.opts.Log) })
	if err := a.recoverAll(); err != nil {
		return err
	}
	return a.stayConnected(ctx)
}

// The pauses between attempts to connect: none after a loss, then growing to maxPause. A server that comes back is to know
// within two seconds what runs.
const (
	minPause = 100 * time.Millisecond
	maxPause = 1500 * time.Millisecond
)

func (a *Agent) stayConnected(ctx context.Context) error {
	pause := time.Duration(0)
	for {
		greeted, err := a.connect(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ErrRefused) && !a.joinAgain(err) {
			return err
		}
		if greeted {
			pause = 0
		}
		a.opts.Log.Warn("not connected to the server", "server", a.opts.Server, "reason", err, "retry_in", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		pause = longer(pause)
	}
}

// longer returns the pause after another one, at random within limits, so that a fleet does not come back all at once.
func longer(pause time.Duration) time.Duration {
	pause = min(max(2*pause, minPause), maxPause)
	return pause/2 + rand.N(pause/2+1)
}

// lockTime is how long the lock of an agent that was just killed is awaited: a process that it was starting may hold a copy for
// a moment.
const lockTime = 500 * time.Millisecond

// lockFolder makes sure that no two agents work in one folder. Closing the file releases the lock, as does the end of
// the process.
func lockFolder(ctx context.Context, dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the agent's data folder: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	for unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		if !sleep(ctx, lockTime/50) {
			return nil, errors.Join(fmt.Errorf("%w: %s; give this one a data folder of its own", ErrInUse, dir), f.Close())
		}
	}
	return f, nil
}
