package request

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"flowctl/plugins/sdk"
)

// A peer has timeout for its answer. One that asks to come back later is asked again within a call when that is within patience.
const (
	timeout  = 30 * time.Second
	patience = 30 * time.Second
)

// maxAnswer is how much of an answer is read.
const maxAnswer = 64 << 10

// Sender sends requests. It is safe for concurrent use.
type Sender struct {
	client *http.Client
	now    func() time.Time
	wait   func(context.Context, time.Duration) error
}

// New returns a sender that signs with the time of a clock, and takes proxies from the environment.
func New(now func() time.Time) *Sender {
	return &Sender{
		client: &http.Client{
			Transport: http.DefaultTransport.(*http.Transport).Clone(), Timeout: timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		now: now, wait: wait,
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Send fills a request in, sends it, and tells what became of it. Without a body or a form, the body is other, unless that is nil.
func (c *Sender) Send(ctx context.Context, s *Spec, f *Fields, other any) (sdk.Receipt, error) {
	receipt, later, err := c.once(ctx, s, f, other)
	if err != nil || later < 0 {
		return receipt, err
	}
	if deadline, ok := ctx.Deadline(); later > patience || ok && c.now().Add(later+timeout).After(deadline) {
		return receipt, nil
	}
	if err := c.wait(ctx, later); err != nil {
		return sdk.Receipt{}, err
	}
	receipt, _, err = c.once(ctx, s, f, other)
	return receipt, err
}

// once also returns how long the peer wants to be left alone; less than 0 when it did not say.
func (c *Sender) once(ctx context.Context, s *Spec, f *Fields, other any) (sdk.Receipt, time.Duration, error) {
	r, err := c.request(ctx, s, f, other)
	if err != nil {
		return sdk.Receipt{Message: err.Error()}, -1, nil
	}
	who := r.Method + " " + r.URL.Host
	a, err := c.client.Do(r)
	if ctx.Err() != nil {
		return sdk.Receipt{}, -1, ctx.Err()
	}
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) { // it shows the URL
			err = outer.Err
		}
		return sdk.Receipt{Retryable: true, Message: s.blank(fmt.Sprintf("%s: %v", who, err))}, -1, nil
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(a.Body, maxAnswer))
	if err != nil {
		return sdk.Receipt{Retryable: true, Message: s.blank(fmt.Sprintf("%s: read the answer: %v", who, err))}, -1, nil
	}
	receipt := s.judge(a.StatusCode, text)
	receipt.Message = s.blank(who + ": " + receipt.Message)
	if !receipt.Retryable {
		return receipt, -1, nil
	}
	return receipt, retryAfter(a.Header.Get("Retry-After"), c.now()), nil
}

// request fills a request in.
func (c *Sender) request(ctx context.Context, s *Spec, f *Fields, other any) (*http.Request, error) {
	now := c.now()
	text, err := fill(s.URL, f)
	if err != nil {
		return nil, fmt.Errorf("with/url: %w", err)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, errors.New("with/url: the template gives no URL")
	}
	query := u.Query()
	more, err := fillMap(s.Query, f)
	if err != nil {
		return nil, fmt.Errorf("with/query/%w", err)
	}
	for name, value := range more {
		query.Set(name, value)
	}
	body, kind, err := s.payload(f, other, now)
	if err != nil {
		return nil, err
	}
	switch {
	case s.Secret == "":
	case s.Sign == signDingTalk:
		dingTalk(s.Secret, now, query)
	case s.Sign == signAliyun:
		aliyun(s.method(), s.User, s.Secret, f.Key, now, query)
	}
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, s.method(), u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("with/url: the template gives no URL")
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("User-Agent", "flowctl")
	r.Header.Set("Idempotency-Key", printable(f.Key))
	headers, err := fillMap(s.Headers, f)
	if err != nil {
		return nil, fmt.Errorf("with/headers/%w", err)
	}
	for name, value := range headers {
		r.Header.Set(name, printable(value))
	}
	if s.Secret != "" && cmp.Or(s.Sign, signHMAC) == signHMAC {
		r.Header.Set(SignatureHeader, signature(s.Secret, now, body))
	}
	if s.User != "" && s.Sign != signAliyun {
		r.SetBasicAuth(s.User, s.Password)
	}
	return r, nil
}

// payload fills the body in, and returns its type.
func (s *Spec) payload(f *Fields, other any, now time.Time) ([]byte, string, error) {
	if len(s.Form) > 0 {
		form, err := fillMap(s.Form, f)
		if err != nil {
			return nil, "", fmt.Errorf("with/form/%w", err)
		}
		values := url.Values{}
		for name, value := range form {
			values.Set(name, value)
		}
		return []byte(values.Encode()), "application/x-www-form-urlencoded", nil
	}
	template, err := s.body()
	if err != nil {
		return nil, "", fmt.Errorf("with/body: %w", err)
	}
	body, err := fillAll(template, f)
	if err != nil {
		return nil, "", fmt.Errorf("with/body: %w", err)
	}
	if body == nil && s.method() != http.MethodGet && s.Sign != signAliyun {
		body = other
	}
	switch body := body.(type) {
	case nil:
		return nil, "", nil
	case string:
		return []byte(body), "text/plain; charset=utf-8", nil
	case map[string]any:
		if s.Sign == signFeishu && s.Secret != "" {
			feishu(s.Secret, now, body)
		}
	}
	b, err := encode(body)
	return b, "application/json", err
}

// judge tells what an answer says.
func (s *Spec) judge(status int, answer []byte) sdk.Receipt {
	said := strconv.Itoa(status) + " " + http.StatusText(status)
	if text := strings.Join(strings.FieldsFunc(string(answer), func(r rune) bool { return unicode.IsControl(r) || r == ' ' }), " "); text != "" {
		if r := []rune(text); len(r) > 300 {
			text = string(r[:300]) + "…"
		}
		said += ": " + text
	}
	var document any
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	_ = d.Decode(&document) // what is no JSON has no fields
	taken := status >= 200 && status < 300
	if len(s.Success.Status) > 0 {
		taken = slices.Contains(s.Success.Status, status)
	}
	value := at(document, s.Success.Field)
	switch {
	case taken && (s.Success.Field == "" || among(s.Success.Is, value)):
		return sdk.Receipt{Delivered: true, Message: said, ID: at(document, s.ID)}
	case among(s.Success.Retry, value):
		return sdk.Receipt{Retryable: true, Message: said}
	case status >= 300 && status < 400:
		return sdk.Receipt{Message: said + " (redirects are not followed: write the URL that it leads to)"}
	}
	return sdk.Receipt{Retryable: status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout, Message: said}
}

// at returns the scalar at a path of names and indexes; empty when there is none.
func at(v any, path string) string {
	if path == "" {
		return ""
	}
	for name := range strings.SplitSeq(path, ".") {
		switch container := v.(type) {
		case map[string]any:
			v = container[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(container) {
				return ""
			}
			v = container[i]
		default:
			return ""
		}
	}
	switch v.(type) {
	case nil, map[string]any, []any:
		return ""
	}
	return fmt.Sprint(v)
}

func among(values []any, value string) bool {
	return value != "" && slices.ContainsFunc(values, func(v any) bool { return fmt.Sprint(v) == value })
}

// retryAfter reads the header of that name; less than 0 when it says nothing.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 && seconds < 1<<20 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return -1
}

// printable makes a header's value of any text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// shortest is how long a text of the settings must be to be blanked: a shorter one is no secret, and words of an answer would go with it.
const shortest = 8

// blank takes what may be secret out of a message: the settings' own texts, wherever an answer repeats them.
func (s *Spec) blank(message string) string {
	secrets := []string{s.Secret, s.Password}
	hide := func(_, text string) {
		for _, piece := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" /?&=", r) }) {
			if len(piece) >= shortest && !strings.Contains(piece, "{{") {
				secrets = append(secrets, piece)
			}
		}
	}
	if u, err := url.Parse(s.URL); err == nil {
		password, _ := u.User.Password()
		secrets = append(secrets, password)
		hide("", u.Path)
		hide("", u.RawQuery)
	}
	for _, group := range []map[string]string{s.Headers, s.Query, s.Form} {
		for _, key := range slices.Sorted(maps.Keys(group)) {
			hide("", group[key])
		}
	}
	body, _ := s.body()
	eachText(body, "", hide)
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // the longest first: another may be a part of it
	for _, secret := range secrets {
		if secret != "" {
			message = strings.ReplaceAll(message, secret, "***")
		}
	}
	return message
}
