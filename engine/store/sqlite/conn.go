package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/mattn/go-sqlite3"
)

// conn is one connection to the database with its prepared statements. It is used by one goroutine at a time.
type conn struct {
	driver driver.Conn
	stmts  map[string]driver.Stmt // by text, kept open
	args   []driver.NamedValue    // memory for the arguments of the statement at hand
}

// pragmas are the settings of a connection in the driver's notation.
type pragmas map[string]string

// The writer flushes at every commit. The caches (KiB, negative by SQLite's convention) are what a busy server keeps for good, so
// they are small; the operating system caches the rest.
func writerPragmas() pragmas {
	return pragmas{"_journal_mode": "WAL", "_synchronous": "FULL", "_busy_timeout": "10000", "_foreign_keys": "on", "_cache_size": "-16000"}
}

func readerPragmas() pragmas {
	return pragmas{"_query_only": "on", "_busy_timeout": "10000", "_cache_size": "-4000"}
}

// dial opens a connection. The driver compiled without cgo is a stub whose error says so.
func dial(path string, p pragmas) (*conn, error) {
	q := url.Values{"_stmt_cache_size": {"128"}}
	for k, v := range p {
		q.Set(k, v)
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	c, err := new(sqlite3.SQLiteDriver).Open(u.String())
	if err != nil {
		if strings.Contains(err.Error(), "CGO_ENABLED") {
			err = errors.New("this flowctl was built without cgo, which SQLite needs: build it with CGO_ENABLED=1 and a C compiler")
		}
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return &conn{driver: c, stmts: make(map[string]driver.Stmt)}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.driver.Close())...)
}

func (c *conn) stmt(text string) (driver.Stmt, error) {
	if s, ok := c.stmts[text]; ok {
		return s, nil
	}
	s, err := c.driver.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", text, err)
	}
	c.stmts[text] = s
	return s, nil
}

// bind makes the arguments of a statement of values of the types that the driver takes: nil, int64, string, bool, []byte.
func (c *conn) bind(args []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, a := range args {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return c.args
}

// exec runs a statement to its end, without regard to any context, and returns the number of rows it changed.
func (c *conn) exec(text string, args ...any) (int64, error) {
	s, err := c.stmt(text)
	if err != nil {
		return 0, err
	}
	res, err := s.(driver.StmtExecContext).ExecContext(context.Background(), c.bind(args))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query calls f with each row of the result. f must not use the connection.
func (c *conn) query(ctx context.Context, text string, f func(*row) error, args ...any) (err error) {
	s, err := c.stmt(text)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, c.bind(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	r := row{values: make([]driver.Value, len(rows.Columns()))}
	for {
		switch err := rows.Next(r.values); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		r.next = 0
		if err := f(&r); err != nil {
			return err
		}
	}
}

// script runs statements without arguments, whose text is not kept.
func (c *conn) script(ctx context.Context, text string) error {
	_, err := c.driver.(driver.ExecerContext).ExecContext(ctx, text, nil)
	return err
}

// row is one row of a result, whose columns are taken in order. NULL reads as zero.
type row struct {
	values []driver.Value
	next   int
}

func (r *row) value() driver.Value {
	v := r.values[r.next]
	r.next++
	return v
}

func (r *row) int() int64 {
	n, _ := r.value().(int64)
	return n
}

func (r *row) bool() bool { return r.int() != 0 }

func (r *row) text() string {
	s, _ := r.value().(string)
	return s
}

func (r *row) bytes() []byte {
	b, _ := r.value().([]byte)
	return b
}
