package dsl

import (
	"strings"
	"unicode/utf8"

	"flowctl/dsl/flow"
)

// source is the text of one file, able to say where a character of a scalar's value stands in it.
type source struct {
	path  string
	text  string
	lines []int // offset of each line's first byte; filled when first asked for
}

func (s *source) pos(n *node) flow.Pos {
	return flow.Pos{File: s.path, Line: int(n.line), Col: int(n.col)}
}

// offset returns the byte offset of a line and column, clamped to the text.
func (s *source) offset(line, col int) int {
	if s.lines == nil {
		s.lines = append(s.lines, 0)
		for i := 0; i < len(s.text); i++ {
			if s.text[i] == '\n' {
				s.lines = append(s.lines, i+1)
			}
		}
	}
	if line > len(s.lines) {
		return len(s.text)
	}
	i := s.lines[line-1]
	for ; col > 1 && i < len(s.text) && s.text[i] != '\n'; col-- {
		_, size := utf8.DecodeRuneInString(s.text[i:])
		i += size
	}
	return i
}

// inside returns where the byte at offset off of the scalar's value stands in the file. Folding, indentation and
// escapes change only white space and the length of characters, so the place is found by counting what is not space.
func (s *source) inside(n *node, off int) flow.Pos {
	line, col := int(n.line), int(n.col)
	if n.style == blockStyle {
		line, col = line+1, 1
	}
	at := s.offset(line, col)
	if n.style == singleStyle || n.style == doubleStyle {
		at, col = at+1, col+1
	}
	want, space := 0, off >= len(n.text)
	for _, r := range n.text[:min(off, len(n.text))] {
		if !isSpace(r) {
			want++
		}
	}
	if !space {
		r, _ := utf8.DecodeRuneInString(n.text[off:])
		space = isSpace(r)
	}
	for at < len(s.text) {
		size, counted := s.char(at, n.style)
		if counted {
			if want == 0 {
				break
			}
			want--
		} else if want == 0 && space {
			break
		}
		for _, r := range s.text[at:min(at+size, len(s.text))] {
			line, col = advance(line, col, r)
		}
		at += size
	}
	return flow.Pos{File: s.path, Line: line, Col: col}
}

// char returns the length of the character written at an offset, and whether it stands for something else than space.
func (s *source) char(at int, st style) (size int, counted bool) {
	r, size := utf8.DecodeRuneInString(s.text[at:])
	switch {
	case st == singleStyle && strings.HasPrefix(s.text[at:], "''"):
		return 2, true
	case st == doubleStyle && r == '\\' && at+1 < len(s.text):
		switch s.text[at+1] {
		case 'n', 't', 'r', 'v', 'f', ' ', '\t', '\n':
			return 2, false
		case 'x':
			return 4, true
		case 'u':
			return 6, true
		case 'U':
			return 10, true
		}
		return 2, true
	}
	return size, !isSpace(r)
}

func isSpace(r rune) bool {
	return r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == '\v' || r == '\f'
}
