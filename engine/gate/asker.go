package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"flowctl/engine"
)

const (
	atOnce  = 32               // questions being put
	retries = 3                // of a question that cannot be put
	pause   = time.Second      // before the first of them; each further one takes twice as long
	limit   = 30 * time.Second // for a gate to take a question
	most    = 64 << 10         // bytes of an answer that are read
)

// Options are what an Asker works with.
type Options struct {
	Secret Secret
	URL    string                                         // of the server, as gates reach it: http://flows.example.com:7400
	Told   func(context.Context, engine.GateReport) error // takes what became of each question
	Pause  time.Duration                                  // before the first repetition; 0 = a second
	Log    *slog.Logger
}

// Asker puts questions to gates.
type Asker struct {
	Options
	client *http.Client
	wake   chan struct{}

	mu    sync.Mutex
	queue []engine.GateQuestion
}

// New returns an Asker, which asks once it runs.
func New(o Options) *Asker {
	if o.Pause == 0 {
		o.Pause = pause
	}
	return &Asker{
		Options: o, wake: make(chan struct{}, 1),
		client: &http.Client{
			Transport:     http.DefaultTransport.(*http.Transport).Clone(),
			Timeout:       limit,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Ask takes questions and returns at once.
func (a *Asker) Ask(qs []engine.GateQuestion) {
	a.mu.Lock()
	a.queue = append(a.queue, qs...)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default: // it will look anyway
	}
}

func (a *Asker) take() []engine.GateQuestion {
	a.mu.Lock()
	defer a.mu.Unlock()
	qs := a.queue
	a.queue = nil
	return qs
}

// Run puts the questions until ctx ends. What has not been told by then is asked again by the machine of the next start.
func (a *Asker) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer a.client.CloseIdleConnections()
	defer running.Wait()
	slots := make(chan struct{}, atOnce)
	for {
		for _, q := range a.take() {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
			running.Go(func() {
				defer func() { <-slots }()
				a.settle(ctx, q)
			})
		}
		select {
		case <-a.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// settle puts one question and tells what became of it.
func (a *Asker) settle(ctx context.Context, q engine.GateQuestion) {
	report := engine.GateReport{GateKey: q.GateKey}
	var err error
	if report.Answer, err = a.insist(ctx, q); err != nil {
		report.Error = err.Error()
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		a.Log.Warn("a gate could not be asked", "task_run", q.TaskRun, "gate", engine.GateAddress(q.URL), "err", err)
	}
	if err := a.Told(ctx, report); err != nil && ctx.Err() == nil {
		a.Log.Warn("what became of a question to a gate could not be noted", "task_run", q.TaskRun, "err", err)
	}
}

// insist puts a question, and repeats it when the gate may take it later.
func (a *Asker) insist(ctx context.Context, q engine.GateQuestion) (*engine.GateAnswer, error) {
	rest := a.Pause
	for try := 0; ; try++ {
		answer, err := a.put(ctx, q)
		var refused *refusal
		if err == nil || try == retries || errors.As(err, &refused) && !refused.passing {
			return answer, err
		}
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		rest *= 2
	}
}

// question is the JSON form of a GateQuestion.
type question struct {
	TaskRun     string       `json:"task_run"`
	Flow        string       `json:"flow"`
	Task        string       `json:"task"`
	Run         engine.RunID `json:"run"`
	Version     int          `json:"version"`
	Period      string       `json:"period"`
	PeriodStart time.Time    `json:"period_start"`
	PeriodEnd   time.Time    `json:"period_end"`
	AskedAt     time.Time    `json:"asked_at"`
	TimeoutS    float64      `json:"timeout_s,omitempty"`
	CallbackURL string       `json:"callback_url"`
}

func (a *Asker) form(q engine.GateQuestion) question {
	f := question{
		TaskRun: q.TaskRun, Flow: q.Flow, Task: q.Task, Run: q.Run, Version: q.Version, Period: q.Label,
		PeriodStart: q.PeriodStart.Time(), PeriodEnd: q.PeriodEnd.Time(), AskedAt: q.Asked.Time(),
		CallbackURL: strings.TrimSuffix(a.URL, "/") + "/api/v1/gates/" + a.Secret.Token(q.GateKey),
	}
	if q.Until != 0 {
		f.TimeoutS = q.Until.Sub(q.Asked).Seconds()
	}
	return f
}

// put sends a question, and returns the answer if the gate gives it at once.
func (a *Asker) put(ctx context.Context, q engine.GateQuestion) (*engine.GateAnswer, error) {
	body, err := json.Marshal(a.form(q))
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, q.URL, bytes.NewReader(body))
	if err != nil {
		return nil, bare(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, bare(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	switch {
	case resp.StatusCode/100 != 2:
		return nil, refusalOf(resp)
	case err != nil:
		return nil, fmt.Errorf("its answer broke off: %w", err)
	}
	return verdict(text)
}

// verdict reads the answer that a gate gives at once; nil when it gives none.
func verdict(text []byte) (*engine.GateAnswer, error) {
	var given struct {
		Release *bool  `json:"release"`
		Message string `json:"message"`
	}
	if !json.Valid(text) || len(bytes.TrimSpace(text)) == 0 || bytes.TrimSpace(text)[0] != '{' {
		return nil, nil
	}
	if err := json.Unmarshal(text, &given); err != nil {
		return nil, &refusal{text: "its answer is not as expected: " + err.Error()}
	}
	if given.Release == nil {
		return nil, nil
	}
	return &engine.GateAnswer{Release: *given.Release, Message: short(given.Message)}, nil
}

// short bounds what a gate says, as the callback does.
func short(message string) string {
	const longest = 1000
	if len(message) <= longest {
		return message
	}
	return strings.ToValidUTF8(message[:longest], "") + "…"
}

// refusal says that a gate answered, and did not take the question.
type refusal struct {
	text    string
	passing bool // it may take it later
}

func (r *refusal) Error() string { return r.text }

func refusalOf(resp *http.Response) error {
	r := &refusal{text: "it answered " + resp.Status, passing: resp.StatusCode/100 == 5 || resp.StatusCode == http.StatusTooManyRequests}
	if resp.StatusCode/100 == 3 {
		r.text += ": write the URL that it redirects to"
	}
	return r
}

// bare leaves out the URL that net/http puts before the cause: it may hold a password.
func bare(err error) error {
	var where *url.Error
	if errors.As(err, &where) {
		return where.Err
	}
	return err
}
