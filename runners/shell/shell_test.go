package shell

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	sdktest.Runner(t, sdktest.Suite{Commander: Runner{}, Script: func(s string) sdk.Spec { return sdk.Spec{Text: s} }})
}

func TestCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	program := file("program", "#!/usr/bin/env python3\n", 0o700)
	closed := file("closed", "#!/bin/sh\n", 0o600)
	plain := file("plain", "echo hello\n", 0o700)
	empty := file("empty", "", 0o700)
	args := []sdk.Arg{{Value: "a"}, {Name: "n", Value: "b"}}
	for name, c := range map[string]struct {
		spec sdk.Spec
		path string
		args []string
	}{
		"text":                 {sdk.Spec{Text: "echo"}, "/bin/sh", []string{"-c", "echo", "sh"}},
		"text with arguments":  {sdk.Spec{Text: "echo", Args: args}, "/bin/sh", []string{"-c", "echo", "sh", "a", "--n", "b"}},
		"another shell":        {sdk.Spec{Text: "echo", With: []byte(`{"shell":"bash"}`)}, "bash", []string{"-c", "echo", "sh"}},
		"executable":           {sdk.Spec{File: program, Args: args}, program, []string{"a", "--n", "b"}},
		"not executable":       {sdk.Spec{File: closed}, "/bin/sh", []string{closed}},
		"no interpreter named": {sdk.Spec{File: plain, With: []byte(`{"shell":"/bin/zsh"}`)}, "/bin/zsh", []string{plain}},
		"strict":               {sdk.Spec{Text: "echo", With: []byte(`{"strict":true}`)}, "/bin/sh", []string{"-e", "-u", "-c", "echo", "sh"}},
		"strict bash": {
			sdk.Spec{Text: "echo", With: []byte(`{"shell":"/bin/bash","strict":true}`)}, "/bin/bash", []string{"-e", "-u", "-o", "pipefail", "-c", "echo", "sh"},
		},
		"strict file": {sdk.Spec{File: program, Args: args, With: []byte(`{"strict":true}`)}, "/bin/sh", []string{"-e", "-u", program, "a", "--n", "b"}},
		"empty file":  {sdk.Spec{File: empty}, "/bin/sh", []string{empty}},
	} {
		got, err := Runner{}.Command(c.spec)
		if err != nil || got.Path != c.path || !slices.Equal(got.Args, c.args) {
			t.Errorf("%s: got %q %q, %v; want %q %q", name, got.Path, got.Args, err, c.path, c.args)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for with, want := range map[string]string{
		``:                     "",
		`{"shell": "bash"}`:    "",
		`{"shell": ["bash"]}`:  "/shell: want a string, not a list",
		`{"shel": "bash"}`:     `/shel: there is no setting "shel"`,
		`{"shell": "bash"} {}`: ": want one JSON object",
		`[]`:                   ": want a mapping, not a list",
	} {
		var got []string
		for _, p := range (Runner{}).Validate([]byte(with)) {
			got = append(got, p.Path+": "+p.Message)
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: got %q, want %q", with, got, want)
		}
	}
}

// TestSchema holds that the compiler checks settings by the schema of this plugin.
func TestSchema(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("../../dsl/schemas/shell.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(Runner{}.Describe().Schema); got != strings.TrimSpace(string(want)) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
