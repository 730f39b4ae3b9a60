// Package http is the sensor for http:// and https:// URLs, and for tcp://HOST:PORT.
//
// A URL exists when a HEAD request, or a GET where HEAD is not allowed, is answered by 2xx; redirects are followed. 404 and 410 say that it
// does not, any other answer that the check failed. For one whose path ends in /, the marker _SUCCESS below it is asked for. A user and a password in the URL are
// sent as basic authentication, and appear in no message.
//
// tcp://HOST:PORT exists when a connection is accepted there. It has no version.
//
// The version is the ETag, or else the time of the last change with the length: a server that sends neither cannot tell.
package http

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"flowctl/plugins/sdk"
)

// A server has timeout for its answer, and is asked about parallel URLs at once.
const (
	timeout  = 20 * time.Second
	parallel = 32
)

// Sensor is the http sensor.
type Sensor struct{ client *http.Client }

// New returns a sensor that takes proxies from the environment.
func New() Sensor {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = parallel
	return Sensor{client: &http.Client{Transport: transport, Timeout: timeout}}
}

// Describe implements sdk.Plugin.
func (Sensor) Describe() sdk.Description {
	return sdk.Description{
		Name: "http", Version: "1", Kind: sdk.KindSensor, Schema: json.RawMessage(`{"type":"object","additionalProperties":false}`),
	}
}

// Validate implements sdk.Plugin.
func (Sensor) Validate(with json.RawMessage) []sdk.Problem {
	return sdk.DecodeWith(with, &struct{}{})
}

// Check implements sdk.Sensor.
func (s Sensor) Check(ctx context.Context, _ string, paths []string) ([]sdk.PathState, error) {
	return sdk.CheckEach(ctx, paths, parallel, s.check)
}

func (s Sensor) check(ctx context.Context, path string) (sdk.PathState, error) {
	u, err := url.Parse(path)
	if err != nil {
		return sdk.PathState{}, fmt.Errorf("not a URL: %w", err.(*url.Error).Err) // the error itself shows the whole text
	}
	if u.Scheme == "tcp" && u.Port() != "" {
		return dial(ctx, u.Host)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return sdk.PathState{}, fmt.Errorf("%s is no http:// or https:// URL with a host, nor tcp://HOST:PORT", u.Redacted())
	}
	if strings.HasSuffix(u.Path, "/") {
		u = u.JoinPath(sdk.Marker)
	}
	method := http.MethodHead
	state, status, err := s.ask(ctx, method, u)
	if err == nil && (status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented) {
		method = http.MethodGet
		state, status, err = s.ask(ctx, method, u)
	}
	switch {
	case err != nil:
		return sdk.PathState{}, err
	case 200 <= status && status < 300:
		return state, nil
	case status == http.StatusNotFound || status == http.StatusGone:
		return sdk.PathState{}, nil
	}
	return sdk.PathState{}, fmt.Errorf("%s %s: %d %s", method, u.Redacted(), status, http.StatusText(status))
}

func dial(ctx context.Context, address string) (sdk.PathState, error) {
	connection, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return sdk.PathState{}, err
	}
	_ = connection.Close() // that it was accepted is the answer
	return sdk.PathState{Exists: true}, nil
}

// ask sends one request. The state is that of an answer of 2xx.
func (s Sensor) ask(ctx context.Context, method string, u *url.URL) (state sdk.PathState, status int, err error) {
	request, err := http.NewRequestWithContext(ctx, method, u.String(), http.NoBody)
	if err != nil {
		return sdk.PathState{}, 0, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return sdk.PathState{}, 0, err
	}
	_ = response.Body.Close() // the header is the answer
	h := response.Header
	state.Exists = true
	switch {
	case h.Get("ETag") != "":
		state.Version = h.Get("ETag")
	case h.Get("Last-Modified") != "":
		state.Version = fmt.Sprintf("%s %d", h.Get("Last-Modified"), response.ContentLength)
	}
	return state, response.StatusCode, nil
}
