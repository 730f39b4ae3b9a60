package agent

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// envSuffix ends the names of environment files in DATA/env, which are those of runners.
const envSuffix = ".env"

// validVariable is the name of an environment variable.
var validVariable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// readEnvFiles returns the environment that each runner's attempts get on this host: from the files that are named, by runner, and those in dir,
// unless one is named.
func readEnvFiles(dir string, named map[string]string) (map[string][]string, error) {
	paths := map[string]string{}
	found, _ := filepath.Glob(filepath.Join(dir, "*"+envSuffix)) // the pattern is well-formed
	for _, p := range found {
		paths[strings.TrimSuffix(filepath.Base(p), envSuffix)] = p
	}
	maps.Copy(paths, named)
	envs := map[string][]string{}
	for _, runner := range slices.Sorted(maps.Keys(paths)) {
		path := paths[runner]
		if !validName.MatchString(runner) {
			return nil, fmt.Errorf("environment file %s: %q is no name of a runner", path, runner)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the environment of runner %s: %w", runner, err)
		}
		if envs[runner], err = parseEnv(path, data); err != nil {
			return nil, err
		}
	}
	return envs, nil
}

// parseEnv reads NAME=VALUE lines; the value is all that follows the first '='. Blank lines, and those that begin with '#', are skipped. The last line
// of a name counts.
func parseEnv(path string, data []byte) ([]string, error) {
	var env []string
	no := 0
	for raw := range bytes.Lines(data) {
		no++
		line := strings.TrimRight(string(raw), "\r\n")
		if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		switch {
		case !utf8.ValidString(line) || strings.ContainsRune(line, 0):
			return nil, fmt.Errorf("%s:%d: the line is not text", path, no)
		case !ok || !validVariable.MatchString(name):
			return nil, fmt.Errorf("%s:%d: write NAME=VALUE, not %q", path, no, clip(line))
		case strings.HasPrefix(name, "FLOWCTL_"):
			return nil, fmt.Errorf("%s:%d: %s: names that begin with FLOWCTL_ are flowctl's own", path, no, name)
		}
		env = append(slices.DeleteFunc(env, func(v string) bool { return strings.HasPrefix(v, name+"=") }), line)
	}
	return env, nil
}

// hostEnv is what an attempt sees of its host: the agent's environment, or its user's, and over it that of its runner's file.
func (a *Agent) hostEnv(at *attempt) []string {
	base, over := a.userEnv(at.user), a.runnerEnv[at.runner]
	if len(over) == 0 {
		return base
	}
	env := slices.DeleteFunc(slices.Clone(base), func(v string) bool { return overridden(v, over) })
	return append(env, over...)
}
