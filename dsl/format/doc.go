// Package format lays out the YAML of flows anew: the same documents, comments and scalars, in the canonical form.
//
// It knows no YAML library, since those lose comments or move them. It reads a text into a tree that keeps every character which is not
// layout (scan.go for blocks, flow.go for what stands in brackets), puts keys into their order (order.go), and prints the tree
// (print.go). It understands the YAML that people write; anything else is an error that names the line, and the text stays as it is.
// It does not decide whether the result means the same: package dsl, which calls it, reads both and compares.
//
// The canonical form:
//
//   - two spaces a level, also for a list below its key; one space after a colon, a dash or a comma, none inside brackets;
//   - a collection in brackets stays so while its line has at most 120 columns, and becomes a block otherwise; one with comments or
//     with text over several lines in it keeps its lines;
//   - the keys of a mapping for which an order is given come in that order, unknown ones last, each with the comments above it;
//     mappings with anchors, aliases or repeated keys keep theirs, and so does everything else;
//   - one blank line where there were some, none at the begin and end of the file, no trailing blanks, one newline at the end;
//   - quotes, block scalars, anchors, tags and the blanks before a comment stay as they are; the text of a block scalar is
//     indented by two.
package format
