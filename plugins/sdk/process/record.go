package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
)

// The files of a work folder.
const (
	startFile  = "start" // a link to the home's card, or to its void card
	logFile    = sdk.LogFile
	causeFile  = "cause.json"
	leaseFile  = "lease.json"
	exitPrefix = "exit-"     // a link whose name is the record: exit-CODE-SIGNAL-RSS-CPU
	exitFile   = "exit.json" // an end without an exit code
)

// EnvWork is set for every task to its work folder. It also marks the processes of its tree.
const EnvWork = "FLOWCTL_WORK"

// card names a plugin process in the attempts that it starts, or says that an attempt was given up.
type card struct {
	Version int    `json:"version"` // of this form; 0: the file was cut short
	Void    bool   `json:"void,omitempty"`
	Boot    string `json:"boot,omitempty"`
	Home    string `json:"home,omitempty"` // folder of the plugin process
}

// The names of the two cards in the folder of a plugin process.
const (
	cardFile = "card.json"
	voidFile = "void.json"
)

const recordVersion = 1

// place is put that makes the folder too.
func place(from, path string) error {
	err := put(from, path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		err = put(from, path)
	}
	return err
}

// put creates path with the content of from, or fails with fs.ErrExist, in one step. A link takes a tenth of the time of
// a new file, which counts when attempts are short; where links are not to be had it makes a file.
func put(from, path string) error {
	err := os.Link(from, path)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Another file system, too many links, or none at all.
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// causeRecord says why an attempt is being ended by us.
type causeRecord struct {
	Code    string        `json:"code"`  // sdk.CodeTimeout, CodeKilled or CodeAgentLost
	Until   int64         `json:"until"` // since boot: what is left of the tree by then is killed
	Timeout time.Duration `json:"timeout,omitempty"`
}

// exitRecord is how the process ended.
type exitRecord struct {
	Version int    `json:"version"`
	Problem string `json:"problem,omitempty"` // sdk.CodeStart, CodeAgentLost, CodeUnstarted or CodeLost: there is no Exit
	Message string `json:"message,omitempty"`
	exit    proc.Exit
}

func exitOf(e proc.Exit) exitRecord { return exitRecord{exit: e} }

func problem(code, format string, args ...any) exitRecord {
	return exitRecord{Version: recordVersion, Problem: code, Message: fmt.Sprintf(format, args...)}
}

// store puts the record into the work folder, if that is still there: whoever removed it knows the end. home is the folder of the
// plugin process that started the attempt.
func (e exitRecord) store(work, home string) error {
	if e.Problem != "" {
		return write(work, exitFile, e)
	}
	name := e.name()
	if err := put(filepath.Join(home, cardFile), filepath.Join(work, name)); !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// exitOn reads how an attempt ended; false: it is not on record.
func exitOn(work string) (exitRecord, bool, error) {
	dir, err := os.Open(work)
	if errors.Is(err, fs.ErrNotExist) {
		return exitRecord{}, false, nil
	}
	if err != nil {
		return exitRecord{}, false, err
	}
	names, err := dir.Readdirnames(-1)
	if err = errors.Join(err, dir.Close()); err != nil {
		return exitRecord{}, false, err
	}
	for _, name := range names {
		if e, ok := parseExit(name); ok {
			return e, true, nil
		}
	}
	var e exitRecord
	found, err := read(work, exitFile, &e)
	if found && e.Version == 0 {
		e = problem(sdk.CodeLost, "the record of the end in %s was cut short", work)
	}
	return e, found, err
}

// name is the record as the name of a link.
func (e exitRecord) name() string {
	x := e.exit
	return fmt.Sprintf("%s%d-%d-%d-%d-%d-%d", exitPrefix, x.Code&0xff, x.Signal, x.MaxRSS, x.CPU.Microseconds(), x.Read, x.Written)
}

func parseExit(name string) (exitRecord, bool) {
	rest, ok := strings.CutPrefix(name, exitPrefix)
	if !ok {
		return exitRecord{}, false
	}
	var e proc.Exit
	var cpu int64
	if strings.Count(rest, "-") == 3 { // of a plugin that did not know what came from disks
		rest += "-0-0"
	}
	if n, err := fmt.Sscanf(rest, "%d-%d-%d-%d-%d-%d", &e.Code, &e.Signal, &e.MaxRSS, &cpu, &e.Read, &e.Written); n != 6 || err != nil {
		return exitRecord{}, false
	}
	if e.CPU = time.Duration(cpu) * time.Microsecond; e.CPU.Microseconds() != cpu {
		return exitRecord{}, false // more than there is
	}
	if e.Signal != 0 {
		e.Code = -1
	}
	return exitOf(e), true
}

// read decodes a record of a folder; false: it is not there. One that a crash cut short is there, and empty.
func read(dir, file string, into any) (bool, error) {
	b, err := os.ReadFile(filepath.Join(dir, file))
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
func write(dir, file string, record any) error {
	b, err := json.Marshal(record)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// result combines how the process ended with why.
func result(e exitRecord, c causeRecord) sdk.Result {
	r := sdk.Result{State: sdk.Failed, ExitCode: -1, MaxRSS: e.exit.MaxRSS, CPU: e.exit.CPU, Read: e.exit.Read, Written: e.exit.Written}
	switch {
	case e.Problem == sdk.CodeStart, e.Problem != "" && c.Code == "":
		r.Code, r.Message = e.Problem, e.Message
	case c.Code == sdk.CodeTimeout:
		r.Code, r.Message = c.Code, fmt.Sprintf("timed out after %v: the process tree was killed", c.Timeout)
	case c.Code == sdk.CodeAgentLost:
		r.Code, r.Message = c.Code, errLease.Error()+": the process tree was killed"
	case c.Code != "":
		r.State, r.Code, r.Message = sdk.Killed, c.Code, "killed with its process tree"
	case e.exit.Signal != 0:
		r.Code, r.Message = sdk.CodeSignal, fmt.Sprintf("ended by signal %d (%v)", e.exit.Signal, syscall.Signal(e.exit.Signal))
	case e.exit.Code != 0:
		r.Code, r.Message, r.ExitCode = sdk.CodeExit, fmt.Sprintf("exit code %d", e.exit.Code), e.exit.Code
	default:
		r.State, r.ExitCode = sdk.Succeeded, 0
	}
	return r
}
