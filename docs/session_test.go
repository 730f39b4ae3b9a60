package docs_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// session is what a page says that somebody types and sees.
type session struct {
	page     string
	commands []command
}

// command is one line typed into a shell, and what it prints. The line "…" stands for any lines.
type command struct {
	line int // of the page
	text string
	want []string
}

// readSession collects the ```console blocks of a page, in their order: lines that begin with $ are typed, the others are seen.
func readSession(t *testing.T, page string) *session {
	t.Helper()
	s := &session{page: page}
	for _, b := range blocks(t, page, "console") {
		for i, line := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
			if text, typed := strings.CutPrefix(line, "$ "); typed {
				s.commands = append(s.commands, command{line: b.line + i, text: text})
			} else if n := len(s.commands); n > 0 {
				s.commands[n-1].want = append(s.commands[n-1].want, line)
			} else {
				t.Fatalf("%s:%d: a console begins with a command", page, b.line+i)
			}
		}
	}
	return s
}

// script is the session as a script for bash. After each command it prints a line that tells its number and status.
func (s *session) script() string {
	var b strings.Builder
	b.WriteString("exec 2>&1 < /dev/null\n")
	for i, c := range s.commands {
		fmt.Fprintf(&b, "%s\necho \"%s %d $?\"\n", c.text, endMark, i)
	}
	return b.String()
}

const endMark = "== end of command"

// compare holds the output of the script against the page.
func (s *session) compare(t *testing.T, output string) {
	t.Helper()
	for i, c := range s.commands {
		got, rest, ended := strings.Cut(output, fmt.Sprintf("%s %d ", endMark, i))
		if !ended {
			t.Fatalf("%s:%d: $ %s: it did not end:\n%s", s.page, c.line, c.text, got)
		}
		status, rest, _ := strings.Cut(rest, "\n")
		output = rest
		if status != "0" {
			t.Errorf("%s:%d: $ %s: status %s:\n%s", s.page, c.line, c.text, status, got)
		} else if missing, ok := shows(got, c.want); !ok {
			t.Errorf("%s:%d: $ %s: the page shows\n%s\nwhich it did not print (in this place):\n%s", s.page, c.line, c.text, missing, got)
		}
	}
}

// shows tells whether a page shows an output as it is, except for lines left out where it says "…", and for what differs each time.
// If not it returns the first line that is not there.
func shows(output string, page []string) (missing string, ok bool) {
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	skipping := false
	for _, want := range page {
		if want == "…" {
			skipping = true
			continue
		}
		at := 0
		for skipping && at < len(lines) && alike(lines[at]) != alike(want) {
			at++
		}
		if at == len(lines) || alike(lines[at]) != alike(want) {
			return want, false
		}
		lines, skipping = lines[at+1:], false
	}
	if left := strings.Join(lines, "\n"); len(page) > 0 && !skipping && strings.TrimSpace(left) != "" {
		return "(the end)", false
	}
	return "", true
}

// variable is what differs between two executions of the same command.
var variable = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+`), "INSTANT"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`), "TIME"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`), "CLOCK"},
	{regexp.MustCompile(`\b\d+\.\ds\b`), "TOOK"},
	{regexp.MustCompile(`(commit) [0-9a-f]{10}\b`), "$1 COMMIT"},
	{regexp.MustCompile(` +`), " "}, // tables are as wide as what is in them
}

func alike(line string) string {
	for _, v := range variable {
		line = v.pattern.ReplaceAllString(line, v.word)
	}
	return strings.TrimSpace(line)
}

func TestShows(t *testing.T) {
	t.Parallel()
	output := "run a\n1\n2\n3\ntook 0.3s\n"
	for page, want := range map[string]bool{
		"":                             true,
		"run a\n1\n2\n3\ntook  9.1s":   true,
		"run a\n…\n3\ntook 0.3s":       true,
		"run a\n…":                     true,
		"…\ntook 0.3s":                 true,
		"run a\n2\n…":                  false,
		"run a\n…\n3":                  false,
		"run a\n…\n3\n2\n…":            false,
		"run b\n…":                     false,
		"run a\n…\n3\ntook 0.3s\nmore": false,
	} {
		var lines []string
		if page != "" {
			lines = strings.Split(page, "\n")
		}
		if missing, ok := shows(output, lines); ok != want {
			t.Errorf("%q: %v (%q), want %v", page, ok, missing, want)
		}
	}
}

// blocks returns a page's fenced blocks of a language.
func blocks(t *testing.T, page, language string) []block {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	found := fencedBlocks(string(text), language)
	if len(found) == 0 {
		t.Fatalf("%s has no blocks of %s", page, language)
	}
	return found
}
