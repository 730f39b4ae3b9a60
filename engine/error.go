package engine

import "fmt"

// ErrorCode says why an attempt or task run failed. The codes are part of the API.
type ErrorCode string

// The reasons an attempt or task run can have for its failure.
const (
	CodeExit          ErrorCode = "exit_code"       // the process ended with a code other than 0
	CodeSignal        ErrorCode = "signal"          // the process was ended by a signal that nobody here sent
	CodeTimeout       ErrorCode = "timeout"         // the attempt's timeout passed; its process tree was killed
	CodeKilled        ErrorCode = "killed"          // an operator killed it
	CodeStart         ErrorCode = "start_failed"    // the runner could not start it
	CodeLost          ErrorCode = "lost"            // the agent, or the record of how the process ended, is gone
	CodeAgentLost     ErrorCode = "agent_lost"      // its agent was lost, and on_agent_lost says that it does not go on
	CodeBadExpression ErrorCode = "bad_expression"  // an expression failed at dispatch
	CodeAccount       ErrorCode = "account_refused" // its flow's team may not run as the account that it names
	CodeExpired       ErrorCode = "expired"         // it did not start within expire_after
	CodePlugin        ErrorCode = "plugin_failed"   // the runner plugin broke
	CodeRefused       ErrorCode = "refused"         // the agent gave it back before it started; it is not counted
	CodeOutput        ErrorCode = "bad_output"      // $FLOWCTL_OUTPUT holds a line that is not key=value
	CodeGateRefused   ErrorCode = "gate_refused"    // its quality gate, or an operator in place of it, said no
	CodeGateTimeout   ErrorCode = "gate_timeout"    // its quality gate did not answer in time
	CodeOutputs       ErrorCode = "outputs_missing" // the exit code was 0, but declared outputs are not there or have not changed
)

// Code is the class of an Error of the Service. Anything that is not an *Error is internal.
type Code string

// The classes of error that a Service returns.
const (
	Invalid      Code = "invalid"      // the request makes no sense; HTTP 422, exit 64
	NotFound     Code = "not_found"    // HTTP 404, exit 1
	Conflict     Code = "conflict"     // the state of things forbids it now; HTTP 409, exit 1
	Unauthorized Code = "unauthorized" // HTTP 401 or 403, exit 4
	Unavailable  Code = "unavailable"  // not now: no leader, shutting down; HTTP 503, exit 5
)

// Error is what a Service returns for problems that the caller can do something about.
type Error struct {
	Code    Code
	Field   string // of the request; empty = none
	Message string // lower case; says what to do
}

func (e *Error) Error() string { return e.Message }

// Errorf returns an *Error.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
