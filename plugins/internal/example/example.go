// Package example gives tests of channels the examples of the documentation.
package example

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"flowctl/dsl"
	"flowctl/dsl/diag"
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
)

// Channels returns the settings of the channels of docs/channels.md that use a plugin, by their names. Each secret is its own name, after "secret-".
func Channels(t testing.TB, page, plugin string) map[string]json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	files := []dsl.File{{Path: dsl.SettingsFile, Data: []byte("version: 1\n")}}
	for i, piece := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ := strings.Cut(piece, "```\n")
		files = append(files, dsl.File{Path: string(rune('a'+i)) + ".yaml", Data: []byte(block)})
	}
	project, findings := dsl.New().Compile(files)
	for _, f := range findings {
		if f.Severity == diag.Error {
			t.Fatalf("%s: %s", page, f.Message)
		}
	}
	var programs expr.Programs
	var fill func(any) any
	fill = func(v any) any {
		switch v := v.(type) {
		case *flow.Template:
			text, err := programs.Text(v, expr.Peer, &expr.Values{})
			if err == nil {
				text, err = flow.Reveal(text, func(name string) (string, error) { return "secret-" + name, nil })
			}
			if err != nil {
				t.Fatal(err)
			}
			return text
		case map[string]any:
			v = maps.Clone(v)
			for key, x := range v {
				v[key] = fill(x)
			}
			return v
		case []any:
			out := make([]any, len(v))
			for i, x := range v {
				out[i] = fill(x)
			}
			return out
		}
		return v
	}
	channels := make(map[string]json.RawMessage)
	for name, c := range project.Channels {
		if c.Plugin == plugin {
			if channels[name], err = json.Marshal(fill(c.With)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return channels
}
