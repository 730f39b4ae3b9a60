package agent

import (
	"bytes"
	"os"
)

// bootID names the time since the machine was started.
func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(bytes.TrimSpace(id)), err
}
