package agent

import "syscall"

// yield lets other threads and processes that wait for this processor go first.
func yield() { _, _, _ = syscall.Syscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
