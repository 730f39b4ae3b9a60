package agent

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/plugins/host"
	"flowctl/plugins/keeper"
)

// The users of the tests: the agent's, and the one as whom its tasks run.
const (
	agentUser = "daemon"
	taskUser  = "nobody"
)

// serveAgent lets the test binary be an agent in a process of its own, and so of another user, until SIGTERM.
func serveAgent(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	dir, server, token := args[0], args[1], args[2]
	self, err := os.Executable()
	if err != nil {
		log.Error(err.Error())
		return 1
	}
	h, err := host.New(host.Options{Dir: filepath.Join(dir, "plugins"), Self: self, Idle: 5 * time.Second, Answer: time.Second, Start: 5 * time.Second, Log: log})
	if err != nil {
		log.Error(err.Error())
		return 1
	}
	a, err := New(Options{
		Name: "one", Dir: dir, Server: server, Token: token, Slots: 4, MaxLog: 1 << 20, Version: "test", Users: []string{taskUser}, Plugins: hostPlugins{h}, Log: log, Now: time.Now,
	})
	if err == nil {
		err = a.Run(ctx)
	}
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = h.Close(end) // what runs stays
	if err != nil {
		log.Error(err.Error())
		return 1
	}
	return 0
}

// sudoRig is an agent that is not root and runs tasks as another user through sudo.
type sudoRig struct {
	*rig
	data, self string // its data folder, and the flowctl that sudo may run
	token      string
	log        *bytes.Buffer
}

func newSudoRig(t *testing.T) *sudoRig {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can allow sudo for a test")
	}
	for _, program := range []string{"sudo", "visudo"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("scripts/peers installs sudo: ", err)
		}
	}
	r := &sudoRig{rig: newRig(t), log: new(bytes.Buffer)}
	r.token = r.rig.token()
	base, err := os.MkdirTemp("/tmp", "fs") // a socket's address is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(base); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the agent says:\n%s", r.log)
		}
	})
	r.data, r.self = filepath.Join(base, "data"), filepath.Join(base, "flowctl")
	copySelf(t, r.self)
	uid, gid := ids(t, agentUser)
	for _, err := range []error{
		os.Chmod(base, 0o711), os.Mkdir(r.data, 0o700), os.Chown(r.data, int(uid), int(gid)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func ids(t testing.TB, name string) (uid, gid uint32) {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []struct {
		text string
		into *uint32
	}{{u.Uid, &uid}, {u.Gid, &gid}} {
		n, err := strconv.ParseUint(id.text, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		*id.into = uint32(n)
	}
	return uid, gid
}

// allow writes the rule of docs/operations.md for this test's flowctl alone.
func (r *sudoRig) allow() {
	r.t.Helper()
	path := filepath.Join("/etc/sudoers.d", "flowctl-test-"+filepath.Base(filepath.Dir(r.data)))
	rule := fmt.Sprintf("%s ALL=(%s) NOPASSWD: %s plugin *\n", agentUser, taskUser, r.self)
	checked := filepath.Join(filepath.Dir(r.data), "rule")
	if err := os.WriteFile(checked, []byte(rule), 0o440); err != nil {
		r.t.Fatal(err)
	}
	if said, err := exec.Command("visudo", "-c", "-f", checked).CombinedOutput(); err != nil {
		r.t.Fatalf("%v: %s", err, said)
	}
	r.t.Cleanup(func() {
		if err := os.Remove(path); err != nil {
			r.t.Error(err)
		}
	})
	if err := os.WriteFile(path, []byte(rule), 0o440); err != nil {
		r.t.Fatal(err)
	}
}

// start runs the agent's process until stop.
func (r *sudoRig) start() (stop func(syscall.Signal)) {
	r.t.Helper()
	uid, gid := ids(r.t, agentUser)
	cmd := exec.Command(r.self, "agent", r.data, r.addr, r.token)
	cmd.Dir, cmd.Env, cmd.Stderr = "/", []string{"PATH=" + os.Getenv("PATH"), "TOP_SECRET=hush"}, r.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: []uint32{}}}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ended := false
	stop = func(sig syscall.Signal) {
		if ended {
			return
		}
		ended = true
		if err := cmd.Process.Signal(sig); err != nil {
			r.t.Error(err)
		}
		_ = cmd.Wait()
	}
	r.t.Cleanup(func() { stop(syscall.SIGTERM) })
	return stop
}

func (r *sudoRig) assign(id engine.AttemptID, text string) {
	as := assignment(id)
	as.Runner, as.Env, as.Text, as.RunAs = "shell", nil, text, taskUser
	r.hub.Assign("one", []*engine.Assignment{as})
}

func (r *sudoRig) attempt(id engine.AttemptID, text string) {
	r.t.Helper()
	r.assign(id, text)
	nextReport(r.t, r.events, id, engine.ReportStarted)
}

func (r *sudoRig) ended(id engine.AttemptID) engine.Result {
	r.t.Helper()
	return nextReport(r.t, r.events, id, engine.ReportFinished).Result
}

func TestAccountsThroughSudo(t *testing.T) {
	t.Parallel()
	r := newSudoRig(t)
	r.allow()
	stop := r.start()
	next[joined](t, r.events)

	// It is the user, with its flow's files, and the agent reads what it leaves.
	r.attempt(1, `id -un; ./hello.sh; echo "$USER $HOME"; pwd | grep -c accounts/nobody; echo rows=3 >>"$FLOWCTL_OUTPUT"
touch "$FLOWCTL_WORKSPACE/mark" "$FLOWCTL_WORK/x"; stat -c '%U' "$FLOWCTL_WORK/x"; exit 3`)
	res := r.ended(1)
	if res.State != engine.Failed || res.Code != engine.CodeExit || res.ExitCode != 3 || res.MaxRSS == 0 {
		t.Errorf("result %+v", res)
	}
	nobody, err := user.Lookup(taskUser)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.logOf(1), "nobody\nhello\nnobody "+nobody.HomeDir+"\n1\nnobody\n"; got != want {
		t.Errorf("log %q, want %q", got, want)
	}
	r.attempt(2, `echo rows=4 >>"$FLOWCTL_OUTPUT"`)
	if res := r.ended(2); res.State != engine.Succeeded || res.Outputs["rows"] != "4" {
		t.Errorf("result %+v", res)
	}

	// It can neither look at what is the agent's or another attempt's, nor change its flow's files, nor see the agent's environment.
	closed := []string{
		r.data, filepath.Join(r.data, "trees"), filepath.Join(r.data, "blobs"), filepath.Join(r.data, "work"), filepath.Join(r.data, "plugins"),
		filepath.Join(r.data, "workspace"), filepath.Join(r.data, "spare"), identityPath(r.data), filepath.Join(r.data, "lock"),
	}
	for _, p := range closed {
		if _, err := os.Stat(p); err != nil {
			t.Fatal(err)
		}
	}
	r.attempt(3, fmt.Sprintf(`for p in %s; do ls $p/. || cat $p && echo SEEN $p; done
for p in hello.sh new ../new "$FLOWCTL_WORK/../new" %[2]s/new %[2]s/work/new; do echo x >>"$p" && echo WRITTEN $p; done
tr '\0' '\n' </proc/$PPID/environ | grep hush && echo LEAKED; true`, strings.Join(closed, " "), r.data))
	r.ended(3)
	if got := r.logOf(3); strings.Contains(got, "SEEN") || strings.Contains(got, "WRITTEN") || strings.Contains(got, "LEAKED") {
		t.Errorf("the account can do too much:\n%s", got)
	}

	// Nobody but the two can enter its folders: not the socket's, the attempt's, the workspace, or the files'.
	for _, dir := range []string{
		filepath.Join(r.data, "plugins", "runner-shell@nobody", "1"), filepath.Join(r.data, "work", "shell@nobody", "tree1", "3", ownWork),
		filepath.Join(r.data, "accounts", "nobody", "workspace"), filepath.Join(r.data, "accounts", "nobody", "trees", "tree1"),
	} {
		if _, err := os.Stat(dir); err != nil {
			t.Fatal(err)
		}
		stranger := exec.Command("ls", dir)
		stranger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4, Gid: 4, Groups: []uint32{}}}
		if said, err := stranger.CombinedOutput(); err == nil || !strings.Contains(string(said), "ermission denied") {
			t.Errorf("a stranger sees %s: %s", dir, said)
		}
	}

	// Of a log that is too long the agent gives back to the disk what it leaves out, though the file is the user's.
	r.attempt(4, `yes | head -c 33554432`)
	r.ended(4)
	if !isThin(filepath.Join(r.data, "work", "shell@nobody", "tree1", "4", ownWork), 33554432) {
		t.Error("the log takes up the disk")
	}

	// What it closes to the agent is removed all the same.
	r.attempt(5, `mkdir -p "$FLOWCTL_WORK/a/b"; touch "$FLOWCTL_WORK/a/b/c"; chmod 0 "$FLOWCTL_WORK/a/b"; chmod 700 "$FLOWCTL_WORK/a"`)
	r.ended(5)
	r.hub.Ack("one", []engine.AttemptID{1, 2, 3, 4, 5})
	eventually(t, "the folder is removed", func() bool {
		_, err := os.Stat(filepath.Join(r.data, "work", "shell@nobody", "tree1", "5"))
		return os.IsNotExist(err)
	})

	// It outlives the agent, whose next process reaches it, and is killed with all that came of it.
	r.attempt(6, `echo begin; setsid sleep 1000 & sleep 1000 & echo $! >"$FLOWCTL_WORKSPACE/pid"; wait`)
	stop(syscall.SIGKILL)
	next[lost](t, r.events)
	r.start()
	if h := next[joined](t, r.events).hello; len(h.Attempts) != 1 || h.Attempts[0].Kind != engine.ReportStarted {
		t.Errorf("it holds %+v", h.Attempts)
	}
	tree := processesOf(t, filepath.Join(r.data, "work"))
	if len(tree) < 3 {
		t.Errorf("the attempt has the processes %v", tree)
	}
	r.hub.Kill("one", []engine.AttemptID{6})
	if res := r.ended(6); res.State != engine.Killed {
		t.Errorf("result %+v", res)
	}
	if left := processesOf(t, filepath.Join(r.data, "work")); len(left) > 0 {
		t.Errorf("the processes %v are left", left)
	}
	if got := r.logOf(6); got != "begin\n" {
		t.Errorf("log %q", got)
	}
	if n := strings.Count(r.log.String(), "launched a plugin process"); n != 1 {
		t.Errorf("%d plugin processes were launched, want one for both agents", n)
	}
	r.hub.Ack("one", []engine.AttemptID{6})
}

// The user's plugin process that hangs is killed as the user, and the next one takes its attempt over.
func TestHangingPluginOfSudo(t *testing.T) {
	t.Parallel()
	r := newSudoRig(t)
	r.allow()
	r.start()
	next[joined](t, r.events)
	r.attempt(1, `echo begin; sleep 1000`)
	card, err := keeper.ReadReattach(filepath.Join(r.data, "plugins", "runner-shell@nobody", "1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(card.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	r.hub.Kill("one", []engine.AttemptID{1})
	if res := r.ended(1); res.State != engine.Killed {
		t.Errorf("result %+v", res)
	}
	if err := syscall.Kill(card.PID, 0); err == nil {
		t.Error("the process that hangs is still there")
	}
	if left := processesOf(t, filepath.Join(r.data, "work")); len(left) > 0 {
		t.Errorf("the processes %v are left", left)
	}
	r.hub.Ack("one", []engine.AttemptID{1})
}

func (r *sudoRig) logOf(id engine.AttemptID) string { return r.rig.log(id) }

// processesOf lists the processes whose FLOWCTL_WORK is below a folder.
func processesOf(t *testing.T, dir string) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		env, _ := os.ReadFile(path) // it may just have ended
		if slices.ContainsFunc(strings.Split(string(env), "\x00"), func(v string) bool { return strings.HasPrefix(v, "FLOWCTL_WORK="+dir) }) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

func TestSudoThatRefuses(t *testing.T) {
	t.Parallel()
	r := newSudoRig(t)
	r.start()
	next[joined](t, r.events)
	r.assign(1, "true")
	got := nextReport(t, r.events, 1, engine.ReportRefused)
	for _, want := range []string{"sudo refuses to run flowctl as user nobody", "user daemon", "password is required"} {
		if !strings.Contains(got.Message, want) {
			t.Errorf("refused as %q, want %q in it", got.Message, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(r.data, "work", "*", "*", "1")); len(left) > 0 {
		t.Errorf("it has a folder: %v", left)
	}

	// The rule comes, and no restart is needed.
	r.allow()
	r.attempt(2, "id -un")
	if res := r.ended(2); res.State != engine.Succeeded {
		t.Errorf("result %+v", res)
	}
	r.hub.Ack("one", []engine.AttemptID{2})
}

func TestAgentWithoutRootAndSudo(t *testing.T) {
	t.Parallel()
	r := newSudoRig(t)
	uid, gid := ids(t, agentUser)
	cmd := exec.Command(r.self, "agent", r.data, r.addr, r.token)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/nowhere"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: []uint32{}}}
	said, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(said), "allow account nobody") || !strings.Contains(string(said), "without sudo, which is not installed") {
		t.Errorf("%v: %s", err, said)
	}
}
