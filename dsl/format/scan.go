package format

import "strings"

// scanner reads lines into a tree.
type scanner struct {
	lines   []string
	at      int       // the current line
	pending []comment // comments and blank lines that belong to nobody yet
}

// comment is a line of comment with its indentation; a blank line has no text.
type comment struct {
	indent int
	text   string
}

// scan reads a text that is valid YAML.
func scan(text string) (docs []*document, err error) {
	defer func() {
		if r := recover(); r != nil {
			problem, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			docs, err = nil, problem
		}
	}()
	s := &scanner{lines: strings.Split(text, "\n")}
	for first := true; first || s.at < len(s.lines); first = false {
		docs = append(docs, s.document())
	}
	return docs, nil
}

// fail gives up at the current line; scan returns it as its error.
func (s *scanner) fail(msg string) {
	panic(&Error{Line: min(s.at+1, len(s.lines)), Msg: msg})
}

func (s *scanner) document() *document {
	d := &document{}
	if s.at < len(s.lines) && isMarker(s.lines[s.at]) {
		line := s.lines[s.at]
		note, ok := noteOf(line[3:])
		if !ok {
			s.fail("text on the line of `" + line[:3] + "`")
		}
		d.marker = line[:3] + note
		s.at++
	}
	if s.content() {
		if s.lines[s.at][0] == '%' {
			s.fail("a directive")
		}
		indent := indentOf(s.lines[s.at])
		d.root = s.node(indent, -1)
		if k := d.root.kind; k != mapping && k != list && k != bracket || d.root.props != "" {
			s.fail("a document that is neither a mapping nor a list")
		}
		if s.content() {
			s.fail("text after the end of the document")
		}
	}
	d.tail = texts(s.take(len(s.pending)))
	return d
}

// content moves to the next line with content in the document, collecting what it passes. It returns false at its end.
func (s *scanner) content() bool {
	for ; s.at < len(s.lines); s.at++ {
		line := s.lines[s.at]
		text := strings.TrimSpace(line)
		switch {
		case text == "":
			s.pending = append(s.pending, comment{})
		case text[0] == '#':
			s.pending = append(s.pending, comment{indentOf(line), text})
		case isMarker(line):
			return false
		default:
			return true
		}
	}
	return false
}

// next returns the indentation of the next line with content; -1 at the end of the document.
func (s *scanner) next() int {
	if !s.content() {
		return -1
	}
	return indentOf(s.lines[s.at])
}

// take removes the first n pending lines.
func (s *scanner) take(n int) []comment {
	taken := s.pending[:n:n]
	s.pending = s.pending[n:]
	return taken
}

func texts(comments []comment) []string {
	var all []string
	for _, c := range comments {
		all = append(all, c.text)
	}
	return all
}

// tail takes the comments that belong to the end of a block: up to the last that is indented like the block, and deeper than what follows.
func (s *scanner) tail(column, next int) []string {
	n := 0
	for i, c := range s.pending {
		if c.text != "" && c.indent >= column && c.indent > next {
			n = i + 1
		}
	}
	return texts(s.take(n))
}

// node reads the value that begins at an offset of the current line, below a block in column parent.
func (s *scanner) node(offset, parent int) *value {
	line := s.lines[s.at]
	if strings.IndexByte(line[:offset], '\t') >= 0 || line[offset] == '\t' {
		s.fail("a tab in the indentation")
	}
	switch {
	case isDash(line[offset:]):
		return s.list(offset)
	case line[offset] == '&' || line[offset] == '!':
		return s.after(offset, parent, false)
	case keyLength(line[offset:]) > 0:
		return s.mapping(offset)
	}
	return s.value(offset, parent)
}

func (s *scanner) list(column int) *value {
	v := &value{kind: list}
	for first := true; ; first = false {
		if !first {
			next := s.next()
			if next < column || next == column && !isDash(s.lines[s.at][column:]) {
				v.tail = s.tail(column, next)
				return v
			}
			if next > column {
				s.fail("indented unlike the items above")
			}
		}
		e := &entry{above: texts(s.take(len(s.pending)))}
		e.value = s.after(column+1, column, false)
		v.entries = append(v.entries, e)
	}
}

func (s *scanner) mapping(column int) *value {
	v := &value{kind: mapping}
	for first := true; ; first = false {
		if !first {
			next := s.next()
			if next < column || next == column && isDash(s.lines[s.at][column:]) {
				v.tail = s.tail(column, next)
				return v
			}
			if next > column {
				s.fail("indented unlike the keys above")
			}
		}
		line := s.lines[s.at]
		n := keyLength(line[column:])
		if n == 0 || strings.HasPrefix(line[column:], "? ") {
			s.fail("a line that does not begin with a name and a colon")
		}
		e := &entry{above: texts(s.take(len(s.pending))), key: strings.TrimRight(line[column:column+n], " \t")}
		if strings.IndexByte("&*![{", e.key[0]) >= 0 {
			s.fail("a key that is not a plain name")
		}
		e.value = s.after(column+n+1, column, true)
		v.entries = append(v.entries, e)
	}
}

// after reads what follows a colon or a dash of a block in the given column.
func (s *scanner) after(offset, column int, keyed bool) *value {
	line := s.lines[s.at]
	start := skipBlanks(line, offset)
	props := ""
	for start < len(line) && (line[start] == '&' || line[start] == '!') {
		end := start
		for end < len(line) && line[end] != ' ' && line[end] != '\t' {
			end++
		}
		props = strings.TrimLeft(props+" "+line[start:end], " ")
		start = skipBlanks(line, end)
	}
	if start == len(line) || line[start] == '#' {
		note, _ := noteOf(line[endOfText(line, start):])
		return s.below(column, keyed, props, note)
	}
	if !keyed && props == "" && (isDash(line[start:]) || keyLength(line[start:]) > 0) {
		if strings.IndexByte(line[:start], '\t') >= 0 {
			s.fail("a tab in the indentation")
		}
		return s.node(start, column)
	}
	if props != "" && keyLength(line[start:]) > 0 {
		s.fail("an anchor or tag on a key")
	}
	v := s.value(start, column)
	v.props = props
	return v
}

// below reads a value that begins on a line after its colon or dash.
func (s *scanner) below(column int, keyed bool, props, note string) *value {
	s.at++
	v := &value{}
	next := s.next()
	if next > column || keyed && next == column && isDash(s.lines[s.at][column:]) {
		mark := len(s.pending)
		v = s.node(next, column)
		if v.kind != mapping && v.kind != list && (mark > 0 || note != "" && v.note != "") {
			s.fail("a comment between a key and its value")
		}
	}
	v.props = strings.TrimSpace(props + " " + v.props)
	if note != "" {
		v.note = note
	}
	return v
}
