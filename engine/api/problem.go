package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"flowctl/engine"
)

// statusOf gives each class of error its HTTP status. 400, 403 and 413 come from other layers and are read alike.
func statusOf(c engine.Code) int {
	switch c {
	case engine.Invalid:
		return http.StatusUnprocessableEntity
	case engine.NotFound:
		return http.StatusNotFound
	case engine.Conflict:
		return http.StatusConflict
	case engine.Unauthorized:
		return http.StatusUnauthorized
	case engine.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// codeOf is statusOf backwards; empty means an internal error.
func codeOf(status int) engine.Code {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge, http.StatusRequestTimeout,
		http.StatusUnsupportedMediaType:
		return engine.Invalid
	case http.StatusNotFound:
		return engine.NotFound
	case http.StatusConflict:
		return engine.Conflict
	case http.StatusUnauthorized, http.StatusForbidden:
		return engine.Unauthorized
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return engine.Unavailable
	}
	return ""
}

// problem turns what a Service returned into what the HTTP layer answers. in is where the request's fields are: body or
// query. Only an *engine.Error shows its text; the rest goes to the log.
func (s *server) problem(ctx context.Context, in string, err error) error {
	var e *engine.Error
	if errors.As(err, &e) {
		p := newProblem(statusOf(e.Code), e.Message)
		if e.Field != "" {
			p.Errors = []*huma.ErrorDetail{{Message: e.Message, Location: in + "." + e.Field}}
		}
		return p
	}
	if errors.Is(err, context.Canceled) {
		return newProblem(http.StatusServiceUnavailable, "the request was abandoned: the server is stopping or the caller left")
	}
	id := requestID(ctx)
	s.log.LogAttrs(ctx, slog.LevelError, "request failed", slog.String("request", id), slog.Any("error", err))
	return newProblem(http.StatusInternalServerError, fmt.Sprintf("internal error; the server's log tells more of request %s", id))
}

func newProblem(status int, detail string) *huma.ErrorModel {
	return &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail}
}

func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(newProblem(status, detail)) // the caller is gone if this fails
}

// internalError is what the server answered when it failed; it is no *engine.Error, as in the server itself.
type internalError struct{ message string }

func (e *internalError) Error() string { return e.message }

// readProblem turns an answer that is no success back into the error that the Service returned.
func readProblem(server string, resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return unreachable(server, err)
	}
	var p huma.ErrorModel
	if !strings.Contains(resp.Header.Get("Content-Type"), "json") || json.Unmarshal(body, &p) != nil {
		return engine.Errorf(engine.Unavailable, "%s answered %s, not as a flowctl server does: check --server and any proxy before it",
			server, resp.Status)
	}
	code := codeOf(resp.StatusCode)
	if code == "" {
		return &internalError{p.Detail}
	}
	e := &engine.Error{Code: code, Message: p.Detail}
	for i, d := range p.Errors {
		if i == 0 {
			e.Field = fieldOf(d.Location)
		}
		if d.Message != p.Detail { // found by validation, whose detail says only that it failed
			e.Message += "; " + d.Message
			if d.Location != "" {
				e.Message += " (" + d.Location + ")"
			}
		}
	}
	return e
}

// fieldOf strips where the field is: body.target is target.
func fieldOf(location string) string {
	for _, in := range []string{"body.", "query.", "path."} {
		if f, ok := strings.CutPrefix(location, in); ok {
			return f
		}
	}
	return location
}

// unreachable says that no answer came from the server.
func unreachable(server string, err error) error {
	return engine.Errorf(engine.Unavailable,
		"no answer from the server at %s: %v; start one with `flowctl server`, or name another with --server or FLOWCTL_SERVER",
		server, err)
}
