package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"flowctl/plugins/sdk"
)

//go:embed templates
var templates embed.FS

// module is the first line of the SDK's go.mod.
const module = "module flowctl\n"

// nameForm is stricter than the names of plugins: it also is a part of a Go module's path.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*[a-z0-9]$|^[a-z0-9]$`)

// Plugin says what to write.
type Plugin struct {
	Kind string // sdk.KindRunner, KindChannel or KindSensor
	Name string
	SDK  string // a checkout of flowctl
}

// Program is the name of the plugin's executable, and of its module.
func (p Plugin) Program() string { return "flowctl-" + p.Kind + "-" + p.Name }

// FindSDK returns the checkout of flowctl that a folder lies in.
func FindSDK(dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		if isSDK(at) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not in a checkout of flowctl", dir)
		}
	}
}

func isSDK(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && bytes.HasPrefix(text, []byte(module))
}

// Write writes the plugin's files into a folder, which must not exist or be empty, and returns their names.
func Write(dir string, p Plugin) ([]string, error) {
	if !slices.Contains([]string{sdk.KindRunner, sdk.KindChannel, sdk.KindSensor}, p.Kind) {
		return nil, fmt.Errorf("%q is no kind of plugin: there are runner, channel and sensor", p.Kind)
	}
	if !nameForm.MatchString(p.Name) {
		return nil, fmt.Errorf("%q is no name for a plugin: use small letters, digits, dots and dashes", p.Name)
	}
	if !isSDK(p.SDK) {
		return nil, fmt.Errorf("%s is no checkout of flowctl: it has no go.mod that says %q", p.SDK, strings.TrimSpace(module))
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var names []string
	for _, folder := range []string{"templates/all", "templates/" + p.Kind} {
		written, err := p.writeAll(dir, folder)
		if err != nil {
			return nil, err
		}
		names = append(names, written...)
	}
	slices.Sort(names)
	return names, nil
}

func (p Plugin) writeAll(dir, folder string) (names []string, err error) {
	entries, err := templates.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		t, err := template.ParseFS(templates, path.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		var text bytes.Buffer
		if err := t.Execute(&text, p); err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(e.Name(), ".tmpl")
		if err := os.WriteFile(filepath.Join(dir, name), text.Bytes(), 0o644); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// GoVersion is the version of the language that the SDK wants.
func (p Plugin) GoVersion() (string, error) {
	text, err := os.ReadFile(filepath.Join(p.SDK, "go.mod"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "go "); ok {
			return strings.TrimSpace(v), nil
		}
	}
	return "", fmt.Errorf("%s/go.mod does not say which version of Go it wants", p.SDK)
}
