package hive

import (
	"fmt"
	"strings"
)

// statement is one of a script.
type statement struct {
	Text string `json:"text"` // without comments, but with as many lines
	Line int    `json:"line"` // of the script, where it begins; from 1
}

// name shows where the statement is and how it begins.
func (s statement) name() string {
	first, _, _ := strings.Cut(s.Text, "\n")
	return clip(strings.TrimSpace(first), 120)
}

func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// split finds the statements of a script as beeline does: a ; ends one, unless it is quoted, in a comment, or written as \; for the
// server to see. Comments go away, hints (/*+ … */) stay.
func split(script string) ([]statement, error) {
	s := splitter{rest: strings.TrimPrefix(script, "\ufeff"), line: 1}
	for s.rest != "" {
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	s.end()
	return s.found, nil
}

// blanks are what Hive skips between words.
const blanks = " \t\r\n\f\v"

type splitter struct {
	rest  string
	line  int // of rest
	found []statement

	text  strings.Builder // of the statement so far
	begun int             // its line; 0: nothing but blanks and comments was seen
}

// next takes the next token.
func (s *splitter) next() error {
	switch c := s.rest[0]; {
	case c == ';':
		s.rest = s.rest[1:]
		s.end()
	case strings.HasPrefix(s.rest, `\;`):
		s.rest = s.rest[1:]
		s.take(1)
	case c == '\'' || c == '"' || c == '`':
		n := quoted(s.rest)
		if n < 0 {
			return fmt.Errorf("line %d: the quote %c that begins here is not closed", s.line, c)
		}
		s.take(n)
	case strings.HasPrefix(s.rest, "--"):
		n := strings.IndexByte(s.rest, '\n')
		if n < 0 {
			n = len(s.rest)
		}
		s.drop(n)
	case strings.HasPrefix(s.rest, "/*") && !s.command():
		n := strings.Index(s.rest[2:], "*/")
		if n < 0 {
			return fmt.Errorf("line %d: the comment that begins here is not closed: write */ at its end", s.line)
		}
		if n += 4; s.begun != 0 && s.rest[2] == '+' {
			s.take(n)
		} else {
			s.drop(n)
		}
	default:
		s.take(1)
	}
	return nil
}

// quoted returns the length of the quoted text at the beginning, -1 when its end is missing.
func quoted(text string) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == text[0]:
			return i + 1
		case text[i] == '\\' && text[0] != '`':
			i++
		}
	}
	return -1
}

// command tells whether the statement is one of Hive's own commands, not SQL: they take paths, in which /* is no comment.
func (s *splitter) command() bool {
	words := strings.Fields(clip(s.text.String(), 20))
	if len(words) == 0 {
		return false
	}
	switch strings.ToLower(words[0]) {
	case "set", "reset", "dfs", "add", "list", "delete":
		return true
	}
	return false
}

// take moves n bytes to the statement.
func (s *splitter) take(n int) {
	token := s.rest[:n]
	s.rest = s.rest[n:]
	if s.begun == 0 && strings.Trim(token, blanks) != "" {
		s.begun = s.line
	}
	if s.begun != 0 {
		s.text.WriteString(token)
	}
	s.line += strings.Count(token, "\n")
}

// drop leaves of n bytes the line breaks, so that the server's line numbers are right.
func (s *splitter) drop(n int) {
	lines := strings.Count(s.rest[:n], "\n")
	s.rest = s.rest[n:]
	s.line += lines
	if s.begun != 0 {
		s.text.WriteString(" " + strings.Repeat("\n", lines))
	}
}

// end completes the statement, if there is one.
func (s *splitter) end() {
	if s.begun != 0 {
		s.found = append(s.found, statement{Text: strings.Trim(s.text.String(), blanks), Line: s.begun})
	}
	s.text.Reset()
	s.begun = 0
}
