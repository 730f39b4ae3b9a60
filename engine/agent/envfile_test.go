package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowctl/engine"
	"flowctl/plugins/sdk"
)

func TestEnvironmentFiles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"A=1\nB=x = y \n\n # no\n#no\nA=2\r\n": "B=x = y |A=2",
		"":                                     "",
		"A=\n":                                 "A=",
		"ok=1\nA\n":                            `f.env:2: write NAME=VALUE, not "A"`,
		"export A=1":                           `f.env:1: write NAME=VALUE, not "export A=1"`,
		"=1":                                   `f.env:1: write NAME=VALUE, not "=1"`,
		"FLOWCTL_FLOW=x":                       "f.env:1: FLOWCTL_FLOW: names that begin with FLOWCTL_ are flowctl's own",
		"A=\xff":                               "f.env:1: the line is not text",
	} {
		env, err := parseEnv("f.env", []byte(text))
		got := strings.Join(env, "|")
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestRunnersHaveTheirEnvironment: below the task's own, over the agent's, and of its runner alone.
func TestRunnersHaveTheirEnvironment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o := r.options("one")
	o.Token = r.token()
	write := func(path, text string) string {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write(filepath.Join(o.Dir, "env", "fake.env"), "PATH=/opt/bin\nLEVEL=file\nTHERE=yes\n")
	write(filepath.Join(o.Dir, "env", "other.env"), "OTHER=1\n")
	o.EnvFiles = map[string]string{"other": write(filepath.Join(r.dir, "named.env"), "NAMED\n")}
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "named.env:1: write NAME=VALUE") {
		t.Fatalf("got %v", err)
	}
	o.EnvFiles = nil
	r.run(o)
	next[joined](t, r.events)
	as := assignment(1)
	as.Env = []string{"LEVEL=task"}
	r.hub.Assign("one", []*engine.Assignment{as})
	p := r.started()
	for _, want := range []string{"PATH=/opt/bin", "LEVEL=task", "THERE=yes"} {
		name, _, _ := strings.Cut(want, "=")
		var got []string
		for _, v := range p.spec.Env {
			if strings.HasPrefix(v, name+"=") {
				got = append(got, v)
			}
		}
		if !slices.Equal(got, []string{want}) {
			t.Errorf("%v, want %s", got, want)
		}
	}
	if slices.Contains(p.spec.Env, "OTHER=1") {
		t.Error("the environment of another runner is there")
	}
	p.exit(sdk.Result{State: sdk.Succeeded})
	nextReport(t, r.events, 1, engine.ReportStarted)
	nextReport(t, r.events, 1, engine.ReportFinished)
}

func FuzzParseEnv(f *testing.F) {
	f.Add("A=1\n# x\nB=\n")
	f.Add("=\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		env, err := parseEnv("f", []byte(text))
		if err != nil {
			return
		}
		again, err := parseEnv("f", []byte(strings.Join(env, "\n")))
		if err != nil || !slices.Equal(env, again) {
			t.Errorf("%q became %q, %v", env, again, err)
		}
	})
}
