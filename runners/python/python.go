package python

import (
	"encoding/json"
	"fmt"
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
    "python": {"type": "string", "minLength": 1, "default": "python3", "description": "the interpreter: a name on PATH or an absolute path"}
  }
}`

// Describe implements sdk.Plugin.
func (Runner) Describe() sdk.Description {
	return sdk.Description{Name: "python", Version: "1", Kind: sdk.KindRunner, Schema: json.RawMessage(schema)}
}

// settings is the `with` of a task.
type settings struct {
	Python string `json:"python"`
}

// Validate implements sdk.Plugin.
func (Runner) Validate(with json.RawMessage) []sdk.Problem {
	var s settings
	return sdk.DecodeWith(with, &s)
}

// Command implements process.Commander.
func (Runner) Command(spec sdk.Spec) (process.Command, error) {
	s := settings{Python: "python3"}
	if problems := sdk.DecodeWith(spec.With, &s); len(problems) > 0 {
		return process.Command{}, fmt.Errorf("with%s: %s", problems[0].Path, problems[0].Message)
	}
	script, env := spec.File, append(slices.Clip(spec.Env), "PYTHONUNBUFFERED=1")
	if script == "" {
		script = filepath.Join(spec.Work, "script.py")
		if err := os.WriteFile(script, []byte(spec.Text), 0o600); err != nil {
			return process.Command{}, err
		}
		// Python looks for modules beside the script; the flow's folder is where its author expects that.
		env = append(env, "PYTHONPATH="+searchPath(spec))
	}
	return process.Command{Path: s.Python, Args: append([]string{script}, sdk.Argv(spec.Args)...), Env: env}, nil
}

// searchPath is the working directory before what the task's environment asks for.
func searchPath(spec sdk.Spec) string {
	path := spec.Dir
	for _, e := range spec.Env {
		if own, ok := strings.CutPrefix(e, "PYTHONPATH="); ok && own != "" {
			path = spec.Dir + string(filepath.ListSeparator) + own
		}
	}
	return path
}
