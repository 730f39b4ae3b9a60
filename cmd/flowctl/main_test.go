//go:build linux

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binaryVariable names the flowctl binary that TestMain built.
const binaryVariable = "FLOWCTL_TEST_BINARY"

// TestMain builds the binary that the tests of this package start as real processes.
func TestMain(m *testing.M) {
	if dir := os.Getenv(idleAgentVariable); dir != "" {
		os.Exit(idleAgent(dir))
	}
	os.Exit(withBinary(m))
}

func withBinary(m *testing.M) int {
	dir, err := os.MkdirTemp("", "flowctl-binary-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the folder for temporary files
	binary := filepath.Join(dir, "flowctl")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build flowctl: %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv(binaryVariable, binary); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
