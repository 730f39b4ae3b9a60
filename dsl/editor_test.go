package dsl_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flowctl/dsl"
)

// TestEditor drives the language server that most editors use over the example repository, and over one that uses the whole language.
func TestEditor(t *testing.T) {
	t.Parallel()
	schema, err := dsl.EditorSchema()
	if err != nil {
		t.Fatal(err)
	}
	e := openEditor(t, schema)
	for _, root := range []string{"../flows", "../testdata/language"} {
		files, err := dsl.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for _, f := range files {
			if strings.HasSuffix(f.Path, ".yaml") {
				checked++
				for _, p := range e.open(f.Path, string(f.Data)) {
					t.Errorf("%s/%s:%d: %s", root, f.Path, p.Range.Start.Line+1, p.Message)
				}
			}
		}
		if checked == 0 {
			t.Errorf("%s holds no file", root)
		}
	}

	text := "flow: shop.orders\nteam: data\nschedule: {every: day}\ntasks:\n  load:\n    run: echo\n    retyr: {limit: 3}\n    ti\n"
	found := e.open("edited.yaml", strings.TrimSuffix(text, "    ti\n"))
	if len(found) != 1 || found[0].Range.Start.Line != 6 || !strings.Contains(found[0].Message, "retyr") {
		t.Errorf("an unknown field is marked by %+v, want it at line 7", found)
	}
	e.open("typed.yaml", text)
	if offered := e.complete("typed.yaml", 7, 6); offered["timeout"] == "" || offered["trigger_rule"] == "" || offered["tasks"] != "" {
		t.Errorf("within a task the editor offers %v, want its fields with their documentation", offered)
	}
	e.open("values.yaml", "flow: a\nteam: b\nschedule:\n  every: \n")
	if offered := e.complete("values.yaml", 3, 9); len(offered) != 4 {
		t.Errorf("for every the editor offers %v", offered)
	}
	if shown := e.hover("edited.yaml", 5, 5); !strings.Contains(shown, "the text to run") {
		t.Errorf("over run the editor shows %q", shown)
	}
	if shown := e.hover("edited.yaml", 2, 3); !strings.Contains(shown, "when its runs are made") {
		t.Errorf("over schedule the editor shows %q", shown)
	}
}

// TestFieldReference compares docs/reference/dsl.md with what the language says of itself.
func TestFieldReference(t *testing.T) {
	t.Parallel()
	name := filepath.FromSlash("../docs/reference/dsl.md")
	got := dsl.FieldReference()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/reference/dsl.md is out of date (%v): go test ./dsl -run TestFieldReference -update writes it", err)
	}
}
