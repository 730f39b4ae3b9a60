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

// cursor finds the places of the characters of one scalar's value. Folding, indentation and escapes change only white
// space and the length of characters, so a place is found by counting what is not space. Asked in rising order, all answers
// together cost one walk over the scalar.
type cursor struct {
	*source
	node      *node
	off       int // in the value
	at        int // in the source, of what stands for the value from off on, space before it included
	line, col int
}

func (s *source) cursor(n *node) *cursor {
	c := &cursor{source: s, node: n}
	c.rewind()
	return c
}

func (c *cursor) rewind() {
	c.off, c.line, c.col = 0, int(c.node.line), int(c.node.col)
	if c.node.style == blockStyle {
		c.line, c.col = c.line+1, 1
	}
	c.at = c.offset(c.line, c.col)
	if c.node.style == singleStyle || c.node.style == doubleStyle {
		c.at, c.col = c.at+1, c.col+1
	}
}

// place returns where the byte at an offset of the value stands in the file.
func (c *cursor) place(off int) flow.Pos {
	if off < c.off {
		c.rewind()
	}
	value := c.node.text
	for c.off < off && c.off < len(value) {
		r, size := utf8.DecodeRuneInString(value[c.off:])
		if !isSpace(r) {
			c.skipSpace()
			c.step()
		}
		c.off += size
	}
	if c.off < len(value) && !isSpace(rune(value[c.off])) {
		c.skipSpace()
	}
	return flow.Pos{File: c.path, Line: c.line, Col: c.col}
}

func (c *cursor) skipSpace() {
	for c.at < len(c.text) {
		if _, counted := c.char(c.at, c.node.style); counted {
			return
		}
		c.step()
	}
}

// step moves past one character as it is written.
func (c *cursor) step() {
	if c.at >= len(c.text) {
		return
	}
	size, _ := c.char(c.at, c.node.style)
	end := min(c.at+size, len(c.text))
	for _, r := range c.text[c.at:end] {
		c.line, c.col = advance(c.line, c.col, r)
	}
	c.at = end
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
