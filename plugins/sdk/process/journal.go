package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"flowctl/plugins/internal/proc"
)

// The files of a plugin process's folder.
const (
	journalFile = "journal"
	// PluginLock is locked by the plugin process as long as it lives.
	PluginLock = "plugin.lock"
	// KeeperLock is locked by the keeper as long as it lives.
	KeeperLock = "keeper.lock"
)

// Begun is one start in a journal. The process, if there was one, was born between From and To. All times are since boot, in ns.
type Begun struct {
	Work     string
	From, To int64 // To is 0 while the start is not known to have succeeded
	PID      int   // 0: as To
	Failed   bool  // no process came of it
	Deadline int64 // 0 = none
	Timeout  time.Duration
	Grace    time.Duration
}

// journal records which process belongs to which work folder. Its lines:
//
//	i FROM DEADLINE TIMEOUT GRACE "WORK"   a process for this work folder is about to be started
//	p PID TO                               it runs
//	f                                      it could not be started
//
// Each is one write, so that a reader sees whole lines, save the last.
type journal struct {
	mu   sync.Mutex // held from i to p or f, so that at most one start has no end
	path string
	file *os.File
	size int
	live map[string]Begun
	buf  []byte
}

// compactAt is the size from which a journal is cut back to what is live.
const compactAt = 64 << 10

func openJournal(dir string) (*journal, error) {
	j := &journal{path: filepath.Join(dir, journalFile), live: make(map[string]Begun)}
	return j, j.reopen()
}

// reopen replaces the file by one that holds what is live.
func (j *journal) reopen() error {
	j.buf = j.buf[:0]
	for _, b := range j.live {
		j.buf = appendPID(appendIntent(j.buf, b), b.PID, b.To)
	}
	f, err := os.OpenFile(j.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(j.buf); err == nil {
		err = os.Rename(f.Name(), j.path)
	}
	if err != nil {
		_ = f.Close()
		return err
	}
	if j.file != nil {
		_ = j.file.Close()
	}
	j.file, j.size = f, len(j.buf)
	return nil
}

// start runs fork between an intent and its outcome, and returns b completed by them.
func (j *journal) start(b Begun, fork func() (int, *proc.Handle, error)) (Begun, *proc.Handle, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.size > compactAt && j.size > 256*len(j.live) {
		if err := j.reopen(); err != nil {
			return Begun{}, nil, fmt.Errorf("compact the journal: %w", err)
		}
	}
	b.From = proc.Boot()
	if err := j.write(appendIntent(j.buf[:0], b)); err != nil {
		return b, nil, fmt.Errorf("write the journal: %w", err)
	}
	pid, handle, err := fork()
	if err != nil {
		_ = j.write(append(j.buf[:0], "f\n"...)) // without it, the keeper finds no process and says the same
		return b, nil, err
	}
	b.Tree().Brand(pid)
	b.PID, b.To = pid, proc.Boot()
	j.live[b.Work] = b
	// A record that cannot be written (a full disk) is not worth the task: the keeper finds an unrecorded process too.
	_ = j.write(appendPID(j.buf[:0], pid, b.To))
	return b, handle, nil
}

// end forgets a process whose exit is recorded.
func (j *journal) end(work string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.live, work)
}

func (j *journal) write(line []byte) error {
	j.buf = line
	n, err := j.file.Write(line)
	j.size += n
	return err
}

func appendIntent(b []byte, s Begun) []byte {
	b = append(b, 'i')
	for _, n := range [...]int64{s.From, s.Deadline, int64(s.Timeout), int64(s.Grace)} {
		b = strconv.AppendInt(append(b, ' '), n, 10)
	}
	return append(strconv.AppendQuote(append(b, ' '), s.Work), '\n')
}

func appendPID(b []byte, pid int, boot int64) []byte {
	b = append(b, "p "...)
	b = strconv.AppendInt(b, int64(pid), 10)
	b = append(b, ' ')
	return append(strconv.AppendInt(b, boot, 10), '\n')
}

// NotePID completes the last start in the journal of a plugin process that died before it could.
func NotePID(dir string, b Begun) error {
	f, err := os.OpenFile(filepath.Join(dir, journalFile), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(appendPID([]byte("\n"), b.PID, b.To)) // its last line may be cut
	return errors.Join(err, f.Close())
}

// ReadJournal returns the starts of the plugin process with this folder, oldest first. Starts whose exit is recorded may be missing.
func ReadJournal(dir string) ([]Begun, error) {
	b, err := os.ReadFile(filepath.Join(dir, journalFile))
	if err != nil {
		return nil, err
	}
	return parseJournal(b), nil
}

// parseJournal skips what it does not understand: only the last line can be cut.
func parseJournal(b []byte) []Begun {
	var all []Begun
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			break
		}
		fields := strings.SplitN(string(b[:end]), " ", 6)
		b = b[end+1:]
		switch {
		case fields[0] == "i" && len(fields) == 6:
			n, ok := numbers(fields[1:5])
			work, err := strconv.Unquote(fields[5])
			if ok && err == nil {
				all = append(all, Begun{
					Work: work, From: n[0], Deadline: n[1], Timeout: time.Duration(n[2]), Grace: time.Duration(n[3]),
				})
			}
		case len(all) == 0:
		case fields[0] == "p" && len(fields) == 3:
			if n, ok := numbers(fields[1:]); ok {
				all[len(all)-1].PID, all[len(all)-1].To = int(n[0]), n[1]
			}
		case fields[0] == "f":
			all[len(all)-1].Failed = true
		}
	}
	return all
}

func numbers(fields []string) ([4]int64, bool) {
	var n [4]int64
	for i, f := range fields {
		var err error
		if n[i], err = strconv.ParseInt(f, 10, 64); err != nil {
			return n, false
		}
	}
	return n, true
}
