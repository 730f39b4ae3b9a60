package agent

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flowctl/engine"
	"flowctl/plugins/host"
)

// accountRig is an agent that may run tasks as two other users of this machine.
type accountRig struct {
	*rig
	agent Options
	host  func() *host.Host // another one, as another agent process has
}

func newAccountRig(t *testing.T) *accountRig {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can run tasks as other users")
	}
	r := newRig(t)
	for dir := r.dir; dir != os.TempDir() && len(dir) > 1; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	self := filepath.Join(r.dir, "flowctl")
	copySelf(t, self)
	o := r.options("one")
	o.Token, o.Users = r.token(), []string{"nobody", "daemon"}
	return &accountRig{r, o, func() *host.Host {
		h, err := host.New(host.Options{Dir: filepath.Join(o.Dir, "plugins"), Self: self, Idle: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}}
}

// copySelf makes the test binary executable for everybody: its own folder is closed to others. It is written by another process, so that
// none which this one forks meanwhile holds it open.
func copySelf(t *testing.T, path string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("install", "-m", "755", self, path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
}

// start runs an agent process with plugins of its own, until stop.
func (r *accountRig) start() (stop func()) {
	h := r.host()
	r.agent.Plugins = hostPlugins{h}
	_, end := r.run(r.agent)
	stop = func() {
		_ = end()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Close(ctx); err != nil {
			r.t.Log(err)
		}
	}
	return stop
}

func (r *accountRig) attempt(id engine.AttemptID, user, text string) {
	as := assignment(id)
	as.Runner, as.Env, as.Text, as.RunAs = "shell", nil, text, user
	r.hub.Assign("one", []*engine.Assignment{as})
	nextReport(r.t, r.events, id, engine.ReportStarted)
}

func (r *accountRig) ended(id engine.AttemptID) engine.Result {
	return nextReport(r.t, r.events, id, engine.ReportFinished).Result
}

func TestAttemptsOfOtherAccounts(t *testing.T) {
	t.Parallel()
	r := newAccountRig(t)
	t.Cleanup(r.start())
	if h := next[joined](t, r.events).hello; strings.Join(h.Host.Users, " ") != "nobody daemon" {
		t.Errorf("it offers %v", h.Host.Users)
	}

	// It is the user, in its own folders, with its flow's files and its own environment.
	r.attempt(1, "nobody", `id -un; ./hello.sh; echo "$USER $LOGNAME"; echo rows=3 >>"$FLOWCTL_OUTPUT"; touch "$FLOWCTL_WORKSPACE/mark" "$FLOWCTL_WORK/x"; stat -c '%U %a' "$FLOWCTL_WORK"`)
	if res := r.ended(1); res.State != engine.Succeeded || res.Outputs["rows"] != "3" {
		t.Errorf("result %+v", res)
	}
	if got := r.log(1); got != "nobody\nhello\nnobody nobody\nnobody 700\n" {
		t.Errorf("log %q", got)
	}

	// Nobody else sees them, nor does it see what is the agent's.
	work := filepath.Join(r.agent.Dir, "work", "shell@nobody", "tree1", "1", ownWork)
	paths := []string{
		work, filepath.Join(r.agent.Dir, "accounts", "nobody", "trees", "tree1"), filepath.Join(r.agent.Dir, "accounts", "nobody", "workspace"),
		filepath.Join(r.agent.Dir, "plugins", "runner-shell@nobody", "1"), filepath.Join(r.agent.Dir, "trees"),
		filepath.Join(r.agent.Dir, "blobs"), filepath.Join(r.agent.Dir, "work"), r.agent.Dir,
	}
	for _, p := range paths {
		if _, err := os.Stat(p); err != nil {
			t.Fatal(err)
		}
	}
	look := fmt.Sprintf("for p in %s; do ls $p && echo SEEN $p; done; cat %s && echo SEEN; true", strings.Join(paths, " "), identityPath(r.agent.Dir))
	r.attempt(2, "daemon", look)
	r.ended(2)
	if got := r.log(2); strings.Contains(got, "SEEN") || strings.Count(got, "ermission denied") != len(paths)+1 {
		t.Errorf("another account sees too much:\n%s", got)
	}

	// What it leaves for the agent to read cannot be what it may not read itself.
	r.attempt(3, "daemon", `ln -s /etc/shadow "$FLOWCTL_OUTPUT"`)
	if res := r.ended(3); res.Code != engine.CodeOutput || strings.Contains(res.Message, "root:") {
		t.Errorf("result %+v", res)
	}
	r.attempt(4, "daemon", `mkfifo "$FLOWCTL_OUTPUT"`)
	if res := r.ended(4); res.Code != engine.CodeOutput {
		t.Errorf("result %+v", res)
	}

	as := assignment(5)
	as.Runner, as.RunAs = "shell", "root2"
	r.hub.Assign("one", []*engine.Assignment{as})
	if got := nextReport(t, r.events, 5, engine.ReportRefused); !strings.Contains(got.Message, "--allow-account root2") {
		t.Errorf("refused as %+v", got)
	}
	r.hub.Ack("one", []engine.AttemptID{1, 2, 3, 4})
}

func TestAnAttemptOfAnotherAccountOutlivesTheAgentAndCanBeKilled(t *testing.T) {
	t.Parallel()
	r := newAccountRig(t)
	stop := r.start()
	next[joined](t, r.events)
	r.attempt(1, "nobody", `echo begin; sleep 1000 & wait`)
	stop()
	next[lost](t, r.events)
	t.Cleanup(r.start())
	if h := next[joined](t, r.events).hello; len(h.Attempts) != 1 || h.Attempts[0].Kind != engine.ReportStarted {
		t.Errorf("it holds %+v", h.Attempts)
	}
	r.hub.Kill("one", []engine.AttemptID{1})
	if res := r.ended(1); res.State != engine.Killed {
		t.Errorf("result %+v", res)
	}
	if got := r.log(1); got != "begin\n" {
		t.Errorf("log %q", got)
	}
}

func TestAccountsThatCannotBeAllowed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := r.options("one")
	o.Users = []string{"no-such-user"}
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "allow account no-such-user") {
		t.Errorf("got %v", err)
	}
	if os.Getuid() != 0 {
		t.Skip("only root finds out what is in the way of others")
	}
	o.Users = []string{"nobody"} // whom the folder of the test is closed to
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "chmod o+x") {
		t.Errorf("got %v", err)
	}
}
