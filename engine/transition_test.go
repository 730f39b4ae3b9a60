package engine

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "draw the diagram of docs/concepts.md anew")

func allStates() []State {
	return []State{
		Waiting, Ready, Assigned, Running, Killing, Retrying, Succeeded, Failed, Killed, Skipped, Expired, UpstreamFailed,
	}
}

func TestAllowedIsTheTable(t *testing.T) {
	t.Parallel()
	type arrow struct{ from, to State }
	listed := map[arrow]bool{}
	for _, tr := range Transitions() {
		a := arrow{tr.From, tr.To}
		if listed[a] {
			t.Errorf("%s to %s is listed twice", tr.From, tr.To)
		}
		listed[a] = true
		if tr.Cause == "" {
			t.Errorf("%s to %s has no cause", tr.From, tr.To)
		}
	}
	for _, from := range allStates() {
		for _, to := range allStates() {
			if Allowed(from, to) != listed[arrow{from, to}] {
				t.Errorf("Allowed(%s, %s) = %v", from, to, Allowed(from, to))
			}
		}
	}
	if Allowed("", Waiting) || Allowed(Waiting, "lost") || Allowed("lost", "found") {
		t.Error("an unknown state may move")
	}
}

func TestClassesOfStates(t *testing.T) {
	t.Parallel()
	if n := len(allStates()); n != states {
		t.Fatalf("%d states are tested, the table knows %d", n, states)
	}
	for _, s := range allStates() {
		if s.Final() && s.Live() {
			t.Errorf("%s is final and live", s)
		}
		if s.Satisfies() && s.Bad() {
			t.Errorf("%s satisfies a need and is bad", s)
		}
		if s.Final() && !s.Satisfies() && !s.Bad() {
			t.Errorf("%s is final and neither satisfies a need nor is bad: dependents would wait for ever", s)
		}
	}
}

// TestFinalStatesAreLeftAtAnOperatorsWord: an ended task run changes at no other, never from success, and only to what satisfies.
func TestFinalStatesAreLeftAtAnOperatorsWord(t *testing.T) {
	t.Parallel()
	for _, tr := range Transitions() {
		if tr.From.Final() && (tr.From.Satisfies() || !tr.To.Satisfies() || tr.Cause != CauseForce && tr.Cause != CauseOmit) {
			t.Errorf("%s leaves a final state for %s: %s", tr.From, tr.To, tr.Cause)
		}
	}
}

// TestEveryStateIsReachedAndEnds: each state can be reached from waiting, and each can come to an end.
func TestEveryStateIsReachedAndEnds(t *testing.T) {
	t.Parallel()
	reach := func(from State) []State {
		seen := []State{from}
		for i := 0; i < len(seen); i++ {
			for _, tr := range Transitions() {
				if tr.From == seen[i] && !slices.Contains(seen, tr.To) {
					seen = append(seen, tr.To)
				}
			}
		}
		return seen
	}
	for _, s := range allStates() {
		if !slices.Contains(reach(Waiting), s) {
			t.Errorf("%s cannot be reached", s)
		}
		if !slices.ContainsFunc(reach(s), State.Final) {
			t.Errorf("%s never ends", s)
		}
	}
}

// TestConceptsShowTheTable compares the diagram of the documentation with the table. Run with -update to draw it anew.
func TestConceptsShowTheTable(t *testing.T) {
	t.Parallel()
	const file = "../docs/concepts.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := []byte("<!-- states: begin -->\n"), []byte("<!-- states: end -->")
	head, rest, ok := bytes.Cut(text, begin)
	shown, tail, ended := bytes.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no place for the diagram between %s and %s", file, bytes.TrimSpace(begin), end)
	}
	want := diagram()
	if bytes.Equal(shown, want) {
		return
	}
	if !*update {
		t.Fatalf("the diagram in %s is not that of the table: run go test ./engine -run Concepts -update", file)
	}
	if err := os.WriteFile(file, slices.Concat(head, begin, want, end, tail), 0o644); err != nil {
		t.Fatal(err)
	}
}

// diagram draws the table as a state diagram and as a list of causes.
func diagram() []byte {
	var b bytes.Buffer
	b.WriteString("```mermaid\nstateDiagram-v2\n    [*] --> waiting\n")
	for _, tr := range Transitions() {
		fmt.Fprintf(&b, "    %s --> %s: %s\n", tr.From, tr.To, tr.Cause)
	}
	b.WriteString("```\n\n| from | to | cause |\n|---|---|---|\n")
	for _, tr := range Transitions() {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", tr.From, tr.To, tr.Cause)
	}
	return b.Bytes()
}
