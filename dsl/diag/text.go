package diag

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// TextOptions say how WriteText shows diagnostics.
type TextOptions struct {
	// Name returns how a file is called where the reader stands; nil shows it as it is.
	Name func(file string) string
	// Color marks severities, carets and hints with terminal colours.
	Color bool
}

// maxSnippet is how much of a long line is shown, in columns of the screen.
const maxSnippet = 120

// WriteText writes each diagnostic as `file:line:col: error: message [rule]`, with the line it is about and what to do.
func WriteText(w io.Writer, list []Diagnostic, o TextOptions) error {
	t := textWriter{Writer: bufio.NewWriter(w), TextOptions: o}
	if t.Name == nil {
		t.Name = func(file string) string { return file }
	}
	for i := range list {
		t.diagnostic(&list[i])
	}
	return t.Flush()
}

type textWriter struct {
	*bufio.Writer
	TextOptions
}

// The colours, as escape sequences of the terminal.
const (
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	cyan   = "\x1b[36m"
	dim    = "\x1b[2m"
	bold   = "\x1b[1m"
)

func (t *textWriter) paint(color, s string) string {
	if !t.Color {
		return s
	}
	return color + s + "\x1b[0m"
}

func (t *textWriter) diagnostic(d *Diagnostic) {
	color := red
	if d.Severity == Warning {
		color = yellow
	}
	fmt.Fprintf(t, "%s %s %s %s\n", t.paint(bold, t.place(d.File, d.Line, d.Col)+":"), t.paint(color, d.Severity.String()+":"),
		clean(d.Message), t.paint(dim, "["+d.Rule+"]"))
	margin := t.snippet(d, color)
	if d.Hint != "" {
		fmt.Fprintf(t, "%s= %s %s\n", margin, t.paint(cyan, "hint:"), clean(d.Hint))
	}
	if r := d.Related; r != nil {
		fmt.Fprintf(t, "%s= %s %s: %s\n", margin, t.paint(cyan, "see:"), t.place(r.File, r.Line, r.Col), clean(r.Message))
	}
}

func (t *textWriter) place(file string, line, col int) string {
	s := clean(t.Name(file))
	if line > 0 {
		s += ":" + strconv.Itoa(line)
		if col > 0 {
			s += ":" + strconv.Itoa(col)
		}
	}
	return s
}

// snippet writes the line of a diagnostic with a caret below its column, and returns the margin for what follows.
func (t *textWriter) snippet(d *Diagnostic, color string) (margin string) {
	if d.Source == "" {
		return "  "
	}
	number := strconv.Itoa(d.Line)
	margin = strings.Repeat(" ", max(len(number), 3)+1)
	text, pad, mark := excerpt(d.Source, d.Col)
	fmt.Fprintf(t, "%s %s\n", t.paint(dim, fmt.Sprintf("%*s |", len(margin)-1, number)), text)
	if mark != "" {
		fmt.Fprintf(t, "%s %s%s\n", t.paint(dim, margin+"|"), pad, t.paint(color, mark))
	}
	return margin
}

// excerpt returns the part of a line around a column, the space before the caret and the caret with a tail below the rest
// of the word. Tabs stay tabs in both lines, so that they line up whatever their width.
func excerpt(line string, col int) (text, pad, mark string) {
	runes := []rune(strings.ToValidUTF8(line, "\ufffd"))
	from := 0
	if col > maxSnippet/2 && len(runes) > maxSnippet {
		from = min(col-maxSnippet/2, len(runes))
	}
	var shown, space strings.Builder
	if from > 0 {
		shown.WriteString("…")
		space.WriteString(" ")
	}
	for i, r := range runes[from:] {
		if i == maxSnippet {
			shown.WriteString("…")
			break
		}
		r = visible(r)
		shown.WriteRune(r)
		if from+i >= col-1 {
			continue
		}
		if r == '\t' {
			space.WriteByte('\t')
		} else {
			space.WriteString(strings.Repeat(" ", runewidth.RuneWidth(r)))
		}
	}
	if col < 1 || col > len(runes)+1 {
		return shown.String(), "", ""
	}
	width := 0
	for _, r := range runes[col-1:] {
		if width > 0 && strings.ContainsRune(" \t,:]}\"'", r) || from+maxSnippet <= col-1+width {
			break
		}
		width += runewidth.RuneWidth(visible(r))
	}
	return shown.String(), space.String(), "^" + strings.Repeat("~", max(width-1, 0))
}

// visible replaces control characters, which would act on the terminal.
func visible(r rune) rune {
	if r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
		return '\ufffd'
	}
	return r
}

func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return visible(r)
	}, s)
}

// Summary counts diagnostics in words: 2 errors and 1 warning in 2 files. It is empty when there are none.
func Summary(list []Diagnostic) string {
	if len(list) == 0 {
		return ""
	}
	files := make(map[string]bool)
	for _, d := range list {
		files[d.File] = true
	}
	return counts(list) + " in " + plural(len(files), "file")
}

func counts(list []Diagnostic) string {
	errors, warnings := 0, 0
	for _, d := range list {
		if d.Severity == Warning {
			warnings++
		} else {
			errors++
		}
	}
	var parts []string
	if errors > 0 {
		parts = append(parts, plural(errors, "error"))
	}
	if warnings > 0 {
		parts = append(parts, plural(warnings, "warning"))
	}
	return strings.Join(parts, " and ")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}
