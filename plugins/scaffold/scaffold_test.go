package scaffold

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowctl/plugins/host"
	"flowctl/plugins/keeper"
	"flowctl/plugins/sdk"
)

// TestMain lets this binary stand in for flowctl, which is the keeper of plugins.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "plugin" && os.Args[2] == "keep" {
		if err := keeper.Run(os.Args[3], os.Args[5:], os.Stdin, os.Stdout); err != nil { // os.Args[4] is --
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestScaffolds builds a plugin of each kind as its README says, runs its test, and then the plugin itself.
func TestScaffolds(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	checkout, err := FindSDK(here)
	if err != nil {
		t.Fatal(err)
	}
	plugins := t.TempDir()
	for _, kind := range []string{sdk.KindRunner, sdk.KindChannel, sdk.KindSensor} {
		p := Plugin{Kind: kind, Name: "my-" + kind, SDK: checkout}
		dir := filepath.Join(t.TempDir(), p.Program())
		names, err := Write(dir, p)
		if err != nil || !slices.Equal(names, []string{"README.md", "go.mod", "main.go", "main_test.go"}) {
			t.Fatalf("wrote %v, %v", names, err)
		}
		for _, args := range [][]string{
			{"mod", "tidy"}, {"vet", "./..."}, {"test", "./..."}, {"build", "-o", filepath.Join(plugins, p.Program())},
		} {
			run(t, dir, "go", args...)
		}
		if bad := run(t, dir, "gofmt", "-l", "-s", "."); bad != "" {
			t.Errorf("not formatted: %s", bad)
		}
	}
	tryAll(t, plugins)
}

func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s in %s: %v\n%s", program, strings.Join(args, " "), dir, err, out)
	}
	return string(out)
}

// tryAll launches the plugins as agents and servers do.
func tryAll(t *testing.T, plugins string) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.New(host.Options{Dir: t.TempDir(), Self: self, PluginDir: plugins})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, kind := range []string{sdk.KindRunner, sdk.KindChannel, sdk.KindSensor} {
		if found, err := h.Inspect(t.Context(), kind, "my-"+kind); err != nil || found.Version != "0.1.0" {
			t.Fatalf("%+v, %v", found, err)
		}
	}
	sum, err := host.Sum(filepath.Join(plugins, "flowctl-runner-my-runner"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Runner(t.Context(), "my-runner", "", []string{sum})
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(t.TempDir(), "work")
	if err := p.Start(t.Context(), sdk.Spec{Attempt: "1", Work: work, Dir: "/", Text: "echo hello; exit 4", Env: []string{"PATH=/usr/bin:/bin"}}); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	r, err := p.Wait(t.Context(), work, 0, func(_ int64, data []byte) error { log.Write(data); return nil })
	if err != nil || r.ExitCode != 4 || log.String() != "hello\n" {
		t.Errorf("got %+v, log %q, %v", r, log.String(), err)
	}
}

// TestDocumentation compares the runner in docs/plugins.md with what is written.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Write(dir, Plugin{sdk.KindRunner, "mine", filepath.Join("..", "..")}); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join(dir, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```go\n"+string(program)+"```\n") {
		t.Errorf("docs/plugins.md shows another main.go than\n%s", program)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	checkout := filepath.Join("..", "..")
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir  string
		p    Plugin
		want string
	}{
		{t.TempDir(), Plugin{"thing", "x", checkout}, "is no kind of plugin"},
		{t.TempDir(), Plugin{sdk.KindRunner, "../x", checkout}, "is no name for a plugin"},
		{t.TempDir(), Plugin{sdk.KindRunner, "X y", checkout}, "is no name for a plugin"},
		{t.TempDir(), Plugin{sdk.KindRunner, "x", t.TempDir()}, "is no checkout of flowctl"},
		{full, Plugin{sdk.KindRunner, "x", checkout}, "is not empty"},
	} {
		if _, err := Write(c.dir, c.p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.p, err, c.want)
		}
	}
	if dir, err := FindSDK(t.TempDir()); err == nil {
		t.Errorf("found the SDK at %s", dir)
	}
}
