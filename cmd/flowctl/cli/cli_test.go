package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"flowctl/cmd/flowctl/cli"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
	"flowctl/plugins/sdktest/inbox"
	"flowctl/runners/shell"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"flowctl":               func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"flowctl-channel-file":  func() { os.Exit(sdk.Serve(inbox.Channel{})) },
		"flowctl-runner-relay":  func() { os.Exit(process.Serve(relay{})) },
		"flowctl-sensor-oracle": func() { os.Exit(sdk.Serve(oracle{})) },
	})
}

// relay is the shell runner as a plugin of a third party.
type relay struct{ shell.Runner }

func (r relay) Describe() sdk.Description {
	d := r.Runner.Describe()
	d.Name, d.Version = "relay", "1.0"
	return d
}

// oracle is a sensor of a third party to which all paths exist.
type oracle struct{}

func (oracle) Describe() sdk.Description {
	return sdk.Description{Name: "oracle", Version: "1.0", Kind: sdk.KindSensor, Schema: json.RawMessage(`{"type": "object"}`)}
}

func (oracle) Validate(json.RawMessage) []sdk.Problem { return nil }

func (oracle) Check(_ context.Context, _ string, paths []string) ([]sdk.PathState, error) {
	states := make([]sdk.PathState, len(paths))
	for i := range states {
		states[i].Exists = true
	}
	return states, nil
}

// TestScripts runs the command lines of testdata/script, each in a folder and process of its own. Tasks see the folder as $HOME.
// Servers take free ports and the data folder "data" unless a script says otherwise, and verbs find them there.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "../../../testdata/script",
		Setup: func(env *testscript.Env) error {
			for _, v := range []string{
				"HOME=" + env.WorkDir, "TZ=UTC", "GIT_CONFIG_NOSYSTEM=1",
				"GIT_AUTHOR_NAME=Alice", "GIT_AUTHOR_EMAIL=alice@example.com", "GIT_COMMITTER_NAME=Alice", "GIT_COMMITTER_EMAIL=alice@example.com",
				"FLOWCTL_DATA=" + filepath.Join(env.WorkDir, "data"), "FLOWCTL_LISTEN=127.0.0.1:0", "FLOWCTL_AGENTS=127.0.0.1:0",
			} {
				name, value, _ := strings.Cut(v, "=")
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":  await,
			"commit": commitAll,
			"ended":  ended,
			"exits":  exits,
			"items":  items,
			"ready":  ready,
			"term":   term,
		},
	})
}

const (
	// patience is how long a script waits for what no event tells.
	patience = 20 * time.Second
	// pause is how long it rests between two looks.
	pause = 20 * time.Millisecond
)

// eventually looks until there is nothing to wait for.
func eventually(ts *testscript.TestScript, what string, look func() bool) {
	for deadline := time.Now().Add(patience); !look(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			ts.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// want fails a script whose command was written wrongly.
func want(ts *testscript.TestScript, ok bool, usage string) {
	if !ok {
		ts.Fatalf("usage: %s", usage)
	}
}

// ready waits until the server of a data folder does its work.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 1, "ready DATA")
	var problem string
	ts.Defer(func() {
		if problem != "" {
			ts.Logf("not ready: %s", problem)
		}
	})
	eventually(ts, "ready", func() bool {
		url, err := os.ReadFile(ts.MkAbs(filepath.Join(args[0], "server-url")))
		if err != nil {
			return false
		}
		res, err := http.Get(strings.TrimSpace(string(url)) + "/readyz")
		if err != nil {
			return false // the address is that of an earlier server
		}
		body, err := io.ReadAll(res.Body)
		ts.Check(errors.Join(err, res.Body.Close()))
		problem = strings.TrimSpace(string(body))
		return res.StatusCode == http.StatusOK
	})
	problem = ""
}

// commitAll commits all that a folder holds; a folder that is no repository becomes one.
func commitAll(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 2, "commit FOLDER MESSAGE")
	if _, err := os.Stat(ts.MkAbs(filepath.Join(args[0], ".git"))); err != nil {
		ts.Check(ts.Exec("git", "init", "-q", "-b", "main", args[0]))
	}
	ts.Check(ts.Exec("git", "-C", args[0], "add", "-A"))
	ts.Check(ts.Exec("git", "-C", args[0], "commit", "-q", "--allow-empty", "-m", args[1]))
}

// exits runs a command that must end with a certain exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) >= 2, "exits CODE COMMAND [ARG...]")
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := run(ts, args[1:]); got != code {
		ts.Fatalf("exit code %d, want %d", got, code)
	}
}

// run runs a command to its end and returns the exit code.
func run(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

// tries runs a command until its output matches, as one process, so that the log of a script that fails is short.
const tries = `pattern=$1; shift; n=400
until out=$("$@" 2>&1) && printf '%s\n' "$out" | grep -Eq -- "$pattern"; do
	n=$((n - 1)); if [ $n = 0 ]; then printf '%s\n' "$out"; exit 1; fi
	sleep 0.05
done
printf '%s\n' "$out"`

// await runs a command until its output matches, or with one argument waits for a file.
func await(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) >= 1, "await FILE | await PATTERN COMMAND [ARG...]")
	if len(args) > 1 {
		if err := ts.Exec("sh", append([]string{"-c", tries, "await"}, args...)...); err != nil {
			ts.Fatalf("%s: it never came", args[0])
		}
		return
	}
	eventually(ts, args[0], func() bool {
		_, err := os.Stat(ts.MkAbs(args[0]))
		return err == nil
	})
}

// ended waits until the process is gone whose id a file holds.
func ended(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 1, "ended FILE")
	pid := strings.TrimSpace(ts.ReadFile(args[0]))
	eventually(ts, "the end of process "+pid, func() bool {
		state, _ := exec.Command("ps", "-o", "stat=", "-p", pid).Output() // it fails when there is no such process
		return len(state) == 0 || state[0] == 'Z'
	})
}

// term sends SIGTERM to all background processes.
func term(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 0, "term")
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}

// items checks that a file holds a list in JSON, with so many items where a number is given, else with some.
func items(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && (len(args) == 1 || len(args) == 2), "items FILE [COUNT]")
	var list struct {
		Items []map[string]any `json:"items"`
		Next  *string          `json:"next"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &list))
	switch {
	case list.Next == nil:
		ts.Fatalf("the list has no field next")
	case len(args) == 1 && len(list.Items) == 0:
		ts.Fatalf("the list is empty")
	case len(args) == 2 && strconv.Itoa(len(list.Items)) != args[1]:
		ts.Fatalf("%d items, want %s", len(list.Items), args[1])
	}
}
