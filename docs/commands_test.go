package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCommandsExist looks up what the pages tell people to type: flowctl's verbs and flags in the reference, targets in the Makefile.
func TestCommandsExist(t *testing.T) {
	t.Parallel()
	known := reference(t)
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for no, line := range strings.Split(string(text), "\n") {
			for _, c := range typed(line) {
				found++
				if target, ok := strings.CutPrefix(c, "make "); ok {
					target, _, _ = strings.Cut(target, " ")
					if !strings.Contains(string(makefile), "\n"+target+":") {
						t.Errorf("%s:%d: `%s`: the Makefile has no such target", page, no+1, c)
					}
				} else if problem := known.problem(c); problem != "" {
					t.Errorf("%s:%d: `%s`: %s", page, no+1, c, problem)
				}
			}
		}
	}
	if found < 40 {
		t.Errorf("found only %d commands", found)
	}
}

// typedCommand finds commands at the begin of a code line, after a prompt, and in `code`.
var typedCommand = regexp.MustCompile("(?:^    |^ExecStart=|^\\$ |`)(?:sudo )?(?:/usr/local/bin/)?((?:flowctl|make) [^`]+)")

func typed(line string) []string {
	var all []string
	for _, m := range typedCommand.FindAllStringSubmatch(line, -1) {
		command, _, _ := strings.Cut(m[1], " #")
		all = append(all, strings.TrimSpace(command))
	}
	return all
}

// verbs holds the flags of each verb, such as "backfill" and "backfill pause"; "" holds those of all.
type verbs map[string][]string

var flagInTable = regexp.MustCompile("^\\| (?:`-.`, )?`--([a-z-]+)`")

func reference(t *testing.T) verbs {
	t.Helper()
	text, err := os.ReadFile("reference/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	known := verbs{"": {"--help", "-o", "-f"}}
	verb := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if heading := strings.TrimLeft(line, "#"); heading != line {
			if name, ok := strings.CutPrefix(heading, " flowctl "); ok {
				verb = name
				known[verb] = nil
			}
		} else if m := flagInTable.FindStringSubmatch(line); m != nil {
			known[verb] = append(known[verb], "--"+m[1])
		}
	}
	return known
}

// problem tells what is wrong with a command line; empty = nothing.
func (known verbs) problem(command string) string {
	words := strings.Fields(command)[1:]
	verb, at := "", 0
	for at < len(words) {
		next := strings.TrimSpace(verb + " " + words[at])
		if _, ok := known[next]; !ok {
			break
		}
		verb = next
		at++
	}
	if verb == "" && (at == len(words) || !strings.HasPrefix(words[at], "-")) {
		return "there is no such verb"
	}
	for _, w := range words[at:] {
		if strings.ContainsAny(w, "|>&") {
			break // the rest is the shell's
		}
		flag, _, _ := strings.Cut(w, "=")
		if strings.HasPrefix(flag, "-") && !slices.Contains(known[verb], flag) && !slices.Contains(known[""], flag) {
			return "flowctl " + verb + " has no flag " + flag
		}
	}
	return ""
}

func TestUnknownCommandsAreFound(t *testing.T) {
	t.Parallel()
	known := reference(t)
	for command, ok := range map[string]bool{
		"flowctl get runs --state failed":          true,
		"flowctl backfill pause 3":                 true,
		"flowctl run x --wait --server http://x":   true,
		"flowctl sync || echo --anything":          true,
		"flowctl rerum x":                          false,
		"flowctl run x --weit":                     false,
		"flowctl backfill pause 3 --max-active=20": false,
	} {
		if problem := known.problem(command); (problem == "") != ok {
			t.Errorf("%s: %q", command, problem)
		}
	}
}
