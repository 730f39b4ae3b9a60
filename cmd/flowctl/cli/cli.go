package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

// The exit codes of every verb.
const (
	exitOK           = 0
	exitProblems     = 1 // problems found, or a run failed
	exitStrict       = 3 // warnings made fatal
	exitUnauthorized = 4
	exitUnavailable  = 5 // server unreachable, or an internal error
	exitPending      = 8 // pending or timed out
	exitUsage        = 64
	exitInterrupted  = 130
)

// exitError ends the process with a code. Its message, when there is one, goes to stderr.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// streams are the process's standard streams, so that tests can stand in for them.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs one command line and returns the exit code.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot(streams{in, out, errOut})
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	var exit *exitError
	if err != nil && !(errors.As(err, &exit) && exit.err == nil) {
		fmt.Fprintf(errOut, "flowctl: %v\n", err)
	}
	return code
}

// exitCode maps an error to the exit code that the command-line contract gives it.
func exitCode(err error) int {
	var exit *exitError
	var problem *engine.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.code
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &problem):
		switch problem.Code {
		case engine.Invalid:
			return exitUsage
		case engine.NotFound, engine.Conflict:
			return exitProblems
		case engine.Unauthorized:
			return exitUnauthorized
		}
		return exitUnavailable
	}
	return exitUnavailable
}

// usage marks an error as the caller's mistake in writing the command line.
func usage(err error) error { return &exitError{exitUsage, err} }

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "flowctl",
		Short:         "Run batch data pipelines that are declared in a git repository",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(
	// one line for each verb, alphabetically
	)
	return root
}
