// Package example gives tests of channels the examples of the documentation, and shows what they send.
package example

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
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

// To lets settings reach another server than the one that they name.
func To(server string, with json.RawMessage) json.RawMessage {
	origin := regexp.MustCompile(`"url":"https://[^/"]+`)
	return origin.ReplaceAll(with, []byte(`"url":"`+server))
}

// Dump writes a request as text: its headers sorted, its body indented when it is JSON.
func Dump(r *http.Request, body []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.RequestURI)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if name != "Accept-Encoding" {
			fmt.Fprintf(&b, "%s: %s\n", name, r.Header.Get(name))
		}
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, "", "  ") != nil {
		pretty = *bytes.NewBuffer(body)
	}
	fmt.Fprintf(&b, "\n%s\n", &pretty)
	return b.String()
}

// Compare compares a request with what a file wants, or writes that file.
func Compare(t testing.TB, file, got string, update bool) {
	t.Helper()
	if update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(want) != got {
		t.Errorf("got\n%s\nwant\n%s (%v)\n(go test -update accepts it)", got, want, err)
	}
}
