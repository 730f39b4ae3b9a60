package dsl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/format"
)

// Format returns a YAML file in the canonical form of package format. Documents, comments, anchors, scalars and what they mean stay:
// the result is read again and compared, and what does not come out the same is not returned. The problem then says why, and
// where.
func Format(file string, data []byte) ([]byte, *diag.Diagnostic) {
	text, problem := normalize(data)
	var docs []*node
	if problem == nil {
		docs, problem = parseYAML(text)
	}
	if problem != nil {
		d := errorAt(flow.Pos{File: file, Line: problem.line, Col: problem.col}, diag.Syntax, problem.hint, problem.msg)
		return nil, &d
	}
	formatted, err := format.Format(text, keyOrder)
	line := 0
	var unclear *format.Error
	if errors.As(err, &unclear) {
		line, err = unclear.Line, errors.New(unclear.Msg)
	}
	if err == nil {
		err = sameMeaning(docs, text, formatted)
	}
	if formatted != "" && err != nil && !strings.HasSuffix(text, "\n") { // a block scalar at the end has no last newline either
		formatted = strings.TrimSuffix(formatted, "\n")
		if sameMeaning(docs, text, formatted) == nil {
			err = nil
		}
	}
	if err != nil {
		d := errorAt(flow.Pos{File: file, Line: line, Col: min(line, 1)}, diag.Syntax, "lay it out by hand, or write it in a plainer way",
			"the formatter leaves the file as it is: "+err.Error())
		return nil, &d
	}
	return []byte(formatted), nil
}

// The canonical order of keys.
var (
	flowOrder = []string{
		"flow", "description", "team", "owner", "group", "labels", "priority", "enabled", "schedule", "concurrency", "expire_after",
		"params", "defaults", "alerts", "tasks",
	}
	taskOrder = []string{
		"uses", "runner", "connection", "run", "file", "args", "with", "needs", "inputs", "outputs", "signals", "gate", "start_after",
		"dependency_timeout", "output_timeout", "timeout", "retry", "success", "when", "trigger_rule", "concurrency", "pool",
		"agents", "run_as", "resources", "on_agent_lost", "lost_after", "env", "matrix", "formerly", "alerts",
	}
)

// keyOrder is the order of the keys of flows, tasks and templates; other mappings keep theirs.
func keyOrder(path, keys []string) []string {
	switch {
	case len(path) == 0 && slices.Contains(keys, "flow"):
		return flowOrder
	case len(path) == 2 && path[0] == "tasks":
		return taskOrder
	case len(path) == 2 && path[0] == "templates":
		return append([]string{"params"}, taskOrder...)
	}
	return nil
}

// sameMeaning compares what a text says after it was formatted with what it said before.
func sameMeaning(docs []*node, text, formatted string) error {
	after, problem := parseYAML(formatted)
	if problem != nil {
		return fmt.Errorf("laid out, it would not be readable: %s", problem.msg)
	}
	if len(docs) != len(after) {
		return errors.New("laid out, it would have other documents")
	}
	for i := range docs {
		if at := difference(docs[i], after[i], nil); at != nil {
			return fmt.Errorf("laid out, the value on line %d would be another", at.line)
		}
	}
	if !slices.Equal(commentsOf(text), commentsOf(formatted)) {
		return errors.New("laid out, it would have other comments")
	}
	return nil
}

// difference returns the first node of a that b does not have in the same form; nil when they say the same. The order of keys counts
// where it is not the formatter's.
func difference(a, b *node, path []string) *node {
	if a.kind != b.kind || a.typ != b.typ || a.style != b.style || a.text != b.text || len(a.pairs) != len(b.pairs) || len(a.items) != len(b.items) {
		return a
	}
	for i, item := range a.items {
		if at := difference(item, b.items[i], append(path[:len(path):len(path)], "-")); at != nil {
			return at
		}
	}
	pairsA, pairsB := a.pairs, b.pairs
	if keyOrder(path, keysOf(a)) != nil {
		pairsA, pairsB = byKey(a.pairs), byKey(b.pairs)
	}
	for i, p := range pairsA {
		if at := difference(p.key, pairsB[i].key, path); at != nil {
			return at
		}
		if at := difference(p.value, pairsB[i].value, append(path[:len(path):len(path)], p.key.text)); at != nil {
			return at
		}
	}
	return nil
}

func keysOf(n *node) []string {
	keys := make([]string, len(n.pairs))
	for i, p := range n.pairs {
		keys[i] = p.key.text
	}
	return keys
}

func byKey(pairs []pair) []pair {
	sorted := slices.Clone(pairs)
	slices.SortStableFunc(sorted, func(a, b pair) int { return strings.Compare(a.key.text, b.key.text) })
	return sorted
}

// commentsOf returns the comments of a text, sorted: they move with their keys.
func commentsOf(text string) []string {
	var all []string
	for _, t := range lexer.Tokenize(text) {
		if t.Type == token.CommentType {
			all = append(all, strings.TrimSpace(t.Value))
		}
	}
	slices.Sort(all)
	return all
}
