package dsl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// text is a scalar with its place.
type text struct {
	value string
	at    flow.Pos
}

// optional is a value that may be left out.
type optional[T any] struct {
	value T
	at    flow.Pos // nowhere when it was left out
}

func (o optional[T]) set() bool { return o.at.Line > 0 }

// or returns the value, or the other one when it was left out.
func (o optional[T]) or(other optional[T]) optional[T] {
	if o.set() {
		return o
	}
	return other
}

// decoder reads the nodes of one file into drafts and collects what is wrong with them.
type decoder struct {
	src      *source
	folder   string             // of the file; "." at the root
	path     []string           // of the field being read
	made     int                // tasks of the file so far, matrices expanded
	spliced  map[*node]*splices // scalars whose text is not the written one; only when a template is filled in
	findings []diag.Diagnostic
}

// report records an error at a node.
func (d *decoder) report(n *node, rule, hint, format string, args ...any) {
	d.reportAt(d.src.pos(n), rule, hint, fmt.Sprintf(format, args...))
}

func (d *decoder) reportAt(at flow.Pos, rule, hint, message string) {
	d.findings = append(d.findings, diag.Diagnostic{
		File: at.File, Line: at.Line, Col: at.Col, Rule: rule, Message: message, Hint: hint, Path: strings.Join(d.path, "."),
	})
}

// wrongType reports that a node is not what its field takes.
func (d *decoder) wrongType(n *node, want string) {
	d.report(n, diag.WrongType, "", "%s takes %s, not %s", d.field(), want, n.describe())
}

// field names the field being read, for messages.
func (d *decoder) field() string {
	if len(d.path) == 0 {
		return "the document"
	}
	return d.path[len(d.path)-1]
}

// describe says what a node is, in the words of somebody who writes YAML.
func (n *node) describe() string {
	switch {
	case n.kind == mappingNode:
		return "a mapping"
	case n.kind == listNode:
		return "a list"
	case n.typ == nullScalar:
		return "nothing"
	case n.typ == boolScalar:
		return "the boolean " + n.text
	case n.typ == intScalar || n.typ == floatScalar:
		return "the number " + n.text
	}
	return "text"
}

// pairs visits the entries of a mapping with the path set, reporting duplicate keys and what is not a mapping.
func (d *decoder) pairs(n *node, want string, visit func(key string, k, v *node)) {
	if n.kind != mappingNode {
		d.wrongType(n, want)
		return
	}
	var seen map[string]*node
	if len(n.pairs) > 16 {
		seen = make(map[string]*node, len(n.pairs))
	}
	d.path = append(d.path, "")
	for i, p := range n.pairs {
		d.path[len(d.path)-1] = p.key.text
		if first := earlier(n.pairs[:i], seen, p.key); first != nil {
			d.report(p.key, diag.Duplicate, "keep one of them", "%s is given twice", strconv.Quote(p.key.text))
			d.findings[len(d.findings)-1].Related = d.related(first, "first given here")
			continue
		}
		visit(p.key.text, p.key, p.value)
	}
	d.path = d.path[:len(d.path)-1]
}

// earlier returns the former key of the same name. Small mappings are searched, large ones remembered in seen.
func earlier(before []pair, seen map[string]*node, key *node) *node {
	if seen != nil {
		first := seen[key.text]
		if first == nil {
			seen[key.text] = key
		}
		return first
	}
	for _, p := range before {
		if p.key.text == key.text {
			return p.key
		}
	}
	return nil
}

func (d *decoder) related(n *node, message string) *diag.Related {
	return &diag.Related{File: d.src.path, Line: int(n.line), Col: int(n.col), Message: message}
}

// object visits the fields of a mapping that the shape knows; it reports all others.
func (d *decoder) object(n *node, s *shape, visit func(key string, v *node)) {
	d.pairs(n, s.want, func(key string, k, v *node) {
		switch {
		case slices.Contains(s.fields, key):
			visit(key, v)
		default:
			d.report(k, diag.UnknownField, suggest(key, s.fields, "known fields: "), "%s has no field %s", s.name, strconv.Quote(key))
		}
	})
}

// list visits the items of a list with the path set.
func (d *decoder) list(n *node, want string, visit func(v *node)) {
	if n.kind != listNode {
		d.wrongType(n, want)
		if n.kind == scalarNode && n.typ != nullScalar && !strings.ContainsAny(n.text, ",\n") {
			d.findings[len(d.findings)-1].Hint = "write [" + n.text + "]"
		}
		return
	}
	d.path = append(d.path, "")
	for i, item := range n.items {
		d.path[len(d.path)-1] = strconv.Itoa(i)
		visit(item)
	}
	d.path = d.path[:len(d.path)-1]
}

// text reads a scalar as it is written; numbers and booleans keep their spelling.
func (d *decoder) text(n *node, want string) text {
	if n.kind != scalarNode || n.typ == nullScalar {
		d.wrongType(n, want)
		return text{}
	}
	return text{n.text, d.src.pos(n)}
}

// texts reads a list of scalars.
func (d *decoder) texts(n *node, want string) []text {
	out := make([]text, 0, len(n.items))
	d.list(n, want, func(v *node) {
		if t := d.text(v, "text"); t.at.Line > 0 {
			out = append(out, t)
		}
	})
	return out
}

// name reads a scalar that must be a name.
func (d *decoder) name(n *node, want string) text {
	t := d.text(n, want)
	d.checkName(t, n)
	return t
}

// checkName reports a text that is no name. Nothing is said of a text that could not be read.
func (d *decoder) checkName(t text, n *node) {
	if t.at.Line == 0 || isName(t.value) {
		return
	}
	hint := "use letters, digits, '_', '-' and '.', beginning with a letter, digit or '_'"
	if len(t.value) > maxName {
		d.report(n, diag.BadName, hint, "a name has at most %d characters, this one %d", maxName, len(t.value))
		return
	}
	d.report(n, diag.BadName, hint, "%s is not a valid name", strconv.Quote(t.value))
}

const maxName = 200

// isName tells whether s matches [A-Za-z0-9_][A-Za-z0-9_.-]* and is no longer than maxName.
func isName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-') {
			return false
		}
	}
	return true
}

// boolean reads true or false.
func (d *decoder) boolean(n *node) optional[bool] {
	if n.kind != scalarNode || n.typ != boolScalar {
		d.wrongType(n, "true or false, without quotes")
		return optional[bool]{}
	}
	return optional[bool]{strings.EqualFold(n.text, "true"), d.src.pos(n)}
}

// integer reads a whole number within bounds.
func (d *decoder) integer(n *node, low, high int) optional[int] {
	if n.kind == scalarNode && n.typ == intScalar {
		if v, err := strconv.Atoi(strings.ReplaceAll(n.text, "_", "")); err == nil && low <= v && v <= high {
			return optional[int]{v, d.src.pos(n)}
		}
	}
	d.wrongType(n, fmt.Sprintf("a whole number from %d to %d", low, high))
	return optional[int]{}
}

// number reads a number that is at least low.
func (d *decoder) number(n *node, low, high float64) optional[float64] {
	if n.kind == scalarNode && (n.typ == intScalar || n.typ == floatScalar) {
		if v, err := strconv.ParseFloat(n.text, 64); err == nil && low <= v && v <= high {
			return optional[float64]{v, d.src.pos(n)}
		}
	}
	d.wrongType(n, fmt.Sprintf("a number from %g to %g", low, high))
	return optional[float64]{}
}

// duration reads 600s, 1h30m or 7d.
func (d *decoder) duration(n *node) optional[time.Duration] {
	t := d.text(n, "a duration such as 1h30m")
	if t.at.Line == 0 {
		return optional[time.Duration]{}
	}
	v, err := parseDuration(t.value)
	if err != nil {
		hint := "write it like 600s, 1h30m or 7d"
		if n.typ == intScalar {
			hint = "add a unit: " + t.value + "s, " + t.value + "m or " + t.value + "h"
		}
		d.report(n, diag.BadDuration, hint, "%s is not a duration: %v", strconv.Quote(t.value), err)
		return optional[time.Duration]{}
	}
	return optional[time.Duration]{v, t.at}
}

// maxDuration keeps sums of durations and instants far from overflow.
const maxDuration = 100 * 366 * 24 * time.Hour

type durationUnit struct {
	letter byte
	length time.Duration
}

func durationUnits() []durationUnit {
	return []durationUnit{{'d', 24 * time.Hour}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second}}
}

// parseDuration reads whole numbers with the units d, h, m and s, each at most once, largest first.
func parseDuration(s string) (time.Duration, error) {
	units := durationUnits()
	rest, next, sum := s, 0, time.Duration(0)
	for rest != "" {
		digits := 0
		for digits < len(rest) && '0' <= rest[digits] && rest[digits] <= '9' {
			digits++
		}
		if digits == 0 || digits == len(rest) {
			return 0, fmt.Errorf("a number and a unit are wanted")
		}
		for next < len(units) && units[next].letter != rest[digits] {
			next++
		}
		if next == len(units) {
			return 0, fmt.Errorf("units are d, h, m and s, in this order")
		}
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil || n > int64(maxDuration/units[next].length) {
			return 0, fmt.Errorf("it is longer than a hundred years")
		}
		sum += time.Duration(n) * units[next].length
		rest, next = rest[digits+1:], next+1
	}
	if s == "" {
		return 0, fmt.Errorf("it is empty")
	}
	if sum > maxDuration {
		return 0, fmt.Errorf("it is longer than a hundred years")
	}
	return sum, nil
}

// written returns a duration as parseDuration reads it.
func written(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, unit := range durationUnits() {
		if n := d / unit.length; n > 0 {
			b.WriteString(strconv.Itoa(int(n)) + string(unit.letter))
			d -= n * unit.length
		}
	}
	return b.String()
}

// oneOf reads a text that must be one of a few.
func (d *decoder) oneOf(n *node, values ...string) text {
	t := d.text(n, "one of "+strings.Join(values, ", "))
	if t.at.Line > 0 && !slices.Contains(values, t.value) {
		d.report(n, diag.WrongType, suggest(t.value, values, ""), "%s is one of %s, not %s", d.field(), strings.Join(values, ", "), strconv.Quote(t.value))
		return text{}
	}
	return t
}
