package flows_test

import (
	"testing"

	"flowctl/dsl"
	"flowctl/engine/simulate"
)

// TestFlows runs the tests that the example repository holds, as flowctl test does.
func TestFlows(t *testing.T) {
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
	if project == nil || len(project.Tests) != 3 {
		t.Fatalf("the example repository has not its three tests: %v", findings)
	}
	for _, test := range project.Tests {
		v, err := simulate.Check(t.Context(), project, test)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range v.Mismatches {
			t.Errorf("%s:%d: %s: %s is %s, want %s %v", m.Pos.File, m.Pos.Line, m.Subject, m.Field, m.Got, m.Want, m.Why)
		}
	}
}
