package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"flowctl/engine"
)

// readers is how many reads can go on at once.
const readers = 4

// errClosed is returned by every method after Close.
var errClosed = errors.New("the store is closed")

// Store keeps the state of a server in an SQLite database. It implements engine.Store.
type Store struct {
	path    string
	lock    *os.File
	closed  chan struct{}
	writer  chan *writer // holds the writer while nobody writes
	readers chan *conn   // holds the idle readers; nil for one not yet opened
}

var _ engine.Store = (*Store)(nil)

// writer is the one connection that writes, and what it remembers between transactions.
type writer struct {
	*conn
	tasks map[taskName]int64 // numbers in table tasks, as far as they were needed
	fresh []taskName         // numbered in this transaction: forgotten when it fails
}

// Open opens the database at path and creates it, and its folder, when there is none. It fails when another process has it open.
func Open(ctx context.Context, path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	held, err := lock(ctx, path+".lock")
	if err != nil {
		return nil, err
	}
	c, err := openWriter(ctx, path)
	if err != nil {
		return nil, errors.Join(err, unlock(held))
	}
	s := &Store{path: path, lock: held, closed: make(chan struct{}), writer: make(chan *writer, 1), readers: make(chan *conn, readers)}
	s.writer <- &writer{conn: c, tasks: make(map[taskName]int64)}
	for range readers {
		s.readers <- nil
	}
	return s, nil
}

func openWriter(ctx context.Context, path string) (*conn, error) {
	c, err := dial(path, writerPragmas())
	if err != nil {
		return nil, err
	}
	err = c.script(ctx, fmt.Sprintf(`PRAGMA wal_autocheckpoint = %d`, logPages))
	if err == nil {
		err = migrate(ctx, c)
	}
	if err == nil {
		err = widen(path + "-wal")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), c.close())
	}
	return c, nil
}

const (
	// logPages is after how many pages the log is moved into the database, and written from its beginning again.
	logPages = 1000
	// logBytes holds that many pages and the transaction that reaches them.
	logBytes = (logPages + 200) * (4096 + 24)
)

// widen gives the log its full length at once: flushing what grows a file takes twice as long as flushing what is written over
// in it. SQLite takes the zeros for the remains of older logs.
func widen(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the first commit makes it
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < logBytes {
		_, err = f.WriteAt(make([]byte, logBytes-info.Size()), info.Size())
		err = errors.Join(err, f.Sync())
	}
	return errors.Join(err, f.Close())
}

// Close waits for what goes on, closes the database and frees the lock.
func (s *Store) Close() error {
	w, ok := <-s.writer
	if !ok {
		return nil
	}
	close(s.closed)
	close(s.writer)
	var errs []error
	for range readers {
		if c := <-s.readers; c != nil {
			errs = append(errs, c.close())
		}
	}
	// The writer comes last: the last connection moves the log into the database.
	errs = append(errs, w.close(), unlock(s.lock))
	return errors.Join(errs...)
}

// write runs f in a transaction, which is durable when write returns nil. When f or the transaction fails, nothing is changed.
func (s *Store) write(ctx context.Context, f func(*writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var w *writer
	select {
	case got, ok := <-s.writer:
		if !ok {
			return errClosed
		}
		w = got
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.writer <- w }()

	if _, err := w.exec(`BEGIN IMMEDIATE`); err != nil {
		return err
	}
	err := f(w)
	if err == nil {
		_, err = w.exec(`COMMIT`)
	}
	if err != nil {
		w.exec(`ROLLBACK`) //nolint:errcheck // SQLite may have rolled back by itself; the first error counts
		for _, name := range w.fresh {
			delete(w.tasks, name)
		}
	}
	w.fresh = w.fresh[:0]
	return err
}

// fenced is write for the leader of a term.
func (s *Store) fenced(ctx context.Context, term int64, f func(*writer) error) error {
	return s.write(ctx, func(w *writer) error {
		var newest int64
		err := w.query(context.Background(), `SELECT term FROM server`, func(r *row) error { newest = r.int(); return nil })
		if err != nil {
			return err
		}
		if term != newest {
			return fmt.Errorf("term %d, the newest is %d: %w", term, newest, engine.ErrFenced)
		}
		return f(w)
	})
}

// read runs f on a connection that cannot write. All queries of f see the same state.
func (s *Store) read(ctx context.Context, f func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var c *conn
	select {
	case c = <-s.readers:
	case <-s.closed:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.readers <- c }()
	if c == nil {
		opened, err := dial(s.path, readerPragmas())
		if err != nil {
			return err
		}
		c = opened
	}
	if _, err := c.exec(`BEGIN`); err != nil {
		return err
	}
	err := f(c)
	_, end := c.exec(`COMMIT`)
	return errors.Join(err, end)
}

// Lead makes the caller the leader and returns its term.
func (s *Store) Lead(ctx context.Context) (term int64, err error) {
	err = s.write(ctx, func(w *writer) error {
		return w.query(context.Background(), `UPDATE server SET term = term + 1 RETURNING term`, func(r *row) error { term = r.int(); return nil })
	})
	if err != nil {
		return 0, fmt.Errorf("take the lead: %w", err)
	}
	return term, nil
}

// micros is how a time is stored.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// mapText is how a map is stored: JSON, or NULL when nil.
func mapText(m map[string]string) (any, error) {
	if m == nil {
		return nil, nil
	}
	b, err := json.Marshal(m)
	return string(b), err
}

// listText is mapText for lists.
func listText[T any](l []T) (any, error) {
	if l == nil {
		return nil, nil
	}
	b, err := json.Marshal(l)
	return string(b), err
}

// parse reads what mapText and listText wrote.
func parse(text string, into any) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), into)
}
