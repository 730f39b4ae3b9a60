package logs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"
	"strings"
	"time"

	"flowctl/engine"
)

// mark says when the log from an offset on arrived. Those of a log ascend in both.
type mark struct {
	offset int64
	at     time.Time
}

// markSize is that of a mark in a file: offset and microseconds since 1970, 8 bytes each, big-endian.
const markSize = 16

// resolution is how far apart marks are.
const resolution = time.Second

func timesPath(log string) string { return strings.TrimSuffix(log, ".log") + ".times" }

// mark notes that the log grows, unless it did so within the last second. The first mark is written with the second, so that short attempts have no
// file of them.
func (f *file) mark(path string, now time.Time) error {
	if f.size == 0 {
		f.last = mark{0, now}
		return nil
	}
	if now.Sub(f.last.at) < resolution {
		return nil
	}
	var b []byte
	if !f.marked {
		b = appendMark(b, f.last)
	}
	next := mark{f.size, now}
	out, err := os.OpenFile(timesPath(path), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err := out.Write(appendMark(b, next)); err != nil {
		return errors.Join(err, out.Close())
	}
	f.last, f.marked = next, true
	return out.Close()
}

func appendMark(b []byte, m mark) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(m.offset))
	return binary.BigEndian.AppendUint64(b, uint64(m.at.UnixMicro()))
}

// parseMarks ignores a last mark that a crash has torn.
func parseMarks(b []byte) (marks []mark) {
	for ; len(b) >= markSize; b = b[markSize:] {
		marks = append(marks, mark{
			int64(binary.BigEndian.Uint64(b)), time.UnixMicro(int64(binary.BigEndian.Uint64(b[8:]))).UTC(),
		})
	}
	return marks
}

// lastMark returns the newest mark in the file of a log's times, if there is one. What a crash has torn is cut off.
func lastMark(path string) (mark, bool, error) {
	b, err := os.ReadFile(timesPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return mark{}, false, nil
	}
	if err != nil {
		return mark{}, false, err
	}
	marks := parseMarks(b)
	if torn := len(b) % markSize; torn > 0 {
		if err := os.Truncate(timesPath(path), int64(len(b)-torn)); err != nil {
			return mark{}, false, err
		}
	}
	if len(marks) == 0 {
		return mark{}, false, nil
	}
	return marks[len(marks)-1], true, nil
}

// Times returns when the parts of an attempt's log arrived, ascending, to the second. The log of an attempt that printed nothing has none.
func (l *Logs) Times(id engine.AttemptID) ([]engine.LogTime, error) {
	marks, err := l.marks(id)
	if err != nil {
		return nil, fmt.Errorf("times of the log of attempt %d: %w", id, err)
	}
	sort.SliceStable(marks, func(i, j int) bool { return marks[i].offset < marks[j].offset })
	times := make([]engine.LogTime, len(marks))
	for i, m := range marks {
		times[i] = engine.LogTime{Offset: m.offset, At: m.at}
	}
	return times, nil
}

func (l *Logs) marks(id engine.AttemptID) ([]mark, error) {
	path := l.path(id)
	for range 2 { // it may be packed, or unpacked, meanwhile
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			if marks, err := packedMarks(path); !errors.Is(err, fs.ErrNotExist) {
				return marks, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		b, err := os.ReadFile(timesPath(path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		marks := parseMarks(b)
		if len(marks) == 0 && info.Size() > 0 {
			marks = []mark{{0, info.ModTime().UTC()}}
		}
		return marks, nil
	}
	return nil, nil
}
