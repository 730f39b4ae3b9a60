package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"flowctl/plugins/internal/proc"
)

// LogFile is where runners of processes keep the log in the work folder. One that is there before the start, and empty, is
// used: on file systems where making a file is dear, hosts give folders out again with their empty logs.
const LogFile = "log"

// Kinds of plugin.
const (
	KindRunner  = "runner"
	KindSensor  = "sensor"
	KindChannel = "channel"
)

// Plugin is what every plugin can do.
type Plugin interface {
	Describe() Description
	// Validate checks a `with` document beyond its JSON schema. It must not touch the network or the disk: it runs on
	// every compile.
	Validate(with json.RawMessage) []Problem
}

// Description names a plugin.
type Description struct {
	Name    string
	Version string
	Kind    string
	Schema  json.RawMessage // JSON schema of `with`
	Leases  bool            // it is a Leaser; the SDK fills it in
}

// Problem is a mistake in a `with` document. The host turns the path into a file position.
type Problem struct {
	Path    string // JSON pointer into the document (RFC 6901); empty = all of it
	Message string // lower case; says what to write instead
}

// Runner executes attempts. An attempt is named by its work folder: an absolute path that holds all that is needed to find
// the attempt again, so that any later process of the same plugin can answer for it. Removing the folder of a finished
// attempt forgets it. All methods are called concurrently.
type Runner interface {
	Plugin
	// Start begins an attempt and returns when it is on record; starting the same work folder again changes nothing.
	// A process that could not be started is not an error here: Wait tells it as the result. ErrInvalid: the spec makes no sense
	// or the attempt was given up by Recover.
	Start(ctx context.Context, spec Spec) error
	// Wait calls log with the bytes of the attempt's log from offset on, in order, and returns the result at the end.
	// It can be called any number of times, also after the end. The bytes are valid during the call only; an error of log
	// ends Wait with that error. ErrUnknown: no such attempt.
	Wait(ctx context.Context, work string, offset int64, log func(offset int64, data []byte) error) (Result, error)
	// Signal ends an attempt with its whole process tree: politely first, or at once. It does not wait for the end. An
	// attempt that is over is no error. ErrUnknown: no such attempt.
	Signal(ctx context.Context, work string, how Signal) error
	// Recover finds an attempt that another process of this plugin may have started. One that was never started never
	// will be after this call.
	Recover(ctx context.Context, work string) (Recovered, error)
}

// Leaser is a Runner that ends an attempt, with its whole process tree, when its lease ends: at once, by itself, and also when
// its host is gone. Another host may execute the task soon afterwards.
type Leaser interface {
	// Renew puts off the end of an attempt's lease, given as in Spec. One that has ended stays so, which is an error; an attempt that is over
	// is none. ErrUnknown: no such attempt.
	Renew(ctx context.Context, work string, lease time.Duration) error
}

// Drainer is a Runner that knows how many attempts it carries, so that its process can end when there are none.
type Drainer interface {
	// Live is the number of attempts that would suffer if this process ended now.
	Live() int
	// Drained calls f each time Live falls to 0.
	Drained(f func())
	// Drain refuses new attempts from now on with ErrGone and returns Live.
	Drain() int
}

// Spec is what a runner executes.
type Spec struct {
	Attempt string // opaque, for messages
	Work    string // absolute path of the attempt's own folder
	Dir     string // working directory
	Text    string // the rendered `run:`; exactly one of Text and File is set
	File    string // absolute path of `file:`
	Args    []Arg
	With    json.RawMessage // a JSON object; may be empty
	Env     []string        // complete: NAME=value
	Timeout time.Duration   // 0 = none
	Grace   time.Duration   // between TERM and KILL; 0 = DefaultGrace
	Lease   time.Duration   // when its lease ends, as SinceBoot tells the time; 0 = it has none
}

// SinceBoot is the time of leases: since the machine was started, suspended time included. It is the same for all processes of the machine,
// never jumps, and means nothing elsewhere.
func SinceBoot() time.Duration { return time.Duration(proc.Boot()) }

// DefaultGrace is the time that a process has between TERM and KILL when the spec does not say.
const DefaultGrace = 10 * time.Second

// Arg is a rendered argument; positional when Name is empty.
type Arg struct{ Name, Value string }

// Signal says how to end an attempt.
type Signal uint8

// The ways to end an attempt.
const (
	Terminate Signal = iota // TERM, the grace, KILL
	Kill                    // KILL at once
)

// Recovered tells what Recover found.
type Recovered uint8

// What Recover can find.
const (
	NotStarted Recovered = iota // and it never will be
	Running                     // Wait and Signal work as before
	Finished                    // Wait answers at once
)

// Result is how an attempt ended.
type Result struct {
	State         string // one of the State constants
	Code          string // one of the Code constants; empty when it succeeded
	Message       string
	ExitCode      int   // -1 when the process did not end by itself
	MaxRSS        int64 // bytes
	Read, Written int64 // bytes from disks and to them; 0 = unknown
	CPU           time.Duration
}

// The states of a Result.
const (
	Succeeded = "succeeded"
	Failed    = "failed"
	Killed    = "killed"
)

// The codes of a Result that did not succeed.
const (
	CodeExit    = "exit_code"    // the process ended with a code other than 0
	CodeSignal  = "signal"       // the process was ended by a signal that nobody here sent
	CodeTimeout = "timeout"      // the timeout passed; the process tree was killed
	CodeKilled  = "killed"       // Signal ended it
	CodeStart   = "start_failed" // the process could not be started
	CodeLost    = "lost"         // how the process ended is not known
	// CodeAgentLost: its lease ended, because the server was not heard of for too long; the process tree was killed.
	CodeAgentLost = "agent_lost"
	// CodeUnstarted: the plugin died before it started the process, and nothing will. Recover says NotStarted then.
	CodeUnstarted = "unstarted"
)

// Sensor tells whether data paths exist.
type Sensor interface {
	Plugin
	// Check answers for each path, in their order. Relative paths resolve against base. An error is for the whole batch; a
	// path that could not be checked says so in its own state.
	Check(ctx context.Context, base string, paths []string) ([]PathState, error)
}

// Marker is the file that says that a folder's data is complete.
const Marker = "_SUCCESS"

// Answering returns the path of what answers for a path: the marker in one that ends in /, else the path itself.
func Answering(path string) string {
	if strings.HasSuffix(path, "/") {
		return path + Marker
	}
	return path
}

// PathState answers for one path.
type PathState struct {
	Exists bool
	Error  string // the check itself failed; empty = it did not
	// Version differs after every change of what answers for the path. Empty = the sensor cannot tell, so no task can succeed by such outputs.
	Version string
}

// Errors of a Runner.
var (
	ErrUnknown = errors.New("no such attempt")
	ErrInvalid = errors.New("invalid request")
	// ErrGone says that the plugin process ended or is ending. The attempt may live: ask Recover of a new process.
	ErrGone = errors.New("the plugin process is gone")
	// ErrLate says that the plugin did not answer in time. What it was asked to do may have happened.
	ErrLate = errors.New("the plugin does not answer")
)
