package dsl

import "strings"

// In YAML the characters { } [ ] , end a plain scalar within [ ] and { }, and a colon before a space ends it anywhere. Nobody means
// that within ${{ }}: outputs: [/data/dt=${{ ds }}/] is one path. So when a text cannot be parsed as it is, these characters of
// its expressions are masked by others of the same width, which the parser takes for letters, and put back in what it returns. Where YAML
// gives them no meaning, in quotes and blocks, this changes nothing.
const (
	maskedCharacters = "{}[],:"
	firstMask        = '\ue000'
)

// mask returns the text with its expressions masked, or false when it has none that could matter.
func mask(text string) (string, bool) {
	if !strings.Contains(text, "${{") || strings.ContainsAny(text, maskRunes()) {
		return "", false
	}
	var b strings.Builder
	b.Grow(len(text) + len(text)/4)
	for {
		start := strings.Index(text, "${{")
		if start < 0 {
			break
		}
		b.WriteString(text[:start])
		text = text[start:]
		end := strings.Index(text, "}}")
		if line := strings.IndexByte(text, '\n'); end < 0 || line >= 0 && line < end {
			b.WriteString(text[:3])
			text = text[3:]
			continue
		}
		for _, r := range text[:end+2] {
			if i := strings.IndexRune(maskedCharacters, r); i >= 0 {
				r = firstMask + rune(i)
			}
			b.WriteRune(r)
		}
		text = text[end+2:]
	}
	b.WriteString(text)
	return b.String(), true
}

// unmask puts the masked characters back.
func unmask(s string) string {
	if !strings.ContainsAny(s, maskRunes()) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if i := r - firstMask; 0 <= i && int(i) < len(maskedCharacters) {
			return rune(maskedCharacters[i])
		}
		return r
	}, s)
}

func maskRunes() string { return "\ue000\ue001\ue002\ue003\ue004\ue005" }
