// Command gotest runs `go test` and ends with a list of the tests that were skipped and why, so that nobody takes a
// skipped test for a passed one. With FLOWCTL_NO_SKIP=1 a skipped test is a failure. A call that runs no test at all
// fails too: a misspelt -run would otherwise pass for ever.
//
//	gotest [-v] [go test flags and packages]
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
)

func main() {
	args := os.Args[1:]
	verbose := slices.Contains(args, "-v")
	if err := run(args, verbose, os.Getenv("FLOWCTL_NO_SKIP") == "1"); err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
}

func run(args []string, verbose, noSkip bool) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start go test: %w", err)
	}
	sum, readErr := read(out, os.Stdout, verbose)
	if err := cmd.Wait(); err != nil {
		sum.print(os.Stdout)
		return errors.Join(errors.New("tests failed"), readErr)
	}
	if readErr != nil {
		return readErr
	}
	sum.print(os.Stdout)
	switch {
	case sum.passed+len(sum.skipped) == 0:
		return errors.New("no test ran: is -run or a package name misspelt?")
	case noSkip && len(sum.skipped) > 0:
		return errors.New("tests were skipped, and FLOWCTL_NO_SKIP=1 forbids it")
	}
	return nil
}
