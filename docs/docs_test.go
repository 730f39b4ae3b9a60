// Package docs_test executes the documentation, so that no page shows what does not work.
//
// It compiles all YAML. The ```yaml blocks of one page together are a repository. Its flowctl.yaml is the block marked ```yaml flowctl.yaml, or a
// minimal one, and its tests are run. Blocks marked ```yaml outcomes are read as outcomes files. Blocks marked ```yaml fragment show part of a document and must occur in the example repository.
//
// It runs the demo, whose output is in the README, and types the ```console blocks of the tutorial into a shell beside it. A line "…" in
// an output stands for any lines; times, durations and commits may differ.
//
// It looks up each command line of all pages in the reference, which is written from the command line itself.
package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flowctl/dsl"
	"flowctl/dsl/flow"
	"flowctl/engine/simulate"
)

func TestYAMLCompiles(t *testing.T) {
	t.Parallel()
	example := exampleRepository(t)
	for page, want := range map[string]int{"../README.md": 1, "dsl.md": 3, "tutorial.md": 5, "simulation.md": 3, "channels.md": 13} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		found := fencedBlocks(string(text), "yaml")
		if len(found) < want {
			t.Errorf("%s: found %d blocks of YAML, there were at least %d", page, len(found), want)
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			check(t, page, found, example)
		})
	}
}

func check(t *testing.T, page string, blocks []block, example string) {
	repository := map[string]string{dsl.SettingsFile: "version: 1\n"}
	teams := false
	var outcomes []block
	for _, b := range blocks {
		switch b.mark {
		case "fragment":
			if !strings.Contains(example, unindented(b.text)) {
				t.Errorf("%s:%d: the example repository does not say so:\n%s", page, b.line, b.text)
			}
			continue
		case "outcomes":
			outcomes = append(outcomes, b)
			continue
		case "":
			repository[fmt.Sprintf("line-%d.yaml", b.line)] = b.text
		default:
			repository[b.mark] = b.text
		}
		teams = teams || strings.Contains(b.text, "teams:")
	}
	if !teams {
		repository["teams.yaml"] = "people:\n  alice: {name: Alice}\nteams:\n  data: {members: [alice]}\n"
	}

	var files []dsl.File
	for path, text := range repository {
		files = append(files, dsl.File{Path: path, Mode: 0o644, Data: []byte(text)})
	}
	project, findings := dsl.New().Compile(files)
	for _, f := range findings {
		t.Errorf("%s: %s:%d: %s [%s]", page, f.File, f.Line, f.Message, f.Rule)
	}
	if project != nil {
		play(t, page, project, outcomes)
	}
}

// play reads the outcomes of a page and runs its tests.
func play(t *testing.T, page string, project *flow.Project, outcomes []block) {
	t.Helper()
	for _, b := range outcomes {
		_, findings := dsl.Outcomes(page, []byte(b.text), project)
		for _, f := range findings {
			t.Errorf("%s:%d: %s [%s]", page, b.line+f.Line-1, f.Message, f.Rule)
		}
	}
	for _, test := range project.Tests {
		v, err := simulate.Check(t.Context(), project, test)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range v.Mismatches {
			t.Errorf("%s: %s:%d: %s: %s is %s, want %s %v", page, m.Pos.File, m.Pos.Line, m.Subject, m.Field, m.Got, m.Want, m.Why)
		}
	}
}

type block struct {
	mark string // what follows ```LANGUAGE
	text string
	line int // of its first line in the page
}

// fencedBlocks returns the blocks of a page that say ```LANGUAGE.
func fencedBlocks(page, language string) []block {
	var blocks []block
	inside := false
	no := 0
	for line := range strings.Lines(page) {
		no++
		mark, opens := strings.CutPrefix(line, "```"+language)
		switch {
		case opens:
			inside = true
			blocks = append(blocks, block{mark: strings.TrimSpace(mark), line: no + 1})
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside:
			blocks[len(blocks)-1].text += line
		}
	}
	return blocks
}

// exampleRepository is all YAML of flows/, without comments and indentation.
func exampleRepository(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	paths, err := filepath.Glob("../flows/*/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no flows found: %v", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(unindented(string(text)))
	}
	return all.String()
}

// unindented drops comments, blank lines and indentation: what remains tells whether one text quotes the other.
func unindented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, " #")
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
