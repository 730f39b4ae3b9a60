package keeper

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	plugin "github.com/hashicorp/go-plugin"
	"golang.org/x/sys/unix"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
)

// What a host tells the keeper in its environment.
const (
	// EnvBinary carries the host's name for the binary into reattach.json.
	EnvBinary = "FLOWCTL_PLUGIN_BINARY"
	// EnvStart is how long the plugin has for its handshake, as a Go duration.
	EnvStart = "FLOWCTL_PLUGIN_START"
)

// DefaultStart is how long a plugin has for its handshake when EnvStart does not say.
const DefaultStart = 30 * time.Second

// maxSocket is what fits into a unix socket's address on every system, less the name that go-plugin invents.
const maxSocket = 80

// SocketPrefix begins the name of a socket's folder when the process's own has too long a path.
const SocketPrefix = "flowctl-plugin-"

// keeper looks after one plugin process.
type keeper struct {
	dir     string
	sockets string
	start   time.Duration
	lock    *os.File
	log     *log
	child   *os.Process
	handle  *proc.Handle
	refused bool         // the plugin is of no use: what it left is killed
	orphans map[int]bool // processes that a goroutine looks after
	settled chan int     // orphans that are done
}

// Run starts the plugin command as a child and returns when it and its orphans are gone. Once the plugin accepts connections, Ready goes
// to out, which then is closed. The process must be detached from the host already (its own session).
func Run(dir string, command []string, out io.WriteCloser) error {
	if len(command) == 0 {
		return errors.New("keep wants a command: flowctl plugin keep DIR -- COMMAND…")
	}
	k := &keeper{dir: dir, start: DefaultStart, orphans: make(map[int]bool), settled: make(chan int)}
	var err error
	if s := os.Getenv(EnvStart); s != "" {
		if k.start, err = time.ParseDuration(s); err != nil {
			return fmt.Errorf("%s: %w", EnvStart, err)
		}
	}
	if err := k.claim(); err != nil {
		return err
	}
	if k.log, err = openLog(dir); err != nil {
		return err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD) // before there are children
	stdout, stderr, err := k.launch(command)
	if err != nil {
		_, _ = fmt.Fprintln(out, err)
		return err
	}
	gone := make(chan struct{})
	go func() {
		_ = k.handle.Ended(context.Background())
		close(gone)
	}()
	introduced := make(chan struct{})
	var printed sync.WaitGroup
	printed.Go(func() {
		lines := bufio.NewReader(stdout)
		k.introduce(stdout, lines, out)
		close(introduced)
		_, _ = io.Copy(k.log, lines) // whatever else a plugin prints must neither block nor break it
	})
	printed.Go(func() { _, _ = io.Copy(k.log, stderr) })
	for {
		select {
		case <-ended:
			k.reap()
			continue
		case <-gone:
		}
		break
	}
	<-introduced
	k.inherit()
	for pids := k.reap(); pids > 0 || len(k.orphans) > 0; pids = k.reap() {
		select {
		case <-ended:
		case pid := <-k.settled:
			delete(k.orphans, pid)
		}
	}
	printed.Wait() // nobody is left who prints
	return nil
}

// claim makes this process the plugin's keeper.
func (k *keeper) claim() error {
	if err := proc.Subreaper(); err != nil {
		return fmt.Errorf("become the parent of orphans: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(k.dir, process.KeeperLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("lock %s: another keeper has it: %w", f.Name(), err)
	}
	k.lock = f // never closed: held until the process ends
	if _, err := f.WriteString(strconv.Itoa(os.Getpid())); err != nil {
		return err
	}
	k.sockets = k.dir
	if len(k.dir) > maxSocket {
		k.sockets, err = os.MkdirTemp(os.Getenv("XDG_RUNTIME_DIR"), SocketPrefix)
		if err == nil && len(k.sockets) > maxSocket {
			_ = os.Remove(k.sockets)
		}
		if err != nil || len(k.sockets) > maxSocket {
			k.sockets, err = os.MkdirTemp("/tmp", SocketPrefix)
		}
	}
	return err
}

// launch starts the plugin and returns what it prints.
func (k *keeper) launch(command []string) (stdout, stderr *os.File, err error) {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return nil, nil, fmt.Errorf("start the plugin: %w", err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = null.Close() }()
	stdout, stdoutEnd, err := k.stream("stdout")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = stdoutEnd.Close() }()
	stderr, stderrEnd, err := k.stream("stderr")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = stderrEnd.Close() }()
	k.child, err = os.StartProcess(path, command, &os.ProcAttr{
		Env: append(os.Environ(), plugin.EnvUnixSocketDir+"="+k.sockets), Files: []*os.File{null, stdoutEnd, stderrEnd},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("start the plugin: %w", err)
	}
	if k.handle, err = proc.Open(k.child.Pid); err != nil {
		_ = k.child.Kill()
	}
	return stdout, stderr, err
}

// introduce writes the plugin's address card and tells the host. A plugin that does not introduce itself in time, or not as it should, is killed.
func (k *keeper) introduce(stdout *os.File, lines *bufio.Reader, out io.WriteCloser) {
	late := time.AfterFunc(k.start, func() { _ = stdout.SetReadDeadline(time.Unix(1, 0)) })
	err := k.card(lines)
	if !late.Stop() {
		err = fmt.Errorf("no handshake within %v: a plugin prints go-plugin's line to its stdout first of all", k.start)
	}
	_ = stdout.SetReadDeadline(time.Time{})
	if err != nil {
		k.refused = true
		fmt.Fprintln(k.log, err)
		_, _ = fmt.Fprintln(out, err)
		_ = k.child.Kill()
	} else {
		_, _ = fmt.Fprintln(out, Ready)
	}
	_ = out.Close()
}

func (k *keeper) card(stdout *bufio.Reader) error {
	card, err := handshake(stdout)
	if err != nil {
		return err
	}
	s, err := proc.ReadStat(k.child.Pid)
	if err != nil {
		return err
	}
	boot, err := proc.BootID()
	if err != nil {
		return err
	}
	card.PID, card.Born, card.Keeper, card.Boot = k.child.Pid, s.Born, os.Getpid(), boot
	card.Binary, card.Sockets = os.Getenv(EnvBinary), k.sockets
	return card.write(k.dir)
}

// reap removes children that ended and are nobody's task, and returns how many children are left. While the plugin lives, a
// session leader may be a task of a plugin that is just dying: it waits for the verdict. After a plugin that was refused it kills
// the others, and learns of theirs when they end.
func (k *keeper) reap() (left int) {
	for _, s := range k.children() {
		left++
		if k.handle == nil && k.refused && s.State != 'Z' {
			_ = syscall.Kill(s.PID, syscall.SIGKILL)
		}
		if s.PID == k.child.Pid || k.orphans[s.PID] || s.State != 'Z' || k.handle != nil && s.Session == s.PID {
			continue
		}
		proc.Reap(s.PID)
		left--
	}
	return left
}

// children lists the children of this process. While the plugin lives the kernel's short list will do: it can miss some while
// others end, and those are found at the next signal.
func (k *keeper) children() []proc.Stat {
	self := os.Getpid()
	if k.handle != nil {
		if pids, ok := proc.Children(self); ok {
			return proc.Describe(pids)
		}
	}
	return slices.DeleteFunc(proc.List(), func(s proc.Stat) bool { return s.Parent != self })
}

// inherit takes over the tasks of a plugin that has ended.
func (k *keeper) inherit() {
	k.handle.Close()
	k.handle = nil
	proc.Reap(k.child.Pid)
	if k.sockets != k.dir {
		_ = os.RemoveAll(k.sockets)
	}
	starts, err := process.ReadJournal(k.dir)
	if err != nil {
		return // a plugin without attempts
	}
	for i, b := range starts {
		if b.PID == 0 && !b.Failed && i == len(starts)-1 {
			if b = k.unrecorded(b, starts); b.PID != 0 {
				if err := process.NotePID(k.dir, b); err != nil {
					fmt.Fprintln(k.log, err)
				}
			}
		}
		if s, err := proc.ReadStat(b.PID); b.PID != 0 && err == nil && s.Parent == os.Getpid() && s.BornWithin(b.From, b.To) {
			k.orphans[b.PID] = true
			go k.attend(b)
		} else {
			process.SettleUnknown(k.dir, b)
		}
	}
}

// unrecorded completes a start whose plugin died before it noted the process id, if there is a process.
func (k *keeper) unrecorded(b process.Begun, starts []process.Begun) process.Begun {
	known := make(map[int]bool, len(starts))
	for _, s := range starts {
		known[s.PID] = true
	}
	for range execTries {
		now, unsure := proc.Boot(), false
		for _, s := range k.children() {
			if known[s.PID] || !s.BornWithin(b.From, now) {
				continue
			}
			switch k.judge(b, s) {
			case yes:
				b.PID, b.To = s.PID, now
				return b
			case unknown:
				unsure = true
			}
		}
		if !unsure {
			break
		}
		time.Sleep(time.Millisecond) // it is in the middle of its exec: nothing tells when that is over
	}
	return b
}

const execTries = 100

type verdict uint8

const (
	no verdict = iota
	yes
	unknown
)

// judge tells whether a new child of this process is what the plugin forked last, as opposed to an orphan of some task.
func (k *keeper) judge(b process.Begun, s proc.Stat) verdict {
	if session, err := unix.Getsid(0); err == nil && s.Session == session {
		return yes // no task is in this session: it has not come to leave it
	}
	if s.Session != s.PID {
		return no
	}
	if s.State == 'Z' {
		return yes
	}
	env := proc.Environ(s.PID)
	switch {
	case slices.Contains(env, process.Mark(b.Work)), slices.Contains(env, sdk.EnvDir+"="+k.dir): // after or before its exec
		return yes
	case slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, process.EnvWork+"=") }):
		return no
	}
	return unknown
}

// attend waits for an orphan, records its end and reaps it.
func (k *keeper) attend(b process.Begun) {
	ctx, cancel := context.WithCancel(context.Background())
	go process.Enforce(ctx, b)
	if h, err := proc.Open(b.PID); err == nil {
		_ = h.Ended(context.Background()) // if that fails, Peek waits
		h.Close()
	}
	exit, err := proc.Peek(b.PID)
	cancel()
	if err == nil {
		process.Settle(k.dir, b, exit, os.Getpid())
	} else {
		process.SettleUnknown(k.dir, b)
	}
	proc.Reap(b.PID)
	k.settled <- b.PID
}
