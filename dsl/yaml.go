package dsl

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// kind is what a node of a document is.
type kind uint8

const (
	scalarNode kind = iota
	mappingNode
	listNode
)

// scalarType is what YAML takes a scalar for.
type scalarType uint8

const (
	textScalar scalarType = iota
	nullScalar
	boolScalar
	intScalar
	floatScalar
)

// style is how a scalar is written, which decides where its characters stand in the file.
type style uint8

const (
	plainStyle style = iota
	singleStyle
	doubleStyle
	blockStyle // literal or folded
)

// node is one value of a document with its place in the file. Aliases point to the node of their anchor.
type node struct {
	kind  kind
	typ   scalarType
	style style
	line  int32
	col   int32
	size  int32  // nodes of the subtree, aliases expanded
	text  string // of a scalar: quoted and block scalars resolved, others as written (0123 stays 0123)
	pairs []pair
	items []*node
}

// pair is an entry of a mapping.
type pair struct{ key, value *node }

// syntaxError is a problem with the text of a file as YAML.
type syntaxError struct {
	line, col int
	msg, hint string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%d:%d: %s", e.line, e.col, e.msg) }

// parseYAML returns the documents of a file, without the empty ones. Text is expected as normalize returns it.
// Whatever the text, it returns in bounded time, memory and stack.
func parseYAML(text string) (docs []*node, problem *syntaxError) {
	docs, problem = parseDocuments(text, false)
	if problem != nil {
		if masked, ok := mask(text); ok {
			return parseDocuments(masked, true)
		}
	}
	return docs, problem
}

func parseDocuments(text string, masked bool) (docs []*node, problem *syntaxError) {
	defer func() {
		if r := recover(); r != nil { // the parser's, on input it did not foresee
			docs, problem = nil, &syntaxError{1, 1, fmt.Sprintf("not readable as YAML: %v", r), ""}
		}
		if problem != nil {
			problem.msg = unmask(problem.msg)
		}
	}()
	tokens := lexer.Tokenize(text)
	if problem := checkTokens(tokens); problem != nil {
		return nil, problem
	}
	for _, tokens := range splitDocuments(tokens) {
		c := converter{masked: masked}
		n, ok := c.readTokens(tokens)
		if !ok {
			if n, problem = c.parse(tokens); problem != nil {
				return nil, problem
			}
		}
		if n != nil && (n.kind != scalarNode || n.typ != nullScalar) {
			docs = append(docs, n)
		}
	}
	return docs, nil
}

// parse returns the root of a document, nil when it has none.
func (c *converter) parse(tokens token.Tokens) (*node, *syntaxError) {
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, parserError(err)
	}
	var root *node
	for _, doc := range file.Docs {
		if _, directive := doc.Body.(*ast.DirectiveNode); directive || doc.Body == nil {
			continue // %YAML and %TAG change nothing in what is accepted
		}
		if root != nil {
			c.fail(doc.Body.GetToken(), "`---` must stand before a second document")
		}
		root = c.node(doc.Body, 0)
		if c.problem != nil {
			return nil, c.problem
		}
	}
	return root, nil
}

// splitDocuments cuts a file's tokens before each `---` and after each `...`. The parser would do it, but it forgets
// what follows an empty document.
func splitDocuments(tokens token.Tokens) (docs []token.Tokens) {
	start := 0
	for i, t := range tokens {
		end := i
		switch t.Type {
		case token.DocumentHeaderType:
		case token.DocumentEndType:
			end = i + 1
		default:
			continue
		}
		if end > start {
			docs = append(docs, tokens[start:end])
		}
		start = end
	}
	if start < len(tokens) {
		docs = append(docs, tokens[start:])
	}
	return docs
}

// parserError gives the parser's message and place, without its annotated source, and what usually helps.
func parserError(err error) *syntaxError {
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) {
		return &syntaxError{1, 1, firstLine(err.Error()), ""}
	}
	p := &syntaxError{1, 1, firstLine(syntax.GetMessage()), ""}
	origin := ""
	if t := syntax.GetToken(); t != nil && t.Position != nil {
		p.line, p.col = max(t.Position.Line, 1), max(t.Position.Column, 1)
		origin = t.Origin
	}
	p.hint = syntaxHint(p.msg, origin)
	return p
}

// syntaxHint says what usually lies behind a message of the parser.
func syntaxHint(message, origin string) string {
	switch {
	case strings.Contains(origin, "\t") || strings.Contains(message, "tab"):
		return "YAML is indented with spaces, never with tabs"
	case strings.Contains(message, "mapping value is not allowed"):
		return "put quotes around text that holds `: `, and see whether this line and the next are indented alike"
	case strings.Contains(message, "non-map value"):
		return "write it as `name: value`, or indent it when it belongs to the text above"
	case strings.Contains(message, "reserved character"):
		return "put quotes around text that begins with it"
	case strings.Contains(message, "must be specified"):
		return "end the list or mapping, and put quotes around text that holds one of , [ ] { }"
	}
	return ""
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// converter turns the parser's tree into nodes, so that nothing holds on to its tokens.
type converter struct {
	masked  bool // the text was
	anchors map[string]*node
	slab    []node
	problem *syntaxError
}

func (c *converter) fail(t *token.Token, format string, args ...any) *node {
	if c.problem == nil {
		c.problem = &syntaxError{1, 1, fmt.Sprintf(format, args...), ""}
		if t != nil && t.Position != nil {
			c.problem.line, c.problem.col = max(t.Position.Line, 1), max(t.Position.Column, 1)
		}
	}
	return nil
}

func (c *converter) new(t *token.Token, k kind) *node {
	if len(c.slab) == 0 {
		c.slab = make([]node, 128)
	}
	n := &c.slab[0]
	c.slab = c.slab[1:]
	n.kind, n.size = k, 1
	if t != nil && t.Position != nil {
		n.line, n.col = int32(max(t.Position.Line, 1)), int32(max(t.Position.Column, 1))
	} else {
		n.line, n.col = 1, 1
	}
	return n
}

func (c *converter) scalar(t *token.Token, typ scalarType, s style) *node {
	n := c.new(t, scalarNode)
	n.typ, n.style = typ, s
	if typ != nullScalar && t != nil {
		n.text = c.textOf(t.Value)
	}
	return n
}

// textOf returns a value of the parser as it stands in the file.
func (c *converter) textOf(value string) string {
	if c.masked {
		return unmask(value)
	}
	return value
}

// node converts a tree. It returns nil exactly when it recorded a problem.
func (c *converter) node(a ast.Node, depth int) *node {
	if c.problem != nil {
		return nil
	}
	if depth > 2*maxDepth {
		return c.fail(a.GetToken(), "nested deeper than %d levels", maxDepth)
	}
	switch a := a.(type) {
	case *ast.StringNode:
		switch a.Token.Type {
		case token.SingleQuoteType:
			return c.scalar(a.Token, textScalar, singleStyle)
		case token.DoubleQuoteType:
			return c.scalar(a.Token, textScalar, doubleStyle)
		}
		return c.scalar(a.Token, textScalar, plainStyle)
	case *ast.LiteralNode:
		n := c.scalar(a.Start, textScalar, blockStyle)
		n.text = ""
		if a.Value != nil {
			n.text = c.textOf(a.Value.Value)
		}
		return n
	case *ast.IntegerNode:
		return c.scalar(a.Token, intScalar, plainStyle)
	case *ast.FloatNode:
		return c.scalar(a.Token, floatScalar, plainStyle)
	case *ast.InfinityNode:
		return c.scalar(a.Token, floatScalar, plainStyle)
	case *ast.NanNode:
		return c.scalar(a.Token, floatScalar, plainStyle)
	case *ast.BoolNode:
		return c.scalar(a.Token, boolScalar, plainStyle)
	case *ast.NullNode:
		return c.scalar(a.Token, nullScalar, plainStyle)
	case *ast.MappingNode:
		return c.mapping(a, depth)
	case *ast.MappingValueNode:
		return c.mapping(&ast.MappingNode{Values: []*ast.MappingValueNode{a}}, depth)
	case *ast.MappingKeyNode:
		return c.node(a.Value, depth+1)
	case *ast.SequenceNode:
		return c.list(a, depth)
	case *ast.AnchorNode:
		return c.anchor(a, depth)
	case *ast.AliasNode:
		return c.alias(a)
	case *ast.TagNode:
		return c.tagged(a, depth)
	case nil:
		return c.scalar(nil, nullScalar, plainStyle)
	}
	return c.fail(a.GetToken(), "%s is not supported here", strings.ToLower(a.Type().String()))
}

func (c *converter) count(n *node, t *token.Token) bool {
	if n.size > maxNodes {
		c.fail(t, "the document grows beyond %d values when its aliases are expanded", maxNodes)
		return false
	}
	return true
}

func (c *converter) mapping(a *ast.MappingNode, depth int) *node {
	if len(a.Values) > maxKeys {
		return c.fail(a.GetToken(), "a mapping of more than %d keys", maxKeys)
	}
	n := c.new(a.Start, mappingNode)
	if !a.IsFlowStyle && len(a.Values) > 0 { // its start token is the first colon
		if t := a.Values[0].Key.GetToken(); t != nil && t.Position != nil {
			n.line, n.col = int32(max(t.Position.Line, 1)), int32(max(t.Position.Column, 1))
		}
	}
	n.pairs = make([]pair, 0, len(a.Values))
	var merges []*node
	for _, v := range a.Values {
		if v.Key.IsMergeKey() {
			m := c.node(v.Value, depth+1)
			if m == nil {
				return nil
			}
			merges = append(merges, m)
			continue
		}
		key := c.node(v.Key, depth+1)
		if key == nil {
			return nil
		}
		if key.kind != scalarNode {
			return c.fail(v.Key.GetToken(), "a key must be a plain name")
		}
		value := c.node(v.Value, depth+1)
		if value == nil {
			return nil
		}
		placeNothing(value, v.Value, v.Start)
		n.pairs = append(n.pairs, pair{key, value})
		n.size += 1 + value.size
		if !c.count(n, v.Key.GetToken()) {
			return nil
		}
	}
	for _, m := range merges {
		if !c.merge(n, m) {
			return nil
		}
	}
	return n
}

// placeNothing puts a value that is left out right behind its colon or dash; the parser may put it beyond the end of the file.
func placeNothing(n *node, a ast.Node, after *token.Token) {
	null, ok := a.(*ast.NullNode)
	if ok && null.Token.Type == token.ImplicitNullType && after != nil && after.Position != nil {
		n.line, n.col = int32(max(after.Position.Line, 1)), int32(max(after.Position.Column, 0)+1)
	}
}

// merge adds the pairs of a `<<` that the mapping does not have itself.
func (c *converter) merge(n, from *node) bool {
	if from.kind == listNode {
		for _, item := range from.items {
			if !c.merge(n, item) {
				return false
			}
		}
		return true
	}
	if from.kind != mappingNode {
		if c.problem == nil {
			c.problem = &syntaxError{int(from.line), int(from.col), "`<<` takes a mapping or a list of mappings", ""}
		}
		return false
	}
	have := make(map[string]bool, len(n.pairs))
	for _, p := range n.pairs {
		have[p.key.text] = true
	}
	for _, p := range from.pairs {
		if !have[p.key.text] {
			n.pairs = append(n.pairs, p)
			n.size += 1 + p.value.size
		}
	}
	if n.size > maxNodes {
		c.fail(nil, "the document grows beyond %d values when its aliases are expanded", maxNodes)
		c.problem.line, c.problem.col = int(n.line), int(n.col)
		return false
	}
	return true
}

func (c *converter) list(a *ast.SequenceNode, depth int) *node {
	n := c.new(a.Start, listNode)
	n.items = make([]*node, 0, len(a.Values))
	for i, v := range a.Values {
		item := c.node(v, depth+1)
		if item == nil {
			return nil
		}
		if i < len(a.Entries) {
			placeNothing(item, v, a.Entries[i].Start)
		}
		item.join()
		n.items = append(n.items, item)
		n.size += item.size
		if !c.count(n, a.Start) {
			return nil
		}
	}
	return n
}

// join makes the text of an item of a list that the scanner takes for a mapping, as it does with {notify: [oncall:data]}: a colon without
// space behind it is part of a text.
func (n *node) join() {
	if n.kind != mappingNode || len(n.pairs) != 1 {
		return
	}
	key, value := n.pairs[0].key, n.pairs[0].value
	if key.line != n.line || key.col != n.col || key.style != plainStyle || value.kind != scalarNode || value.style != plainStyle ||
		value.typ == nullScalar || value.line != key.line || int(value.col) != int(key.col)+utf8.RuneCountInString(key.text)+1 {
		return
	}
	*n = node{kind: scalarNode, line: n.line, col: n.col, size: 1, text: key.text + ":" + value.text}
}

func (c *converter) anchor(a *ast.AnchorNode, depth int) *node {
	n := c.node(a.Value, depth+1)
	if n == nil {
		return nil
	}
	if a.Name == nil || a.Name.GetToken() == nil {
		return c.fail(a.Start, "an anchor needs a name")
	}
	if c.anchors == nil {
		c.anchors = make(map[string]*node)
	}
	c.anchors[a.Name.GetToken().Value] = n
	return n
}

func (c *converter) alias(a *ast.AliasNode) *node {
	if a.Value == nil || a.Value.GetToken() == nil {
		return c.fail(a.Start, "an alias needs a name")
	}
	name := a.Value.GetToken().Value
	n := c.anchors[name]
	if n == nil {
		return c.fail(a.Start, "no anchor &%s before this alias", name)
	}
	return n
}

// tagged accepts !!str on a scalar; other tags would give a value a meaning that nothing here knows.
func (c *converter) tagged(a *ast.TagNode, depth int) *node {
	if a.Start == nil || a.Start.Value != "!!str" {
		return c.fail(a.Start, "the tag %s is not supported", tagName(a))
	}
	n := c.node(a.Value, depth+1)
	if n == nil {
		return nil
	}
	if n.kind != scalarNode {
		return c.fail(a.Start, "!!str marks a scalar")
	}
	n.typ = textScalar
	return n
}

func tagName(a *ast.TagNode) string {
	if a.Start == nil {
		return "here"
	}
	return a.Start.Value
}
