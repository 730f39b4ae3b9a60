package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
)

// The files of a work folder.
const (
	startFile = "start.json"
	logFile   = "log"
	causeFile = "cause.json"
	exitFile  = "exit.json"
)

// recordVersion is the version of the records' form. A record without one was cut short.
const recordVersion = 1

// EnvWork is set for every task to its work folder. It also marks the processes of its tree.
const EnvWork = "FLOWCTL_WORK"

// startRecord says who started an attempt.
type startRecord struct {
	Version  int           `json:"version"`
	Attempt  string        `json:"attempt,omitempty"`
	Void     bool          `json:"void,omitempty"` // given up before it started
	Boot     string        `json:"boot,omitempty"`
	Home     string        `json:"home,omitempty"` // folder of the plugin process
	Deadline int64         `json:"deadline,omitempty"`
	Timeout  time.Duration `json:"timeout,omitempty"`
	Grace    time.Duration `json:"grace,omitempty"`
}

// causeRecord says why an attempt is being ended by us.
type causeRecord struct {
	Code  string `json:"code"`  // sdk.CodeTimeout or sdk.CodeKilled
	Until int64  `json:"until"` // since boot: what is left of the tree by then is killed
}

// exitRecord is how the process ended.
type exitRecord struct {
	Version  int    `json:"version"`
	Code     int    `json:"code"`
	Signal   int    `json:"signal,omitempty"`
	MaxRSS   int64  `json:"max_rss,omitempty"`
	CPU      int64  `json:"cpu_us,omitempty"`
	Problem  string `json:"problem,omitempty"` // sdk.CodeStart or sdk.CodeLost: there is no exit code
	Message  string `json:"message,omitempty"`
	Finished int64  `json:"finished,omitempty"` // on the clock since boot, ns
}

func exitOf(e proc.Exit) exitRecord {
	return exitRecord{Version: recordVersion, Code: e.Code, Signal: e.Signal, MaxRSS: e.MaxRSS, CPU: e.CPU.Microseconds(), Finished: proc.Boot()}
}

func problem(code, format string, args ...any) exitRecord {
	return exitRecord{Version: recordVersion, Code: -1, Problem: code, Message: fmt.Sprintf(format, args...), Finished: proc.Boot()}
}

// errExists says that an attempt was begun or given up before.
var errExists = errors.New("the attempt was begun before")

// begin creates start.json and, if need be, its folder; errExists: it was there.
func begin(work string, s startRecord) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := filepath.Join(work, startFile)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(work, 0o700); err != nil {
			return err
		}
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if errors.Is(err, fs.ErrExist) {
		return errExists
	}
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// read decodes a record of a work folder; false: it is not there. One that a crash cut short is there, and empty.
func read(work, file string, into any) (bool, error) {
	b, err := os.ReadFile(filepath.Join(work, file))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_ = json.Unmarshal(b, into)
	return true, nil
}

// write replaces a record atomically.
func write(work, file string, record any) error {
	b, err := json.Marshal(record)
	if err != nil {
		return err
	}
	path := filepath.Join(work, file)
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// result combines how the process ended with why.
func result(e exitRecord, c causeRecord, timeout time.Duration) sdk.Result {
	r := sdk.Result{State: sdk.Failed, ExitCode: -1, MaxRSS: e.MaxRSS, CPU: time.Duration(e.CPU) * time.Microsecond}
	switch {
	case e.Problem != "" && c.Code == "":
		r.Code, r.Message = e.Problem, e.Message
	case c.Code == sdk.CodeTimeout:
		r.Code, r.Message = c.Code, fmt.Sprintf("timed out after %v: the process tree was killed", timeout)
	case c.Code != "":
		r.State, r.Code, r.Message = sdk.Killed, c.Code, "killed with its process tree"
	case e.Signal != 0:
		r.Code, r.Message = sdk.CodeSignal, fmt.Sprintf("ended by signal %d (%v)", e.Signal, syscall.Signal(e.Signal))
	case e.Code != 0:
		r.Code, r.Message, r.ExitCode = sdk.CodeExit, fmt.Sprintf("exit code %d", e.Code), e.Code
	default:
		r.State, r.ExitCode = sdk.Succeeded, 0
	}
	return r
}
