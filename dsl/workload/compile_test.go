package workload_test

import (
	"testing"

	"flowctl/dsl"
	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/workload"
)

// TestKnots wants the two knots of the source, one line each, and nothing else.
func TestKnots(t *testing.T) {
	t.Parallel()
	_, findings := compile(bqetl(t, workload.Options{}))
	for _, f := range findings {
		if f.Rule != "cycle" {
			t.Errorf("%s:%d:%d: %s [%s]", f.File, f.Line, f.Col, f.Message, f.Rule)
		}
	}
	if len(findings) != 2 {
		t.Errorf("%d findings, want the two knots", len(findings))
	}
}

func TestCompiles(t *testing.T) {
	t.Parallel()
	repositories := map[string]workload.Repository{
		"bqetl":       bqetl(t, workload.Options{CutKnots: true}),
		"bqetl no-op": bqetl(t, workload.Options{CutKnots: true, NoOp: true}),
	}
	executions, err := workload.Executions(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range executions {
		repositories[e.Name] = e.Repository(func(workload.Executed) string { return "sleep 0.01" })
	}
	for name, r := range repositories {
		project, findings := compile(r)
		for _, f := range findings {
			t.Errorf("%s: %s:%d:%d: %s [%s]", name, f.File, f.Line, f.Col, f.Message, f.Rule)
		}
		if project == nil {
			t.Errorf("%s does not compile", name)
		}
	}
}

func compile(r workload.Repository) (*flow.Project, []diag.Diagnostic) {
	var files []dsl.File
	for path, text := range r {
		files = append(files, dsl.File{Path: path, Mode: 0o644, Data: text})
	}
	return dsl.New().Compile(files)
}
