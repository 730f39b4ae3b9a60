package agent

import "golang.org/x/sys/unix"

// bootID names the time since the machine was started.
func bootID() (string, error) { return unix.Sysctl("kern.bootsessionuuid") }
