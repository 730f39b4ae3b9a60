package format

import "fmt"

// Error is a construct that is not understood.
type Error struct {
	Line int // from 1
	Msg  string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Msg) }

// document is what stands between two markers.
type document struct {
	marker string // "---" or "..." with its comment; empty for a first document without
	root   *value
	tail   []string // comments and blank lines, where there is no block to hold them
}

// kind is the form of a value.
type kind uint8

const (
	nothing kind = iota
	scalar       // plain, quoted, or an alias
	literal      // a block scalar
	bracket      // a collection in brackets
	mapping
	list
)

// value is a node of the tree as it is written.
type value struct {
	kind  kind
	props string // anchor and tag
	note  string // the comment on its first line, with the blanks before it

	lines  []string // as they are written, the first from where it begins; literal: without the header
	header string   // literal: | or > with its indicators
	indent int      // literal: of its lines, as written; -1 when it has none
	fixed  int      // literal: the indentation that the header demands, 0 for none

	flow   *flowNode // bracket
	column int       // bracket: of the block that holds it
	rigid  bool      // bracket: its lines are kept, since comments or text over several lines stand in it; lines holds them

	entries []*entry // mapping, list
	tail    []string // comments and blank lines after the last entry
}

// entry is a key and its value, or an item of a list.
type entry struct {
	above []string // comments, and "" for blank lines
	key   string   // as written; empty for an item
	value *value
}

// refers tells whether a value holds anchors or aliases, which must keep their order.
func (v *value) refers() bool {
	switch {
	case v.props != "":
		return true
	case v.kind == scalar:
		return v.lines[0] != "" && v.lines[0][0] == '*'
	case v.kind == bracket:
		return v.flow.refers()
	}
	for _, e := range v.entries {
		if e.value.refers() {
			return true
		}
	}
	return false
}
