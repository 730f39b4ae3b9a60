package dsl_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"flowctl/dsl"
)

// TestWholeLanguage compiles one repository that uses every field (TestFieldsAreUsedAndDocumented sees to that) and compares the model with
// a golden file.
func TestWholeLanguage(t *testing.T) {
	t.Parallel()
	files, err := dsl.ReadDir("../testdata/language")
	if err != nil {
		t.Fatal(err)
	}
	project, found := dsl.New().Compile(files)
	for _, d := range found {
		t.Errorf("%s:%d:%d: %s [%s]", d.File, d.Line, d.Col, d.Message, d.Rule)
	}
	if project == nil {
		t.Fatal("it does not compile")
	}
	var model bytes.Buffer
	e := json.NewEncoder(&model)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(project); err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "../testdata/language/model.json", model.Bytes())
}
