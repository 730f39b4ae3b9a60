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
	switch {
	case err == nil || errors.As(err, &exit) && exit.err == nil:
	case code == exitInterrupted:
		fmt.Fprintln(errOut, "flowctl: interrupted; what runs on a server goes on")
	default:
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

// usagef is usage with a message.
func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// argsAs checks the arguments as cobra does; the usage line tells what belongs there.
func argsAs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usagef("%v; usage: %s", err, cmd.UseLine())
		}
		return nil
	}
}

// verbsOnly makes a command that only holds others: alone it prints its help, and a word that is none of its verbs is a mistake.
func verbsOnly(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := ""
		cmd.SuggestionsMinimumDistance = 2
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf("; did you mean %q?", near[0])
		}
		return usagef("%q is no verb of %s%s; %s --help lists them", args[0], cmd.CommandPath(), hint, cmd.CommandPath())
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

func newRoot(s streams) *cobra.Command {
	root := verbsOnly(&cobra.Command{
		Use:           "flowctl",
		Short:         "Run batch data pipelines that are declared in a git repository",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
	})
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	g := newGlobals(s)
	g.flags(root)
	root.AddCommand(
		// one line for each verb, alphabetically
		newAgent(g),
		newAgents(g),
		newAlerts(g),
		newAudit(g),
		newBackfill(g),
		newDelete(g),
		newDescribe(g),
		newExplain(g),
		newFmt(s),
		newGate(g),
		newGet(g),
		newGraph(g),
		newKill(g),
		newLogs(g),
		newOncall(g),
		newPause(g),
		newPlugin(g),
		newRerun(g),
		newResume(g),
		newRevisions(g),
		newRun(g),
		newSchema(s),
		newSchedule(g),
		newServer(g),
		newSignal(g),
		newSimulate(g),
		newSkip(g),
		newSucceed(g),
		newSync(g),
		newTest(g),
		newValidate(s),
		newVersion(g),
	)
	return root
}

const rootHelp = `flowctl runs batch data pipelines that are declared in a git repository.

TARGET names things in one grammar: flow[/task][@period[..period]][#version]. A period is a label, such as 2026-11-19T13, 2026-W47
or 2026-11, or a date, which means every period that begins on it.

Verbs that ask a server find it by --server or FLOWCTL_SERVER, and show it --token, FLOWCTL_TOKEN, the content of FLOWCTL_TOKEN_FILE, or
the admin token in --data DIR or FLOWCTL_DATA; without any of these, the one in ./.flowctl.

Exit codes: 0 ok, 1 problems found or a run failed, 4 not authorised, 5 server unreachable or internal error, 8 pending or timed
out, 64 usage, 130 interrupted.`
