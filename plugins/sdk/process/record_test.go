package process

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"flowctl/plugins/internal/proc"
	"flowctl/plugins/sdk"
)

func TestExitRecord(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	if err := write(home, cardFile, card{Version: recordVersion}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []exitRecord{
		exitOf(proc.Exit{}),
		exitOf(proc.Exit{Code: 255, MaxRSS: 1 << 33, CPU: 90 * time.Minute, Read: 1 << 40, Written: 512}),
		exitOf(proc.Exit{Code: -1, Signal: 9, CPU: time.Microsecond}),
		problem(sdk.CodeStart, "no %s", "sh"),
	} {
		work := t.TempDir()
		if _, ok, err := exitOn(work); ok || err != nil {
			t.Fatalf("an end before the end: %v", err)
		}
		for range 2 { // the keeper may write it again
			if err := want.store(work, home); err != nil {
				t.Fatal(err)
			}
		}
		if got, ok, err := exitOn(work); got != want || !ok || err != nil {
			t.Errorf("got %+v, %v, %v; want %+v", got, ok, err, want)
		}
	}
}

func TestExitRecordCutShort(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	if err := os.WriteFile(filepath.Join(work, exitFile), []byte(`{"vers`), 0o600); err != nil {
		t.Fatal(err)
	}
	if e, ok, err := exitOn(work); !ok || err != nil || e.Problem != sdk.CodeLost {
		t.Errorf("got %+v, %v, %v; want lost", e, ok, err)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	from := filepath.Join(t.TempDir(), "from")
	if err := os.WriteFile(from, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere, err := os.MkdirTemp("/dev/shm", "flowctl-test-") // another file system, where links fail
	if err != nil {
		elsewhere = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(elsewhere) })
	for _, dir := range []string{t.TempDir(), elsewhere} {
		to := filepath.Join(dir, "new", "to")
		if err := place(from, to); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(to); string(b) != "content" {
			t.Errorf("%s holds %q, %v", to, b, err)
		}
		if err := place(from, to); !errors.Is(err, fs.ErrExist) {
			t.Errorf("placed twice: %v", err)
		}
	}
}

func TestResult(t *testing.T) {
	t.Parallel()
	timeout, killed := causeRecord{Code: sdk.CodeTimeout, Timeout: time.Hour}, causeRecord{Code: sdk.CodeKilled}
	for _, c := range []struct {
		exit  exitRecord
		cause causeRecord
		want  sdk.Result
	}{
		{exitOf(proc.Exit{}), causeRecord{}, sdk.Result{State: sdk.Succeeded}},
		{exitOf(proc.Exit{Code: 3}), causeRecord{}, sdk.Result{State: sdk.Failed, Code: sdk.CodeExit, ExitCode: 3, Message: "exit code 3"}},
		{exitOf(proc.Exit{Code: -1, Signal: 15}), causeRecord{}, sdk.Result{State: sdk.Failed, Code: sdk.CodeSignal, ExitCode: -1, Message: "ended by signal 15 (terminated)"}},
		{exitOf(proc.Exit{}), timeout, sdk.Result{State: sdk.Failed, Code: sdk.CodeTimeout, ExitCode: -1, Message: "timed out after 1h0m0s: the process tree was killed"}},
		{exitOf(proc.Exit{Code: 1}), killed, sdk.Result{State: sdk.Killed, Code: sdk.CodeKilled, ExitCode: -1, Message: "killed with its process tree"}},
		{problem(sdk.CodeLost, "gone"), causeRecord{}, sdk.Result{State: sdk.Failed, Code: sdk.CodeLost, ExitCode: -1, Message: "gone"}},
		{problem(sdk.CodeLost, "gone"), killed, sdk.Result{State: sdk.Killed, Code: sdk.CodeKilled, ExitCode: -1, Message: "killed with its process tree"}},
		{problem(sdk.CodeStart, "no"), killed, sdk.Result{State: sdk.Failed, Code: sdk.CodeStart, ExitCode: -1, Message: "no"}},
	} {
		if got := result(c.exit, c.cause); got != c.want {
			t.Errorf("%+v, %+v: got %+v, want %+v", c.exit, c.cause, got, c.want)
		}
	}
}

// FuzzExitRecord reads any name as that of an end: what is accepted names itself the same again.
func FuzzExitRecord(f *testing.F) {
	for _, name := range []string{"exit-0-0-0-0", "exit-255-0-8589934592-5400000000", "exit-255-9-0-1", "exit-", "exit-1-2-3", "exit-0-0-0-10000000000000000", "exit--1-2-3-4", "exit-99999999999999999999-0-0-0", "start"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		e, ok := parseExit(name)
		if !ok {
			return
		}
		again, ok := parseExit(e.name())
		if e.exit.Signal != 0 && e.exit.Code != -1 || e.exit.Code >= 0 && e.exit.Code < 256 && (!ok || again != e) {
			t.Fatalf("%q is %+v, whose name %s is %+v", name, e, e.name(), again)
		}
	})
}
