package ssh

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"flowctl/plugins/sdk"
	"flowctl/runners/shell"
)

// orderFile is the order in the attempt's work folder.
const orderFile = "ssh.json"

// order is what the near half does. It may hold secrets, so it travels in a file.
type order struct {
	ID     string          `json:"id"` // of the attempt's folder on the host
	With   json.RawMessage `json:"with"`
	Dir    string          `json:"dir"`            // the folder to send
	Task   string          `json:"task"`           // the script that becomes the task
	Text   string          `json:"text,omitempty"` // of `run:`
	File   string          `json:"file,omitempty"` // a `file:` that is not in Dir
	Output string          `json:"output"`         // where the task's outputs go
	Grace  time.Duration   `json:"grace"`
}

// newOrder makes the order of a spec. What the environment has in common with own, that of this process, describes this host and
// stays here.
func newOrder(spec sdk.Spec, own []string) (order, error) {
	s, _ := parseSettings(spec.With)
	o := order{With: spec.With, Dir: spec.Dir, Text: spec.Text, Grace: spec.Grace}
	if o.Grace <= 0 {
		o.Grace = sdk.DefaultGrace
	}
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails
	o.ID = hex.EncodeToString(id[:])
	var env []string
	for _, e := range spec.Env {
		name, value, _ := strings.Cut(e, "=")
		switch {
		case name == "FLOWCTL_OUTPUT":
			o.Output = value
		case name == "FLOWCTL_WORK", name == "FLOWCTL_WORKSPACE", slices.Contains(own, e):
		case !variable.MatchString(name):
			return order{}, fmt.Errorf("env: a shell cannot set a variable that is named %q: use letters, digits and _", name)
		default:
			env = append(env, e)
		}
	}
	program := []string{quote(s.Shell), `"$1/text"`}
	if spec.File != "" {
		var err error
		if program, err = o.program(spec.File, s.Shell); err != nil {
			return order{}, err
		}
	}
	o.Task = script(env, append(program, quoteAll(sdk.Argv(spec.Args))...))
	return o, nil
}

// variable is a name that every shell can set.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// program returns the words that execute a file.
func (o *order) program(file, shellName string) ([]string, error) {
	inside, err := filepath.Rel(o.Dir, file)
	if err != nil {
		return nil, fmt.Errorf("find %s from %s: %w", file, o.Dir, err)
	}
	path := quote("./" + filepath.ToSlash(inside))
	if inside == ".." || strings.HasPrefix(inside, ".."+string(filepath.Separator)) {
		o.File, path = file, `"$1/file"`
	}
	if shell.Runnable(file) {
		return []string{path}, nil
	}
	return []string{quote(shellName), path}, nil
}

// script is the text of the task file. It is read in the attempt's folder.
func script(env, program []string) string {
	var b strings.Builder
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(&b, "export %s=%s\n", name, quote(value))
	}
	b.WriteString("export FLOWCTL_WORK=\"$PWD/work\" FLOWCTL_OUTPUT=\"$PWD/output\"\nset -- \"$PWD\"\n")
	b.WriteString("cd \"../../trees/$(cat tree)\" || exit 127\n")
	fmt.Fprintf(&b, "exec %s\n", strings.Join(program, " "))
	return b.String()
}

// quote makes one word of a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func quoteAll(words []string) []string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return quoted
}

func (o order) store(work string) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(work, orderFile), b, 0o600)
}

func readOrder(work string) (order, settings, error) {
	var o order
	b, err := os.ReadFile(filepath.Join(work, orderFile))
	if err != nil {
		return order{}, settings{}, err
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return order{}, settings{}, fmt.Errorf("read %s: %w", orderFile, err)
	}
	s, problems := parseSettings(o.With)
	if err := sdk.Refuse(problems); err != nil {
		return order{}, settings{}, err
	}
	return o, s, nil
}
