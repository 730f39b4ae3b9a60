package hive

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/beltran/gohive/hiveserver"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
)

// session looks after one attempt: it is a session on the server, over as many connections as that takes.
type session struct {
	order    order
	settings settings
	work     string
	log      io.Writer
	client   *client
	cuts     int // connections that broke
	record   record
}

// Session executes the attempt whose work folder this is, with log as its log. It returns the exit code for main.
func Session(work string, log io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := runSession(ctx, work, log)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil: // the cause is on record
		return 128 + int(syscall.SIGTERM)
	}
	return process.Fail(work, "hive", err, log)
}

func runSession(ctx context.Context, work string, log io.Writer) error {
	s := &session{work: work, log: log}
	if err := read(work, orderFile, &s.order); err != nil {
		return err
	}
	var err error
	if s.settings, err = checked(s.order.With); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	for i, st := range s.order.Statements {
		if err = s.execute(ctx, i, st); err != nil {
			break
		}
	}
	s.end(ctx)
	return err
}

func (s *session) say(format string, args ...any) {
	fmt.Fprintf(s.log, "flowctl: hive: "+format+"\n", args...)
}

// begin opens the session. Nothing runs before that is done.
func (s *session) begin(ctx context.Context) error {
	c, err := dial(ctx, s.settings)
	if err != nil {
		return err
	}
	name, password, err := s.settings.credentials()
	if err == nil {
		s.record.Session, err = c.open(ctx, name, password, s.order.configuration(s.settings))
	}
	if err == nil {
		err = write(s.work, recordFile, s.record)
	}
	if err != nil {
		c.close()
		return fmt.Errorf("open a session on %s: %w", s.settings.address(), err)
	}
	s.client = c
	return nil
}

// end closes the session. Where the connection is no more, or the attempt is to end, it takes another one.
func (s *session) end(ctx context.Context) {
	err := ctx.Err()
	if err == nil {
		err = s.client.closeSession(ctx, s.record.Session)
	}
	s.client.close()
	if err != nil && !answered(err) {
		err = finish(context.WithoutCancel(ctx), s.settings, s.record)
	}
	if err != nil && !gone(err) {
		s.say("close the session: %v", err) // Settle tries again
		return
	}
	if err := os.Remove(filepath.Join(s.work, recordFile)); err != nil {
		s.say("%v", err)
	}
}

// execute runs one statement to its end.
func (s *session) execute(ctx context.Context, i int, st statement) error {
	s.say("statement %d of %d (%s:%d): %s", i+1, len(s.order.Statements), s.order.Script, st.Line, st.name())
	err := s.start(ctx, st)
	if err == nil {
		err = s.follow(ctx)
	}
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case gone(err) && s.cuts > 0:
		err = process.Lost("the server ended the session when the connection broke; to have it go on, set transport to http, or hive.server2.close.session.on.disconnect to false on the server: %w", err)
	case gone(err):
		err = process.Lost("the server has ended the session, as it does when it restarts: %w", err)
	case answered(err):
		err = &process.Failure{Code: sdk.CodeExit, Err: err}
	}
	return fmt.Errorf("statement %d of %d (%s:%d): %w", i+1, len(s.order.Statements), s.order.Script, st.lineOf(err), err)
}

// position is how Hive names a place in a statement.
var position = regexp.MustCompile(`\b[Ll]ine (\d+):\d+`)

// lineOf is the line of the script that an error is about, as far as Hive tells.
func (s statement) lineOf(err error) int {
	if m := position.FindStringSubmatch(err.Error()); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n >= 1 && n <= 1+strings.Count(s.Text, "\n") {
			return s.Line + n - 1
		}
	}
	return s.Line
}

// start begins a statement and puts it on record.
func (s *session) start(ctx context.Context, st statement) error {
	o, err := s.client.execute(ctx, s.record.Session, st.Text)
	if err != nil && !answered(err) {
		return process.Lost("the connection broke while the statement was handed over, so that nobody knows whether it began: %w", err)
	}
	if err != nil {
		return err
	}
	s.record.Operation = o
	return s.note()
}

// note puts on record what may be on the server.
func (s *session) note() error {
	if err := write(s.work, recordFile, s.record); err != nil {
		return process.Lost("note what runs on the server: %w", err)
	}
	return nil
}

// follow waits for the end of the statement, with its log and progress on the way, and shows its result.
func (s *session) follow(ctx context.Context) error {
	log, last := &reader{what: logLines, cuts: s.cuts}, ""
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, span(s.settings.Poll)) {
		var status *hiveserver.TGetOperationStatusResp
		err := s.do(ctx, func(c *client) (err error) {
			status, err = c.status(ctx, s.record.Operation)
			return err
		})
		if err != nil {
			return err
		}
		if err := s.copyLog(ctx, log); err != nil {
			return err
		}
		if now := progress(status.ProgressUpdateResponse); now != last && now != "" {
			last = now
			s.say("%s", now)
		}
		switch status.GetOperationState() {
		case hiveserver.TOperationState_INITIALIZED_STATE, hiveserver.TOperationState_PENDING_STATE, hiveserver.TOperationState_RUNNING_STATE:
		case hiveserver.TOperationState_FINISHED_STATE:
			return s.complete(ctx)
		case hiveserver.TOperationState_ERROR_STATE:
			return &problem{message: status.GetErrorMessage(), state: status.GetSqlState(), code: status.GetErrorCode()}
		case hiveserver.TOperationState_CANCELED_STATE, hiveserver.TOperationState_CLOSED_STATE:
			return &problem{message: "somebody cancelled the statement on the server"}
		default:
			return &problem{message: fmt.Sprintf("the statement ended in the state %v", status.GetOperationState())}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// complete shows the result of a statement and forgets it.
func (s *session) complete(ctx context.Context) error {
	if s.record.Operation.HasResultSet {
		if err := s.showRows(ctx); err != nil {
			return err
		}
	}
	err := s.do(ctx, func(c *client) error { return c.closeOperation(ctx, s.record.Operation) })
	if err != nil {
		return err
	}
	s.record.Operation = nil
	return s.note()
}

// do makes a call that may be made twice, over another connection if need be.
func (s *session) do(ctx context.Context, f func(*client) error) error {
	var within context.Context
	pause := 50 * time.Millisecond
	for {
		err := f(s.client)
		if err == nil || answered(err) || ctx.Err() != nil {
			return err
		}
		if within == nil {
			s.say("the connection broke and is made anew: %v", err)
			var stop context.CancelFunc
			within, stop = context.WithTimeout(ctx, span(s.settings.Reconnect))
			defer stop()
		}
		s.client.close()
		for c := (*client)(nil); c == nil; pause = min(2*pause, 5*time.Second) {
			select {
			case <-time.After(pause):
			case <-within.Done():
				return process.Lost("the server was not reached within %s; what ran there is cancelled when it can be: %w", s.settings.Reconnect, err)
			}
			var failed error
			if c, failed = dial(within, s.settings); failed == nil {
				s.client = c
				s.cuts++
			} else if within.Err() == nil {
				err = failed
			}
		}
	}
}

// reader reads the log or the rows of the operation, each once.
type reader struct {
	what int16
	cuts int // of the session, when it was last read
	seen int
	skip int // what comes again
}

// next reads at most so many rows; none: there are no more at the moment.
func (s *session) next(ctx context.Context, r *reader, most int) ([][]string, error) {
	for {
		var rows [][]string
		err := s.do(ctx, func(c *client) error {
			again := r.cuts != s.cuts // the answer to the last question may have been lost
			if again {
				r.cuts, r.skip = s.cuts, r.seen
			}
			set, err := c.fetch(ctx, s.record.Operation, r.what, again, most)
			rows = rowsOf(set)
			return err
		})
		if err != nil || len(rows) == 0 {
			return nil, err
		}
		n := min(r.skip, len(rows))
		r.skip -= n
		if rows = rows[n:]; len(rows) > 0 {
			r.seen += len(rows)
			return rows, nil
		}
	}
}

// batch is how many rows are asked for at once.
const batch = 1000

// copyLog copies what the operation's log has more.
func (s *session) copyLog(ctx context.Context, r *reader) error {
	for {
		rows, err := s.next(ctx, r, batch)
		if answered(err) && !gone(err) {
			return nil // the server keeps none
		}
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			fmt.Fprintln(s.log, strings.Join(row, "\t"))
		}
	}
}

// maxShown bounds how much of a result the log shows, in bytes.
const maxShown = 256 << 10

// showRows writes the first rows of the result, a line each with tabs between, below the names of the columns.
func (s *session) showRows(ctx context.Context) error {
	most, size := s.settings.rows(), 0
	if most == 0 {
		return nil
	}
	var names []string
	err := s.do(ctx, func(c *client) (err error) {
		names, err = c.columns(ctx, s.record.Operation)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(s.log, tabbed(names))
	for r := (&reader{what: resultRows, cuts: s.cuts}); ; {
		shown := r.seen
		rows, err := s.next(ctx, r, min(most-shown+1, batch))
		if err != nil || len(rows) == 0 {
			return err
		}
		for i, row := range rows {
			line := tabbed(row)
			if size += len(line); shown+i == most || size > maxShown {
				s.say("there are more rows: the log shows the first %d (with.rows is %d, and at most %d bytes are shown)", shown+i, most, maxShown)
				return nil
			}
			fmt.Fprintln(s.log, line)
		}
	}
}
