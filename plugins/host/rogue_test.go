package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/keeper"
	pb "flowctl/plugins/proto"
	"flowctl/plugins/sdk"
)

// rogue is a plugin that does something that plugins must not do.
func rogue(kind, how string) int {
	switch how {
	case "exits":
		return 3
	case "silent", "wrapped":
		select {}
	case "leaves":
		cmd := exec.Command("sleep", "600")
		cmd.Env, cmd.SysProcAttr = []string{}, &syscall.SysProcAttr{Setsid: true}
		if cmd.Start() != nil || os.WriteFile(filepath.Join(os.Getenv(sdk.EnvDir), "left"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600) != nil {
			return 1
		}
		fmt.Println("hello")
		select {}
	case "chatty":
		for {
			fmt.Print("hello ")
		}
	case "garbled":
		fmt.Println("\x00\xff\x1b[2J|||||")
		select {}
	case "future":
		fmt.Println("1|99|unix|/nowhere|grpc")
		select {}
	case "elsewhere":
		fmt.Println("1|1|unix|/nowhere|grpc")
		select {}
	case "mute":
		path := filepath.Join(os.Getenv(plugin.EnvUnixSocketDir), "mute")
		l, err := net.Listen("unix", path)
		if err != nil {
			return 1
		}
		fmt.Println("1|1|unix|" + path + "|grpc")
		for {
			if _, err := l.Accept(); err != nil {
				return 1
			}
		}
	}
	if how == "curt" {
		path := filepath.Join(os.Getenv(plugin.EnvUnixSocketDir), "curt")
		l, err := net.Listen("unix", path)
		if err != nil {
			return 1
		}
		s := grpc.NewServer()
		pb.RegisterPluginServer(s, curt{})
		fmt.Println("1|1|unix|" + path + "|grpc")
		_ = s.Serve(l)
		return 1
	}
	return sdk.Serve(misbehaved{kind, how})
}

// curt is a plugin that can describe itself and nothing else.
type curt struct{ pb.UnimplementedPluginServer }

func (curt) Describe(context.Context, *pb.DescribeRequest) (*pb.Description, error) {
	return &pb.Description{Name: "curt", Kind: sdk.KindRunner}, nil
}

type misbehaved struct{ kind, how string }

func (m misbehaved) Describe() sdk.Description {
	d := sdk.Description{Name: m.how, Version: "1", Kind: m.kind, Schema: json.RawMessage(`{}`)}
	switch m.how {
	case "dumb":
		select {}
	case "faints":
		panic("rogue")
	case "huge":
		d.Schema = bytes.Repeat([]byte("x"), maxMessage)
	case "alias":
		d.Name = "shell"
	case "sensible":
		d.Kind = sdk.KindSensor
	case "binary":
		d.Name = "\xff\xfe"
	}
	return d
}

// at does what a plugin does that misbehaves in a call.
func (m misbehaved) at(call string) error {
	if m.how != "hangs" && m.how != "freezes" {
		return nil
	}
	if m.how == "freezes" {
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	}
	select {} // whatever its context says
}

func (m misbehaved) Validate(json.RawMessage) []sdk.Problem {
	_ = m.at("Validate")
	return nil
}

func (m misbehaved) Start(_ context.Context, spec sdk.Spec) error {
	line := bytes.Repeat([]byte("y"), 1<<15)
	switch m.how {
	case "prints":
		for range 64 << 20 / len(line) {
			_, _ = os.Stderr.Write(line)
			_, _ = os.Stdout.Write(line)
		}
	case "orphaned":
		_ = syscall.Kill(os.Getppid(), syscall.SIGKILL)
		for os.Getppid() == keeperOf(spec) {
			continue
		}
		_, _ = os.Stderr.Write(line)
		_, _ = os.Stdout.Write(line)
		return os.WriteFile(spec.Text, nil, 0o600)
	}
	return m.at("Start")
}

func keeperOf(spec sdk.Spec) int {
	pid, _ := strconv.Atoi(spec.Attempt)
	return pid
}

func (m misbehaved) Wait(ctx context.Context, _ string, _ int64, log func(int64, []byte) error) (sdk.Result, error) {
	switch m.how {
	case "crashes":
		if err := log(0, []byte("begun\n")); err != nil {
			return sdk.Result{}, err
		}
		panic("rogue")
	case "bursts":
		return sdk.Result{}, log(0, make([]byte, maxMessage+1))
	case "floods":
		chunk := make([]byte, 1<<16)
		for offset := int64(0); ; offset += int64(len(chunk)) {
			if err := log(offset, chunk); err != nil {
				return sdk.Result{}, err
			}
		}
	case "dozes":
		if err := log(0, []byte("begun\n")); err != nil {
			return sdk.Result{}, err
		}
		<-ctx.Done()
	case "lies":
		return sdk.Result{State: "splendid"}, nil
	case "babbles":
		return sdk.Result{State: sdk.Failed, Message: strings.Repeat("é", 1<<20)}, nil
	case "hangs", "freezes":
		<-ctx.Done()
	}
	return sdk.Result{State: sdk.Succeeded}, ctx.Err()
}

func (m misbehaved) Signal(context.Context, string, sdk.Signal) error { return m.at("Signal") }

func (m misbehaved) Renew(context.Context, string, time.Duration) error { return m.at("Renew") }

func (m misbehaved) Recover(context.Context, string) (sdk.Recovered, error) {
	return sdk.Running, m.at("Recover")
}

func (m misbehaved) Check(context.Context, string, []string) ([]sdk.PathState, error) {
	return nil, m.at("Check")
}

func (m misbehaved) Capabilities(context.Context, json.RawMessage) (sdk.Capabilities, error) {
	return sdk.Capabilities{MaxLength: -1}, m.at("Capabilities")
}

func (m misbehaved) Send(context.Context, sdk.Notification) (sdk.Receipt, error) {
	return sdk.Receipt{}, m.at("Send")
}

// rogueHost returns a host that finds these rogues as plugins of a kind, and has little patience.
func rogueHost(t *testing.T, kind string, names ...string) *Host {
	t.Helper()
	h := open(t, t.TempDir())
	h.options.PluginDir = t.TempDir()
	for _, name := range names {
		exec := "exec "
		if name == "wrapped" {
			exec = ""
		}
		text := fmt.Sprintf("#!/bin/sh\n%s'%s' plugin rogue %s %s\n", exec, h.options.Self, kind, name)
		if err := os.WriteFile(filepath.Join(h.options.PluginDir, "flowctl-"+kind+"-"+name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// patience is short for a test, and long enough for a busy machine to start a process.
const patience = 3 * time.Second

// nothingLeft fails unless all processes of the plugin are gone soon.
func nothingLeft(t *testing.T, h *Host, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	folders, err := filepath.Glob(filepath.Join(h.options.Dir, id, "*"))
	if err != nil || len(folders) == 0 {
		t.Errorf("no folder of %s: %v", id, err)
	}
	for _, dir := range folders {
		if tree := (proc.Tree{Mark: sdk.EnvDir + "=" + dir}); !tree.Gone(ctx) {
			t.Errorf("left in %s: %+v", dir, tree.Members())
		}
	}
}

// A plugin that cannot be used is told apart, in time, with its file and what is wrong; it leaves nothing.
func TestRogueLaunch(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"exits":     keeper.Died,
		"silent":    "no handshake within 3s",
		"wrapped":   "no handshake within 3s",
		"leaves":    "no go-plugin gRPC handshake",
		"chatty":    "no go-plugin gRPC handshake",
		"garbled":   "no go-plugin gRPC handshake",
		"future":    "it speaks protocol version 99, this flowctl speaks 1",
		"elsewhere": "/nowhere",
		"mute":      "",
		"dumb":      "it did not describe itself within 3s",
		"faints":    "it ended when it was asked what it is",
		"huge":      "larger than max",
		"alias":     `says that it is the runner plugin "shell", not the runner plugin "alias"`,
		"sensible":  `says that it is the sensor plugin "sensible"`,
		"binary":    "UTF-8",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := rogueHost(t, sdk.KindRunner, name)
			h.options.Start = patience
			_, err := h.Runner(t.Context(), name, "", pinsOf(h, sdk.KindRunner, name))
			path := "runner plugin " + name + " (" + filepath.Join(h.options.PluginDir, "flowctl-runner-"+name) + "): "
			if err == nil || !strings.HasPrefix(err.Error(), path) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "(see ") {
				t.Errorf("got %v, want %q and %q", err, path, want)
			}
			nothingLeft(t, h, "runner-"+name)
			if name == "leaves" {
				data, err := os.ReadFile(filepath.Join(h.options.Dir, "runner-leaves", "1", "left"))
				pid, _ := strconv.Atoi(string(data))
				if err != nil || pid == 0 {
					t.Fatal(string(data), err)
				}
				ended(t, pid)
			}
		})
	}
}

func TestRogueLaunchBlocksNoOther(t *testing.T) {
	t.Parallel()
	h := open(t, t.TempDir())
	h.options.PluginDir = t.TempDir()
	begun := filepath.Join(h.options.PluginDir, "begun")
	if err := syscall.Mkfifo(begun, 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("#!/bin/sh\necho >'%s'\nexec sleep 600\n", begun)
	if err := os.WriteFile(filepath.Join(h.options.PluginDir, "flowctl-runner-slow"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := h.Runner(ctx, "slow", "", pinsOf(h, sdk.KindRunner, "slow"))
		ended <- err
	}()
	if _, err := os.ReadFile(begun); err != nil {
		t.Fatal(err)
	}
	shellOf(t, h)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the other waited until %v", err)
	}
	nothingLeft(t, h, "runner-slow")
}

// Who waits for a plugin that another already waits for gets the other's error, not a wait of their own.
func TestRogueLaunchIsWaitedForOnce(t *testing.T) {
	t.Parallel()
	h := rogueHost(t, sdk.KindSensor, "silent")
	h.options.Start = patience
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := h.Sensor(t.Context(), "silent", pinsOf(h, sdk.KindSensor, "silent")); err == nil || !strings.Contains(err.Error(), "no handshake") {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if folders, err := filepath.Glob(filepath.Join(h.options.Dir, "sensor-silent", "*")); err != nil || len(folders) > 2 {
		t.Errorf("%d launches, %v", len(folders), err)
	}
}

// Who gives up while a plugin is launched leaves nothing.
func TestRogueLaunchGivenUp(t *testing.T) {
	t.Parallel()
	h := rogueHost(t, sdk.KindChannel, "silent")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := h.Channel(ctx, "silent", pinsOf(h, sdk.KindChannel, "silent")); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	nothingLeft(t, h, "channel-silent")
}

// calls are those that are to be answered in time.
var calls = map[string]func(context.Context, *Process) error{
	"Start":   func(ctx context.Context, p *Process) error { return p.Start(ctx, sdk.Spec{Work: "/w"}) },
	"Signal":  func(ctx context.Context, p *Process) error { return p.Signal(ctx, "/w", sdk.Kill) },
	"Renew":   func(ctx context.Context, p *Process) error { return p.Renew(ctx, "/w", 1) },
	"Recover": func(ctx context.Context, p *Process) error { _, err := p.Recover(ctx, "/w"); return err },
	"Check":   func(ctx context.Context, p *Process) error { _, err := p.Check(ctx, "/", []string{"x"}); return err },
	"Capabilities": func(ctx context.Context, p *Process) error {
		_, err := p.Capabilities(ctx, nil)
		return err
	},
	"Send": func(ctx context.Context, p *Process) error {
		ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond) // its sender's
		defer cancel()
		_, err := p.Send(ctx, sdk.Notification{})
		return err
	},
	"Validate": func(_ context.Context, p *Process) error {
		if problems := p.Validate(nil); len(problems) == 1 && strings.Contains(problems[0].Message, sdk.ErrLate.Error()) {
			return fmt.Errorf("%w: %s", sdk.ErrLate, problems[0].Message)
		}
		return nil
	},
}

func kindOf(call string) string {
	switch call {
	case "Check":
		return sdk.KindSensor
	case "Capabilities", "Send":
		return sdk.KindChannel
	}
	return sdk.KindRunner
}

// A call that is not answered ends with an error that names the plugin. As long as the process can describe itself, it is kept: other calls may
// do well.
func TestRogueHangs(t *testing.T) {
	t.Parallel()
	for call, do := range calls {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			kind := kindOf(call)
			h := rogueHost(t, kind, "hangs")
			h.options.Answer = 100 * time.Millisecond
			p, err := h.process(t.Context(), kind, "hangs", "", pinsOf(h, kind, "hangs"))
			if err != nil {
				t.Fatal(err)
			}
			if err := do(t.Context(), p); !errors.Is(err, sdk.ErrLate) || !strings.Contains(err.Error(), "flowctl-"+kind+"-hangs): ") || !strings.Contains(err.Error(), call) {
				t.Errorf("got %v, want sdk.ErrLate", err)
			}
			if q, err := h.process(t.Context(), kind, "hangs", "", pinsOf(h, kind, "hangs")); err != nil || q != p {
				t.Errorf("the process was replaced: %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := do(ctx, p); err == nil || errors.Is(err, sdk.ErrLate) != (call == "Validate") { // which has no context
				t.Errorf("a caller that gave up got %v", err)
			}
		})
	}
}

// A process that answers nothing any more is killed, and another takes its place.
func TestRogueFreezes(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Start", "Check", "Send"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			kind := kindOf(call)
			h := rogueHost(t, kind, "freezes")
			h.options.Answer = 100 * time.Millisecond
			h.options.Start = patience
			p, err := h.process(t.Context(), kind, "freezes", "", pinsOf(h, kind, "freezes"))
			if err != nil {
				t.Fatal(err)
			}
			if err := calls[call](t.Context(), p); !errors.Is(err, sdk.ErrLate) {
				t.Errorf("got %v, want sdk.ErrLate", err)
			}
			<-p.Gone()
			nothingLeft(t, h, kind+"-freezes")
			if q, err := h.process(t.Context(), kind, "freezes", "", pinsOf(h, kind, "freezes")); err != nil || q.PID() == p.PID() {
				t.Errorf("there is no new process: %v", err)
			}
		})
	}
}

// So is one that nobody asks anything, but waits for.
func TestRogueDozes(t *testing.T) {
	t.Parallel()
	h := rogueHost(t, sdk.KindRunner, "dozes")
	h.options.Answer, h.options.Start = time.Second, patience
	p, err := h.Runner(t.Context(), "dozes", "", pinsOf(h, sdk.KindRunner, "dozes"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), sdk.Spec{Work: "/w"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(t.Context(), "/w", 0, func(int64, []byte) error { return syscall.Kill(p.PID(), syscall.SIGSTOP) }); !errors.Is(err, sdk.ErrGone) {
		t.Errorf("got %v, want sdk.ErrGone", err)
	}
	nothingLeft(t, h, "runner-dozes")
}

// A host that starts kills what an earlier one left that does not answer.
func TestRogueLeftFrozen(t *testing.T) {
	t.Parallel()
	first := rogueHost(t, sdk.KindRunner, "hangs")
	p, err := first.Runner(t.Context(), "hangs", "", pinsOf(first, sdk.KindRunner, "hangs"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	second := open(t, first.options.Dir)
	second.options.PluginDir, second.options.Start = first.options.PluginDir, patience
	q, err := second.Runner(t.Context(), "hangs", "", pinsOf(second, sdk.KindRunner, "hangs"))
	if err != nil || q.PID() == p.PID() {
		t.Fatalf("there is no new process: %v", err)
	}
	ended(t, p.PID())
	ended(t, p.card.Keeper)
}

// A host that ends does not wait for a process that does not, and does not leave it.
func TestRogueIsFrozenAtTheEnd(t *testing.T) {
	t.Parallel()
	h := rogueHost(t, sdk.KindSensor, "hangs")
	p, err := h.Sensor(t.Context(), "hangs", pinsOf(h, sdk.KindSensor, "hangs"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
	nothingLeft(t, h, "sensor-hangs")
}

// attempt launches a rogue and gives it an attempt.
func attempt(t *testing.T, name string, log func(int64, []byte) error) (*Host, *Process, sdk.Result, error) {
	t.Helper()
	h := rogueHost(t, sdk.KindRunner, name)
	p, err := h.Runner(t.Context(), name, "", pinsOf(h, sdk.KindRunner, name))
	if err != nil {
		t.Fatal(err)
	}
	spec := script(t, "true")
	if err := p.Start(t.Context(), spec); err != nil {
		return h, p, sdk.Result{}, err
	}
	r, err := p.Wait(t.Context(), spec.Work, 0, log)
	return h, p, r, err
}

func ignored(int64, []byte) error { return nil }

func TestRogueCrashes(t *testing.T) {
	t.Parallel()
	h, p, _, err := attempt(t, "crashes", ignored)
	if !errors.Is(err, sdk.ErrGone) || !strings.Contains(err.Error(), "flowctl-runner-crashes") {
		t.Errorf("a wait on a plugin that crashed: %v", err)
	}
	ended(t, p.card.Keeper)
	if q, err := h.Runner(t.Context(), "crashes", "", pinsOf(h, sdk.KindRunner, "crashes")); err != nil || q.PID() == p.PID() {
		t.Errorf("there is no new process: %v", err)
	}
	data, err := os.ReadFile(filepath.Join(h.options.Dir, "runner-crashes", "1", keeper.LogFile))
	if err != nil || !strings.Contains(string(data), "panic: rogue") {
		t.Errorf("its last words are %q, %v", data, err)
	}
}

func TestRogueBursts(t *testing.T) {
	t.Parallel()
	if _, _, _, err := attempt(t, "bursts", ignored); err == nil || !strings.Contains(err.Error(), "larger than max") {
		t.Errorf("a message that is too long: %v", err)
	}
}

// A plugin that lacks what the protocol asks for is told apart by each call, and not launched anew for that.
func TestRogueLacksCalls(t *testing.T) {
	t.Parallel()
	h := rogueHost(t, sdk.KindRunner, "curt")
	p, err := h.Runner(t.Context(), "curt", "", pinsOf(h, sdk.KindRunner, "curt"))
	if err != nil {
		t.Fatal(err)
	}
	<-p.ended // its session
	if err := p.Signal(t.Context(), "/w", sdk.Kill); err == nil || errors.Is(err, sdk.ErrGone) || !strings.Contains(err.Error(), "flowctl-runner-curt): unknown service") {
		t.Errorf("got %v", err)
	}
	if q, err := h.Runner(t.Context(), "curt", "", pinsOf(h, sdk.KindRunner, "curt")); err != nil || q != p {
		t.Errorf("it was launched anew: %v", err)
	}
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ended(t, p.PID())
	if _, err := p.Recover(t.Context(), "/w"); !errors.Is(err, sdk.ErrGone) {
		t.Errorf("got %v, want sdk.ErrGone", err)
	}
	if q, err := h.Runner(t.Context(), "curt", "", pinsOf(h, sdk.KindRunner, "curt")); err != nil || q == p {
		t.Errorf("there is no new process: %v", err)
	}
	if err := h.Close(t.Context()); err != nil { // which cannot ask it to end
		t.Error(err)
	}
	nothingLeft(t, h, "runner-curt")
}

// A log without end waits for its reader.
func TestRogueFloods(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	var got int
	_, _, _, err := attempt(t, "floods", func(_ int64, data []byte) error {
		if got += len(data); got > 32<<20 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("got %v after %d bytes", err, got)
	}
}

func TestRogueLies(t *testing.T) {
	t.Parallel()
	_, _, r, err := attempt(t, "lies", ignored)
	if err != nil || r.State != sdk.Failed || r.Code != sdk.CodeLost || !strings.Contains(r.Message, `"splendid", which is no state`) {
		t.Errorf("got %+v, %v", r, err)
	}
	_, _, r, err = attempt(t, "babbles", ignored)
	if err != nil || r.State != sdk.Failed || len(r.Message) > 20<<10 || !strings.HasSuffix(r.Message, "é…") {
		t.Errorf("got a message of %d bytes, %v", len(r.Message), err)
	}
}

// What a plugin prints does not fill the disk.
func TestRoguePrints(t *testing.T) {
	t.Parallel()
	h, _, r, err := attempt(t, "prints", ignored)
	if err != nil || r.State != sdk.Succeeded {
		t.Fatal(r, err)
	}
	for _, name := range []string{keeper.LogFile, keeper.OldLogFile} {
		s, err := os.Stat(filepath.Join(h.options.Dir, "runner-prints", "1", name))
		if err != nil || s.Size() == 0 || s.Size() > 4<<20 {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

// Nor do processes that die again and again.
func TestRogueDiesOften(t *testing.T) {
	t.Parallel()
	h := rogueHost(t, sdk.KindRunner, "exits")
	for range 3 {
		if _, err := h.Runner(t.Context(), "exits", "", pinsOf(h, sdk.KindRunner, "exits")); !errors.Is(err, sdk.ErrGone) {
			t.Fatal(err)
		}
	}
	logs, err := filepath.Glob(filepath.Join(h.options.Dir, "runner-exits", "*", keeper.LogFile))
	if err != nil || len(logs) != keptLogs+1 { // the last was not tidied yet
		t.Errorf("%q, %v", logs, err)
	}
}

// A plugin whose keeper was killed does not die of printing.
func TestRoguePrintsToNobody(t *testing.T) {
	t.Parallel()
	h := rogueHost(t, sdk.KindRunner, "orphaned")
	p, err := h.Runner(t.Context(), "orphaned", "", pinsOf(h, sdk.KindRunner, "orphaned"))
	if err != nil {
		t.Fatal(err)
	}
	flag := filepath.Join(t.TempDir(), "survived")
	_ = p.Start(t.Context(), sdk.Spec{Work: "/w", Attempt: strconv.Itoa(p.card.Keeper), Text: flag}) // the connection is given up with the keeper
	ended(t, p.PID())
	if _, err := os.Stat(flag); err != nil {
		t.Errorf("it died of printing: %v", err)
	}
}
