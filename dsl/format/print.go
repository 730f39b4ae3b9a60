package format

import (
	"strings"
	"unicode/utf8"
)

// width is how many columns a line may have before its collection in brackets becomes a block.
const width = 120

// Format returns a text of valid YAML in the canonical form, its keys as order says. The error is an *Error.
func Format(text string, order Order) (string, error) {
	docs, err := scan(text)
	if err != nil {
		return "", err
	}
	p := &printer{blank: true}
	for i, d := range docs {
		if d.marker != "" {
			p.line(d.marker)
		}
		if d.root != nil {
			order.apply(d.root, nil)
			p.root(d.root)
		}
		tail := d.tail
		for i == len(docs)-1 && len(tail) > 0 && tail[len(tail)-1] == "" {
			tail = tail[:len(tail)-1]
		}
		p.comments(tail, 0)
	}
	return p.String(), nil
}

// printer writes a tree.
type printer struct {
	strings.Builder
	blank bool // the last line is blank, or there is none
}

func (p *printer) line(text string) {
	p.WriteString(text)
	p.WriteByte('\n')
	p.blank = false
}

func spaces(n int) string { return strings.Repeat(" ", n) }

// comments writes comments and blank lines, one of these where there are more.
func (p *printer) comments(lines []string, indent int) {
	for _, text := range lines {
		switch {
		case text != "":
			p.line(spaces(indent) + text)
		case !p.blank:
			p.line("")
			p.blank = true
		}
	}
}

func (p *printer) root(v *value) {
	if v.kind == bracket {
		p.bracket("", v, v.column, false)
		return
	}
	p.block(v, "", 0)
}

// block writes the entries of a value; lead is what stands before the first of them on its line.
func (p *printer) block(v *value, lead string, indent int) {
	for i, e := range v.entries {
		p.comments(e.above, indent)
		if i > 0 {
			lead = spaces(indent)
		}
		if v.kind == list {
			p.value(lead+"-", e.value, indent, true)
		} else {
			p.value(lead+e.key+":", e.value, indent, false)
		}
	}
	p.comments(v.tail, indent)
}

// value writes a value behind its key or dash, which stands in a block with the given indentation.
func (p *printer) value(head string, v *value, indent int, item bool) {
	if v.props != "" {
		head = join(head, v.props)
	}
	switch v.kind {
	case nothing:
		p.line(head + v.note)
	case scalar:
		p.lines(head, v, func(line string) string { return spaces(indent+2) + line })
	case literal:
		p.line(join(head, v.header) + v.note)
		p.literal(v, indent)
	case bracket:
		p.bracket(head, v, indent, item)
	default:
		if item && v.props == "" && v.note == "" && len(v.entries[0].above) == 0 {
			p.block(v, head+" ", indent+2)
			return
		}
		p.line(head + v.note)
		p.block(v, spaces(indent+2), indent+2)
	}
}

func join(head, text string) string {
	if head == "" {
		return text
	}
	return head + " " + text
}

// lines writes the lines of a value as they are, but for the indentation of those after the first.
func (p *printer) lines(head string, v *value, indented func(string) string) {
	for i, line := range v.lines {
		switch {
		case i == 0:
			line = join(head, line)
		case line != "":
			line = indented(line)
		}
		if i == len(v.lines)-1 {
			line += v.note
		}
		p.line(line)
	}
}

func (p *printer) literal(v *value, indent int) {
	shift := 2
	if v.fixed > 0 {
		shift = v.fixed
	}
	for _, line := range v.lines {
		if strings.Trim(line, " ") == "" && len(line) <= max(v.indent, 0) || v.indent < 0 {
			p.line("")
			continue
		}
		p.line(spaces(max(indent, 0)+shift) + line[v.indent:])
	}
}

func (p *printer) bracket(head string, v *value, indent int, item bool) {
	if v.rigid {
		p.lines(head, v, func(line string) string {
			text := strings.TrimLeft(line, " \t")
			return spaces(max(indentOf(line)+indent-v.column, 0)) + text
		})
		return
	}
	line := join(head, v.flow.line())
	if utf8.RuneCountInString(line) <= width || len(v.flow.items) == 0 {
		p.line(line + v.note)
		return
	}
	b := v.flow.block()
	b.note = v.note
	if indent < 0 {
		p.comments([]string{strings.TrimSpace(v.note)}, 0)
		p.block(b, "", 0)
		return
	}
	p.value(head, b, indent, item)
}
