package process

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// watcher tells when something changes in a folder. All folders share one inotify instance, made at first use.
type watcher struct {
	mu      sync.Mutex
	file    *os.File
	folders map[int32]*folder
	byPath  map[string]*folder
}

type folder struct {
	id        int32
	path      string
	listeners map[chan struct{}]struct{}
}

func newWatcher() *watcher {
	return &watcher{folders: make(map[int32]*folder), byPath: make(map[string]*folder)}
}

// watch returns a channel that gets a value after changes in the folder: to its files, and new names in it.
func (w *watcher) watch(path string) (<-chan struct{}, func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
		if err != nil {
			return nil, nil, fmt.Errorf("watch files (raise fs.inotify.max_user_instances): %w", err)
		}
		w.file = os.NewFile(uintptr(fd), "inotify")
		go w.read(w.file)
	}
	f := w.byPath[path]
	if f == nil {
		id, err := unix.InotifyAddWatch(w.fd(), path, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ONLYDIR)
		if err != nil {
			return nil, nil, fmt.Errorf("watch %s (raise fs.inotify.max_user_watches): %w", path, err)
		}
		f = &folder{id: int32(id), path: path, listeners: make(map[chan struct{}]struct{})}
		w.folders[f.id], w.byPath[path] = f, f
	}
	changed := make(chan struct{}, 1)
	changed <- struct{}{} // what happened before the watch
	f.listeners[changed] = struct{}{}
	return changed, func() { w.stop(f, changed) }, nil
}

// fd avoids File.Fd, which would make the descriptor blocking.
func (w *watcher) fd() (fd int) {
	conn, err := w.file.SyscallConn()
	if err != nil {
		return -1
	}
	_ = conn.Control(func(p uintptr) { fd = int(p) })
	return fd
}

func (w *watcher) stop(f *folder, changed chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(f.listeners, changed)
	if len(f.listeners) == 0 && w.byPath[f.path] == f {
		delete(w.byPath, f.path)
		delete(w.folders, f.id)
		_, _ = unix.InotifyRmWatch(w.fd(), uint32(f.id)) // the folder may be gone
	}
}

// read wakes the listeners until the instance is closed, which is at the end of the process.
func (w *watcher) read(file *os.File) {
	buf := make([]byte, 16<<10)
	for {
		n, err := file.Read(buf)
		if err != nil {
			return
		}
		w.wake(buf[:n])
	}
}

func (w *watcher) wake(events []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(events) >= unix.SizeofInotifyEvent {
		id := int32(binary.NativeEndian.Uint32(events))
		mask := binary.NativeEndian.Uint32(events[4:])
		length := int(binary.NativeEndian.Uint32(events[12:]))
		events = events[min(unix.SizeofInotifyEvent+length, len(events)):]
		if mask&unix.IN_Q_OVERFLOW != 0 {
			for _, f := range w.folders {
				f.wake()
			}
			continue
		}
		if f := w.folders[id]; f != nil {
			f.wake()
		}
	}
}

func (f *folder) wake() {
	for l := range f.listeners {
		select {
		case l <- struct{}{}:
		default: // it has one waiting
		}
	}
}
