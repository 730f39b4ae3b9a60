package shell

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
)

// Runner is the shell runner; its zero value is ready.
type Runner struct{}

const schema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "shell": {"type": "string", "minLength": 1, "default": "/bin/sh", "description": "the shell: a name on PATH or an absolute path; it must know -c"},
    "strict": {"type": "boolean", "default": false, "description": "end at the first command that fails and at a variable that is not set (-e -u), and where the shell has it, fail with any part of a pipeline (pipefail)"}
  }
}`

// Describe implements sdk.Plugin.
func (Runner) Describe() sdk.Description {
	return sdk.Description{Name: "shell", Version: "1", Kind: sdk.KindRunner, Schema: json.RawMessage(schema)}
}

// settings is the `with` of a task.
type settings struct {
	Shell  string `json:"shell"`
	Strict bool   `json:"strict"`
}

// Validate implements sdk.Plugin.
func (Runner) Validate(with json.RawMessage) []sdk.Problem {
	var s settings
	return sdk.DecodeWith(with, &s)
}

// Command implements process.Commander.
func (Runner) Command(spec sdk.Spec) (process.Command, error) {
	s := settings{Shell: "/bin/sh"}
	if err := sdk.Refuse(sdk.DecodeWith(spec.With, &s)); err != nil {
		return process.Command{}, err
	}
	var args []string
	if s.Strict {
		args = strict(s.Shell)
	}
	switch {
	case spec.File == "":
		args = append(args, "-c", spec.Text, "sh")
	case Runnable(spec.File) && !s.Strict:
		return process.Command{Path: spec.File, Args: sdk.Argv(spec.Args)}, nil
	default:
		args = append(args, spec.File)
	}
	return process.Command{Path: s.Shell, Args: append(args, sdk.Argv(spec.Args)...)}, nil
}

// strict returns a shell's options for strict mode. POSIX has pipefail since 2024; not every /bin/sh has it.
func strict(shell string) []string {
	switch filepath.Base(shell) {
	case "bash", "ksh", "zsh":
		return []string{"-e", "-u", "-o", "pipefail"}
	}
	return []string{"-e", "-u"}
}

// Runnable tells whether the kernel can execute a file that names its interpreter.
func Runnable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	s, err := f.Stat()
	if err != nil || s.Mode()&0o111 == 0 {
		return false
	}
	var magic [2]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && string(magic[:]) == "#!"
}
