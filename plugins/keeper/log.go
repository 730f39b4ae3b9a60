package keeper

import (
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// LogFile is the name, in a plugin process's folder, of what the plugin and its keeper printed. When it has maxLog bytes it becomes
// OldLogFile, in the place of the one before.
const (
	LogFile    = "plugin.log"
	OldLogFile = "plugin.log.1"
	maxLog     = 4 << 20
)

// log writes LogFile. What cannot be written is dropped: a full disk must not stop a plugin.
type log struct {
	dir string

	mu   sync.Mutex
	file *os.File // nil: it cannot be opened
	size int64
}

func openLog(dir string) (*log, error) {
	l := &log{dir: dir}
	return l, l.open()
}

func (l *log) open() (err error) {
	l.file, err = os.OpenFile(filepath.Join(l.dir, LogFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := l.file.Stat()
	if err == nil {
		l.size = info.Size()
	}
	return err
}

// Write implements io.Writer. It does not fail.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil && l.size+int64(len(p)) > maxLog {
		_ = l.file.Close()
		_ = os.Rename(filepath.Join(l.dir, LogFile), filepath.Join(l.dir, OldLogFile))
		if l.open() != nil {
			l.file = nil
		}
	}
	if l.file != nil && l.size+int64(len(p)) <= maxLog {
		n, _ := l.file.Write(p)
		l.size += int64(n)
	}
	return len(p), nil
}

// stream makes a pipe for what the plugin prints. The plugin's end can be read as well, so that a plugin that outlives its keeper does not die of
// writing to a pipe that nobody reads.
func (k *keeper) stream(name string) (r, w *os.File, err error) {
	path := filepath.Join(k.dir, name)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return nil, nil, &os.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	defer func() { _ = os.Remove(path) }()
	if w, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	if r, err = os.Open(path); err != nil {
		_ = w.Close()
		return nil, nil, err
	}
	return r, w, nil
}
