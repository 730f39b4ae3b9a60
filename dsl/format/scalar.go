package format

import "strings"

// value reads a scalar or a collection in brackets.
func (s *scanner) value(start, column int) *value {
	line := s.lines[s.at]
	switch line[start] {
	case '|', '>':
		return s.literal(start, column)
	case '"', '\'':
		return s.quoted(start)
	case '[', '{':
		return s.bracket(start, column)
	}
	return s.plain(start, column)
}

// rest finishes a value that ends at an offset of the current line.
func (s *scanner) rest(v *value, end int) *value {
	note, ok := noteOf(s.lines[s.at][end:])
	if !ok {
		s.fail("text after the end of a value")
	}
	v.note = note
	s.at++
	return v
}

func (s *scanner) plain(start, column int) *value {
	line := s.lines[s.at]
	end := plainEnd(line, start)
	v := &value{kind: scalar, lines: []string{line[start:end]}}
	s.rest(v, end)
	if v.note != "" {
		return v
	}
	for from := s.at; from < len(s.lines); from++ {
		line := s.lines[from]
		text := strings.TrimSpace(line)
		if text == "" {
			continue
		}
		if text[0] == '#' || indentOf(line) <= column || isMarker(line) {
			break
		}
		for ; s.at < from; s.at++ {
			v.lines = append(v.lines, "")
		}
		start := skipBlanks(line, 0)
		end := plainEnd(line, start)
		v.lines = append(v.lines, line[start:end])
		s.rest(v, end)
		if v.note != "" {
			break
		}
	}
	return v
}

func (s *scanner) quoted(start int) *value {
	v := &value{kind: scalar}
	quote := s.lines[s.at][start]
	from := start + 1
	for {
		line := s.lines[s.at]
		end, closed := quoteEnd(line, from, quote)
		if closed {
			v.lines = append(v.lines, strings.TrimLeft(line[start:end], " \t"))
			return s.rest(v, end)
		}
		text := strings.TrimRight(line[start:], " \t")
		if strings.HasSuffix(text, `\`) {
			text = line[start:]
		}
		v.lines = append(v.lines, strings.TrimLeft(text, " \t"))
		if s.at++; s.at == len(s.lines) {
			s.fail("a quote is not closed")
		}
		start, from = 0, 0
	}
}

// quoteEnd returns the offset behind the closing quote.
func quoteEnd(line string, from int, quote byte) (end int, closed bool) {
	for i := from; i < len(line); i++ {
		switch {
		case quote == '"' && line[i] == '\\':
			i++
		case line[i] == quote && quote == '\'' && i+1 < len(line) && line[i+1] == '\'':
			i++
		case line[i] == quote:
			return i + 1, true
		}
	}
	return len(line), false
}

func (s *scanner) literal(start, column int) *value {
	line := s.lines[s.at]
	end := start
	v := &value{kind: literal, indent: -1}
	for ; end < len(line) && line[end] != ' ' && line[end] != '\t'; end++ {
		if c := line[end]; '1' <= c && c <= '9' {
			v.fixed = int(c - '0')
			v.indent = max(column, 0) + v.fixed
		}
	}
	v.header = line[start:end]
	s.rest(v, end)
	begin, last := s.at, s.at // the text, without the blank lines after it
	for ; s.at < len(s.lines); s.at++ {
		line := s.lines[s.at]
		indent := indentOf(line)
		if strings.Trim(line, " ") == "" {
			if v.indent >= 0 && indent > v.indent {
				last = s.at + 1
			}
			continue
		}
		if v.indent < 0 && indent > column {
			v.indent = indent
		}
		if indent <= column || indent < v.indent || column < 0 && isMarker(line) {
			break
		}
		last = s.at + 1
	}
	if strings.Contains(v.header, "+") {
		last = s.at
		if last == len(s.lines) && s.lines[last-1] == "" {
			last-- // what Split adds behind the last newline
		}
	}
	v.lines, s.at = s.lines[begin:last], last
	return v
}
