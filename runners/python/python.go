package python

import (
	"cmp"
	_ "embed" // venv.py
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
)

// Runner is the Python runner; its zero value is ready.
type Runner struct{}

const schema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "python": {"type": "string", "minLength": 1, "default": "python3", "description": "the interpreter: a name on PATH or an absolute path"},
    "venv": {"type": "string", "minLength": 1, "description": "the folder of a virtual environment on the agent, whose interpreter and commands are used; instead of python"},
    "requirements": {"type": "string", "minLength": 1, "description": "a requirements file of pip, relative to the flow's folder: the task runs in a virtual environment that has what it names, made once and kept"}
  },
  "dependentSchemas": {"venv": {"properties": {"python": false, "requirements": false}}}
}`

//go:embed venv.py
var launcher []byte

// Describe implements sdk.Plugin.
func (Runner) Describe() sdk.Description {
	return sdk.Description{Name: "python", Version: "1", Kind: sdk.KindRunner, Schema: json.RawMessage(schema)}
}

// settings is the `with` of a task.
type settings struct {
	Python       string `json:"python"`
	Venv         string `json:"venv"`
	Requirements string `json:"requirements"`
}

// Validate implements sdk.Plugin.
func (Runner) Validate(with json.RawMessage) []sdk.Problem {
	_, problems := decode(with)
	return problems
}

func decode(with json.RawMessage) (settings, []sdk.Problem) {
	var s settings
	if problems := sdk.DecodeWith(with, &s); len(problems) > 0 {
		return s, problems
	}
	if s.Venv != "" && (s.Python != "" || s.Requirements != "") {
		return s, []sdk.Problem{{Path: "/venv", Message: "a virtual environment has its own interpreter and packages: leave out python and requirements"}}
	}
	return s, nil
}

// Command implements process.Commander.
func (Runner) Command(spec sdk.Spec) (process.Command, error) {
	s, problems := decode(spec.With)
	if err := sdk.Refuse(problems); err != nil {
		return process.Command{}, err
	}
	script, env := spec.File, append(slices.Clip(spec.Env), "PYTHONUNBUFFERED=1")
	if script == "" {
		script = filepath.Join(spec.Work, "script.py")
		if err := os.WriteFile(script, []byte(spec.Text), 0o600); err != nil {
			return process.Command{}, err
		}
		// Python looks for modules beside the script; the flow's folder is where its author expects that.
		env = before(env, "PYTHONPATH", spec.Dir)
	}
	args := append([]string{script}, sdk.Argv(spec.Args)...)
	python := cmp.Or(s.Python, "python3")
	switch {
	case s.Venv != "":
		bin := filepath.Join(s.Venv, "bin")
		python = filepath.Join(bin, "python")
		env = append(before(env, "PATH", bin), "VIRTUAL_ENV="+s.Venv)
	case s.Requirements != "":
		launch := filepath.Join(spec.Work, "venv.py")
		if err := os.WriteFile(launch, launcher, 0o600); err != nil {
			return process.Command{}, err
		}
		args = append([]string{launch, s.Requirements}, args...)
	}
	return process.Command{Path: python, Args: args, Env: env}, nil
}

// before puts a folder first in a variable that lists folders.
func before(env []string, variable, folder string) []string {
	list := folder
	kept := slices.DeleteFunc(slices.Clone(env), func(e string) bool { // of two entries, C takes the first and the shell the last
		own, ok := strings.CutPrefix(e, variable+"=")
		if ok && own != "" {
			list = folder + string(filepath.ListSeparator) + own
		}
		return ok
	})
	return append(kept, variable+"="+list)
}
