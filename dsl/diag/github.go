package diag

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WriteGitHub writes one workflow command for each diagnostic, which GitHub shows beside the line in a pull request. name returns how
// a file is called from the root of the repository.
func WriteGitHub(w io.Writer, list []Diagnostic, name func(file string) string) error {
	b := bufio.NewWriter(w)
	for _, d := range list {
		place := "file=" + property(name(d.File))
		if d.Line > 0 {
			place += ",line=" + strconv.Itoa(d.Line)
		}
		if d.Line > 0 && d.Col > 0 {
			place += ",col=" + strconv.Itoa(d.Col)
		}
		fmt.Fprintf(b, "::%s %s,title=%s::%s\n", d.Severity, place, property(d.Rule), message(explained(d, name)))
	}
	return b.Flush()
}

// explained returns a diagnostic's message with what else it says, a line each.
func explained(d Diagnostic, name func(file string) string) string {
	text := clean(d.Message)
	if d.Hint != "" {
		text += "\nhint: " + clean(d.Hint)
	}
	if r := d.Related; r != nil {
		text += fmt.Sprintf("\nsee: %s:%d:%d: %s", clean(name(r.File)), r.Line, r.Col, clean(r.Message))
	}
	return text
}

// message escapes the text of a workflow command.
func message(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

// property escapes the value of a property of a workflow command.
func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
