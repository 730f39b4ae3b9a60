package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"flowctl/plugins/account"
	"flowctl/plugins/internal/proc"
	"flowctl/plugins/keeper"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
)

// obtain attaches to the newest process in dir that runs this binary and has its keeper, or launches one.
func (h *Host) obtain(ctx context.Context, dir string, c command) (*Process, error) {
	numbers, err := processes(dir)
	if err != nil {
		return nil, err
	}
	next := 1
	var found *Process
	keep := kept{c.binary: true} // the new process makes a copy of its own
	for i, n := range numbers {
		next = max(next, n+1)
		folder := filepath.Join(dir, strconv.Itoa(n))
		p := h.reattach(ctx, folder, c.title())
		switch {
		case p == nil:
			tidy(folder, i, keep)
		case found == nil && p.card.Binary == c.binary && p.kept() && p.check(c) == nil:
			found = p
		default:
			h.drain(ctx, p)
		}
	}
	if found != nil {
		return found, nil
	}
	return h.launch(ctx, filepath.Join(dir, strconv.Itoa(next)), c)
}

// keptFolders is how many folders of dead processes stay, for the attempts that may still ask for them, and keptLogs how many of them with what
// the processes printed.
const (
	keptFolders = 50
	keptLogs    = 5
)

// tidy removes what a dead process and its dead keeper left behind: the folder of its socket, and its own when so many are newer.
func tidy(folder string, newer int, keep kept) {
	if !process.Dead(folder) {
		return
	}
	card, err := keeper.ReadReattach(folder)
	if err == nil && card.Sockets != folder && strings.HasPrefix(filepath.Base(card.Sockets), keeper.SocketPrefix) &&
		sameOwner(card.Sockets, folder) { // what another account wrote must not lead to what is not its own
		_ = os.RemoveAll(card.Sockets)
	}
	if err != nil || !keep.spare(card.Binary) {
		_ = os.RemoveAll(filepath.Join(folder, copies))
	}
	if newer >= keptLogs {
		_ = os.Remove(filepath.Join(folder, keeper.LogFile))
		_ = os.Remove(filepath.Join(folder, keeper.OldLogFile))
	}
	if newer >= keptFolders {
		_ = os.RemoveAll(folder)
	}
}

// processes lists the numbers of the process folders in dir, newest first.
func processes(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.SortFunc(numbers, func(a, b int) int { return b - a })
	return numbers, nil
}

// reattach connects to the process of a folder; nil: there is none that works. The title is the plugin's.
func (h *Host) reattach(ctx context.Context, dir, title string) *Process {
	card, err := keeper.ReadReattach(dir)
	if err != nil {
		return nil
	}
	boot, err := proc.BootID()
	if err != nil || boot != card.Boot || !proc.Alive(card.PID, card.Born, card.Born) {
		return nil
	}
	who, err := accountOf(filepath.Dir(dir))
	if err != nil {
		h.options.Log.Warn("whose a plugin process is cannot be told", "pid", card.PID, "folder", dir, "error", err)
		return nil
	}
	p, err := h.attach(ctx, dir, title, card, who)
	if err != nil {
		h.options.Log.Warn("a plugin process does not answer", "pid", card.PID, "folder", dir, "error", err)
		if ctx.Err() == nil && card.Protocol == sdk.ProtocolVersion { // else another version of flowctl may know better
			h.kill(dir, who, card.Keeper)
		}
		return nil
	}
	h.options.Log.Info("attached to a plugin process", "pid", card.PID, "folder", dir)
	return p
}

// drain lets a process of another binary end after its last attempt.
func (h *Host) drain(ctx context.Context, p *Process) {
	h.retire(ctx, p)
	p.detach()
}

// retire drains a process; those who wait for its attempts go on.
func (h *Host) retire(ctx context.Context, p *Process) {
	p.lose() // its end is nothing to wonder at
	live, err := p.Stop(ctx, true)
	if p.refuses(ctx, err) {
		h.options.Log.Warn("an old plugin process does not drain and is killed", "pid", p.card.PID, "error", err)
		p.kill()
		return
	}
	h.options.Log.Info("an old plugin process drains", "pid", p.card.PID, "attempts", live)
}

// launch starts a keeper and its plugin in a new folder, detached from this process.
func (h *Host) launch(ctx context.Context, dir string, c command) (*Process, error) {
	if a := c.account; a != nil && a.BySudo() && len(dir) > keeper.MaxSocket {
		return nil, fmt.Errorf("the path %s is too long for a socket that this agent and user %s share: give the agent a --data with a shorter path", dir, a.Name)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if c.foreign {
		if err := c.copyTo(dir); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(filepath.Join(dir, keeper.LogFile), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	cmd := h.keep(dir, c)
	cmd.Stdout, cmd.Stderr = w, log
	if a := c.account; a != nil {
		if err := errors.Join(pass(h.options.Dir, filepath.Dir(dir)), a.Give(dir), a.Give(log.Name())); err != nil {
			return nil, fmt.Errorf("prepare the plugin's folder for user %s: %w", a.Name, err)
		}
	}
	err = cmd.Start()
	_ = w.Close()
	if errors.Is(err, os.ErrPermission) && c.account != nil {
		return nil, fmt.Errorf("start the keeper as user %s, who must be able to execute %s: %w", c.account.Name, h.options.Self, err)
	}
	if err != nil {
		return nil, fmt.Errorf("start the keeper: %w", err)
	}
	h.reap(cmd)
	p, err := h.introduced(ctx, dir, r, c)
	if a := c.account; err != nil && a != nil && a.BySudo() && !keeper.Came(dir) {
		said := make([]byte, 1024)
		n, _ := log.ReadAt(said, 0)
		return nil, a.Refusal(string(said[:n]))
	}
	if err != nil {
		h.clear(dir, c.account, cmd.Process.Pid)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w (see %s)", err, log.Name())
	}
	h.options.Log.Info("launched a plugin process", "pid", p.card.PID, "folder", dir)
	return p, nil
}

// introduced connects to a plugin when its keeper says that it is there.
func (h *Host) introduced(ctx context.Context, dir string, r *os.File, c command) (*Process, error) {
	if err := h.ready(ctx, r); err != nil {
		return nil, err
	}
	card, err := keeper.ReadReattach(dir)
	if err != nil {
		return nil, err
	}
	p, err := h.attach(ctx, dir, c.title(), card, c.account)
	if err != nil {
		return nil, err
	}
	if err := p.check(c); err != nil {
		p.detach()
		return nil, err
	}
	return p, nil
}

// check tells whether the plugin is what its file's name says.
func (p *Process) check(c command) error {
	if d := p.Describe(); d.Kind != c.kind || d.Name != c.name {
		return fmt.Errorf("it says that it is the %.100s plugin %.100q, not the %s plugin %q: rename the file, or mend what the plugin says of itself",
			d.Kind, d.Name, c.kind, c.name)
	}
	return nil
}

// clear ends a keeper whose plugin could not be launched, and all that came of it: there is no attempt.
func (h *Host) clear(dir string, who *account.User, keeper int) {
	if h.end(dir, who, "end", "--whole") {
		return
	}
	ctx, cancel := context.WithTimeout(h.ctx, stopTime)
	defer cancel()
	if !(proc.Tree{Leader: keeper}).Kill(ctx) {
		h.options.Log.Warn("what is left of a plugin that was not launched could not be killed", "session", keeper)
	}
}

// kill ends a plugin process that does not answer: what is in its session, except the keeper, which stays with the attempts. They are in sessions
// of their own; the next process finds them.
func (h *Host) kill(dir string, who *account.User, keeper int) {
	if h.end(dir, who, "end") {
		return
	}
	for _, s := range proc.List() {
		if s.Session == keeper && s.PID != keeper && sameOwner("/proc/"+strconv.Itoa(s.PID), dir) { // the folder is its own, and may lie
			_ = syscall.Kill(s.PID, syscall.SIGKILL)
		}
	}
}

// keep is the command of a keeper, in a session of its own. Where sudo launches it, it is told its environment on stdin.
func (h *Host) keep(dir string, c command) *exec.Cmd {
	args := append([]string{h.options.Self, "plugin", "keep", dir, "--"}, c.args...)
	cmd := exec.Command(args[0], args[1:]...)
	env := h.environment(dir, c)
	if c.account != nil {
		cmd = c.account.Command(context.Background(), args...) // it outlives the host
		if c.account.BySudo() {
			cmd.Stdin = strings.NewReader(strings.Join(env, "\x00"))
		}
	}
	cmd.Dir, cmd.Env = "/", env
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
	return cmd
}

// environment is the plugin's: the host's, less flowctl's own settings and secrets, which are for this process only.
func (h *Host) environment(dir string, c command) []string {
	env := sdk.Environ()
	if c.account != nil {
		env = c.account.Environ(env)
	}
	handshake := sdk.Handshake()
	return append(env,
		handshake.MagicCookieKey+"="+handshake.MagicCookieValue,
		"PLUGIN_PROTOCOL_VERSIONS="+strconv.Itoa(sdk.ProtocolVersion),
		sdk.EnvDir+"="+dir,
		sdk.EnvIdle+"="+h.options.Idle.String(),
		keeper.EnvBinary+"="+c.binary,
		keeper.EnvStart+"="+h.options.Start.String(),
		// A Go plugin mostly waits. With a thread for every core it spends half of an attempt's CPU time on waking threads that
		// find nothing to do.
		"GOMAXPROCS="+strconv.Itoa(max(1, runtime.NumCPU()/4)),
	)
}

// reap removes the keeper from the process table when it ends before this host does.
func (h *Host) reap(cmd *exec.Cmd) {
	h.tasks.Go(func() {
		handle, err := proc.Open(cmd.Process.Pid)
		if err == nil {
			err = handle.Ended(h.ctx)
			handle.Close()
		}
		if err == nil {
			_ = cmd.Wait()
		} else {
			_ = cmd.Process.Release()
		}
	})
}

const (
	// keeperTime is how long a keeper has for its own work.
	keeperTime = 10 * time.Second
	// maxWord is more than the longest error of a keeper needs, in bytes.
	maxWord = 16 << 10
)

// ready waits for the keeper's word that the plugin is there.
func (h *Host) ready(ctx context.Context, r *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	late := time.AfterFunc(h.options.Start+keeperTime, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	defer late.Stop()
	line, err := bufio.NewReader(io.LimitReader(r, maxWord)).ReadString('\n')
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("its keeper says nothing within %v", h.options.Start+keeperTime)
	case err != nil:
		return fmt.Errorf("%w: its keeper ended before it was ready", sdk.ErrGone)
	case strings.TrimSpace(line) == keeper.Died:
		return fmt.Errorf("%w: %s", sdk.ErrGone, keeper.Died)
	case strings.TrimSpace(line) != keeper.Ready:
		return errors.New(strings.TrimSpace(line))
	}
	return nil
}
