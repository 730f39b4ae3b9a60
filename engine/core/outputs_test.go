package core

import (
	"slices"
	"testing"
	"time"
)

func TestOutputsOfAssignment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate(`flow: f
team: data
schedule: {every: day}
tasks:
	a: {run: x, success: outputs, outputs: ["/p/dt=${{ ds }}/", /p/b]}
	b: {run: x, outputs: [/p/c]}
`)
	w.join("one", 10)
	w.sleep(13 * time.Hour)
	want := map[string][]string{"a": {"/p/dt=2026-11-19/", "/p/b"}, "b": nil}
	for _, as := range w.fleet["one"] {
		if !slices.Equal(as.Outputs, want[as.Task]) {
			t.Errorf("outputs of %s: %v", as.Task, as.Outputs)
		}
		delete(want, as.Task)
	}
	if len(want) > 0 {
		t.Errorf("not assigned: %v", want)
	}
}
