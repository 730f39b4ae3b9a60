package docs_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"flowctl/dsl"
	"flowctl/dsl/diag"
)

// TestRulesAreExplained wants a section for each rule, in their order, that says what the table of rules says, and whose examples are found wrong
// by just this rule, on just the lines that end in `# <-`; this mark is taken off first.
func TestRulesAreExplained(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("rules.md")
	if err != nil {
		t.Fatal(err)
	}
	intro, rest, _ := strings.Cut(string(page), "\n## Each rule\n")
	for _, b := range fencedBlocks(intro, "yaml") {
		checkExample(t, "", b)
	}
	sections := strings.Split(rest, "\n### ")[1:]
	var names []string
	for _, section := range sections {
		name, text, _ := strings.Cut(section, "\n")
		names = append(names, name)
		rule, known := diag.RuleOf(name)
		if !known {
			t.Errorf("no rule is named %q", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, part := range []string{"(" + rule.Severity.String() + ")", rule.Summary, rule.Mend} {
				if !strings.Contains(text, part) {
					t.Errorf("the section does not say: %s", part)
				}
			}
			blocks := fencedBlocks(text, "yaml")
			if len(blocks) == 0 {
				t.Error("the section has no example")
			}
			for _, b := range blocks {
				checkExample(t, rule.ID, b)
			}
		})
	}
	var want []string
	for _, r := range diag.Rules() {
		want = append(want, r.ID)
	}
	if !slices.Equal(names, want) {
		t.Errorf("sections %q\nwant %q", names, want)
	}
}

// checkExample compiles a block; without rule, nothing may be found.
func checkExample(t *testing.T, rule string, b block) {
	t.Helper()
	name := b.mark
	if name == "" {
		name = "example.yaml"
	}
	repository := map[string]string{
		dsl.SettingsFile: "version: 1\n",
		"people.yaml":    "people: {alice: {name: Alice}}\nteams: {data: {members: [alice]}}\n",
		"other.yaml":     "flow: other\nteam: data\nowner: alice\ntasks: {t: {run: \"true\"}}\n",
	}
	repository[name] = strings.ReplaceAll(b.text, " # <-\n", "\n")
	var files []dsl.File
	for path, text := range repository {
		files = append(files, dsl.File{Path: path, Mode: 0o644, Data: []byte(text)})
	}
	_, findings := (&dsl.Compiler{Year: 2026}).Compile(files)
	var got, want []string
	for _, f := range findings {
		got = append(got, fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Rule))
	}
	for i, line := range strings.Split(b.text, "\n") {
		if strings.HasSuffix(line, "# <-") {
			want = append(want, fmt.Sprintf("%s:%d %s", name, i+1, rule))
		}
	}
	if len(want) == 0 && rule != "" || !slices.Equal(got, want) {
		t.Errorf("found %q, want %q in\n%s", got, want, b.text)
	}
}
