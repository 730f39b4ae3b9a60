package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flowctl/plugins/account"
	"flowctl/plugins/keeper"
	"flowctl/plugins/sdk"
)

// Options configure a Host.
type Options struct {
	Dir       string // where plugin processes keep what outlives them; created with mode 0700
	Self      string // the flowctl executable: serves the built-in plugins and is the keeper of all
	Builtin   []string
	PluginDir string        // third-party executables, before PATH; may be empty
	Idle      time.Duration // how long a process stays without host and attempts; 0 = sdk.DefaultIdle
	Start     time.Duration // how long a plugin has for its handshake, and then to describe itself; 0 = keeper.DefaultStart
	Answer    time.Duration // how long a process has to answer a call; 0 = DefaultAnswer
	Log       *slog.Logger  // nil: nothing is logged
}

// Builtin names the plugins that flowctl itself serves, as KIND-NAME.
func Builtin() []string {
	return []string{"runner-shell", "runner-python", "runner-ssh", "runner-hive", "sensor-file", "sensor-hdfs", "sensor-http", "sensor-s3", "channel-email", "channel-phone", "channel-sms", "channel-webhook"}
}

// launches is how often a plugin process may die while it is being launched, before that is the plugin's fault.
const launches = 3

// Host launches plugin processes and connects to them. It is safe for concurrent use.
type Host struct {
	options Options
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	tasks   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	entries map[string]*entry
}

// entry serialises the launches of one plugin.
type entry struct {
	turn    chan struct{} // holds one value; who has it may look for and launch processes
	current *Process
	former  *Process     // of an executable that is not the present one; nil: none is asked for
	summed  summed       // the executable of a third party
	failed  atomic.Int64 // launches
	err     error        // of the last that failed
}

// New returns a host. Nothing is launched until it is asked for.
func New(o Options) (*Host, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if o.Dir = dir; o.Builtin == nil {
		o.Builtin = Builtin()
	}
	if o.Idle == 0 {
		o.Idle = sdk.DefaultIdle
	}
	o.Start, o.Answer = cmp.Or(o.Start, keeper.DefaultStart), cmp.Or(o.Answer, DefaultAnswer)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the plugins' folder: %w", err)
	}
	h := &Host{options: o, entries: make(map[string]*entry)}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h, nil
}

// Runner returns the process of a runner plugin: the one that is connected, one that an earlier host left, or a new one. It belongs to a user of the
// operating system; empty = the host's own. Pins are the SHA-256 of the executables that a third party's plugin may be; those of flowctl itself need
// none. When the executable was replaced, the process of the old one drains.
func (h *Host) Runner(ctx context.Context, name, user string, pins []string) (*Process, error) {
	return h.process(ctx, sdk.KindRunner, name, user, pins)
}

// Holder returns the process of a runner plugin for attempts that were started: as Runner does, or, when the executable was replaced by one that
// is not pinned, one of the old executable, which is launched once more from its copy if need be.
func (h *Host) Holder(ctx context.Context, name, user string, pins []string) (*Process, error) {
	p, err := h.process(ctx, sdk.KindRunner, name, user, pins)
	if err == nil || ctx.Err() != nil {
		return p, err
	}
	p, holderErr := h.holder(ctx, name, user, pins)
	if p == nil {
		return nil, errors.Join(err, holderErr)
	}
	return p, nil
}

// Sensor returns the process of a sensor plugin, as Runner does.
func (h *Host) Sensor(ctx context.Context, name string, pins []string) (*Process, error) {
	return h.process(ctx, sdk.KindSensor, name, "", pins)
}

// Channel returns the process of a channel plugin, as Runner does.
func (h *Host) Channel(ctx context.Context, name string, pins []string) (*Process, error) {
	return h.process(ctx, sdk.KindChannel, name, "", pins)
}

func keyOf(kind, name, user string) string {
	if user != "" {
		return kind + "-" + name + "@" + user
	}
	return kind + "-" + name
}

func (h *Host) process(ctx context.Context, kind, name, user string, pins []string) (*Process, error) {
	key := keyOf(kind, name, user)
	e, err := h.entry(key)
	if err != nil {
		return nil, err
	}
	failed := e.failed.Load()
	if err := e.take(ctx); err != nil {
		return nil, err
	}
	defer e.release()
	ready := e.current != nil && !e.current.isGone()
	if ready && h.builtin(kind, name) {
		return e.current, nil
	}
	if !ready && e.failed.Load() > failed { // so that those who waited for a plugin that hangs do not each wait again
		return nil, e.err
	}
	if e.current != nil && !ready {
		e.current.detach()
		e.current = nil
	}
	c, err := h.command(kind, name)
	if err == nil && c.foreign {
		err = e.admit(&c, pins)
	}
	if ready && c.binary != "" && e.current.card.Binary != c.binary {
		h.retire(ctx, e.current)
		e.current, ready = nil, false
	}
	if err != nil {
		return nil, err
	}
	if ready {
		return e.current, nil
	}
	if user != "" {
		if c.account, err = account.Lookup(user); err != nil {
			return nil, err
		}
	}
	var p *Process
	for range launches {
		p, err = h.obtain(ctx, filepath.Join(h.options.Dir, key), c)
		if !errors.Is(err, sdk.ErrGone) {
			break
		}
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", c.title(), err)
		if ctx.Err() == nil {
			e.err = err
			e.failed.Add(1)
		}
		return nil, err
	}
	e.current = p
	return p, nil
}

// take waits for the turn of the caller, which lasts until release.
func (e *entry) take(ctx context.Context) error {
	select {
	case <-e.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *entry) release() { e.turn <- struct{}{} }

func (h *Host) entry(key string) (*entry, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errors.New("the plugin host is closed")
	}
	e := h.entries[key]
	if e == nil {
		e = &entry{turn: make(chan struct{}, 1)}
		e.turn <- struct{}{}
		h.entries[key] = e
	}
	return e, nil
}

// command is how to start a plugin.
type command struct {
	kind    string
	name    string
	path    string
	args    []string      // with the program's name
	binary  string        // names this very build of the executable
	foreign bool          // of a third party
	sum     string        // SHA-256 of a third party's executable
	account *account.User // nil: the host's own
}

// title names the plugin in messages, and the file if that is not flowctl.
func (c *command) title() string {
	if len(c.args) > 1 {
		return c.kind + " plugin " + c.name
	}
	return fmt.Sprintf("%s plugin %s (%s)", c.kind, c.name, c.path)
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// command finds the executable of a plugin.
func (h *Host) command(kind, name string) (command, error) {
	c, err := h.executable(kind, name)
	c.kind, c.name = kind, name
	return c, err
}

func (h *Host) executable(kind, name string) (command, error) {
	if !nameForm.MatchString(name) {
		return command{}, fmt.Errorf("%q is no plugin name", name)
	}
	if h.builtin(kind, name) {
		s, err := os.Stat(h.options.Self)
		if err != nil {
			return command{}, err
		}
		return command{
			path: h.options.Self, args: []string{h.options.Self, "plugin", "serve", "--kind", kind, name},
			binary: fmt.Sprintf("%s %d %d", h.options.Self, s.Size(), s.ModTime().UnixNano()),
		}, nil
	}
	program := "flowctl-" + kind + "-" + name
	if h.options.PluginDir != "" {
		path := filepath.Join(h.options.PluginDir, program)
		if s, err := os.Stat(path); err == nil && s.Mode().IsRegular() {
			return command{path: path, args: []string{path}, foreign: true}, nil
		}
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return command{}, fmt.Errorf("there is no %s plugin %q: it is not built in, and no %s is in the plugin folder %q or on PATH: %w",
			kind, name, program, h.options.PluginDir, ErrNotInstalled)
	}
	return command{path: path, args: []string{path}, foreign: true}, nil
}

func (h *Host) builtin(kind, name string) bool {
	return slices.Contains(h.options.Builtin, kind+"-"+name)
}

// Close ends the plugin processes that carry no attempt, also those of earlier hosts that were not asked for again, waits until they
// are gone, and leaves the others to a later host.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	entries := h.entries
	h.entries = nil
	h.mu.Unlock()
	var errs []error
	for _, e := range entries {
		select {
		case <-e.turn: // and never back
		case <-ctx.Done():
			errs = append(errs, ctx.Err())
			continue
		}
		if e.current != nil {
			errs = append(errs, e.current.stop(ctx))
		}
	}
	cards, _ := filepath.Glob(filepath.Join(h.options.Dir, "*", "*", keeper.ReattachFile)) // the pattern is valid
	for _, card := range cards {
		if p := h.reattach(ctx, filepath.Dir(card), filepath.Base(filepath.Dir(filepath.Dir(card)))); p != nil {
			errs = append(errs, p.stop(ctx))
		}
	}
	h.cancel()
	h.tasks.Wait()
	return errors.Join(errs...)
}
