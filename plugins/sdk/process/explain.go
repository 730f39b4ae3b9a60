package process

import (
	"errors"
	"fmt"
	"io"

	"flowctl/plugins/sdk"
)

// Settler is a Commander whose processes look after work that is done elsewhere, on a host that no signal reaches.
type Settler interface {
	Commander
	// Settle is called when the process of an attempt has ended, however that was, and before anybody is told. It returns when nothing
	// of the attempt runs elsewhere any more, or can not be reached and ends by itself. It may be called twice, also at once.
	Settle(work string)
}

// ExitExplained is the exit code of a process that called Explain.
const ExitExplained = 255

const explainFile = "explained.json"

// explanation is what a process says of its own end.
type explanation struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Explain is for the processes of a Commander that know more about their end than an exit code tells. The attempt fails with this code, one of
// sdk's, and message, if the process then ends with ExitExplained.
func Explain(work, code, message string) error {
	return write(work, explainFile, explanation{Code: code, Message: message})
}

// Failure is an end of a process of a Commander that no exit code tells.
type Failure struct {
	Code string // one of sdk's
	Err  error
}

// Error implements error.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap returns the error that it was made of.
func (f *Failure) Unwrap() error { return f.Err }

// Lost says that nobody knows how it ended, and why not.
func Lost(format string, args ...any) error {
	return &Failure{sdk.CodeLost, fmt.Errorf(format, args...)}
}

// Fail prints why a process of the runner could not do its work, explains it, as a failure to start unless the error holds a Failure, and returns the exit
// code to end with.
func Fail(work, runner string, err error, log io.Writer) int {
	f := &Failure{sdk.CodeStart, err}
	errors.As(err, &f)
	fmt.Fprintf(log, "flowctl: %s: %v\n", runner, err)
	if err := Explain(work, f.Code, err.Error()); err != nil {
		fmt.Fprintln(log, err)
	}
	return ExitExplained
}

// explained returns the end as the process explains it, if it does.
func explained(work string, e exitRecord) exitRecord {
	if e.Problem != "" || e.exit.Code != ExitExplained {
		return e
	}
	var x explanation
	if found, err := read(work, explainFile, &x); err != nil || !found || x.Code == "" {
		return e
	}
	e.Problem, e.Message = x.Code, x.Message
	return e
}

// settled returns when nothing of an attempt runs elsewhere.
func (r *Runner) settled(work string) {
	if s, ok := r.commander.(Settler); ok {
		s.Settle(work)
	}
}
