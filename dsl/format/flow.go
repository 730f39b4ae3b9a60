package format

import "strings"

// flowNode is a collection in brackets, or a scalar in one.
type flowNode struct {
	open  byte   // '[' or '{'; 0 for a scalar
	text  string // of a scalar, as written
	items []flowItem
}

// flowItem is an item of a collection; with a key in { }.
type flowItem struct {
	key   string // as written
	colon bool   // stands behind the key, which may be alone
	value *flowNode
}

func (n *flowNode) refers() bool {
	if n.open == 0 {
		return n.text != "" && strings.IndexByte("&*", n.text[0]) >= 0
	}
	for _, i := range n.items {
		if i.value.refers() {
			return true
		}
	}
	return false
}

// line writes a collection on one line.
func (n *flowNode) line() string {
	if n.open == 0 {
		return n.text
	}
	var b strings.Builder
	b.WriteByte(n.open)
	for i, item := range n.items {
		if i > 0 {
			b.WriteString(", ")
		}
		text := item.value.line()
		b.WriteString(item.key)
		if item.colon {
			b.WriteByte(':')
			if text != "" {
				b.WriteByte(' ')
			}
		}
		b.WriteString(text)
	}
	b.WriteByte(n.open + 2) // the closing bracket, in ASCII
	return b.String()
}

// block returns a collection as a value in block form.
func (n *flowNode) block() *value {
	v := &value{kind: list}
	if n.open == '{' {
		v.kind = mapping
	}
	for _, item := range n.items {
		e := &entry{key: item.key, value: &value{}}
		switch {
		case item.value.open != 0:
			e.value.kind, e.value.flow = bracket, item.value
		case item.value.text != "":
			e.value.kind, e.value.lines = scalar, []string{item.value.text}
		}
		v.entries = append(v.entries, e)
	}
	return v
}

// flowScanner reads a collection in brackets, from the scanner's current line on.
type flowScanner struct {
	*scanner
	col   int
	rigid bool
}

// bracket reads a collection in brackets that begins at an offset of the current line, in a block in the given column.
func (s *scanner) bracket(start, column int) *value {
	f := &flowScanner{scanner: s, col: start}
	first := s.at
	v := &value{kind: bracket, column: column}
	v.flow = f.collection()
	v.rigid = f.rigid
	for i := first; i <= s.at; i++ {
		line := s.lines[i]
		if i == s.at {
			line = line[:f.col]
		}
		if i == first {
			line = line[start:]
		}
		if text := strings.TrimRight(line, " \t"); !strings.HasSuffix(text, `\`) {
			line = text
		}
		v.lines = append(v.lines, line)
	}
	return s.rest(v, f.col)
}

func (f *flowScanner) line() string { return f.lines[f.at] }

// peek moves to the next character that is neither blank nor in a comment, on whichever line, and returns it.
func (f *flowScanner) peek() byte {
	for {
		line := f.line()
		f.col = skipBlanks(line, f.col)
		if f.col < len(line) && (line[f.col] != '#' || f.col > 0 && line[f.col-1] != ' ' && line[f.col-1] != '\t') {
			return line[f.col]
		}
		f.rigid = f.rigid || f.col < len(line)
		if f.at+1 == len(f.lines) {
			f.fail("a bracket is not closed")
		}
		f.at, f.col = f.at+1, 0
	}
}

func (f *flowScanner) collection() *flowNode {
	n := &flowNode{open: f.peek()}
	f.col++
	for {
		if f.peek() == n.open+2 {
			f.col++
			return n
		}
		n.items = append(n.items, f.item(n.open))
		switch f.peek() {
		case ',':
			f.col++
		case n.open + 2:
		default:
			f.fail("an item in brackets that is not understood")
		}
	}
}

func (f *flowScanner) item(open byte) flowItem {
	if open == '[' {
		return flowItem{value: f.node()}
	}
	key := f.node()
	if key.open != 0 || key.text == "" || strings.IndexByte("?&*!", key.text[0]) >= 0 {
		f.fail("a key that is not a plain name")
	}
	item := flowItem{key: key.text, value: &flowNode{}}
	if f.peek() != ':' {
		return item // a key alone
	}
	f.col++
	item.colon = true
	if c := f.peek(); c != ',' && c != '}' {
		item.value = f.node()
	}
	return item
}

func (f *flowScanner) node() *flowNode {
	switch c := f.peek(); c {
	case '[', '{':
		return f.collection()
	case '"', '\'':
		return f.quotedText(c)
	case ',', ']', '}', ':':
		f.fail("an empty item in brackets")
	}
	n := &flowNode{text: f.plainText()}
	for strings.IndexByte(",]}:", f.peek()) < 0 { // it goes on in the next line
		n.text += " " + f.plainText()
		f.rigid = true
	}
	return n
}

func (f *flowScanner) quotedText(quote byte) *flowNode {
	start := f.col
	line := f.line()
	text := line[start:]
	end, closed := quoteEnd(line, start+1, quote)
	for !closed {
		f.rigid = true
		if f.at+1 == len(f.lines) {
			f.fail("a quote is not closed")
		}
		f.at++
		end, closed = quoteEnd(f.line(), 0, quote)
		f.col = end
		text += " "
	}
	if !f.rigid {
		text = line[start:end]
	}
	f.col = end
	return &flowNode{text: text}
}

// plainText reads a plain scalar up to the end of its line.
func (f *flowScanner) plainText() string {
	line, start := f.line(), f.col
	at := start
	for ; at < len(line); at++ {
		c := line[at]
		if strings.HasPrefix(line[at:], "${{") {
			if n := strings.Index(line[at:], "}}"); n > 0 {
				at += n + 1
				continue
			}
		}
		if c == ',' || c == ']' || c == '}' || c == '#' && at > start && (line[at-1] == ' ' || line[at-1] == '\t') {
			break
		}
		if c == '[' || c == '{' {
			f.fail("a bracket in the middle of text")
		}
		if c == ':' && (endsKey(line, at) || strings.IndexByte(",]}", line[at+1]) >= 0) {
			break
		}
	}
	f.col = at
	if at == start {
		f.fail("text in brackets that is not understood")
	}
	return strings.TrimRight(line[start:at], " \t")
}
