package proc

import (
	"bytes"
	"context"
	"errors"
	"hash/fnv"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Tree is a process with all that came of it: its descendants, the members of its session, and whoever still carries its mark or its brand.
type Tree struct {
	Leader int    // process and session id; 0 = not known
	Mark   string // an environment entry, NAME=value, that all of the tree inherit
}

// Members lists the living processes of the tree, the leader included.
func (t Tree) Members() []Stat {
	all := List()
	in := make(map[int]bool, 8)
	for _, s := range all {
		if t.Leader != 0 && (s.PID == t.Leader || s.Session == t.Leader) || s.State != 'Z' && (t.Marked(s.PID) || t.branded(s.PID)) {
			in[s.PID] = true
		}
	}
	for grew := len(in) > 0; grew; {
		grew = false
		for _, s := range all {
			if !in[s.PID] && in[s.Parent] {
				in[s.PID], grew = true, true
			}
		}
	}
	return slices.DeleteFunc(all, func(s Stat) bool { return !in[s.PID] || s.State == 'Z' || s.State == 'X' })
}

// Marked tells whether a living process carries the mark.
func (t Tree) Marked(pid int) bool { return t.Mark != "" && slices.Contains(Environ(pid), t.Mark) }

// Brand marks a process, and all that comes of it from then on, in a way that neither a session of its own nor a cleared environment takes off:
// by a limit that is inherited and limits nothing, how many microseconds (some thousand years) a real-time process may go on without a pause.
func (t Tree) Brand(pid int) {
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_RTTIME, nil, &limit); err != nil || limit.Max < t.brand() {
		return // it has ended, or is limited already
	}
	limit.Cur = t.brand()
	_ = unix.Prlimit(pid, unix.RLIMIT_RTTIME, &limit, nil)
}

func (t Tree) brand() uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(t.Mark))
	return 1<<61 | h.Sum64()>>4
}

func (t Tree) branded(pid int) bool {
	var limit unix.Rlimit
	return t.Mark != "" && unix.Prlimit(pid, unix.RLIMIT_RTTIME, nil, &limit) == nil && limit.Cur == t.brand()
}

// Environ returns the environment that a process began with; none for a zombie, in the middle of an exec, or of another user.
func Environ(pid int) []string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return nil
	}
	return strings.Split(string(b), "\x00")
}

// Signal sends a signal to every member.
func (t Tree) Signal(sig syscall.Signal) { t.signal(t.Members(), sig) }

func (t Tree) signal(members []Stat, sig syscall.Signal) {
	for _, m := range members {
		if h := open(m); h != nil {
			_ = h.Signal(sig) // one that we may not signal stays; Gone then says so
			h.Close()
		}
	}
}

// Gone blocks until no member is left, and tells whether that is so; false: ctx ended first.
func (t Tree) Gone(ctx context.Context) bool { return t.end(ctx, 0) }

// Kill kills until no member is left, however fast they fork, and tells whether that is so; false: ctx ended first.
func (t Tree) Kill(ctx context.Context) bool { return t.end(ctx, syscall.SIGKILL) }

func (t Tree) end(ctx context.Context, sig syscall.Signal) bool {
	for {
		members := t.Members()
		if len(members) == 0 {
			return true
		}
		if sig != 0 {
			t.signal(members, sig)
		}
		for _, m := range members {
			h := open(m)
			if h == nil {
				continue
			}
			err := h.Ended(ctx)
			h.Close()
			if err != nil {
				return false
			}
		}
	}
}

// Left tells whether a tree whose leader has ended left something behind: cheaply, when reaper is the subreaper that inherits
// its orphans, or by looking at all processes, when it is 0.
func (t Tree) Left(reaper, self int) bool {
	pids, ok := []int(nil), false
	if reaper != 0 {
		pids, ok = Children(reaper)
	}
	if !ok {
		return len(t.Members()) > 0
	}
	pids = slices.DeleteFunc(pids, func(pid int) bool { return pid == self })
	if len(pids) == 0 {
		return false
	}
	return len(t.Members()) > 0 // the kernel's list can miss some while others end
}

// open returns a handle that is surely of the process that m describes; nil: it has ended.
func open(m Stat) *Handle {
	h, err := Open(m.PID)
	if err != nil {
		return nil
	}
	if now, err := ReadStat(m.PID); err != nil || now.Born != m.Born {
		h.Close()
		return nil
	}
	return h
}

// List describes all processes of the machine.
func List() []Stat {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer func() { _ = dir.Close() }()
	names, _ := dir.Readdirnames(-1)
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return Describe(pids)
}

// Describe describes those of the processes that exist.
func Describe(pids []int) []Stat {
	all := make([]Stat, 0, len(pids))
	for _, pid := range pids {
		if s, err := ReadStat(pid); err == nil {
			all = append(all, s)
		}
	}
	return all
}

// Children lists the children of a process's main thread, which is where a subreaper gets its orphans; false: this kernel
// does not tell.
func Children(pid int) ([]int, bool) {
	id := strconv.Itoa(pid)
	b, ok := readProc("/proc/" + id + "/task/" + id + "/children")
	if !ok {
		return nil, false
	}
	var pids []int
	for _, f := range bytes.Fields(b) {
		if n, err := strconv.Atoi(string(f)); err == nil {
			pids = append(pids, n)
		}
	}
	return pids, true
}

// readProc reads a file of /proc with a third of the system calls that os.ReadFile takes: it is read at the end of each task.
func readProc(path string) ([]byte, bool) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false
	}
	defer func() { _ = unix.Close(fd) }()
	b := make([]byte, 0, 512)
	for {
		n, err := unix.Read(fd, b[len(b):cap(b)])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, false
		case n == 0:
			return b, true
		default:
			b = slices.Grow(b[:len(b)+n], 512)
		}
	}
}
