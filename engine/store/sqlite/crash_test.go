//go:build cgo

package sqlite_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"flowctl/engine"
	"flowctl/engine/store/sqlite"
)

// crashFolder tells the test binary, started again, to be the server that is killed.
const crashFolder = "FLOWCTL_TEST_CRASH_FOLDER"

// TestCrash kills a process that commits without pause: what it said was stored is there, nothing else is half there, and the
// folder is free at once.
func TestCrash(t *testing.T) {
	if dir := os.Getenv(crashFolder); dir != "" {
		commitForever(t, dir)
	}
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrash$") //nolint:gosec // the test itself
	cmd.Env = append(os.Environ(), crashFolder+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if acknowledged, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatalf("the server said %q", lines.Text())
		}
		if acknowledged == 20 {
			if _, err := sqlite.Open(t.Context(), filepath.Join(dir, "flowctl.db")); err == nil || !strings.Contains(err.Error(), strconv.Itoa(cmd.Process.Pid)) {
				t.Errorf("second server while the first one runs: %v", err)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the server ended with %v", err)
	}

	s := open(t, dir)
	defer s.Close() //nolint:errcheck // only read
	n, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(n.Runs) < acknowledged || len(n.TaskRuns) != 2*len(n.Runs) {
		t.Errorf("%d commits were acknowledged; %d runs with %d task runs are there", acknowledged, len(n.Runs), len(n.TaskRuns))
	}
}

func commitForever(t *testing.T, dir string) {
	s := open(t, dir)
	term, err := s.Lead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rev, err := s.PutRevision(t.Context(), term, &engine.Revision{Commit: "c0ffee"})
	if err != nil {
		t.Fatal(err)
	}
	for id := engine.RunID(1); ; id++ {
		err := s.Commit(t.Context(), term, &engine.Changes{
			Runs:     []engine.Run{{ID: id, Flow: "f", Version: int(id), Kind: engine.Manual, State: engine.RunActive, Revision: rev}},
			TaskRuns: []engine.TaskRun{{Run: id, Task: "a", State: engine.Ready}, {Run: id, Task: "b", State: engine.Ready}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stdout.WriteString(strconv.Itoa(int(id)) + "\n"); err != nil {
			t.Fatal(err)
		}
	}
}
