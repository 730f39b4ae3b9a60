package python

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
	"flowctl/plugins/sdktest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("wants python3 on PATH")
	}
	sdktest.Runner(t, sdktest.Suite{Commander: Runner{}, Script: func(s string) sdk.Spec {
		return sdk.Spec{Text: fmt.Sprintf("import os, sys\nos.execv('/bin/sh', ['sh', '-c', %q, 'sh'] + sys.argv[1:])\n", s)}
	}})
}

// run executes a spec and returns its result and log.
func run(t *testing.T, spec sdk.Spec) (sdk.Result, string) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("wants python3 on PATH")
	}
	r, err := process.Open(t.TempDir(), Runner{})
	if err != nil {
		t.Fatal(err)
	}
	spec.Work = filepath.Join(t.TempDir(), "work")
	spec.Env = append(spec.Env, "PATH="+os.Getenv("PATH"))
	if err := r.Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	var log []byte
	result, err := r.Wait(t.Context(), spec.Work, 0, func(_ int64, data []byte) error {
		log = append(log, data...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return result, string(log)
}

func TestImportsFromTheFlowsFolder(t *testing.T) {
	t.Parallel()
	flow, lib := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(flow, "beside.py"): "x = 1\n", filepath.Join(lib, "elsewhere.py"): "y = 2\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, log := run(t, sdk.Spec{
		Dir: flow, Env: []string{"PYTHONPATH=" + lib}, Text: "import beside, elsewhere, sys\nprint(beside.x, elsewhere.y, sys.argv[1:])",
		Args: []sdk.Arg{{Value: "a"}},
	})
	if r.State != sdk.Succeeded || log != "1 2 ['a']\n" {
		t.Errorf("%+v, log %q", r, log)
	}
}

// TestEnvironment holds that no variable is there twice: C programs take the first, shells the last.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	spec := sdk.Spec{Dir: "/flow", Work: t.TempDir(), Text: "print()", Env: []string{"PYTHONPATH=/lib", "PATH=/bin", "A=b"}, With: []byte(`{"venv": "/opt/etl"}`)}
	c, err := Runner{}.Command(spec)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(c.Env)
	want := []string{"A=b", "PATH=/opt/etl/bin:/bin", "PYTHONPATH=/flow:/lib", "PYTHONUNBUFFERED=1", "VIRTUAL_ENV=/opt/etl"}
	if !slices.Equal(c.Env, want) {
		t.Errorf("got %q, want %q", c.Env, want)
	}
}

func TestInterpreter(t *testing.T) {
	t.Parallel()
	r, _ := run(t, sdk.Spec{Dir: "/", Text: "print()", With: []byte(`{"python": "no-such-python"}`)})
	if r.Code != sdk.CodeStart {
		t.Errorf("a missing interpreter: %+v", r)
	}
	file := filepath.Join(t.TempDir(), "job.py")
	if err := os.WriteFile(file, []byte("import sys; sys.exit(len(sys.argv))"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, log := run(t, sdk.Spec{Dir: "/", File: file, Args: []sdk.Arg{{Name: "a", Value: "b"}}})
	if r.ExitCode != 3 {
		t.Errorf("a file: %+v, log %q", r, log)
	}
}

// TestSchema holds that the compiler checks settings by the schema of this plugin.
func TestSchema(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("../../dsl/schemas/python.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(Runner{}.Describe().Schema); got != strings.TrimSpace(string(want)) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
