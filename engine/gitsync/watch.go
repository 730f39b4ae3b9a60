package gitsync

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"flowctl/dsl"
)

// settle is how long a burst of events (a checkout, an editor that saves) may go on before it is told.
const settle = 50 * time.Millisecond

// Watch signals whenever there may be something new: at the beginning, with each poll, and at once where the file system tells
// of changes. Signals that nobody took yet are one. The channel is closed when ctx ends.
func (s *Source) Watch(ctx context.Context) <-chan struct{} {
	w := &watch{out: make(chan struct{}, 1), log: s.opts.Log}
	w.out <- struct{}{}
	switch {
	case s.worktree != nil:
		w.root, w.relevant = s.worktree.root, func(string) bool { return true }
		w.descend = unignored(w.root)
	case s.local != "":
		w.root, w.relevant, w.descend = s.local, refFile(s.local), refFolder(s.local)
	}
	if w.root != "" {
		if err := w.start(); err != nil {
			s.opts.Log.Warn("changes are seen by polling only", "folder", w.root, "every", s.opts.Poll, "error", err)
		}
	}
	go w.run(ctx, s.opts.Poll)
	return w.out
}

// refFile tells which files of a git folder can move a branch. Refs are written beside their place and renamed.
func refFile(git string) func(string) bool {
	heads := filepath.Join(git, "refs", "heads") + string(filepath.Separator)
	return func(name string) bool {
		if strings.HasSuffix(name, ".lock") {
			return false
		}
		return strings.HasPrefix(name, heads) || name == filepath.Join(git, "HEAD") || name == filepath.Join(git, "packed-refs")
	}
}

// refFolder tells which folders of a git folder have such files: branches with slashes are folders below refs/heads.
func refFolder(git string) func(string) bool {
	refs, heads := filepath.Join(git, "refs"), filepath.Join(git, "refs", "heads")
	return func(dir string) bool {
		return dir == git || dir == refs || dir == heads || strings.HasPrefix(dir, heads+string(filepath.Separator))
	}
}

// unignored tells which folders of a flows root are part of it.
func unignored(root string) func(string) bool {
	return func(dir string) bool {
		if dir == root {
			return true
		}
		patterns, err := os.ReadFile(filepath.Join(root, dsl.IgnoreFile))
		if err != nil {
			patterns = nil
		}
		rel, err := filepath.Rel(root, dir)
		return err == nil && !dsl.Ignored(patterns)(filepath.ToSlash(rel), true)
	}
}

type watch struct {
	out      chan struct{}
	log      *slog.Logger
	root     string                 // of the folders watched; empty = none
	relevant func(file string) bool // whether a change of the file matters
	descend  func(dir string) bool  // whether a folder is watched
	events   *fsnotify.Watcher      // nil = polling only
}

func (w *watch) start() (err error) {
	if w.events, err = fsnotify.NewWatcher(); err != nil {
		return err
	}
	return w.add(w.root)
}

// add watches a folder and the folders below it that matter. One that is gone already needs no watch.
func (w *watch) add(dir string) error {
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case os.IsNotExist(err):
			return nil
		case err != nil:
			return err
		case !entry.IsDir():
			return nil
		case !w.descend(name):
			return fs.SkipDir
		}
		if err := w.events.Add(name); err != nil && !os.IsNotExist(err) {
			return err
		}
		return nil
	})
}

func (w *watch) run(ctx context.Context, every time.Duration) {
	defer close(w.out)
	poll := time.NewTicker(every)
	defer poll.Stop()
	burst := time.NewTimer(settle) // runs while a burst of events goes on
	burst.Stop()
	defer burst.Stop()
	var events chan fsnotify.Event
	var failures chan error
	if w.events != nil {
		defer w.events.Close() //nolint:errcheck // nothing to save
		events, failures = w.events.Events, w.events.Errors
	}
	told := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
			w.signal()
		case err := <-failures: // some events were lost
			w.log.Warn("lost track of changes for a moment", "folder", w.root, "error", err)
			w.signal()
		case <-burst.C:
			told = true
			w.signal()
		case e := <-events:
			if w.changed(e) && told {
				told = false
				burst.Reset(settle)
			}
		}
	}
}

// changed tells whether an event matters, and follows new folders.
func (w *watch) changed(e fsnotify.Event) bool {
	if e.Has(fsnotify.Create) {
		if info, err := os.Lstat(e.Name); err == nil && info.IsDir() {
			if !w.descend(e.Name) {
				return false
			}
			// What was made in the folder before the watch has no event: it counts as changed.
			w.add(e.Name) //nolint:errcheck // the poll sees what is not watched
			return true
		}
	}
	return w.relevant(e.Name)
}

// signal tells, unless it was told already and not heard.
func (w *watch) signal() {
	select {
	case w.out <- struct{}{}:
	default:
	}
}
