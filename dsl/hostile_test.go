package dsl_test

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"flowctl/dsl"
)

// TestHostileFiles compiles what would cost most: each ends in a diagnostic within its file, or in nothing but a flow without problems, and
// allocates in proportion to its size. It does not run beside others, whose memory would be counted.
func TestHostileFiles(t *testing.T) {
	const perByte, base = 1000, 16 << 20
	many := strings.Repeat
	lines := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
		}
		return b.String()
	}
	var bomb, merges, stairs strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	merges.WriteString("a0: &a0 {x: 1}\n")
	for i := range 2000 {
		fmt.Fprintf(&merges, "a%d: &a%d {<<: *a%d, k%d: 1}\n", i+1, i+1, i, i)
	}
	for i := range 40 {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(many(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	for i := range 500 {
		stairs.WriteString(many(" ", i) + "a:\n")
	}
	const task = "flow: f\nteam: data\ntasks:\n  t:\n    run: "
	for _, c := range []struct{ name, text, rule, message string }{
		{"aliases of aliases", bomb.String(), "syntax", "when its aliases are expanded"},
		{"an alias of itself", "a: &a [*a]\n", "syntax", "no anchor &a"},
		{"merges of merges", merges.String(), "syntax", "when its aliases are expanded"},
		{"one mapping merged often", "a: &a {" + lines(5000, "k#: 1, ") + "}\nb: {<<: [" + many("*a, ", 20_000) + "]}\n", "syntax", "when its aliases are expanded"},
		{"flow nesting", many("[", 200_000), "syntax", "nested deeper"},
		{"flow nesting of mappings", many("{a: ", 50_000), "syntax", "nested deeper"},
		{"block nesting", stairs.String(), "syntax", "nested deeper"},
		{"nested dashes", many("- ", 100_000), "syntax", "nested deeper"},
		{"50 MB", many("a: b\n", 10<<20), "syntax", "larger than"},
		{"one line of 50 MB", "a: " + many("x", 50<<20), "syntax", "larger than"},
		{"one line of 3 MB", "description: " + many("x", 3<<20), "unknown-field", ""},
		{"100,000 keys", lines(100_000, "k#: 1\n"), "syntax", "more than 20000 keys"},
		{"100,000 keys in a line", "a: {" + lines(100_000, "k#: 1, ") + "}\n", "syntax", "more than 20000 keys"},
		{"100,000 documents", many("---\n", 100_000), "syntax", "holds no document"},
		{"100,000 items", "a: [" + many("x, ", 300_000) + "]\n", "syntax", "when its aliases are expanded"},
		{"empty lines behind a block", "a: |\n" + many("  x\n", 50_000) + many("\n", 50_000) + "b: 1\n", "syntax", "empty lines in a row"},
		{"lines of spaces in a folded block", "a: >\n" + many(" \n", 100_000), "syntax", "empty lines in a row"},
		{"lone CRs", many("\r", 100_000), "syntax", "empty lines in a row"},
		{"anchors", many("- &a x\n", 50_000), "type", "a document is a mapping"},
		{"stars", many("*", 200_000), "syntax", ""},
		{"percent signs", many("%", 200_000), "syntax", ""},
		{"templates", task + "\"" + many("${{ ds }}", 50_000) + "\"\n", "", ""},
		{"templates that never end", task + "'" + many("${{ ", 100_000) + "'\n", "bad-expression", "never ends"},
		{"templates of nested braces", task + "'${{ " + many("{", 100_000) + " }}'\n", "bad-expression", ""},
		{"a long expression", task + "'${{ " + many("1 + ", 50_000) + "1 }}'\n", "bad-expression", "longer than"},
		{"nested calls", task + "'${{ " + many("upper(", 500) + "ds" + many(")", 500) + " }}'\n", "bad-expression", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := repository("f.yaml", c.text)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, found := dsl.New().Compile(files)
			runtime.ReadMemStats(&after)
			if allocated, bound := after.TotalAlloc-before.TotalAlloc, uint64(base+perByte*min(len(c.text), 4<<20)); allocated > bound {
				t.Errorf("%d bytes of text allocate %d, want at most %d", len(c.text), allocated, bound)
			}
			switch {
			case c.rule == "" && len(found) > 0, c.rule != "" && (len(found) == 0 || found[0].Rule != c.rule || !strings.Contains(found[0].Message, c.message)):
				t.Errorf("found %.300v, want %s: %s", found, c.rule, c.message)
			case len(found) > 0 && len(found[0].Message) > 1000:
				t.Errorf("a message of %d bytes", len(found[0].Message))
			}
			checkPlaces(t, files, found)
		})
	}
}

// TestEncodings gives files as editors and other systems save them.
func TestEncodings(t *testing.T) {
	t.Parallel()
	const text = "flow: f\nteam: data\ndescription: Grüße\ntasks:\n  t:\n    run: |\n      a\n      b\n"
	utf16Of := func(order binary.AppendByteOrder, bom bool) string {
		var b []byte
		if bom {
			b = order.AppendUint16(b, 0xfeff)
		}
		for _, u := range utf16.Encode([]rune(text)) {
			b = order.AppendUint16(b, u)
		}
		return string(b)
	}
	latin1 := strings.NewReplacer("ü", "\xfc", "ß", "\xdf").Replace(text)
	for _, c := range []struct{ name, text, found string }{
		{"UTF-8", text, ""},
		{"a byte order mark", "\ufeff" + text, ""},
		{"CRLF", strings.ReplaceAll(text, "\n", "\r\n"), ""},
		{"lone CR", strings.ReplaceAll(text, "\n", "\r"), ""},
		{"UTF-16 LE with a mark", utf16Of(binary.LittleEndian, true), "1:1 not UTF-8"},
		{"UTF-16 BE with a mark", utf16Of(binary.BigEndian, true), "1:1 not UTF-8"},
		{"UTF-16 LE", utf16Of(binary.LittleEndian, false), "3:32 not UTF-8"},
		{"UTF-16 BE", utf16Of(binary.BigEndian, false), "3:32 not UTF-8"},
		{"UTF-16 of ASCII", "f\x00l\x00o\x00w\x00", "1:2 the file holds a NUL"},
		{"Latin-1", latin1, "3:16 not UTF-8"},
		{"half a character", text + "# \xe6\x97", "9:3 not UTF-8"},
		{"NUL", text + "# \x00", "9:3 the file holds a NUL"},
		{"a zero-width space in a name", strings.Replace(text, "flow: f", "flow: f\u200b", 1), "1:7 "},
		{"a direction mark in a name", strings.Replace(text, "  t:", "  t\u202e:", 1), "5:3 "},
		{"a look-alike in a key", strings.Replace(text, "team:", "tеam:", 1), "1:7 flow \"f\" has no team"},
	} {
		project, found := dsl.New().Compile(repository("f.yaml", c.text))
		got := ""
		if len(found) > 0 {
			got = fmt.Sprintf("%d:%d %s", found[0].Line, found[0].Col, found[0].Message)
		}
		if !strings.HasPrefix(got, c.found) || (got == "") != (c.found == "") {
			t.Errorf("%s: found %q, want %q", c.name, got, c.found)
		}
		if project != nil && (project.Flow("f").Description != "Grüße" || project.Flow("f").Task("t").Run.Parts[0].Lit != "a\nb\n") {
			t.Errorf("%s: reads as %+v", c.name, project.Flow("f"))
		}
	}
}

// TestScalars gives values that YAML readers take for something else than what is written.
func TestScalars(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"0123": "0123", "0o17": "0o17", "0x1F": "0x1F", "1_000": "1_000", "1e3": "1e3", ".inf": ".inf", ".nan": ".nan", "1.10": "1.10",
		"2026-11-19": "2026-11-19", "2026-11-19T10:00:00Z": "2026-11-19T10:00:00Z", "12:30:45": "12:30:45", "on": "on", "no": "no",
		"99999999999999999999999999": "99999999999999999999999999", "1e999": "1e999", "!!str 1": "1", "'1'": "1", "*one": "1", `"\x41\u00e9"`: "Aé",
	} {
		p := compile(t, "f.yaml", "flow: f\nteam: data\nlabels: {one: &one 0, two: &one 1}\nparams: {x: "+value+"}\ntasks: {t: {run: x}}\n")
		if got := p.Flow("f").Params[0].Default; got != want {
			t.Errorf("%s: the parameter is %q, want %q", value, got, want)
		}
	}
	for line, rule := range map[string]string{
		"enabled: on": "type", "enabled: yes": "type", "enabled: 1": "type", "priority: .inf": "type", "priority: 99999999999999999999": "type", "priority: -1": "type",
		"priority: 1e0": "type", "concurrency: {runs: 0x10}": "type", "description: !!binary aGk=": "syntax", "labels: !!map {a: b}": "syntax", "labels: !x {a: b}": "syntax",
		"labels: {<<: x}": "syntax", "labels: {[a]: b}": "syntax", "labels: {? {a: b} : c}": "syntax", "labels: {a: 1, a: 2}": "duplicate", "expire_after: 1e9d": "bad-duration",
		"expire_after: 99999999999999999999d": "bad-duration", "expire_after: .inf": "bad-duration",
	} {
		if got := rules("f.yaml", "flow: f\nteam: data\n"+line+"\ntasks: {t: {run: x}}\n"); len(got) != 1 || got[0] != rule {
			t.Errorf("%s: %v, want %s", line, got, rule)
		}
	}
	merged := compile(t, "f.yaml", "flow: f\nteam: data\ntasks:\n  a: &a {run: x, timeout: 1m}\n  b: {<<: *a, run: y}\n  c: {timeout: 2m, <<: [*a]}\n").Flow("f")
	if b, c := merged.Task("b"), merged.Task("c"); b.Run.Parts[0].Lit != "y" || b.Timeout.String() != "1m0s" || c.Run.Parts[0].Lit != "x" || c.Timeout.String() != "2m0s" {
		t.Errorf("merged to %+v and %+v", b, c)
	}
}
