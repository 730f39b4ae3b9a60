package dsl

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestFieldsAreUsedAndDocumented wants each field of each shape in docs/dsl.md and in the repository of TestWholeLanguage.
func TestFieldsAreUsedAndDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/dsl.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ReadDir("../testdata/language")
	if err != nil {
		t.Fatal(err)
	}
	var repository strings.Builder
	for _, f := range files {
		if IsDocument(f.Path) || f.Path == LockFile {
			repository.Write(f.Data)
		}
	}
	shapes := shapeFields(t)
	if len(shapes) < 30 {
		t.Fatalf("only %d shapes found", len(shapes))
	}
	for shape, fields := range shapes {
		for _, field := range fields {
			if !strings.Contains(string(page), "`"+field+"`") {
				t.Errorf("docs/dsl.md does not mention `%s` of %s", field, shape)
			}
			if !regexp.MustCompile(`(^|[\s{])` + field + `:`).MatchString(repository.String()) {
				t.Errorf("testdata/language does not use %s of %s", field, shape)
			}
		}
	}
}

// shapeFields reads the fields of all shapes from their source, so that none can be left out.
func shapeFields(t *testing.T) map[string][]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "shape.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string][]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		ast.Inspect(spec, func(n ast.Node) bool {
			entry, ok := n.(*ast.KeyValueExpr)
			if !ok || entry.Key.(*ast.Ident).Name != "fields" {
				return true
			}
			for _, e := range entry.Value.(*ast.CompositeLit).Elts {
				name, err := strconv.Unquote(e.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				shapes[spec.Names[0].Name] = append(shapes[spec.Names[0].Name], name)
			}
			return true
		})
		return true
	})
	return shapes
}

// TestSchemasCompile reads the schema of each plugin that comes with flowctl.
func TestSchemasCompile(t *testing.T) {
	t.Parallel()
	for _, name := range append(builtinRunners(), builtinChannels()...) {
		text, err := schemaFiles.ReadFile("schemas/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := compileSchema(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"1B": 1, "512MiB": 512 << 20, "2GiB": 2 << 30, "1.5 GiB": 3 << 29, "2GB": 2_000_000_000, "1TiB": 1 << 40,
		"": 0, "2": 0, "2G": 0, "-1GiB": 0, "0GiB": 0, "GiB": 0, "1e99TiB": 0, "99999999999TiB": 0, "1.1.1GiB": 0,
	} {
		if got, err := ParseSize(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"template.a":                        "template.a",
		"quote(template.a) + template['b']": "template.a template['b']",
		"x.template.a":                      "",
		"'template.a'":                      "",
		`"a\"template.b" + template.c`:      "template.c",
		"templates.a + mytemplate.b":        "",
		"template":                          "",
		"template.":                         "",
		"template['a":                       "",
	} {
		var got []string
		for _, r := range references(source, "template") {
			got = append(got, source[r.start:r.end])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}
