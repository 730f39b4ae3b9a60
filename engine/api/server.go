package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"flowctl/engine"
)

// Options are what a server is made of.
type Options struct {
	Service engine.Service
	// Token is what clients must present; empty means that nobody can.
	Token string
	// Acknowledge acknowledges what the token of a signed link is about; nil = there are no such links.
	Acknowledge func(ctx context.Context, token string) ([]engine.AlertView, error)
	// Ready says why the server cannot do its work yet; nil = it can. It is asked at each /readyz and must return at once.
	Ready func() error
	// Log receives failed requests as errors and all others at debug level; nil = none.
	Log *slog.Logger
	// Now times requests for the log and bounds how long a stream waits for a reader who takes nothing; nil = neither.
	Now func() time.Time
	// Heartbeat is the pause between signs of life on an event stream; 0 = 15 seconds, a third of what clients wait for.
	Heartbeat time.Duration
}

type server struct {
	Options
	log *slog.Logger
}

// NewServer returns the handler of /api/v1/…, /healthz, /readyz, /openapi.json, /openapi.yaml and /ack/…. It answers 404 to all other
// paths, so that pages can be mounted around it.
func NewServer(o Options) http.Handler {
	s := &server{Options: o, log: o.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.Heartbeat == 0 {
		s.Heartbeat = heartbeat
	}
	calls := http.NewServeMux()
	doc := s.routes(calls)
	mux := http.NewServeMux()
	mux.Handle("/api/", authorize(o.Token, problems(calls)))
	mux.Handle("POST "+gatePath+"{token}", problems(calls))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /openapi.json", serveBytes("application/openapi+json", doc.MarshalJSON))
	mux.HandleFunc("GET /openapi.yaml", serveBytes("application/openapi+yaml", doc.YAML))
	if o.Acknowledge != nil {
		mux.HandleFunc("GET /ack/{token}", s.acknowledge)
		mux.HandleFunc("POST /ack/{token}", s.acknowledge)
	}
	return s.observe(mux)
}

func (s *server) ready(w http.ResponseWriter, _ *http.Request) {
	if s.Ready != nil {
		if err := s.Ready(); err != nil {
			writeText(w, http.StatusServiceUnavailable, err.Error()+"\n")
			return
		}
	}
	writeText(w, http.StatusOK, "ready\n")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the caller is gone if this fails
}

func serveBytes(mime string, render func() ([]byte, error)) http.HandlerFunc {
	body, err := render()
	return func(w http.ResponseWriter, _ *http.Request) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", mime)
		_, _ = w.Write(body) // the caller is gone if this fails
	}
}

// problems gives calls that no route takes the form of all other errors.
func problems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" {
			writeProblem(w, http.StatusNotFound, "no call "+r.Method+" "+r.URL.Path+"; /openapi.json lists all")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// Document returns the OpenAPI document of the server: indented JSON, the same bytes for the same routes.
func Document() ([]byte, error) {
	b, err := (&server{}).routes(http.NewServeMux()).MarshalJSON()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func newHuma(mux *http.ServeMux) huma.API {
	c := huma.DefaultConfig("flowctl", "1")
	c.Info.Description = "Flows, runs and backfills of a flowctl server."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil // they add $schema URLs to every answer
	c.RejectUnknownQueryParameters = true
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "The admin token: admin-token in the server's data folder."},
	}
	c.Security = []map[string][]string{{"token": {}}}
	return humago.New(mux, c)
}

type requestKey struct{}

// requestID returns the id under which the log tells of a request.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// observe names, logs and, when a handler panics, answers each request.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !plainID(id) {
			id = newID()
		}
		w.Header().Set("X-Request-Id", id)
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
		rec := &recorder{ResponseWriter: w}
		var start time.Time
		if s.Now != nil {
			start = s.Now()
		}
		defer func() {
			s.recovered(rec, r, recover())
			if !s.log.Enabled(r.Context(), slog.LevelDebug) {
				return
			}
			attrs := []slog.Attr{slog.String("request", id), slog.String("method", r.Method), slog.String("path", shownPath(r)), slog.Int("status", rec.status)}
			if s.Now != nil {
				attrs = append(attrs, slog.Duration("took", s.Now().Sub(start)))
			}
			s.log.LogAttrs(r.Context(), slog.LevelDebug, "request", attrs...)
		}()
		next.ServeHTTP(rec, r)
	})
}

// recovered answers for a handler that panicked. ErrAbortHandler is no failure: it breaks a stream on purpose.
func (s *server) recovered(w *recorder, r *http.Request, panicked any) {
	if panicked == nil {
		return
	}
	if err, ok := panicked.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	id := requestID(r.Context())
	s.log.LogAttrs(r.Context(), slog.LevelError, "request panicked", slog.String("request", id), slog.String("path", shownPath(r)),
		slog.Any("panic", panicked), slog.String("stack", string(debug.Stack())))
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	writeProblem(w, http.StatusInternalServerError, "internal error; the server's log tells more of request "+id)
}

// shownPath is the path of a request for the log, which must not hold the token of a quality gate.
func shownPath(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, gatePath) {
		return gatePath + "…"
	}
	return r.URL.Path
}

func plainID(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == ""
}

func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: it would end the process
	return hex.EncodeToString(b[:])
}

// recorder remembers the status for the log.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	stopTimeout   = 5 * time.Second
)

type stopKey struct{}

// streamContext returns a context for a stream: it ends with the request, or when the server begins to stop.
func streamContext(ctx context.Context) (context.Context, context.CancelFunc) {
	stop, ok := ctx.Value(stopKey{}).(context.Context)
	ctx, cancel := context.WithCancel(ctx)
	if !ok {
		return ctx, cancel
	}
	off := context.AfterFunc(stop, cancel)
	return ctx, func() { off(); cancel() }
}

// Serve answers on l until ctx ends. Then it breaks event streams and followed logs, whose clients come back, gives other
// requests five seconds and returns nil.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	base := context.WithValue(context.WithoutCancel(ctx), stopKey{}, ctx)
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // broken connections are no news
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(base, stopTimeout)
	defer cancel()
	if err := srv.Shutdown(stopping); err != nil {
		return errors.Join(err, srv.Close())
	}
	return nil
}
