package dsl_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"flowctl/dsl"
	"flowctl/dsl/diag"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestDiagnostics compiles each repository under testdata/diag and compares what is found with its golden file. It also tells whether a
// place lies outside its file.
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob("../testdata/diag/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			files := readRepository(t, folder)
			project, found := (&dsl.Compiler{Year: 2026}).Compile(files)
			failed := slices.ContainsFunc(found, func(d diag.Diagnostic) bool { return d.Severity == diag.Error })
			if (project == nil) != failed {
				t.Errorf("project %v with %d diagnostics", project != nil, len(found))
			}
			checkPlaces(t, files, found)
			checkRules(t, found)
			var got bytes.Buffer
			if err := diag.WriteText(&got, found, diag.TextOptions{}); err != nil {
				t.Fatal(err)
			}
			compareGolden(t, filepath.Join(folder, "want.txt"), got.Bytes())
		})
	}
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s\n(go test ./dsl -update accepts it)", got, want)
	}
}

// readRepository reads a case; flowctl.yaml may be left out of it.
func readRepository(t *testing.T, folder string) []dsl.File {
	t.Helper()
	files, err := dsl.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Path == dsl.SettingsFile || f.Path == "no-settings" {
			return files
		}
	}
	return append(files, dsl.File{Path: dsl.SettingsFile, Mode: 0o644, Data: []byte("version: 1\n")})
}

func sourceOf(files []dsl.File) func(string) []byte {
	return func(name string) []byte {
		for _, f := range files {
			if f.Path == name {
				return f.Data
			}
		}
		return nil
	}
}

// checkRules fails when a rule is not declared, or a warning or error is given twice. Errors of one place may differ: a use of a template lacks each
// of its parameters there.
func checkRules(t *testing.T, found []diag.Diagnostic) {
	t.Helper()
	for i, d := range found {
		if rule, ok := diag.RuleOf(d.Rule); !ok || rule.Severity != d.Severity && rule.ID != diag.NoAlertReceiver {
			t.Errorf("%s of severity %s is declared as %+v", d.Rule, d.Severity, rule)
		}
		if i == 0 {
			continue
		}
		if last := found[i-1]; last.File == d.File && last.Line == d.Line && last.Col == d.Col && last.Rule == d.Rule && (d.Severity == diag.Warning || last.Message == d.Message) {
			t.Errorf("%s:%d:%d: %s twice: %s and %s", d.File, d.Line, d.Col, d.Rule, last.Message, d.Message)
		}
	}
}

// checkPlaces fails when a diagnostic points outside its file.
func checkPlaces(t *testing.T, files []dsl.File, found []diag.Diagnostic) {
	t.Helper()
	source := sourceOf(files)
	for _, d := range found {
		lines := bytes.Split(bytes.ReplaceAll(bytes.ReplaceAll(source(d.File), []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n")), []byte("\n"))
		if d.Line == 0 {
			continue
		}
		if d.Line < 0 || d.Line > len(lines) || d.Col < 1 || d.Col > len([]rune(string(lines[d.Line-1])))+1 {
			t.Errorf("%s:%d:%d lies outside the file: %s", d.File, d.Line, d.Col, d.Message)
		}
	}
}
