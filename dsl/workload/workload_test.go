package workload_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowctl/dsl/workload"
)

func TestBQETL(t *testing.T) {
	t.Parallel()
	r := bqetl(t, workload.Options{})
	var tasks, previous int
	flows := 0
	for path, text := range r {
		if !strings.HasPrefix(path, "flows/") {
			continue
		}
		flows++
		tasks += bytes.Count(text, []byte("\n    run: "))
		previous += bytes.Count(text, []byte("periods: previous"))
	}
	// 874 tasks, and one for each of the 17 DAGs that have none.
	if flows != 157 || tasks != 874+17 || previous != 51 {
		t.Errorf("%d flows, %d tasks, %d needs on the previous period; want 157, 891, 51", flows, tasks, previous)
	}
}

func TestExecutions(t *testing.T) {
	t.Parallel()
	executions, err := workload.Executions(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	tasks := 0
	for _, e := range executions {
		tasks += len(e.Tasks)
		if joins := slices.IndexFunc(e.Tasks, func(t workload.Executed) bool { return len(t.Parents) > 1 }); joins < 0 {
			t.Errorf("%s joins no branches", e.Name)
		}
		if e.Makespan <= 0 || e.Tasks[0].Runtime <= 0 {
			t.Errorf("%s took %s, its first task %s", e.Name, e.Makespan, e.Tasks[0].Runtime)
		}
		r := e.Repository(func(workload.Executed) string { return "true" })
		if got := bytes.Count(r["flow.yaml"], []byte("run: \"true\"")); got != len(e.Tasks) {
			t.Errorf("%s has %d tasks, want %d", e.Name, got, len(e.Tasks))
		}
	}
	if len(executions) != 6 || tasks != 1459 {
		t.Errorf("%d executions with %d tasks, want 6 with 1459", len(executions), tasks)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := workload.Write(root, workload.Repository{"a/b.yaml": []byte("x: 1\n")}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(root, "a", "b.yaml")); err != nil || string(got) != "x: 1\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

// folder names the recorded facts, which are not part of this repository.
func folder(t testing.TB) string {
	t.Helper()
	folder, ok := workload.Folder()
	if !ok {
		t.Skip("FLOWCTL_WORKLOADS names no folder of recorded workloads")
	}
	return folder
}

func bqetl(t testing.TB, o workload.Options) workload.Repository {
	t.Helper()
	r, err := workload.BQETL(folder(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
