package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"flowctl/engine"
	"flowctl/engine/api"
)

const stubToken = "s3cret"

// stub is a server behind the real API; each test fills in what it needs, and a call of anything else is an internal error.
type stub struct {
	engine.Service
	runs     []engine.RunView
	detail   []engine.RunDetail // one after the other, for watchers
	attempts []engine.AttemptView
	logs     map[engine.AttemptID]string
	backfill []engine.BackfillView
	preview  engine.BackfillPreview
	revision engine.RevisionView
	err      error
	hang     bool // watches never end

	mu   sync.Mutex
	seen []any // requests
}

func (s *stub) note(r any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r)
}

func (s *stub) Runs(_ context.Context, q engine.RunsQuery) (*engine.List[engine.RunView], error) {
	s.note(q)
	l := &engine.List[engine.RunView]{Items: s.runs}
	if q.Limit > 0 && q.Limit < len(s.runs) {
		l.Items, l.Next = s.runs[:q.Limit], "more"
	}
	return l, s.err
}

func (s *stub) FindRuns(_ context.Context, target string) ([]engine.RunView, error) {
	s.note(target)
	return s.runs, s.err
}

func (s *stub) Run(context.Context, engine.RunID) (*engine.RunDetail, error) {
	return &s.detail[len(s.detail)-1], s.err
}

func (s *stub) StartRun(_ context.Context, r engine.StartRun) (*engine.RunView, error) {
	s.note(r)
	if s.err != nil {
		return nil, s.err
	}
	return &s.runs[0], nil
}

func (s *stub) Rerun(_ context.Context, r engine.RerunRequest) ([]engine.RunView, error) {
	s.note(r)
	return s.runs, s.err
}

func (s *stub) Succeed(_ context.Context, r engine.SucceedRequest) ([]engine.TaskRunView, error) {
	s.note(r)
	return sampleTasks(), s.err
}

func (s *stub) SetSignal(_ context.Context, r engine.SignalRequest) (*engine.SignalView, error) {
	s.note(r)
	return &engine.SignalView{Name: r.Signal, Schedule: "day UTC", Set: []engine.SetPeriodView{{Period: "2026-11-19"}}}, s.err
}

func (s *stub) Kill(_ context.Context, target string) ([]engine.TaskRunView, error) {
	s.note(target)
	return nil, s.err
}

func (s *stub) WatchRun(ctx context.Context, _ engine.RunID, f func(engine.RunDetail) error) error {
	for _, d := range s.detail {
		if err := f(d); err != nil {
			return err
		}
	}
	return s.maybeHang(ctx)
}

func (s *stub) maybeHang(ctx context.Context) error {
	if s.hang {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (s *stub) Attempts(context.Context, engine.AttemptsQuery) (*engine.List[engine.AttemptView], error) {
	return &engine.List[engine.AttemptView]{Items: s.attempts}, s.err
}

func (s *stub) Logs(_ context.Context, id engine.AttemptID, offset int64, _ bool, w io.Writer) error {
	text, ok := s.logs[id]
	if !ok {
		return engine.Errorf(engine.NotFound, "no log of attempt %d", id)
	}
	_, err := io.WriteString(w, text[offset:])
	return err
}

func (s *stub) PreviewBackfill(context.Context, engine.BackfillRequest) (*engine.BackfillPreview, error) {
	return &s.preview, s.err
}

func (s *stub) StartBackfill(_ context.Context, r engine.BackfillRequest) (*engine.BackfillView, error) {
	s.note(r)
	return &s.backfill[0], s.err
}

func (s *stub) WatchBackfill(ctx context.Context, _ engine.BackfillID, f func(engine.BackfillView) error) error {
	for _, b := range s.backfill {
		if err := f(b); err != nil {
			return err
		}
	}
	return s.maybeHang(ctx)
}

func (s *stub) Sync(context.Context) (*engine.RevisionView, error) { return &s.revision, s.err }

// type result is what a command line did.
type result struct {
	code     int
	out, err string
}

// flowctl runs a command line against the stub.
func flowctl(t *testing.T, s *stub, args ...string) result {
	t.Helper()
	srv := httptest.NewServer(api.NewServer(api.Options{Service: s, Token: stubToken}))
	defer srv.Close()
	var out, errOut bytes.Buffer
	code := Main(append([]string{"--server", srv.URL, "--token", stubToken}, args...), strings.NewReader(""), &out, &errOut)
	return result{code, out.String(), errOut.String()}
}

// want fails the test unless the code is right and the streams hold the texts.
func (r result) want(t *testing.T, code int, out, errOut string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.out, out) || !strings.Contains(r.err, errOut) {
		t.Errorf("exit code %d, want %d\nstdout, wants %q:\n%s\nstderr, wants %q:\n%s", r.code, code, out, r.out, errOut, r.err)
	}
}

func runOf(state engine.RunState, tasks ...engine.State) engine.RunDetail {
	d := engine.RunDetail{RunView: engine.RunView{ID: 1, Name: "f@2026-11-19", Flow: "f", Period: "2026-11-19", State: state}, Tasks: []engine.TaskRunView{}}
	for i, s := range tasks {
		name := string(rune('a' + i))
		t := engine.TaskRunView{Name: "f/" + name + "@2026-11-19", Task: name, Run: 1, State: s}
		if s != engine.Waiting && s != engine.UpstreamFailed {
			t.Attempt = engine.AttemptID(i + 1)
		}
		d.Tasks = append(d.Tasks, t)
	}
	return d
}

func TestRunWait(t *testing.T) {
	t.Parallel()
	first := runOf(engine.RunActive, engine.Running, engine.Waiting)
	good := &stub{runs: []engine.RunView{first.RunView}, detail: []engine.RunDetail{
		first, runOf(engine.RunActive, engine.Succeeded, engine.Running), runOf(engine.RunSucceeded, engine.Succeeded, engine.Succeeded),
	}}
	r := flowctl(t, good, "run", "f", "--wait", "--param", "x=a=b", "--force")
	r.want(t, exitOK, "f@2026-11-19  succeeded", "")
	for _, line := range []string{"f/a@2026-11-19  running", "f/a@2026-11-19  succeeded", "f/b@2026-11-19  waiting", "f/b@2026-11-19  running"} {
		if strings.Count(r.out, line) != 1 {
			t.Errorf("%q is not told once:\n%s", line, r.out)
		}
	}
	asked := good.seen[0].(engine.StartRun)
	if asked.Target != "f" || asked.Params["x"] != "a=b" || !asked.Force || asked.Extra {
		t.Errorf("asked %+v", asked)
	}

	bad := &stub{runs: good.runs, detail: []engine.RunDetail{first, runOf(engine.RunFailed, engine.Failed, engine.UpstreamFailed)}}
	r = flowctl(t, bad, "run", "f", "--wait", "-o", "json")
	r.want(t, exitProblems, `"state": "failed"`, "failed at a; see `flowctl logs f/a@2026-11-19`")
	var d engine.RunDetail
	if err := json.Unmarshal([]byte(r.out), &d); err != nil || len(d.Tasks) != 2 {
		t.Errorf("stdout is not one run: %v\n%s", err, r.out)
	}

	slow := &stub{runs: good.runs, detail: []engine.RunDetail{first}, hang: true}
	flowctl(t, slow, "run", "f", "--wait", "--wait-timeout", "50ms").want(t, exitPending, "", "did not end within 50ms")
}

func TestRunPrintsItsName(t *testing.T) {
	t.Parallel()
	s := &stub{runs: []engine.RunView{{ID: 1, Name: "f@2026-11-19#3"}}}
	if r := flowctl(t, s, "run", "f@2026-11-19"); r.code != exitOK || r.out != "f@2026-11-19#3\n" {
		t.Errorf("%+v", r)
	}
	flowctl(t, s, "run", "f", "-o", "yaml").want(t, exitOK, "id: 1\nname: ", "")
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for code, err := range map[int]error{
		exitUsage:        engine.Errorf(engine.Invalid, "no such period"),
		exitProblems:     engine.Errorf(engine.NotFound, "no flow f"),
		exitUnauthorized: engine.Errorf(engine.Unauthorized, "not yours"),
		exitUnavailable:  engine.Errorf(engine.Unavailable, "no leader"),
	} {
		flowctl(t, &stub{err: err}, "run", "f").want(t, code, "", "flowctl: "+err.Error())
	}
	flowctl(t, &stub{err: errors.New("boom")}, "run", "f").want(t, exitUnavailable, "", "internal error")
	for _, args := range []string{
		"nonsense", "get", "run", "run f g", "run .x", "get runs -o xml", "get runs --limit -1", "get runs --no-such-flag", "get something",
		"run f --param novalue", "run f --param a=1 --param a=2", "run f --wait-timeout 5s", "backfill --from a --to b", "backfill f",
		"backfill f --all --from a --to b", "backfill pause x", "rerun f --failed --from-task a", "describe f@a..b..c", "agents token --ttl 0s",
		"succeed f/a -o xml",
	} {
		r := flowctl(t, &stub{}, strings.Fields(args)...)
		if args == "get" {
			r.want(t, exitOK, "Usage:", "")
			continue
		}
		r.want(t, exitUsage, "", "flowctl: ")
	}
	var out, errOut bytes.Buffer
	code := Main([]string{"--server", "http://127.0.0.1:1", "get", "runs"}, nil, &out, &errOut)
	result{code, out.String(), errOut.String()}.want(t, exitUnavailable, "", "http://127.0.0.1:1")
}

func TestGetRuns(t *testing.T) {
	t.Parallel()
	s := &stub{runs: []engine.RunView{sampleRun(), sampleRun()}}
	flowctl(t, s, "get", "runs", "f@2026-11-19", "--state", "failed", "--kind", "rerun", "--backfill", "3", "--limit", "1").
		want(t, exitOK, "warehouse.orders@2026-11-19#2  failed", "--cursor more")
	want := engine.RunsQuery{Page: engine.Page{Limit: 1}, Target: "f@2026-11-19", State: engine.RunFailed, Kind: engine.Rerun, Backfill: 3}
	if s.seen[0] != want {
		t.Errorf("asked %+v, want %+v", s.seen[0], want)
	}
	r := flowctl(t, s, "get", "runs", "-o", "json")
	var list engine.List[engine.RunView]
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list.Items) != 2 || r.err != "" {
		t.Errorf("%v, stderr %q:\n%s", err, r.err, r.out)
	}
	flowctl(t, &stub{}, "get", "runs").want(t, exitOK, "", "nothing found")
	flowctl(t, &stub{}, "get", "runs", "-o", "json").want(t, exitOK, `"items": []`, "")
}

func TestLogs(t *testing.T) {
	t.Parallel()
	d := runOf(engine.RunSucceeded, engine.Succeeded, engine.Succeeded, engine.Waiting)
	s := &stub{
		runs: []engine.RunView{d.RunView}, detail: []engine.RunDetail{d}, logs: map[engine.AttemptID]string{1: "one\n", 2: "two\n", 9: "nine\n"},
		attempts: []engine.AttemptView{{ID: 2, No: 2}, {ID: 9, No: 1}},
	}
	if r := flowctl(t, s, "logs", "f/b@2026-11-19"); r.code != exitOK || r.out != "two\n" {
		t.Errorf("%+v", r)
	}
	flowctl(t, s, "logs", "f").want(t, exitOK, "==> f/a@2026-11-19 (succeeded) <==\none\n==> f/b@2026-11-19 (succeeded) <==\ntwo\n", "")
	flowctl(t, s, "logs", "f/b", "--attempt", "1").want(t, exitOK, "nine\n", "")
	flowctl(t, s, "logs", "f/b", "--attempt", "3").want(t, exitProblems, "", "has no attempt 3")
	flowctl(t, s, "logs", "f/c").want(t, exitProblems, "", "flowctl explain f@2026-11-19")
	flowctl(t, s, "logs", "f/x").want(t, exitProblems, "", "has no task x")
	flowctl(t, s, "logs", "-f", "f").want(t, exitUsage, "", "name one")
	flowctl(t, s, "logs", "-f", "f/c").want(t, exitProblems, "", "never started")
	flowctl(t, &stub{}, "logs", "f").want(t, exitProblems, "", "flowctl run f")
	flowctl(t, &stub{runs: []engine.RunView{d.RunView, d.RunView}}, "logs", "f/a@2026-11-19").want(t, exitUsage, "", "names 2 runs")
}

// TestFollowGoesOnOverRetries has a task that waits, runs, is retried and succeeds.
func TestFollowGoesOnOverRetries(t *testing.T) {
	t.Parallel()
	step := func(run engine.RunState, state engine.State, attempt engine.AttemptID) engine.RunDetail {
		d := runOf(run, state)
		d.Tasks[0].Attempt = attempt
		return d
	}
	s := &stub{
		detail: []engine.RunDetail{
			step(engine.RunActive, engine.Waiting, 0), step(engine.RunActive, engine.Running, 1), step(engine.RunActive, engine.Retrying, 1),
			step(engine.RunActive, engine.Running, 2), step(engine.RunSucceeded, engine.Succeeded, 2),
		},
		logs: map[engine.AttemptID]string{1: "failing\n", 2: "working\n"},
	}
	s.runs = []engine.RunView{s.detail[0].RunView}
	// The stub tells each watcher the whole story, so the second one must pass over the first attempt.
	var out bytes.Buffer
	l := logReader{&globals{streams: streams{out: &out}}, &replay{stub: s}, 1, "a", false}
	if err := l.follow(t.Context()); err != nil || out.String() != "failing\nworking\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// replay is a stub whose watchers go on where the last one stopped, as time does.
type replay struct {
	*stub
	at int
}

func (r *replay) WatchRun(_ context.Context, _ engine.RunID, f func(engine.RunDetail) error) error {
	for ; r.at < len(r.detail); r.at++ {
		if err := f(r.detail[r.at]); err != nil {
			return err
		}
	}
	return nil
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	step := func(state engine.BackfillState, succeeded, failed int) engine.BackfillView {
		return engine.BackfillView{ID: 3, State: state, Flows: []string{"f"}, From: "2026-11-01", To: "2026-11-07", Total: 40, Succeeded: succeeded, Failed: failed}
	}
	s := &stub{backfill: []engine.BackfillView{
		step(engine.BackfillRunning, 0, 0), step(engine.BackfillRunning, 1, 0), step(engine.BackfillRunning, 20, 0), step(engine.BackfillDone, 40, 0),
	}}
	args := []string{"backfill", "f", "--from", "2026-11-01", "--to", "2026-11-07"}
	r := flowctl(t, s, append(args, "--wait", "--max-active", "4", "--missing-upstream", "ignore")...)
	r.want(t, exitOK, "backfill 3 is done: 40 succeeded, 0 failed", " 50%  20 of 40 runs ended")
	if n := strings.Count(r.err, "\n"); n != 3 {
		t.Errorf("%d lines of progress, want those of 0%%, 50%% and 100%%:\n%s", n, r.err)
	}
	asked := s.seen[0].(engine.BackfillRequest)
	if asked.MaxActive != 4 || asked.MissingUpstream != "ignore" || asked.Reprocess != "missing" || len(asked.Flows) != 1 {
		t.Errorf("asked %+v", asked)
	}
	flowctl(t, s, args...).want(t, exitOK, "backfill 3: 40 runs of f, 2026-11-01..2026-11-07", "")

	redone := step(engine.BackfillDone, 1, 0)
	redone.Skipped = 39
	s.backfill = []engine.BackfillView{step(engine.BackfillRunning, 0, 0), redone}
	flowctl(t, s, append(args, "--wait")...).want(t, exitOK, "1 succeeded, 0 failed, 39 periods left alone because a run existed", "100%  40 of 40")

	s.backfill = []engine.BackfillView{step(engine.BackfillRunning, 0, 0), step(engine.BackfillDone, 39, 1)}
	flowctl(t, s, append(args, "--wait")...).want(t, exitProblems, "1 failed", "1 run failed; see `flowctl get runs --backfill 3 --state failed")
	s.backfill = []engine.BackfillView{step(engine.BackfillRunning, 0, 0), step(engine.BackfillCancelled, 5, 0)}
	flowctl(t, s, append(args, "--wait")...).want(t, exitProblems, "", "was cancelled")
	s.hang = true
	flowctl(t, s, append(args, "--wait", "--wait-timeout", "50ms")...).want(t, exitPending, "", "backfill 3 did not end")

	s.preview = engine.BackfillPreview{Total: 1001, Items: []engine.BackfillDecision{}, Missing: []string{}}
	s.seen = nil
	flowctl(t, s, args...).want(t, exitUsage, "", "creates 1001 runs; give --yes")
	flowctl(t, s, append(args, "--dry-run")...).want(t, exitOK, "1001 runs would be created", "")
	if len(s.seen) != 0 {
		t.Errorf("something was started: %v", s.seen)
	}
	flowctl(t, s, append(args, "--yes")...).want(t, exitOK, "backfill 3", "")
}

func TestSync(t *testing.T) {
	t.Parallel()
	flowctl(t, &stub{revision: sampleRevisions()[1]}, "sync").want(t, exitOK, "revision 3 is active: commit 0123456789, 12 flows", "")
	flowctl(t, &stub{revision: sampleRevisions()[0]}, "sync").
		want(t, exitProblems, "orders.yaml:12:7: error: no task extrct [unknown-task]", "stays active")
}

func TestOperatorVerbs(t *testing.T) {
	t.Parallel()
	s := &stub{runs: []engine.RunView{sampleRun()}}
	flowctl(t, s, "rerun", "f@2026-11-19", "--from-task", "load", "--at", "original", "--kill").want(t, exitOK, "warehouse.orders@2026-11-19#2\n", "")
	if want := (engine.RerunRequest{Target: "f@2026-11-19", FromTask: "load", Cascade: "none", At: "original", Kill: true}); s.seen[0] != want {
		t.Errorf("asked %+v, want %+v", s.seen[0], want)
	}
	s.seen = nil
	flowctl(t, s, "succeed", "f/load@2026-11-19", "--output", "rows=12", "-o", "json").want(t, exitOK, `"items": [`, "")
	if r := s.seen[0].(engine.SucceedRequest); r.Outputs["rows"] != "12" {
		t.Errorf("asked %+v", r)
	}
	s.seen = nil
	flowctl(t, s, "signal", "set", "crm.export", "2026-11-19").want(t, exitOK, "crm.export", "")
	flowctl(t, s, "signal", "unset", "crm.export", "2026-11-19", "-o", "json").want(t, exitOK, `"period": "2026-11-19"`, "")
	if set := (engine.SignalRequest{Signal: "crm.export", Period: "2026-11-19"}); s.seen[0] != set || s.seen[1] != (engine.SignalRequest{Signal: set.Signal, Period: set.Period, Unset: true}) {
		t.Errorf("asked %+v", s.seen)
	}
	s.seen = nil
	flowctl(t, s, "kill", "f@2026-11-19").want(t, exitOK, "", "nothing found")
	if s.seen[0] != "f@2026-11-19" {
		t.Errorf("asked %v", s.seen)
	}
}

func TestWhereTheServerIs(t *testing.T) {
	t.Parallel()
	s := &stub{runs: []engine.RunView{sampleRun()}}
	srv := httptest.NewServer(api.NewServer(api.Options{Service: s, Token: stubToken}))
	defer srv.Close()
	data := t.TempDir()
	tokenFile := filepath.Join(data, "token")
	for name, text := range map[string]string{"server-url": srv.URL, "admin-token": stubToken, "token": stubToken} {
		if err := os.WriteFile(filepath.Join(data, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		g    globals
		env  map[string]string
		code engine.Code // empty = works
	}{
		"flags":             {globals{server: srv.URL, token: stubToken}, nil, ""},
		"data folder":       {globals{data: data}, nil, ""},
		"data folder's env": {globals{}, map[string]string{"FLOWCTL_DATA": data}, ""},
		"environment":       {globals{}, map[string]string{"FLOWCTL_SERVER": srv.URL, "FLOWCTL_TOKEN": stubToken}, ""},
		"token file":        {globals{server: srv.URL}, map[string]string{"FLOWCTL_TOKEN_FILE": tokenFile}, ""},
		"flag beats env":    {globals{server: srv.URL, token: stubToken}, map[string]string{"FLOWCTL_TOKEN": "wrong"}, ""},
		"no token":          {globals{server: srv.URL}, nil, engine.Unauthorized},
		"wrong token":       {globals{data: data}, map[string]string{"FLOWCTL_TOKEN": "wrong"}, engine.Unauthorized},
	} {
		g := test.g
		g.output = formTable
		g.env = func(k string) string { return test.env[k] }
		svc, err := g.client()
		if err == nil {
			_, err = svc.Runs(t.Context(), engine.RunsQuery{})
		}
		var e *engine.Error
		if test.code == "" && err != nil || test.code != "" && (!errors.As(err, &e) || e.Code != test.code) {
			t.Errorf("%s: %v, want %q", name, err, test.code)
		}
	}
}
