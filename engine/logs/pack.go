package logs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"flowctl/engine"
)

const (
	// worthPacking is the size in bytes from which a log is compressed: smaller ones take a block of the disk either way.
	worthPacking = 8 << 10
	// maxFinished is how many ended attempts wait for their logs to be packed; the rest is left to Sweep.
	maxFinished = 1 << 12
	// timesFrame is the magic number of the skippable frame with the times, before the log's own: RFC 8878, section 3.1.2.
	timesFrame = 0x184D2A50
)

func packedPath(log string) string { return log + ".zst" }

// packFinished packs the logs of attempts that ended, one after another.
func (l *Logs) packFinished(stopped <-chan struct{}) {
	for {
		select {
		case id := <-l.finished:
			_ = l.pack(id) // Sweep tries again
		case <-stopped:
			return
		}
	}
}

// pack compresses the log of an attempt that has ended, if that is worth it.
func (l *Logs) pack(id engine.AttemptID) error {
	path := l.path(id)
	if !isWorthPacking(path) {
		return nil
	}
	f := l.acquire(id)
	defer l.release(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !isWorthPacking(path) { // somebody else has packed it
		return nil
	}
	if f.f != nil {
		if err := f.f.Close(); err != nil {
			return err
		}
		f.f = nil
	}
	return pack(path)
}

// isWorthPacking tells whether there is a log that is not packed, and is long.
func isWorthPacking(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() >= worthPacking
}

// pack replaces the files of a log by a packed one. A crash in between leaves the log as it was, or both, of which it counts.
func pack(path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // opened for reading
	info, err := in.Stat()
	if err != nil {
		return err
	}
	times, err := os.ReadFile(timesPath(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(times) == 0 {
		times = appendMark(nil, mark{0, info.ModTime()})
	}
	err = replace(packedPath(path), info.ModTime(), func(out io.Writer) error {
		frame := binary.LittleEndian.AppendUint32(nil, timesFrame)
		frame = binary.LittleEndian.AppendUint32(frame, uint32(len(times)))
		if _, err := out.Write(append(frame, times...)); err != nil {
			return err
		}
		z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		z.ResetContentSize(out, info.Size())
		_, err = io.Copy(z, in)
		return errors.Join(err, z.Close())
	})
	if err != nil {
		return err
	}
	return errors.Join(os.Remove(path), removeIfThere(timesPath(path)))
}

// unpack makes the files of a packed log again.
func unpack(path string) error {
	marks, err := packedMarks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(packedPath(path))
	if err != nil {
		return err
	}
	in, err := openPacked(path)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // opened for reading
	err = replace(timesPath(path), info.ModTime(), func(out io.Writer) error {
		var b []byte
		for _, m := range marks {
			b = appendMark(b, m)
		}
		_, err := out.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	err = replace(path, info.ModTime(), func(out io.Writer) error {
		_, err := io.Copy(out, in)
		return err
	})
	return errors.Join(err, removeIfThere(packedPath(path)))
}

// replace writes a file whole or not at all.
func replace(path string, modified time.Time, write func(io.Writer) error) error {
	temporary := path + ".tmp"
	out, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(write(out), out.Sync(), out.Close())
	if err == nil {
		err = os.Chtimes(temporary, modified, modified)
	}
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(temporary))
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// packed is the content of a packed log.
type packed struct {
	*zstd.Decoder
	f *os.File
}

// Close implements io.Closer.
func (p packed) Close() error {
	p.Decoder.Close()
	return p.f.Close()
}

func openPacked(path string) (io.ReadCloser, error) {
	f, err := os.Open(packedPath(path))
	if err != nil {
		return nil, err
	}
	d, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return packed{d, f}, nil
}

// packedSize returns the length of a packed log; -1: the log is not packed, or there is one that is not, which counts.
func packedSize(path string) (int64, error) {
	if _, err := os.Stat(path); err == nil {
		return -1, nil
	}
	f, err := os.Open(packedPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	times, err := readTimes(f)
	if err != nil {
		return 0, err
	}
	head := make([]byte, zstd.HeaderMaxSize)
	n, err := f.ReadAt(head, int64(8+len(times)))
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	var h zstd.Header
	if err := h.Decode(head[:n]); err != nil || !h.HasFCS {
		return 0, fmt.Errorf("%s is no packed log: %w", packedPath(path), err)
	}
	return int64(h.FrameContentSize), nil
}

// packedMarks returns the times in a packed log.
func packedMarks(path string) ([]mark, error) {
	f, err := os.Open(packedPath(path))
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	times, err := readTimes(f)
	return parseMarks(times), err
}

// readTimes reads the frame with the times.
func readTimes(f *os.File) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(head[4:]))
	if binary.LittleEndian.Uint32(head[:]) != timesFrame || length > info.Size() {
		return nil, fmt.Errorf("%s is no packed log", f.Name())
	}
	times := make([]byte, length)
	_, err = io.ReadFull(f, times)
	return times, err
}

// Sweep removes the logs to which nothing was appended since an instant, and packs those that End could not pack, of attempts that printed nothing for
// a day. It returns how many it removed.
func (l *Logs) Sweep(before time.Time) (removed int, err error) {
	var errs []error
	day := l.now().Add(-24 * time.Hour)
	err = filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // it was packed or removed meanwhile
		}
		name, kind, _ := strings.Cut(d.Name(), ".")
		id, err := strconv.ParseInt(name, 10, 64)
		log := kind == "log" || kind == "log.zst"
		switch {
		case err != nil: // not ours
		case log && info.ModTime().Before(before):
			removed++
			errs = append(errs, l.remove(engine.AttemptID(id)))
		case kind == "log" && info.ModTime().Before(day):
			errs = append(errs, l.pack(engine.AttemptID(id)))
		case !log && info.ModTime().Before(before) && !exists(l.path(engine.AttemptID(id))): // what a crash left
			errs = append(errs, removeIfThere(path))
		}
		return nil
	})
	return removed, errors.Join(append(errs, err)...)
}

// remove removes an attempt's log, which can begin anew.
func (l *Logs) remove(id engine.AttemptID) error {
	f := l.acquire(id)
	defer l.release(f)
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	if f.f != nil {
		errs = append(errs, f.f.Close())
		f.f = nil
	}
	path := l.path(id)
	for _, p := range []string{path, packedPath(path), timesPath(path)} {
		errs = append(errs, removeIfThere(p))
	}
	return errors.Join(errs...)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
