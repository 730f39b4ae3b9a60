package dsl

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// silencer begins a comment that silences rules.
const silencer = "flowctl:ignore"

// silence is one rule in a comment.
type silence struct {
	rule string   // empty when the comment names none
	at   flow.Pos // of the rule
	line int      // that it silences
}

// silences finds the comments of a file that silence rules: `# flowctl:ignore RULE…` at the end of a line is about that line, alone it is about
// the next line that is neither blank nor a comment. In quotes and block scalars it is text.
func silences(src *source) (found []silence) {
	if !strings.Contains(src.text, silencer) {
		return nil
	}
	text := src.text
	if masked, ok := mask(text); ok {
		text = masked
	}
	lines := strings.Split(src.text, "\n")
	for _, t := range lexer.Tokenize(text) {
		if t.Type != token.CommentType || t.Position.Line > len(lines) {
			continue
		}
		after, ok := strings.CutPrefix(strings.TrimLeft(t.Value, " \t"), silencer)
		if !ok || after != "" && !strings.ContainsAny(after[:1], " \t") {
			continue
		}
		at := flow.Pos{File: src.path, Line: t.Position.Line, Col: t.Position.Column}
		found = append(found, silencesOf(after, at, utf8.RuneCountInString(t.Value)-utf8.RuneCountInString(after), silencedLine(lines, at.Line))...)
	}
	return found
}

// silencesOf reads the rules of a comment at a place, which begin so many characters behind its #.
func silencesOf(rules string, at flow.Pos, behind, line int) (found []silence) {
	if strings.TrimSpace(rules) == "" {
		return []silence{{"", at, line}}
	}
	at.Col += 1 + behind
	for rules != "" {
		word := strings.TrimLeft(rules, " \t")
		at.Col += len(rules) - len(word)
		if end := strings.IndexAny(word, " \t"); end >= 0 {
			word = word[:end]
		}
		if word == "" {
			break
		}
		found = append(found, silence{word, at, line})
		rules = strings.TrimLeft(rules, " \t")[len(word):]
		at.Col += utf8.RuneCountInString(word)
	}
	return found
}

// silencedLine returns the line that a comment on a line is about.
func silencedLine(lines []string, line int) int {
	isComment := func(n int) bool { return strings.HasPrefix(strings.TrimLeft(lines[n-1], " \t"), "#") }
	if !isComment(line) {
		return line
	}
	for n := line + 1; n <= len(lines); n++ {
		if strings.TrimSpace(lines[n-1]) != "" && !isComment(n) {
			return n
		}
	}
	return line
}

// silence drops the warnings that comments silence, and warns of comments without effect. Nothing is said of those without effect while there
// are errors: what they silence may be found only when these are mended.
func (r *compilation) silence() {
	type target struct {
		file, rule string
		line       int
	}
	used := make(map[target]bool)
	for _, u := range r.units {
		for _, s := range u.silences {
			used[target{u.path, s.rule, s.line}] = false
		}
	}
	if len(used) == 0 {
		return
	}
	errors := false
	r.findings = slices.DeleteFunc(r.findings, func(f finding) bool {
		errors = errors || f.isError()
		t := target{f.File, f.Rule, f.Line}
		_, silenced := used[t]
		if silenced = silenced && f.Severity == diag.Warning; silenced {
			used[t] = true
		}
		return silenced
	})
	for _, u := range r.units {
		for _, s := range u.silences {
			if d, useless := s.problem(); useless {
				r.add(d)
			} else if !errors && !used[target{u.path, s.rule, s.line}] {
				r.add(warningAt(s.at, diag.UnusedIgnore, "remove it", fmt.Sprintf("%s finds nothing on line %d", s.rule, s.line)))
			}
		}
	}
}

// problem tells what is wrong with a silence whatever is found.
func (s *silence) problem() (diag.Diagnostic, bool) {
	rule, known := diag.RuleOf(s.rule)
	warnings := "warnings: " + strings.Join(diag.IDs(diag.Warning), ", ")
	switch {
	case s.rule == "":
		return warningAt(s.at, diag.UnusedIgnore, "write # "+silencer+" RULE; "+warnings, "the comment names no rule to silence"), true
	case !known:
		return warningAt(s.at, diag.UnusedIgnore, suggest(s.rule, diag.IDs(diag.Warning), "warnings: "), fmt.Sprintf("no rule is named %q", s.rule)), true
	case rule.Severity == diag.Error:
		return warningAt(s.at, diag.UnusedIgnore, "mend what it finds; "+warnings, s.rule+" is an error, which cannot be silenced"), true
	}
	return diag.Diagnostic{}, false
}
