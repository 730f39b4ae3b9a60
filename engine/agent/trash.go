package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"flowctl/plugins/sdk"
)

const (
	// maxSpare is how many emptied folders are kept: as many as attempts may end and begin at about the same time.
	maxSpare = 256
	// trashRest is how long nothing may be thrown away before what is useless is removed. Removing a folder slows the making of
	// others down.
	trashRest = 250 * time.Millisecond
	// trashFull is how many useless folders gather at most, under load without rest.
	trashFull = 4096
)

// trash takes the folders of attempts that are over, one after the other and beside the work, and gives them out again
// empty. Making and removing a folder is most of what an attempt costs at the agent (on ext4, some 200 µs of processor time
// of 240); renaming one is not.
type trash struct {
	dir   string        // of the spare folders
	ready chan struct{} // holds at most one message: there may be something to take

	mu    sync.Mutex
	paths []string // to be emptied
	spare []string // empty
	made  int      // spares so far; names the next one
}

// openTrash removes what a past life kept.
func openTrash(dir string) (*trash, error) {
	t := &trash{dir: filepath.Join(dir, "spare"), ready: make(chan struct{}, 1)}
	return t, errors.Join(os.RemoveAll(t.dir), os.Mkdir(t.dir, 0o700))
}

func (t *trash) add(path string) {
	t.mu.Lock()
	t.paths = append(t.paths, path)
	t.mu.Unlock()
	select {
	case t.ready <- struct{}{}:
	default:
	}
}

// empty takes what is added until ctx ends, and has removed what is useless. What is left then is found by the next start.
func (t *trash) empty(ctx context.Context, remove func(folder string) error, log *slog.Logger) {
	var useless []string
	rest := time.NewTimer(trashRest)
	defer rest.Stop()
	for {
		select {
		case <-t.ready:
			// What follows the end of an attempt, most often the start of another, goes first: here, and in the plugin that was
			// just woken, often on this same processor.
			runtime.Gosched()
			yield()
			if useless = append(useless, t.sort()...); len(useless) < trashFull {
				rest.Reset(trashRest)
				continue
			}
		case <-rest.C:
		case <-ctx.Done():
			return
		}
		for _, p := range useless {
			if err := remove(p); err != nil {
				log.Warn("a folder was not removed", "path", p, "error", err)
			}
		}
		useless = nil
	}
}

// sort keeps what was added as spares and returns what cannot be kept.
func (t *trash) sort() (useless []string) {
	t.mu.Lock()
	paths := t.paths
	t.paths = nil
	t.mu.Unlock()
	for _, p := range paths {
		if !ofAccount(p) {
			p = t.recycle(p)
		}
		if p != "" {
			useless = append(useless, p)
		}
	}
	return useless
}

// recycle takes a folder away, empties it, except for a log without content, and keeps it as a spare. It returns where the folder is now when
// that has to be removed instead: enough are kept, or the task made something of it that is not as good as new.
//
// It is emptied after it was taken away: a plugin may still be about to put its record of the end there, and must not find it.
func (t *trash) recycle(path string) (useless string) {
	t.mu.Lock()
	full := len(t.spare) >= maxSpare
	t.made++
	spare := filepath.Join(t.dir, strconv.Itoa(t.made))
	t.mu.Unlock()
	if full || syscall.Rename(path, spare) != nil { // os.Rename would look at the new path first, which takes as long again
		return path
	}
	if info, err := os.Lstat(spare); err != nil || info.Mode() != os.ModeDir|0o700 {
		return spare
	}
	entries, err := os.ReadDir(spare)
	if err != nil {
		return spare
	}
	for _, e := range entries {
		if e.Name() == sdk.LogFile && isEmpty(e) {
			continue
		}
		if e.IsDir() || os.Remove(filepath.Join(spare, e.Name())) != nil {
			return spare
		}
	}
	t.mu.Lock()
	t.spare = append(t.spare, spare)
	t.mu.Unlock()
	return ""
}

// isEmpty tells whether an entry is a file that holds nothing, and is as a runner makes it: whatever the umask leaves to the group.
func isEmpty(e fs.DirEntry) bool {
	info, err := e.Info()
	return err == nil && info.Mode()&^0o060 == 0o600 && info.Size() == 0
}

// reuse makes a spare folder appear at path, in one step. It is false when there is none, or something is in the way.
func (t *trash) reuse(path string) bool {
	t.mu.Lock()
	n := len(t.spare)
	if n == 0 {
		t.mu.Unlock()
		return false
	}
	spare := t.spare[n-1]
	t.spare = t.spare[:n-1]
	t.mu.Unlock()
	if syscall.Rename(spare, path) != nil {
		t.add(spare)
		return false
	}
	return true
}
