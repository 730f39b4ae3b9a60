package sdktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
)

// Suite tells the conformance suite how to reach the commands of a runner.
type Suite struct {
	Commander process.Commander
	// Script returns a spec that makes the runner replace itself with `/bin/sh -c script sh ARGS…`.
	Script func(script string) sdk.Spec
	// Elsewhere says that commands start in a copy of their folder, with the environment of another host, on which this one's files are seen.
	Elsewhere bool
}

// Process is a process of a runner plugin, as its host sees it.
type Process interface {
	sdk.Runner
	sdk.Leaser
}

// Runner tests that a runner starts, logs, ends, kills and recovers attempts as package sdk promises.
func Runner(t *testing.T, s Suite) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, *bench)
	}{
		{"describe", describe},
		{"ends", ends},
		{"log order", logOrder},
		{"big log", bigLog},
		{"log while it runs", liveLog},
		{"environment, folder and arguments", surroundings},
		{"cannot start", cannotStart},
		{"timeout kills the tree", timeoutTree},
		{"timeout respects the grace", timeoutGrace},
		{"timeout is stronger than the task", timeoutStubborn},
		{"kill", kill},
		{"leftovers", leftovers},
		{"daemon", daemon},
		{"start twice", startTwice},
		{"recover what never started", recoverNever},
		{"recover by another process", recoverElsewhere},
		{"unknown", unknown},
		{"cancelled wait", cancelledWait},
		{"lease ends", leaseEnds},
		{"lease is renewed", leaseRenewed},
		{"lease is over", leaseOver},
		{"lease is renewed by another process", leaseElsewhere},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, newBench(t, s))
		})
	}
}

// bench is one served runner and the means to try it.
type bench struct {
	t      *testing.T
	suite  Suite
	runner Process
	folder string
}

func newBench(t *testing.T, s Suite) *bench {
	t.Helper()
	r, err := process.Open(filepath.Join(t.TempDir(), "home"), s.Commander)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t: t, suite: s, runner: Serve(t, r), folder: t.TempDir()}
}

// spec completes a spec for a script.
func (b *bench) spec(name, script string) sdk.Spec { return b.specIn(b.folder, name, script) }

func (b *bench) specIn(dir, name, script string) sdk.Spec {
	if b.suite.Elsewhere {
		script = "cd '" + dir + "'\n" + script
	}
	s := b.suite.Script(script)
	s.Attempt, s.Work, s.Dir = name, filepath.Join(b.folder, name), dir
	s.Env = append(s.Env, "PATH="+os.Getenv("PATH"))
	s.Timeout = time.Minute // of what a failed test leaves behind
	return s
}

func (b *bench) start(s sdk.Spec) {
	b.t.Helper()
	if err := b.runner.Start(b.t.Context(), s); err != nil {
		b.t.Fatalf("start %s: %v", s.Attempt, err)
	}
}

// wait returns the result and the log.
func (b *bench) wait(work string) (sdk.Result, string) {
	b.t.Helper()
	r, log, err := collect(b.t.Context(), b.runner, work)
	if err != nil {
		b.t.Fatalf("wait for %s: %v", work, err)
	}
	return r, log
}

func collect(ctx context.Context, runner sdk.Runner, work string) (sdk.Result, string, error) {
	var log strings.Builder
	r, err := runner.Wait(ctx, work, 0, func(offset int64, data []byte) error {
		if offset != int64(log.Len()) {
			return fmt.Errorf("log chunk at %d, want %d", offset, log.Len())
		}
		log.Write(data)
		return nil
	})
	return r, log.String(), err
}

// run starts a script and waits for it.
func (b *bench) run(name, script string) (sdk.Result, string) {
	b.t.Helper()
	s := b.spec(name, script)
	b.start(s)
	return b.wait(s.Work)
}

// want compares the state, code and exit code of a result.
func (b *bench) want(r sdk.Result, state, code string, exit int) {
	b.t.Helper()
	if r.State != state || r.Code != code || r.ExitCode != exit {
		b.t.Errorf("got %+v, want %s, code %q, exit code %d", r, state, code, exit)
	}
}

// pid reads a process id that a script wrote into a file.
func (b *bench) pid(file string) int {
	b.t.Helper()
	if !filepath.IsAbs(file) {
		file = filepath.Join(b.folder, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		b.t.Fatal(err)
	}
	return pid
}

// ended fails unless the process whose id is in the file has ended, or is just ending: one that was killed may still be listed.
func (b *bench) ended(file string) {
	b.t.Helper()
	pid := b.pid(file)
	h, err := proc.Open(pid)
	if err != nil {
		return
	}
	defer h.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	if h.Ended(ctx) != nil {
		b.t.Errorf("process %d of %s still runs", pid, file)
	}
}

func describe(t *testing.T, b *bench) {
	d := b.runner.Describe()
	if d.Kind != sdk.KindRunner || d.Name == "" || d.Version == "" || len(d.Schema) == 0 {
		t.Errorf("description %+v", d)
	}
	with := b.suite.Script("true").With
	if len(with) == 0 {
		with = []byte(`{}`)
	}
	if problems := b.runner.Validate(with); len(problems) > 0 {
		t.Errorf("%s has problems: %v", with, problems)
	}
	problems := b.runner.Validate([]byte(`{"no such setting": 1}`))
	if len(problems) != 1 || problems[0].Path != "/no such setting" {
		t.Errorf("an unknown setting gives %+v", problems)
	}
}

func ends(_ *testing.T, b *bench) {
	r, log := b.run("quiet", "true")
	b.want(r, sdk.Succeeded, "", 0)
	if log != "" || r.CPU <= 0 || r.MaxRSS <= 0 {
		b.t.Errorf("log %q, CPU time %v, memory %d", log, r.CPU, r.MaxRSS)
	}
	for _, code := range []int{1, 42, 255} {
		r, _ := b.run(fmt.Sprint("exit", code), fmt.Sprint("exit ", code))
		b.want(r, sdk.Failed, sdk.CodeExit, code)
	}
	r, _ = b.run("signal", "kill -SEGV $$")
	b.want(r, sdk.Failed, sdk.CodeSignal, -1)
}

func logOrder(t *testing.T, b *bench) {
	_, log := b.run("order", "echo 1; echo 2 >&2; echo 3; printf 4 >&2")
	if log != "1\n2\n3\n4" {
		t.Errorf("log %q", log)
	}
}

func bigLog(t *testing.T, b *bench) {
	const lines = 400_000
	s := b.spec("big", fmt.Sprintf("seq %d", lines))
	b.start(s)
	_, log := b.wait(s.Work)
	if n := strings.Count(log, "\n"); n != lines || !strings.HasSuffix(log, fmt.Sprintf("\n%d\n", lines)) {
		t.Errorf("%d lines, want %d; the log ends in %q", n, lines, log[max(0, len(log)-20):])
	}
	var tail strings.Builder
	from := int64(len(log) - 7)
	if _, err := b.runner.Wait(t.Context(), s.Work, from, func(offset int64, data []byte) error {
		if offset != from {
			t.Errorf("chunk at %d, want %d", offset, from)
		}
		tail.Write(data)
		return nil
	}); err != nil || tail.String() != "400000\n" {
		t.Errorf("from %d: %q, %v", from, tail.String(), err)
	}
}

func liveLog(t *testing.T, b *bench) {
	s := b.spec("live", "echo first; while ! [ -e go ]; do sleep 0.01; done; echo second")
	b.start(s)
	var log strings.Builder
	r, err := b.runner.Wait(t.Context(), s.Work, 0, func(_ int64, data []byte) error {
		log.Write(data)
		if log.String() == "first\n" { // seen while it runs: it waits for this
			return os.WriteFile(filepath.Join(b.folder, "go"), nil, 0o600)
		}
		return nil
	})
	if err != nil || log.String() != "first\nsecond\n" {
		t.Errorf("log %q, %v", log.String(), err)
	}
	b.want(r, sdk.Succeeded, "", 0)
}

func surroundings(t *testing.T, b *bench) {
	s := b.spec("around", `echo "$A|$(pwd -P)|$#|$1|$2|$3|$FLOWCTL_WORK|${HOME-unset}"; read x || echo no input`)
	s.Env = append(s.Env, "A=a b")
	s.Args = []sdk.Arg{{Value: "x y"}, {Name: "table", Value: `o'r"d`}}
	b.start(s)
	_, log := b.wait(s.Work)
	folder, err := filepath.EvalSymlinks(b.folder)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("a b|%s|3|x y|--table|o'r\"d|%s|unset\nno input\n", folder, s.Work)
	if b.suite.Elsewhere { // work folder and home are that host's
		want = fmt.Sprintf("a b|%s|3|x y|--table|o'r\"d|", folder)
		log = log[:min(len(log), len(want))] + log[max(0, strings.LastIndexByte(strings.TrimSpace(log), '\n')+1):]
		want += "no input\n"
	}
	if log != want {
		t.Errorf("got  %q\nwant %q", log, want)
	}
}

func cannotStart(t *testing.T, b *bench) {
	s := b.spec("nowhere", "true")
	s.Dir = filepath.Join(b.folder, "missing")
	b.start(s)
	r, _ := b.wait(s.Work)
	b.want(r, sdk.Failed, sdk.CodeStart, -1)
	if !strings.Contains(r.Message, s.Dir) {
		t.Errorf("message %q does not name the folder", r.Message)
	}
	s = b.spec("settings", "true")
	s.With = []byte(`{"no such setting": true}`)
	b.start(s)
	r, _ = b.wait(s.Work)
	b.want(r, sdk.Failed, sdk.CodeStart, -1)
}

// startup is more than any interpreter needs to reach the script on a busy machine.
const startup = 3 * time.Second

// family leaves the ids of a child and of a grandchild in a session of its own, tells that it is ready, and waits.
const family = `echo $$ >leader; setsid sh -c 'echo $$ >stranger; exec sleep 60' & sleep 60 & echo $! >child
while ! [ -s stranger ]; do sleep 0.01; done; echo ready; wait`

func timeoutTree(t *testing.T, b *bench) {
	s := b.spec("tree", family)
	s.Timeout = startup
	b.start(s)
	r, log := b.wait(s.Work)
	b.want(r, sdk.Failed, sdk.CodeTimeout, -1)
	if log != "ready\n" {
		t.Errorf("log %q", log)
	}
	b.ended("leader")
	b.ended("child")
	b.ended("stranger")
}

func timeoutGrace(t *testing.T, b *bench) {
	s := b.spec("grace", `(trap 'sleep 0.2; echo child cleaned; exit' TERM; echo ready; while :; do sleep 0.01; done) & wait`)
	s.Timeout, s.Grace = startup, time.Minute
	b.start(s)
	r, log := b.wait(s.Work)
	b.want(r, sdk.Failed, sdk.CodeTimeout, -1)
	if !strings.HasSuffix(log, "child cleaned\n") {
		t.Errorf("log %q: the child was not given its grace", log)
	}
}

func timeoutStubborn(t *testing.T, b *bench) {
	s := b.spec("stubborn", `trap '' TERM; echo ready; while :; do sleep 0.01; done`)
	s.Timeout, s.Grace = startup, time.Second/4
	b.start(s)
	r, _ := b.wait(s.Work)
	b.want(r, sdk.Failed, sdk.CodeTimeout, -1)
	if !strings.Contains(r.Message, startup.String()) {
		t.Errorf("message %q does not tell the timeout", r.Message)
	}
}

func kill(t *testing.T, b *bench) {
	for _, how := range []sdk.Signal{sdk.Terminate, sdk.Kill} {
		s := b.specIn(filepath.Join(b.folder, fmt.Sprint(how)), fmt.Sprint("kill", how), family)
		if err := os.Mkdir(s.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		b.start(s)
		r, err := b.runner.Wait(t.Context(), s.Work, 0, func(int64, []byte) error { // it is ready
			return b.runner.Signal(t.Context(), s.Work, how)
		})
		if err != nil {
			t.Fatal(err)
		}
		b.want(r, sdk.Killed, sdk.CodeKilled, -1)
		for _, name := range []string{"leader", "child", "stranger"} {
			b.ended(filepath.Join(fmt.Sprint(how), name))
		}
		if err := b.runner.Signal(t.Context(), s.Work, how); err != nil {
			t.Errorf("signal after the end: %v", err)
		}
	}
}

func leftovers(_ *testing.T, b *bench) {
	r, _ := b.run("daemon", `sleep 60 & echo $! >child
setsid sh -c 'echo $$ >stranger; exec sleep 60' & while ! [ -s stranger ]; do sleep 0.01; done`)
	b.want(r, sdk.Succeeded, "", 0)
	b.ended("child")
	b.ended("stranger")
}

// daemon kills, and lets end, a task that leaves a process in a session of its own, without parents and with an empty environment.
func daemon(t *testing.T, b *bench) {
	if b.suite.Elsewhere {
		return // the far host's tree is known by its environment
	}
	for _, end := range []string{"", "echo ready; sleep 60"} {
		s := b.specIn(b.t.TempDir(), "daemon"+strconv.Itoa(len(end)), `sleep 0.1
(env -i setsid sh -c 'echo $$ >daemon; exec sleep 60' &)
while ! [ -s daemon ]; do sleep 0.01; done; `+end)
		b.start(s)
		r, err := b.runner.Wait(t.Context(), s.Work, 0, func(int64, []byte) error {
			return b.runner.Signal(t.Context(), s.Work, sdk.Terminate)
		})
		if err != nil || (r.State == sdk.Killed) != (end != "") {
			t.Errorf("got %+v, %v", r, err)
		}
		b.ended(filepath.Join(s.Dir, "daemon"))
	}
}

func startTwice(t *testing.T, b *bench) {
	s := b.spec("twice", "echo once >>count; sleep 0.1")
	b.start(s)
	b.start(s)
	b.wait(s.Work)
	b.start(s)
	b.wait(s.Work)
	if count, err := os.ReadFile(filepath.Join(b.folder, "count")); err != nil || string(count) != "once\n" {
		t.Errorf("ran %q, %v", count, err)
	}
}

func recoverNever(t *testing.T, b *bench) {
	s := b.spec("never", "touch ran")
	for range 2 {
		if found, err := b.runner.Recover(t.Context(), s.Work); err != nil || found != sdk.NotStarted {
			t.Fatalf("recover: %v, %v", found, err)
		}
	}
	if err := b.runner.Start(t.Context(), s); !errors.Is(err, sdk.ErrInvalid) {
		t.Errorf("a start after recover: %v, want ErrInvalid", err)
	}
	if _, err := os.Stat(filepath.Join(b.folder, "ran")); err == nil {
		t.Error("it ran after all")
	}
}

func recoverElsewhere(t *testing.T, b *bench) {
	s := b.spec("elsewhere", "echo before; while ! [ -e go ]; do sleep 0.01; done; echo after; exit 5")
	b.start(s)
	other := newBench(t, b.suite)
	found, err := other.runner.Recover(t.Context(), s.Work)
	if err != nil || found != sdk.Running {
		t.Fatalf("recover: %v, %v", found, err)
	}
	if err := os.WriteFile(filepath.Join(b.folder, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, log := other.wait(s.Work)
	other.want(r, sdk.Failed, sdk.CodeExit, 5)
	if log != "before\nafter\n" {
		t.Errorf("log %q", log)
	}
	if found, err := other.runner.Recover(t.Context(), s.Work); err != nil || found != sdk.Finished {
		t.Errorf("recover after the end: %v, %v", found, err)
	}
	s = b.spec("kill", "echo ready; sleep 60")
	b.start(s)
	if _, err := other.runner.Recover(t.Context(), s.Work); err != nil {
		t.Fatal(err)
	}
	if err := other.runner.Signal(t.Context(), s.Work, sdk.Terminate); err != nil {
		t.Fatal(err)
	}
	r, _ = other.wait(s.Work)
	other.want(r, sdk.Killed, sdk.CodeKilled, -1)
}

func unknown(t *testing.T, b *bench) {
	work := filepath.Join(b.folder, "unknown")
	if _, _, err := collect(t.Context(), b.runner, work); !errors.Is(err, sdk.ErrUnknown) {
		t.Errorf("wait: %v", err)
	}
	if err := b.runner.Signal(t.Context(), work, sdk.Kill); !errors.Is(err, sdk.ErrUnknown) {
		t.Errorf("signal: %v", err)
	}
	if err := b.runner.Start(t.Context(), sdk.Spec{Work: "relative", Text: "true"}); !errors.Is(err, sdk.ErrInvalid) {
		t.Errorf("start in a relative work folder: %v", err)
	}
}

func cancelledWait(t *testing.T, b *bench) {
	s := b.spec("patient", "echo ready; while ! [ -e go ]; do sleep 0.01; done")
	b.start(s)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := b.runner.Wait(ctx, s.Work, 0, func(int64, []byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled wait: %v", err)
	}
	if err := os.WriteFile(filepath.Join(b.folder, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := b.wait(s.Work)
	b.want(r, sdk.Succeeded, "", 0)
}
