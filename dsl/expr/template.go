package expr

import (
	"strings"
	"unicode"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// Problem is something wrong with a template, found before it runs.
type Problem struct {
	Pos     flow.Pos
	Rule    string // bad-expression or unquoted-param
	Message string
	Hint    string
}

// The rules of problems.
const (
	BadExpression = diag.BadExpression
	UnquotedParam = diag.UnquotedParam
)

// ParseTemplate splits text into literals and expressions; pos gives the place of a byte of the text. Write $${{ for a
// literal ${{. With problems, the template holds what could be read.
func ParseTemplate(text string, pos func(byteOffset int) flow.Pos) (*flow.Template, []Problem) {
	t := &flow.Template{Pos: pos(0)}
	var problems []Problem
	var lit strings.Builder
	litAt, i := 0, 0
	flush := func() {
		if lit.Len() > 0 {
			t.Parts = append(t.Parts, flow.Part{Lit: lit.String(), Pos: pos(litAt)})
			lit.Reset()
		}
	}
	for {
		open := strings.Index(text[i:], "${{")
		if open < 0 {
			break
		}
		open += i
		if open > i && text[open-1] == '$' {
			lit.WriteString(text[i:open-1] + "${{")
			i = open + 3
			continue
		}
		lit.WriteString(text[i:open])
		end := expressionEnd(text, open+3)
		if end < 0 {
			flush()
			return t, append(problems, Problem{pos(open), BadExpression, "an expression begins here and never ends", "close it with }}, or write $${{ for the text ${{"})
		}
		flush()
		source := text[open+3 : end]
		start := open + 3 + len(source) - len(strings.TrimLeftFunc(source, unicode.IsSpace))
		if source = strings.TrimSpace(source); source == "" {
			problems = append(problems, Problem{pos(open), BadExpression, "the expression is empty", "write a value, such as ${{ ds }}"})
		} else {
			t.Parts = append(t.Parts, Expression(source, start, pos))
		}
		i = end + 2
		litAt = i
	}
	lit.WriteString(text[i:])
	flush()
	return t, problems
}

// Expression returns the part that an expression makes, which begins at an offset of a text; pos is as for ParseTemplate.
func Expression(source string, start int, pos func(byteOffset int) flow.Pos) flow.Part {
	part := flow.Part{Expr: source, Pos: pos(start)}
	next, count := part.Pos, 0
	for i, r := range source {
		if !unicode.IsSpace(r) { // folded lines make spaces of other lengths
			if at := pos(start + i); at != next {
				part.Jumps = append(part.Jumps, flow.Jump{At: count, Pos: at})
				next = at
			}
		}
		next.Col++
		count++
	}
	return part
}

// place returns where a character of an expression stands.
func place(part *flow.Part, at int) flow.Pos {
	pos, from := part.Pos, 0
	for _, j := range part.Jumps {
		if j.At > at {
			break
		}
		pos, from = j.Pos, j.At
	}
	pos.Col += max(at-from, 0)
	return pos
}

// expressionEnd returns where the }} is that ends the expression beginning at i: not one within a string, and not the end
// of nested maps. It is -1 when there is none.
func expressionEnd(text string, i int) int {
	depth := 0
	for ; i < len(text); i++ {
		switch c := text[i]; c {
		case '\'', '"', '`':
			if i = stringEnd(text, i); i < 0 {
				return -1
			}
		case '{':
			depth++
		case '}':
			if depth > 0 {
				depth--
			} else if strings.HasPrefix(text[i:], "}}") {
				return i
			}
		}
	}
	return -1
}

func stringEnd(text string, i int) int {
	quote := text[i]
	for i++; i < len(text); i++ {
		switch {
		case text[i] == quote:
			return i
		case text[i] == '\\' && quote != '`':
			i++
		}
	}
	return -1
}
