package cli

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// slack is how late the kernel may wake the threads of a server or an agent from a sleep, in nanoseconds.
const slack = 2_000_000

// rest starts the process again with threads that may sleep longer than they ask for. Go's monitor thread asks for 20 µs as long as there
// is work, and with the kernel's usual slack of 50 µs it is woken fifteen times in a millisecond: a quarter of what a server costs while small
// tasks run. The slack is that of a thread and inherited by those it makes, so only a new start gives it to all; plugins get it from the
// agent, and give the usual one to the tasks that they start. When anything fails, the process goes on as it is.
func rest() {
	if now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || now >= slack {
		return
	}
	self, err := os.Executable()
	if err != nil {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, slack, 0, 0, 0); err == nil {
		_ = syscall.Exec(self, os.Args, os.Environ()) // it returns only when it failed
	}
}
