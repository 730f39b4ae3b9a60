package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flowctl/engine"
)

// ClientOptions say which server to talk to.
type ClientOptions struct {
	BaseURL string // http://127.0.0.1:7400
	Token   string
	// Interrupted is told, once for each interruption, what broke a stream that is being opened again; nil = nobody is.
	Interrupted func(error)
	// Silence is how long an event stream may be without a sign of life; 0 = 45 seconds.
	Silence time.Duration
}

// client is an engine.Service over HTTP. It is safe for concurrent use and keeps its connections.
type client struct {
	ClientOptions
	http *http.Client
}

const (
	dialTimeout = 5 * time.Second
	connections = 256 // kept idle: as many callers at once reuse theirs
	silence     = 3 * heartbeat
)

// NewClient returns a Service that asks the server at o.BaseURL. It connects with the first call.
func NewClient(o ClientOptions) (engine.Service, error) {
	if !strings.Contains(o.BaseURL, "://") {
		o.BaseURL = "http://" + o.BaseURL
	}
	u, err := url.Parse(o.BaseURL)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, engine.Errorf(engine.Invalid, "%q is no server address; write http://host:port", o.BaseURL)
	}
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	if o.Silence == 0 {
		o.Silence = silence
	}
	dial := net.Dialer{Timeout: dialTimeout}
	return &client{o, &http.Client{Transport: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dial.DialContext,
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConns:        connections,
		MaxIdleConnsPerHost: connections,
		IdleConnTimeout:     idleTimeout / 2, // before the server ends it
		DisableCompression:  true,
	}}}, nil
}

// params are query parameters; empty and zero ones are left out.
type params url.Values

func (p params) set(key, value string) params {
	if value != "" {
		p[key] = []string{value}
	}
	return p
}

func (p params) number(key string, n int64) params {
	if n != 0 {
		p[key] = []string{strconv.FormatInt(n, 10)}
	}
	return p
}

func (p params) instant(key string, t time.Time) params {
	if !t.IsZero() {
		p[key] = []string{t.Format(time.RFC3339Nano)}
	}
	return p
}

func pageOf(p engine.Page) params {
	return params{}.set("cursor", p.Cursor).number("limit", int64(p.Limit))
}

func fetch[O any](ctx context.Context, c *client, path string, q params) (*O, error) {
	return call[O](ctx, c, http.MethodGet, path, q, nil)
}

func submit[O any](ctx context.Context, c *client, path string, in any) (*O, error) {
	return call[O](ctx, c, http.MethodPost, path, nil, in)
}

// call sends one request and reads its answer. Nothing is sent twice: the outcome of a broken request is unknown.
func call[O any](ctx context.Context, c *client, method, path string, q params, in any) (*O, error) {
	resp, err := c.open(ctx, method, path, q, in)
	if err != nil {
		return nil, err
	}
	defer drain(resp.Body)
	out := new(O)
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, unreachable(c.BaseURL, fmt.Errorf("its answer to %s %s cannot be read: %w", method, path, err))
	}
	return out, nil
}

// open sends a request and returns the answer when it is a success.
func (c *client) open(ctx context.Context, method, path string, q params, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	address := c.BaseURL + "/api/v1" + path
	if len(q) > 0 {
		address += "?" + url.Values(q).Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, unreachable(c.BaseURL, plainCause(err))
	}
	if resp.StatusCode/100 != 2 {
		defer drain(resp.Body)
		return nil, readProblem(c.BaseURL, resp)
	}
	return resp, nil
}

// plainCause leaves out the method and address that url.Error puts before the cause.
func plainCause(err error) error {
	if u, ok := err.(*url.Error); ok {
		return u.Err
	}
	return err
}

// drain reads what is left, so that the connection can be used again.
func drain(r io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, r, 64<<10)
	_ = r.Close()
}
