package dsl

import (
	"strings"

	"github.com/goccy/go-yaml/token"
)

// reader makes nodes straight from the tokens of a document, for the YAML that nearly all files are made of: block mappings and
// lists, plain, quoted and block scalars, and flow collections on one line. The library's parser takes as long as its scanner, so this
// nearly halves a compile. It gives up at the first token that it is not sure of, errors included; the parser then reads
// the document, and decides. Wherever both read a document they agree, which FuzzReader tests.
type reader struct {
	converter
	tokens []*token.Token
	at     int
	gaveUp bool
}

// readTokens returns the root of a document, or false when the parser must read it. A document without content is nil.
func (c *converter) readTokens(tokens token.Tokens) (*node, bool) {
	r := reader{converter: *c, tokens: tokens}
	if t := r.peek(); t != nil && t.Type == token.DocumentHeaderType {
		r.at++
		if next := r.peek(); next != nil && next.Position.Line == t.Position.Line {
			return nil, false
		}
	}
	t := r.peek()
	if t == nil {
		return nil, true
	}
	n := r.block(t, 0)
	if t := r.peek(); t != nil && t.Type == token.DocumentEndType {
		r.at++
	}
	if r.gaveUp || r.problem != nil || r.peek() != nil {
		return nil, false
	}
	c.slab = r.slab
	return n, true
}

// giveUp leaves the document to the parser.
func (r *reader) giveUp() *node {
	r.gaveUp = true
	return nil
}

// peek returns the next token that is no comment, nil at the end.
func (r *reader) peek() *token.Token {
	for r.at < len(r.tokens) {
		if t := r.tokens[r.at]; t.Type != token.CommentType {
			return t
		}
		r.at++
	}
	return nil
}

// take returns the next token and moves past it.
func (r *reader) take() *token.Token {
	t := r.peek()
	r.at++
	return t
}

// followedByColon tells whether the token after the next one is a colon on the same line: then the next one is a key.
func (r *reader) followedByColon(t *token.Token) bool {
	next := r.at + 1
	return next < len(r.tokens) && r.tokens[next].Type == token.MappingValueType && r.tokens[next].Position.Line == t.Position.Line
}

// block reads a node of the block style that begins with the token t, the next one.
func (r *reader) block(t *token.Token, depth int) *node {
	switch {
	case depth > maxDepth:
		return r.giveUp()
	case t.Type == token.SequenceEntryType:
		return r.blockList(t.Position.Column, depth)
	case t.Type == token.MappingStartType || t.Type == token.SequenceStartType:
		n := r.flow(depth)
		if next := r.peek(); next != nil && next.Position.Line == t.Position.Line {
			return r.giveUp()
		}
		return n
	case r.followedByColon(t):
		return r.blockMapping(t, depth)
	}
	return r.lineEnd(t)
}

// lineEnd reads a scalar that nothing may follow on its line.
func (r *reader) lineEnd(t *token.Token) *node {
	if t.Type == token.LiteralType || t.Type == token.FoldedType {
		return r.blockScalar()
	}
	n := r.oneScalar()
	if n == nil {
		return nil
	}
	if n.style != plainStyle && strings.Contains(strings.TrimSpace(t.Origin), "\n") {
		return r.giveUp() // its end is on a line that its token does not tell
	}
	if next := r.peek(); next != nil && next.Position.Line == t.Position.Line {
		return r.giveUp()
	}
	return n
}

// blockScalar reads a literal or folded scalar: a header and its text.
func (r *reader) blockScalar() *node {
	head := r.take()
	if r.at >= len(r.tokens) || r.tokens[r.at].Type != token.StringType || r.tokens[r.at].Position.Line <= head.Position.Line {
		return r.giveUp()
	}
	n := r.scalar(head, textScalar, blockStyle)
	n.text = r.textOf(r.tokens[r.at].Value)
	r.at++
	return n
}

// oneScalar reads a plain or quoted scalar.
func (r *reader) oneScalar() *node {
	t := r.take()
	switch t.Type {
	case token.StringType:
		return r.scalar(t, textScalar, plainStyle)
	case token.SingleQuoteType:
		return r.scalar(t, textScalar, singleStyle)
	case token.DoubleQuoteType:
		return r.scalar(t, textScalar, doubleStyle)
	case token.IntegerType, token.OctetIntegerType, token.HexIntegerType, token.BinaryIntegerType:
		return r.scalar(t, intScalar, plainStyle)
	case token.FloatType:
		return r.scalar(t, floatScalar, plainStyle)
	case token.BoolType:
		return r.scalar(t, boolScalar, plainStyle)
	case token.NullType:
		return r.scalar(t, nullScalar, plainStyle)
	}
	return r.giveUp()
}

// nothing is the null of a value that is left out after a colon or a dash.
func (r *reader) nothing(after *token.Token) *node {
	n := r.new(after, scalarNode)
	n.typ = nullScalar
	n.col++
	return n
}

// blockMapping reads keys in one column.
func (r *reader) blockMapping(t *token.Token, depth int) *node {
	n := r.new(t, mappingNode)
	column := t.Position.Column
	for {
		colon := r.pairKey(n, t)
		if colon == nil {
			return nil
		}
		value := r.pairValue(colon, column, depth)
		if value == nil {
			return nil
		}
		last := &n.pairs[len(n.pairs)-1]
		last.value = value
		if n.size += 1 + value.size; n.size > maxNodes || len(n.pairs) > maxKeys {
			return r.giveUp()
		}
		line := t.Position.Line
		t = r.peek()
		switch {
		case t == nil || t.Type == token.DocumentEndType || t.Position.Column < column:
			return n
		case t.Position.Column > column || t.Position.Line <= line || !r.followedByColon(t):
			return r.giveUp()
		}
	}
}

// pairKey reads a key and its colon, which it returns.
func (r *reader) pairKey(n *node, t *token.Token) *token.Token {
	key := r.oneScalar()
	if key == nil || key.typ == nullScalar || strings.Contains(key.text, "\n") || strings.Contains(strings.TrimSpace(t.Origin), "\n") {
		r.giveUp()
		return nil
	}
	n.pairs = append(n.pairs, pair{key: key})
	return r.take()
}

// pairValue reads what follows a colon of a block mapping whose keys are in the given column.
func (r *reader) pairValue(colon *token.Token, column, depth int) *node {
	t := r.peek()
	switch {
	case t == nil || t.Type == token.DocumentEndType:
		return r.nothing(colon)
	case t.Position.Line == colon.Position.Line:
		return r.sameLine(t, depth)
	case t.Position.Column > column, t.Position.Column == column && t.Type == token.SequenceEntryType:
		if t.Type == token.LiteralType || t.Type == token.FoldedType {
			return r.giveUp()
		}
		return r.block(t, depth+1)
	}
	return r.nothing(colon)
}

// sameLine reads a value that begins on the line of its colon.
func (r *reader) sameLine(t *token.Token, depth int) *node {
	if t.Type == token.SequenceEntryType || r.followedByColon(t) {
		return r.giveUp()
	}
	return r.block(t, depth+1)
}

// blockList reads dashes in one column.
func (r *reader) blockList(column, depth int) *node {
	n := r.new(r.peek(), listNode)
	for {
		dash := r.take()
		t := r.peek()
		var item *node
		switch {
		case t == nil || t.Type == token.DocumentEndType || t.Position.Line > dash.Position.Line && t.Position.Column <= column:
			item = r.nothing(dash)
		case t.Type == token.LiteralType && t.Position.Line > dash.Position.Line, t.Type == token.FoldedType && t.Position.Line > dash.Position.Line:
			return r.giveUp()
		default:
			item = r.block(t, depth+1)
		}
		if item == nil {
			return nil
		}
		n.items = append(n.items, item)
		if n.size += item.size; n.size > maxNodes {
			return r.giveUp()
		}
		t = r.peek()
		switch {
		case t == nil || t.Type == token.DocumentEndType || t.Position.Column < column:
			return n
		case t.Position.Line <= dash.Position.Line || t.Position.Column > column:
			return r.giveUp()
		case t.Type != token.SequenceEntryType:
			return n
		}
	}
}

// flow reads a flow collection that ends on the line where it begins.
func (r *reader) flow(depth int) *node {
	open := r.take()
	if depth > maxDepth {
		return r.giveUp()
	}
	kind, end := listNode, token.SequenceEndType
	if open.Type == token.MappingStartType {
		kind, end = mappingNode, token.MappingEndType
	}
	n := r.new(open, kind)
	for first := true; ; first = false {
		t := r.peek()
		if t == nil || t.Position.Line != open.Position.Line {
			return r.giveUp()
		}
		if t.Type == end {
			r.at++
			return n
		}
		if !first {
			if t.Type != token.CollectEntryType {
				return r.giveUp()
			}
			r.at++
			if t = r.peek(); t == nil || t.Position.Line != open.Position.Line || t.Type == end {
				return r.giveUp()
			}
		}
		if !r.flowEntry(n, open, t, depth) {
			return r.giveUp()
		}
	}
}

// flowEntry reads an item, or a key and its value, of a flow collection.
func (r *reader) flowEntry(n *node, open, t *token.Token, depth int) bool {
	if n.kind == listNode {
		item := r.flowValue(t, depth)
		if item == nil || !r.inside(open, t) {
			return false
		}
		n.items = append(n.items, item)
		n.size += item.size
		return true
	}
	if !r.followedByColon(t) || r.pairKey(n, t) == nil {
		return false
	}
	if t = r.peek(); t == nil || t.Position.Line != open.Position.Line {
		return false
	}
	value := r.flowValue(t, depth)
	if value == nil || !r.inside(open, t) {
		return false
	}
	n.pairs[len(n.pairs)-1].value = value
	n.size += 1 + value.size
	return n.size <= maxNodes
}

// inside tells whether a value just read is followed, on the line of its collection, by a comma or an end.
func (r *reader) inside(open, t *token.Token) bool {
	next := r.peek()
	if next == nil || next.Position.Line != open.Position.Line || strings.Contains(strings.TrimSpace(t.Origin), "\n") {
		return false
	}
	return next.Type == token.CollectEntryType || next.Type == token.SequenceEndType || next.Type == token.MappingEndType
}

func (r *reader) flowValue(t *token.Token, depth int) *node {
	if t.Type == token.MappingStartType || t.Type == token.SequenceStartType {
		return r.flow(depth + 1)
	}
	return r.oneScalar()
}
