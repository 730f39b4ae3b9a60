package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"flowctl/engine"
)

// ErrGap is returned by Append for a chunk that begins beyond the end of the log.
var ErrGap = errors.New("chunk begins beyond the end of the log")

// maxOpen is how many files stay open between appends: more than the attempts that print at the same time on a busy
// server, far below the usual limit of 1,024 descriptors.
const maxOpen = 128

// copySize is the size of the pieces in which a log is read.
const copySize = 64 << 10

// Logs holds the logs of all attempts. It is safe for concurrent use.
type Logs struct {
	dir string
	now func() time.Time

	mu        sync.Mutex
	open      map[engine.AttemptID]*file
	newest    *file // the list of open files by use, newest first
	oldest    *file
	followers map[engine.AttemptID]map[*follower]struct{}

	finished chan engine.AttemptID // to be compressed
	stop     func()                // ends the packer
	packer   sync.WaitGroup
}

// file is an open log. Appends to it are serialised by mu; inUse counts those that hold or await it.
type file struct {
	id    engine.AttemptID
	inUse int
	newer *file
	older *file

	mu     sync.Mutex
	f      *os.File // nil until the first append
	size   int64
	last   mark // of the first append, then the last that was noted
	marked bool // the times have a file
}

// follower is a reader that waits for more. wake holds at most one message.
type follower struct {
	wake  chan struct{}
	ended bool // guarded by Logs.mu
}

// Open returns the logs below dir, which is made when it does not exist. now tells when something arrives.
func Open(dir string, now func() time.Time) (*Logs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of logs: %w", err)
	}
	l := &Logs{
		dir: dir, now: now,
		open:      map[engine.AttemptID]*file{},
		followers: map[engine.AttemptID]map[*follower]struct{}{},
		finished:  make(chan engine.AttemptID, maxFinished),
	}
	stopped := make(chan struct{})
	l.stop = sync.OnceFunc(func() { close(stopped) })
	l.packer.Go(func() { l.packFinished(stopped) })
	return l, nil
}

// Close closes all files. Nothing may be appended after it.
func (l *Logs) Close() error {
	l.stop()
	l.packer.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, f := range l.open {
		if f.f != nil {
			errs = append(errs, f.f.Close())
		}
	}
	clear(l.open)
	l.newest, l.oldest = nil, nil
	return errors.Join(errs...)
}

func (l *Logs) path(id engine.AttemptID) string {
	return filepath.Join(l.dir, strconv.FormatInt(int64(id)/1000, 10), strconv.FormatInt(int64(id), 10)+".log")
}

// Append writes data at offset of an attempt's log. What the log has already is skipped; a chunk that begins beyond its end
// is refused with ErrGap.
func (l *Logs) Append(id engine.AttemptID, offset int64, data []byte) error {
	f := l.acquire(id)
	grown, err := f.append(l.path(id), offset, data, l.now())
	l.release(f)
	if grown {
		l.wake(id, false)
	}
	if err != nil {
		return fmt.Errorf("append to the log of attempt %d: %w", id, err)
	}
	return nil
}

// append reports whether the log grew, which it can even when err is not nil.
func (f *file) append(path string, offset int64, data []byte, now time.Time) (grown bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f == nil {
		if err := f.openLog(path, offset+int64(len(data))); err != nil {
			return false, err
		}
	}
	if offset > f.size {
		return false, fmt.Errorf("%w: at %d, but it has %d bytes", ErrGap, offset, f.size)
	}
	have := f.size - offset
	if have >= int64(len(data)) {
		return false, nil
	}
	if err := f.mark(path, now); err != nil {
		return false, err
	}
	n, err := f.f.WriteAt(data[have:], f.size)
	f.size += int64(n)
	return n > 0, err
}

// openLog opens the log for appending; of a packed one that need not grow beyond end, only the size is taken.
func (f *file) openLog(path string, end int64) error {
	size, err := packedSize(path)
	if err != nil {
		return err
	}
	if size >= 0 {
		if f.size = size; end <= size {
			return nil
		}
		if err := unpack(path); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if f.f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	f.size = info.Size()
	f.last, f.marked, err = lastMark(path)
	if !f.marked && f.size > 0 {
		f.last = mark{0, info.ModTime()}
	}
	return err
}

// acquire returns the file of an attempt as the newest of the list. It must be released.
func (l *Logs) acquire(id engine.AttemptID) *file {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.open[id]
	if f == nil {
		f = &file{id: id}
		l.open[id] = f
	} else {
		l.unlink(f)
	}
	f.inUse++
	f.older, l.newest = l.newest, f
	if f.older != nil {
		f.older.newer = f
	} else {
		l.oldest = f
	}
	return f
}

// release gives a file back and closes the oldest unused files when too many are open.
func (l *Logs) release(f *file) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f.inUse--
	for old := l.oldest; old != nil && len(l.open) > maxOpen; {
		next := old.newer
		if old.inUse == 0 {
			l.drop(old)
		}
		old = next
	}
}

// drop closes a file that is not in use and forgets it. Its descriptor was only written to: closing it loses nothing.
func (l *Logs) drop(f *file) {
	l.unlink(f)
	delete(l.open, f.id)
	if f.f != nil {
		_ = f.f.Close()
	}
}

func (l *Logs) unlink(f *file) {
	if f.newer != nil {
		f.newer.older = f.older
	} else {
		l.newest = f.older
	}
	if f.older != nil {
		f.older.newer = f.newer
	} else {
		l.oldest = f.newer
	}
	f.newer, f.older = nil, nil
}

// Size returns how much of an attempt's log is there; 0 when nothing was ever printed.
func (l *Logs) Size(id engine.AttemptID) (int64, error) {
	info, err := os.Stat(l.path(id))
	if err == nil {
		return info.Size(), nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		var size int64
		if size, err = packedSize(l.path(id)); err == nil {
			return max(size, 0), nil
		}
	}
	return 0, fmt.Errorf("size of the log of attempt %d: %w", id, err)
}

// Copy writes an attempt's log from offset to w and returns how many bytes it wrote. The log of an attempt that printed
// nothing is empty.
func (l *Logs) Copy(id engine.AttemptID, offset int64, w io.Writer) (int64, error) {
	for _, open := range []func(string) (io.ReadCloser, error){openPlain, openPacked, openPlain} { // it may be unpacked between the first two
		r, err := open(l.path(id))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("read the log of attempt %d: %w", id, err)
		}
		defer r.Close() //nolint:errcheck // opened for reading
		return copyFrom(r, offset, w)
	}
	return 0, nil
}

func openPlain(path string) (io.ReadCloser, error) { return os.Open(path) }

func copyFrom(r io.Reader, offset int64, w io.Writer) (int64, error) {
	if seeker, ok := r.(io.Seeker); ok {
		if _, err := seeker.Seek(offset, io.SeekStart); err != nil {
			return 0, err
		}
	} else if _, err := io.CopyN(io.Discard, r, offset); err != nil {
		if errors.Is(err, io.EOF) { // it is shorter
			err = nil
		}
		return 0, err
	}
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, copySize))
}

// Follow copies an attempt's log from offset to w as it grows, until the attempt ends or ctx does. ended tells
// whether the end of the attempt is stored; it is asked once, after Follow began to listen, so that an end between the two
// is not missed.
func (l *Logs) Follow(ctx context.Context, id engine.AttemptID, offset int64, ended func(context.Context) (bool, error), w io.Writer) error {
	me := l.listen(id)
	defer l.unlisten(id, me)
	over, err := ended(ctx)
	if err != nil {
		return err
	}
	for {
		l.mu.Lock()
		over = over || me.ended // before the copy: what was printed precedes the end
		l.mu.Unlock()
		n, err := l.Copy(id, offset, w)
		offset += n
		if err != nil || over {
			return err
		}
		select {
		case <-me.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// End ends the following of these attempts. It is called after their ends are stored.
func (l *Logs) End(ids ...engine.AttemptID) {
	for _, id := range ids {
		l.wake(id, true)
		l.mu.Lock()
		if f := l.open[id]; f != nil && f.inUse == 0 {
			l.drop(f)
		}
		l.mu.Unlock()
		select {
		case l.finished <- id:
		default: // Sweep finds it
		}
	}
}

func (l *Logs) listen(id engine.AttemptID) *follower {
	me := &follower{wake: make(chan struct{}, 1)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.followers[id] == nil {
		l.followers[id] = map[*follower]struct{}{}
	}
	l.followers[id][me] = struct{}{}
	return me
}

func (l *Logs) unlisten(id engine.AttemptID, me *follower) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.followers[id], me)
	if len(l.followers[id]) == 0 {
		delete(l.followers, id)
	}
}

func (l *Logs) wake(id engine.AttemptID, ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for f := range l.followers[id] {
		f.ended = f.ended || ended
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}
