//go:build !linux

package proc

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
)

var errSystem = fmt.Errorf("look after processes on this system: %w", errors.ErrUnsupported)

// Boot is the time since boot in nanoseconds.
func Boot() int64 { return 0 }

// SleepUntil sleeps until a time since boot.
func SleepUntil(context.Context, int64) bool { return false }

// BootID names this boot of the machine.
func BootID() (string, error) { return "", errSystem }

// Stat describes a process.
type Stat struct {
	PID, Parent, Group, Session int
	State                       byte
	Born                        int64
}

// ReadStat describes a process.
func ReadStat(int) (Stat, error) { return Stat{}, errSystem }

// BornWithin tells whether the process began between the two times since boot.
func (s Stat) BornWithin(from, to int64) bool { return s.Born >= from && s.Born <= to }

// Alive tells whether the process exists.
func Alive(int, int64, int64) bool { return false }

// Peek waits until a child has ended and tells how.
func Peek(int) (Exit, error) { return Exit{}, errSystem }

// IgnoreSIGCHLD does nothing here.
func IgnoreSIGCHLD() {}

// Yield lets everything go first that is ready to run.
func Yield() { runtime.Gosched() }

// Reap removes a child that has ended from the process table.
func Reap(int) {}

// Subreaper makes this process the parent of its descendants whose parents end.
func Subreaper() error { return errSystem }

// Handle refers to one process.
type Handle struct{}

// Open returns a handle of a process.
func Open(int) (*Handle, error) { return nil, errSystem }

// Ended blocks until the process has ended.
func (*Handle) Ended(context.Context) error { return errSystem }

// Signal sends a signal.
func (*Handle) Signal(syscall.Signal) error { return errSystem }

// Close frees the handle.
func (*Handle) Close() {}

// Fork starts a process.
func Fork(string, []string, []string, string, [3]uintptr) (int, *Handle, error) {
	return 0, nil, errSystem
}

// Tree is a process with all that came of it.
type Tree struct {
	Leader int
	Mark   string
}

// Members lists the living processes of the tree.
func (Tree) Members() []Stat { return nil }

// Brand marks a process and all that comes of it.
func (Tree) Brand(int) {}

// Signal sends a signal to every member.
func (Tree) Signal(syscall.Signal) {}

// Gone blocks until no member is left.
func (Tree) Gone(context.Context) bool { return true }

// Kill kills until no member is left.
func (Tree) Kill(context.Context) bool { return true }

// Left tells whether the tree left something behind.
func (Tree) Left(int, int) bool { return false }

// Environ returns the environment that a process began with.
func Environ(int) []string { return nil }

// List describes all processes of the machine.
func List() []Stat { return nil }

// Describe describes those of the processes that exist.
func Describe([]int) []Stat { return nil }

// Children lists the children of a process's main thread.
func Children(int) ([]int, bool) { return nil, false }
