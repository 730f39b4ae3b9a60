package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"flowctl/engine"
)

const (
	heartbeat    = 15 * time.Second
	writeTimeout = 30 * time.Second // for one event: a reader that takes nothing for so long is gone
	// taskPause is the pause after an event, for each task of the run: watching a run of a thousand tasks costs at most
	// twenty events a second, watching a small one is immediate.
	taskPause = 50 * time.Microsecond
)

// The names of events.
const (
	eventState  = "state"  // the whole
	eventChange = "change" // a run with only those task runs that changed since the last event
	eventEnd    = "end"    // nothing will follow
)

type logParams struct {
	ID     int64 `path:"id" minimum:"1"`
	Offset int64 `query:"offset" minimum:"0" doc:"bytes to leave out"`
	Follow bool  `query:"follow" doc:"go on until the attempt ends"`
}

func (s *server) streamRoutes(api huma.API, svc engine.Service) {
	s.events(api, "/runs/{id}/events", "watch-run", "Watch a run until it settles", reflect.TypeFor[engine.RunDetail](),
		func(ctx context.Context, id int64, out *eventWriter) error {
			var last *engine.RunDetail
			return svc.WatchRun(ctx, engine.RunID(id), func(d engine.RunDetail) error {
				name, event := runChange(last, d)
				last = &d
				if err := out.send(name, event); err != nil || d.State != engine.RunActive {
					return err
				}
				return pause(ctx, time.Duration(len(d.Tasks))*taskPause)
			})
		})
	s.events(api, "/backfills/{id}/events", "watch-backfill", "Watch a backfill until it is done or cancelled",
		reflect.TypeFor[engine.BackfillView](),
		func(ctx context.Context, id int64, out *eventWriter) error {
			return svc.WatchBackfill(ctx, engine.BackfillID(id), func(v engine.BackfillView) error { return out.send(eventState, v) })
		})
	op := operation(http.MethodGet, "/attempts/{id}/log", "get-log", "Read the log of an attempt", http.StatusOK)
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The log from offset on. An answer that breaks off is read on from where it ended.",
		Content:     map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(api, op, func(_ context.Context, in *logParams) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humago.Unwrap(ctx)
			out := &streamWriter{w: w, now: s.Now, mime: "text/plain; charset=utf-8"}
			s.stream(r, out, func(ctx context.Context) error {
				return svc.Logs(ctx, engine.AttemptID(in.ID), in.Offset, in.Follow, out)
			})
		}}, nil
	})
}

// pause lets changes gather, so that the next event tells of all of them.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// runChange returns the event that takes a watcher from last to d.
func runChange(last *engine.RunDetail, d engine.RunDetail) (string, engine.RunDetail) {
	if last == nil || len(last.Tasks) != len(d.Tasks) {
		return eventState, d
	}
	change := engine.RunDetail{RunView: d.RunView, Tasks: []engine.TaskRunView{}}
	for i := range d.Tasks {
		if last.Tasks[i].Task != d.Tasks[i].Task {
			return eventState, d
		}
		if !reflect.DeepEqual(last.Tasks[i], d.Tasks[i]) {
			change.Tasks = append(change.Tasks, d.Tasks[i])
		}
	}
	return eventChange, change
}

// applyChange is runChange backwards. Task runs come in the same order in both, so one pass finds them.
func applyChange(last *engine.RunDetail, change engine.RunDetail) engine.RunDetail {
	d := engine.RunDetail{RunView: change.RunView, Tasks: slices.Clone(last.Tasks)}
	next := 0
	for _, t := range change.Tasks {
		for next < len(d.Tasks) && d.Tasks[next].Task != t.Task {
			next++
		}
		if next < len(d.Tasks) {
			d.Tasks[next] = t
		}
	}
	return d
}

// events registers a stream of Server-Sent Events of type data.
func (s *server) events(api huma.API, path, id, summary string, data reflect.Type, watch func(ctx context.Context, id int64, out *eventWriter) error) {
	op := operation(http.MethodGet, path, id, summary, http.StatusOK)
	op.Responses = map[string]*huma.Response{"200": {
		Description: "Server-Sent Events: state holds the whole; change, of runs, only the task runs that changed; end is the last. " +
			"A stream that breaks off without end is opened again.",
		Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{
			Type:        huma.TypeString,
			Description: "The data of each event is a " + data.Name() + ".",
			Extensions:  map[string]any{"x-event-data": api.OpenAPI().Components.Schemas.Schema(data, true, "")},
		}}},
	}}
	huma.Register(api, op, func(_ context.Context, in *runID) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humago.Unwrap(ctx)
			out := &eventWriter{out: &streamWriter{w: w, now: s.Now, mime: "text/event-stream"}}
			s.stream(r, out.out, func(ctx context.Context) error {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				var beating sync.WaitGroup
				beating.Go(func() { out.beat(ctx, s.Heartbeat) })
				err := watch(ctx, in.ID, out)
				cancel()
				beating.Wait()
				if err != nil {
					return err
				}
				return out.send(eventEnd, struct{}{})
			})
		}}, nil
	})
}

// stream runs f, which writes to out. An error before the first byte is answered as any other; after it, the connection is
// broken so that the reader knows that this was not the end.
func (s *server) stream(r *http.Request, out *streamWriter, f func(context.Context) error) {
	ctx, cancel := streamContext(r.Context())
	defer cancel()
	err := f(ctx)
	if err == nil {
		out.begin()
		return
	}
	if out.begun {
		s.log.LogAttrs(ctx, slog.LevelDebug, "stream broken", slog.String("request", requestID(ctx)), slog.Any("error", err))
		panic(http.ErrAbortHandler)
	}
	p := s.problem(ctx, "path", err).(*huma.ErrorModel)
	out.w.Header().Set("Content-Type", "application/problem+json")
	out.w.WriteHeader(p.Status)
	_ = json.NewEncoder(out.w).Encode(p) // the caller is gone if this fails
}

// streamWriter writes and flushes; the headers go out with the first byte.
type streamWriter struct {
	w     http.ResponseWriter
	now   func() time.Time // nil = writes have no deadline
	mime  string
	begun bool
}

func (o *streamWriter) begin() {
	if o.begun {
		return
	}
	o.begun = true
	h := o.w.Header()
	h.Set("Content-Type", o.mime)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy that gathers would undo the pushing
	o.w.WriteHeader(http.StatusOK)
}

func (o *streamWriter) Write(b []byte) (int, error) {
	o.begin()
	c := http.NewResponseController(o.w)
	if o.now != nil {
		if err := c.SetWriteDeadline(o.now().Add(writeTimeout)); err != nil {
			return 0, err
		}
	}
	n, err := o.w.Write(b)
	if err != nil {
		return n, err
	}
	return n, c.Flush()
}

// eventWriter writes events; it is safe for concurrent use because the heartbeat writes too.
type eventWriter struct {
	mu  sync.Mutex
	out *streamWriter
	buf bytes.Buffer
}

func (e *eventWriter) send(name string, data any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.buf.Reset()
	e.buf.WriteString("event: " + name + "\ndata: ")
	if err := json.NewEncoder(&e.buf).Encode(data); err != nil {
		return err
	}
	e.buf.WriteByte('\n')
	_, err := e.out.Write(e.buf.Bytes())
	return err
}

// beat shows the reader that the server lives, once the stream has begun.
func (e *eventWriter) beat(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			e.mu.Lock()
			if e.out.begun {
				_, _ = io.WriteString(e.out, ": alive\n\n") // the next event meets the same fate
			}
			e.mu.Unlock()
		}
	}
}
