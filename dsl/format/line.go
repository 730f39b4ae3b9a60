package format

import "strings"

func isMarker(line string) bool {
	return (strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...")) && (len(line) == 3 || line[3] == ' ' || line[3] == '\t')
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

func isDash(text string) bool {
	return text[0] == '-' && (len(text) == 1 || text[1] == ' ' || text[1] == '\t')
}

// endOfText returns where the blanks before an offset begin.
func endOfText(line string, offset int) int {
	for offset > 0 && (line[offset-1] == ' ' || line[offset-1] == '\t') {
		offset--
	}
	return offset
}

func skipBlanks(line string, at int) int {
	for at < len(line) && (line[at] == ' ' || line[at] == '\t') {
		at++
	}
	return at
}

// noteOf returns the comment in the rest of a line, with the blanks before it, or false when there is something else.
func noteOf(rest string) (note string, ok bool) {
	text := strings.Trim(rest, " \t")
	switch {
	case text == "":
		return "", true
	case text[0] != '#' || rest[0] == '#':
		return "", false
	}
	gap := rest[:strings.IndexByte(rest, '#')]
	if strings.IndexByte(gap, '\t') >= 0 {
		gap = " "
	}
	return gap + text, true
}

// plainEnd returns where a plain scalar ends in its line.
func plainEnd(line string, start int) int {
	end := len(line)
	for i := start + 1; i < len(line); i++ {
		if line[i] == '#' && (line[i-1] == ' ' || line[i-1] == '\t') {
			end = i
			break
		}
	}
	return endOfText(line, end)
}

// keyLength returns how many bytes stand before the colon that makes a key of the begin of a text; 0 when it begins no key.
func keyLength(text string) int {
	at := 0
	switch text[0] {
	case '"', '\'':
		end, closed := quoteEnd(text, 1, text[0])
		if !closed {
			return 0
		}
		at = skipBlanks(text, end)
		if at < len(text) && text[at] == ':' && endsKey(text, at) {
			return at
		}
		return 0
	case '|', '>', '[', '{', '#':
		return 0
	}
	for ; at < len(text); at++ {
		switch {
		case strings.HasPrefix(text[at:], "${{"):
			if n := strings.Index(text[at:], "}}"); n > 0 {
				at += n + 1
			}
		case text[at] == '#' && at > 0 && (text[at-1] == ' ' || text[at-1] == '\t'):
			return 0
		case text[at] == ':' && endsKey(text, at):
			return at
		}
	}
	return 0
}

func endsKey(text string, colon int) bool {
	return colon+1 == len(text) || text[colon+1] == ' ' || text[colon+1] == '\t'
}
