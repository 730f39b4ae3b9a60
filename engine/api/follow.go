package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"flowctl/engine"
)

// The pauses between attempts to open a broken stream again: each twice the one before, with jitter, so that a restarted
// server is found within two seconds and not by all watchers at once.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

func (c *client) WatchRun(ctx context.Context, id engine.RunID, f func(engine.RunDetail) error) error {
	var last *engine.RunDetail
	return c.watch(ctx, "/runs/"+number(id)+"/events", func(event string, data []byte) error {
		var d engine.RunDetail
		if err := json.Unmarshal(data, &d); err != nil {
			return fmt.Errorf("read an event of run %d: %w", id, err)
		}
		if event == eventChange && last != nil {
			d = applyChange(last, d)
		}
		last = &d
		return f(d)
	})
}

func (c *client) WatchBackfill(ctx context.Context, id engine.BackfillID, f func(engine.BackfillView) error) error {
	return c.watch(ctx, "/backfills/"+number(id)+"/events", func(_ string, data []byte) error {
		var v engine.BackfillView
		if err := json.Unmarshal(data, &v); err != nil {
			return fmt.Errorf("read an event of backfill %d: %w", id, err)
		}
		return f(v)
	})
}

func (c *client) Logs(ctx context.Context, id engine.AttemptID, offset int64, follow bool, w io.Writer) error {
	read := func(ctx context.Context, alive func()) error {
		q := params{}.number("offset", offset)
		if follow {
			q.set("follow", "true")
		}
		resp, err := c.open(ctx, http.MethodGet, "/attempts/"+number(id)+"/log", q, nil)
		if err != nil {
			return err
		}
		defer drain(resp.Body)
		alive()
		return copyLog(w, resp.Body, &offset, alive)
	}
	if !follow {
		return c.finish(ctx, read(ctx, func() {}))
	}
	return c.persist(ctx, read)
}

func (c *client) LogTimes(ctx context.Context, id engine.AttemptID) (*engine.LogTimes, error) {
	return fetch[engine.LogTimes](ctx, c, "/attempts/"+number(id)+"/log/times", nil)
}

// copyLog moves offset on with what w has taken, so that a broken answer is read on without loss or repetition.
func copyLog(w io.Writer, r io.Reader, offset *int64, alive func()) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			alive()
			written, werr := w.Write(buf[:n])
			*offset += int64(written)
			if werr != nil {
				return &callerError{werr}
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return &brokenError{err}
		}
	}
}

// brokenError is a stream that ended before its end.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }

// callerError is what the caller's own function or writer returned: it ends everything and is handed back as it is.
type callerError struct{ err error }

func (e *callerError) Error() string { return e.err.Error() }

// watch calls f with each event of a stream until its end event.
func (c *client) watch(ctx context.Context, path string, f func(event string, data []byte) error) error {
	return c.persist(ctx, func(ctx context.Context, alive func()) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		resp, err := c.open(ctx, http.MethodGet, path, nil, nil)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		alive()
		watchdog := time.AfterFunc(c.Silence, cancel)
		defer watchdog.Stop()
		r := bufio.NewReaderSize(resp.Body, 64<<10)
		for {
			event, data, err := readEvent(r, func() { watchdog.Reset(c.Silence) })
			if err != nil {
				return &brokenError{err}
			}
			if event == eventEnd {
				return nil
			}
			alive()
			watchdog.Stop() // f may take its time
			if err := f(event, data); err != nil {
				return &callerError{err}
			}
			watchdog.Reset(c.Silence)
		}
	})
}

// maxEvent bounds one event: a run with 100,000 tasks fits.
const maxEvent = 64 << 20

// readEvent reads one Server-Sent Event and tells alive of each line, comments included. It knows what the server sends: event and
// data, one line each.
func readEvent(r *bufio.Reader, alive func()) (event string, data []byte, err error) {
	for {
		line, err := readLine(r)
		if err != nil {
			return "", nil, err
		}
		alive()
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) == 0 && event != "":
			return event, data, nil
		case string(name) == "event":
			event = string(value)
		case string(name) == "data":
			data = value
		}
	}
}

// readLine returns a line without its end; the bytes are the caller's.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && len(line) <= maxEvent:
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, errors.New("the event is too long")
		case err != nil:
			return nil, err
		default:
			return bytes.TrimRight(line, "\r\n"), nil
		}
	}
}

// persist runs a stream until it ends properly, again and again when it breaks or the server is away. The pauses start anew
// whenever the stream was alive.
func (c *client) persist(ctx context.Context, stream func(ctx context.Context, alive func()) error) error {
	wait, told := firstPause, false
	for {
		err := stream(ctx, func() { wait, told = firstPause, false })
		if !passing(err) || ctx.Err() != nil {
			return c.finish(ctx, err)
		}
		if !told && c.Interrupted != nil {
			c.Interrupted(cause(err))
		}
		told = true
		if err := pause(ctx, wait/2+rand.N(wait)/2); err != nil {
			return err
		}
		wait = min(2*wait, lastPause)
	}
}

// passing tells whether trying again may help.
func passing(err error) bool {
	var broken *brokenError
	var e *engine.Error
	return errors.As(err, &broken) || errors.As(err, &e) && e.Code == engine.Unavailable
}

// cause returns what broke a stream, without what to do about it: the client does it already.
func cause(err error) error {
	var broken *brokenError
	if errors.As(err, &broken) {
		return broken.err
	}
	return err
}

// finish turns the errors of a stream into what the caller may see.
func (c *client) finish(ctx context.Context, err error) error {
	var caller *callerError
	var broken *brokenError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &caller):
		return caller.err
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &broken):
		return unreachable(c.BaseURL, fmt.Errorf("the stream broke off: %w", broken.err))
	}
	return err
}
