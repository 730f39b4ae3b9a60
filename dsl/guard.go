package dsl

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// Limits of one YAML file. They bound time and memory for whatever a repository holds; honest flows stay far below.
const (
	maxFileSize = 4 << 20 // bytes
	maxDepth    = 64      // nested mappings and lists
	maxKeys     = 20_000  // of one mapping: the parser is quadratic in them
	maxNodes    = 250_000 // of one file, aliases expanded
	maxBlank    = 100     // empty lines in a row: the lexer copies a block of text for each that follows it
)

// normalize makes text of a file's bytes: no byte order mark, lines end with \n. It refuses what no YAML file holds.
func normalize(data []byte) (string, *syntaxError) {
	if len(data) > maxFileSize {
		return "", &syntaxError{0, 0, fmt.Sprintf("the file is larger than %d MiB", maxFileSize>>20), "split it into several files"}
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if strings.IndexByte(text, '\r') >= 0 {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	if !utf8.ValidString(text) {
		line, col := 1, 1
		for i, r := range text {
			if r == utf8.RuneError {
				if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
					break
				}
			}
			line, col = advance(line, col, r)
		}
		return "", &syntaxError{line, col, "not UTF-8 text", "save the file as UTF-8"}
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		line, col := 1, 1
		for _, r := range text[:i] {
			line, col = advance(line, col, r)
		}
		return "", &syntaxError{line, col, "the file holds a NUL character", "is it a binary file? Name it in .flowctlignore"}
	}
	return text, checkBlank(text)
}

func checkBlank(text string) *syntaxError {
	line, blank := 0, 0
	for l := range strings.Lines(text) {
		line, blank = line+1, blank+1
		if strings.TrimLeft(l, " \t\n") != "" {
			blank = 0
		}
		if blank > maxBlank {
			return &syntaxError{line, 1, fmt.Sprintf("more than %d empty lines in a row", maxBlank), "remove them"}
		}
	}
	return nil
}

func advance(line, col int, r rune) (int, int) {
	if r == '\n' {
		return line + 1, 1
	}
	return line, col + 1
}

// checkTokens refuses nesting that would exhaust the parser's stack, and mappings that would take it too long, before the parser sees them.
func checkTokens(tokens token.Tokens) *syntaxError {
	type level struct{ column, lines int }
	var open []level // the block collections around a token
	flowDepth, props := 0, 0
	line := 0
	for _, t := range tokens {
		first := t.Position.Line != line
		line = t.Position.Line
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flowDepth++
		case token.MappingEndType, token.SequenceEndType:
			flowDepth--
		case token.TagType, token.AnchorType:
			props++
		}
		if t.Type != token.TagType && t.Type != token.AnchorType && t.PreviousType() != token.AnchorType {
			props = 0
		}
		if flowDepth <= 0 && (first || t.Type == token.SequenceEntryType || t.Type == token.MappingKeyType) && t.Position.Column > 0 {
			for len(open) > 0 && open[len(open)-1].column > t.Position.Column {
				open = open[:len(open)-1]
			}
			if len(open) == 0 || open[len(open)-1].column < t.Position.Column {
				open = append(open, level{column: t.Position.Column})
			}
			if top := &open[len(open)-1]; t.NextType() == token.MappingValueType {
				if top.lines++; top.lines > maxKeys {
					return &syntaxError{max(line, 1), max(t.Position.Column, 1), fmt.Sprintf("a mapping of more than %d keys", maxKeys), "split it"}
				}
			}
		}
		if flowDepth+len(open) > maxDepth || props > maxDepth {
			return &syntaxError{max(line, 1), max(t.Position.Column, 1), fmt.Sprintf("nested deeper than %d levels", maxDepth), ""}
		}
	}
	return nil
}
