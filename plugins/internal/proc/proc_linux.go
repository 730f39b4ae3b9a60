package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tick is the unit of start times in /proc: USER_HZ, which is 100 on every Linux that Go runs on.
const tick = int64(time.Second / 100)

// Boot is the time since boot in nanoseconds, suspended time included. It never jumps.
func Boot() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(err) // every kernel since 2.6.39 has it
	}
	return ts.Nano()
}

// SleepUntil sleeps until a time since boot, and tells whether it has come; false: ctx ended first. It wakes up with the machine when that was
// suspended meanwhile, which no timer of Go's does.
func SleepUntil(ctx context.Context, at int64) bool {
	if at <= Boot() {
		return ctx.Err() == nil
	}
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err == nil {
		err = unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME, &unix.ItimerSpec{Value: unix.NsecToTimespec(at)}, nil)
	}
	if err != nil { // no descriptors left, perhaps
		t := time.NewTimer(time.Duration(at - Boot()))
		defer t.Stop()
		select {
		case <-t.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	f := os.NewFile(uintptr(fd), "timerfd")
	defer func() { _ = f.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	_, _ = f.Read(make([]byte, 8))
	return ctx.Err() == nil
}

// BootID names this boot of the machine.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// Stat is one line of /proc/PID/stat.
type Stat struct {
	PID, Parent, Group, Session int
	State                       byte  // 'Z' is a zombie
	Born                        int64 // since boot in ns, cut to the tick
}

// ReadStat describes a process, zombies included.
func ReadStat(pid int) (Stat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Stat{}, err
	}
	// The command's name may hold anything, also spaces and parentheses.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return Stat{}, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	s := Stat{PID: pid, State: fields[0][0]}
	s.Parent, _ = strconv.Atoi(fields[1]) // the kernel prints numbers
	s.Group, _ = strconv.Atoi(fields[2])
	s.Session, _ = strconv.Atoi(fields[3])
	ticks, _ := strconv.ParseInt(fields[19], 10, 64)
	s.Born = ticks * tick
	return s, nil
}

// BornWithin tells whether the process began between the two times since boot.
func (s Stat) BornWithin(from, to int64) bool {
	return s.Born >= from-from%tick && s.Born <= to
}

// Alive tells whether the process with this id was born in the window and has not ended; a zombie has.
func Alive(pid int, from, to int64) bool {
	s, err := ReadStat(pid)
	return err == nil && s.State != 'Z' && s.BornWithin(from, to)
}

// diskBlock is the unit in which the kernel counts what comes from disks and goes to them, in bytes.
const diskBlock = 512

// Peek waits until a child has ended and tells how, without reaping it. It blocks a thread; Handle.Ended waits without.
func Peek(pid int) (Exit, error) {
	var info unix.Siginfo
	var usage unix.Rusage
	if err := waitid(pid, &info, unix.WEXITED|unix.WNOWAIT, &usage); err != nil {
		return Exit{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	e := Exit{
		MaxRSS: int64(usage.Maxrss) << 10, CPU: time.Duration(usage.Utime.Nano() + usage.Stime.Nano()),
		Read: usage.Inblock * diskBlock, Written: usage.Oublock * diskBlock,
	}
	if status := childStatus(&info); info.Code == cldExited {
		e.Code = status
	} else {
		e.Code, e.Signal = -1, status
	}
	return e, nil
}

const cldExited = 1 // CLD_EXITED

// childStatus reads the field of siginfo that x/sys leaves out: si_status of a SIGCHLD.
func childStatus(info *unix.Siginfo) int {
	words := (*[8]int32)(unsafe.Pointer(info))
	if unsafe.Sizeof(uintptr(0)) == 8 {
		return int(words[6]) // the union is aligned to pointers
	}
	return int(words[5])
}

func waitid(pid int, info *unix.Siginfo, options int, usage *unix.Rusage) error {
	for {
		if err := unix.Waitid(unix.P_PID, pid, info, options, usage); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Reap removes a child that has ended from the process table.
func Reap(pid int) {
	for {
		if _, err := syscall.Wait4(pid, nil, 0, nil); !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// Subreaper makes this process the parent of its descendants whose parents end.
func Subreaper() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// Handle refers to one process for as long as it is open, whatever becomes of its id.
type Handle struct{ f *os.File }

// Open returns a handle of a process. The caller checks who it is after opening.
func Open(pid int) (*Handle, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	return &Handle{os.NewFile(uintptr(fd), "pidfd")}, nil
}

// handleOf takes over the pidfd that a fork returned.
func handleOf(fd int) (*Handle, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &Handle{os.NewFile(uintptr(fd), "pidfd")}, nil
}

// Ended blocks until the process has ended (it may still be a zombie), or ctx has.
func (h *Handle) Ended(ctx context.Context) error {
	_ = h.f.SetReadDeadline(time.Time{}) // what an earlier, cancelled wait left
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { _ = h.f.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	conn, err := h.f.SyscallConn()
	if err != nil {
		return err
	}
	err = conn.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return n > 0 && err == nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Signal sends a signal; a process that has ended is no error.
func (h *Handle) Signal(sig syscall.Signal) error {
	conn, err := h.f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := conn.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); err != nil {
		return err
	}
	if errors.Is(sent, unix.ESRCH) {
		return nil
	}
	return sent
}

// Close frees the handle.
func (h *Handle) Close() { _ = h.f.Close() }

// Fork starts a process in a session of its own, with stdin, stdout and stderr as given. The caller reaps it.
func Fork(path string, args, env []string, dir string, files [3]uintptr) (int, *Handle, error) {
	fd := -1
	defer usualSlack()()
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{
		Dir: dir, Env: env, Files: files[:], Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &fd},
	})
	if err != nil {
		return 0, nil, err
	}
	if fd < 0 { // a kernel before 5.4
		h, err := Open(pid)
		return pid, h, err
	}
	h, err := handleOf(fd)
	return pid, h, err
}

// IgnoreSIGCHLD keeps the kernel from telling the end of each child by a signal as well, which takes two threads out of their sleep for nothing:
// ends are awaited on pidfds. Unlike signal.Ignore it leaves zombies to be reaped.
func IgnoreSIGCHLD() {
	var action struct{ handler, flags, restorer, mask uintptr } // SIG_DFL
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGCHLD), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
}

// Yield lets everything go first that is ready to run: goroutines, and other processes that this one has just woken, which the kernel often
// puts on the same processor.
func Yield() {
	// Twice: gRPC's writer yields once itself, so that it can send more at a time.
	runtime.Gosched()
	runtime.Gosched()
	_, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
}

// defaultSlack is the kernel's own timer slack, in nanoseconds.
const defaultSlack = 50_000

// usualSlack gives the calling thread the usual timer slack, which a process started by it inherits, until the function it returns is
// called: flowctl's own threads have a longer one.
func usualSlack() func() {
	runtime.LockOSThread()
	own, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || own <= defaultSlack {
		return runtime.UnlockOSThread
	}
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, defaultSlack, 0, 0, 0) // should it fail, the task's sleeps end late
	return func() {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(own), 0, 0, 0)
		runtime.UnlockOSThread()
	}
}
