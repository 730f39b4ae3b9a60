package flows_test

import (
	"testing"

	"flowctl/dsl"
)

func TestCompiles(t *testing.T) {
	t.Parallel()
	root, err := dsl.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	files, err := dsl.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	project, findings := dsl.New().Compile(files)
	for _, f := range findings {
		t.Errorf("%s:%d:%d: %s [%s]", f.File, f.Line, f.Col, f.Message, f.Rule)
	}
	if project == nil || len(project.Flows) != 7 {
		t.Fatal("the example repository has not its seven flows")
	}
}
