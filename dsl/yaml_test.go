package dsl

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/lexer"
)

// sameNode says where two trees differ; it is empty when they do not.
func sameNode(a, b *node, path string) string {
	switch {
	case a == nil || b == nil:
		if a != b {
			return path + ": one is missing"
		}
		return ""
	case a.kind != b.kind || a.typ != b.typ || a.style != b.style || a.text != b.text || len(a.items) != len(b.items) || len(a.pairs) != len(b.pairs):
		return fmt.Sprintf("%s: %+v and %+v", path, *a, *b)
	case a.line != b.line || a.col != b.col:
		return fmt.Sprintf("%s: at %d:%d and %d:%d", path, a.line, a.col, b.line, b.col)
	}
	for i := range a.items {
		if d := sameNode(a.items[i], b.items[i], fmt.Sprintf("%s[%d]", path, i)); d != "" {
			return d
		}
	}
	for i := range a.pairs {
		if d := sameNode(a.pairs[i].key, b.pairs[i].key, path+" key"); d != "" {
			return d
		}
		if d := sameNode(a.pairs[i].value, b.pairs[i].value, path+"."+a.pairs[i].key.text); d != "" {
			return d
		}
	}
	return ""
}

// compareReaders reads a text with the reader and with the parser. It returns how many documents the reader read, and what
// the two disagree on.
func compareReaders(input string) (read, documents int, problem string) {
	text, bad := normalize([]byte(input))
	if bad != nil || checkTokens(lexer.Tokenize(text)) != nil {
		return 0, 0, ""
	}
	again := splitDocuments(lexer.Tokenize(text))
	for i, tokens := range splitDocuments(lexer.Tokenize(text)) {
		documents++
		if tokens.InvalidToken() != nil {
			continue
		}
		fast := converter{}
		got, ok := fast.readTokens(tokens)
		if !ok {
			continue
		}
		read++
		slow := converter{}
		want, err := slow.parse(again[i])
		if err != nil {
			return read, documents, fmt.Sprintf("document %d: the parser says %v", i, err)
		}
		if want != nil && want.kind == scalarNode && want.typ == nullScalar && got == nil {
			continue
		}
		if hasEmptyItem(got) {
			continue // the parser may lose the key after it
		}
		if d := sameNode(got, want, ""); d != "" {
			return read, documents, fmt.Sprintf("document %d: %s", i, d)
		}
	}
	return read, documents, ""
}

func hasEmptyItem(n *node) bool {
	if n == nil {
		return false
	}
	for _, item := range n.items {
		if item.kind == scalarNode && item.typ == nullScalar || hasEmptyItem(item) {
			return true
		}
	}
	for _, p := range n.pairs {
		if hasEmptyItem(p.value) {
			return true
		}
	}
	return false
}

func readerSeeds(tb testing.TB) (seeds []string) {
	tb.Helper()
	for _, root := range []string{"../testdata/diag", "../flows"} {
		err := filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
			if err == nil && IsDocument(name) {
				data, err := os.ReadFile(name)
				seeds = append(seeds, string(data))
				return err
			}
			return err
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return append(seeds,
		"a: 1\nb:\n- x\n- y: 1\n  z: 2\nc: {d: [e, 'f', \"g\"], h: {}}\n", "- - a\n  - b\n-\n- c:\n    - d\n", "a:\n  b: |2\n      x\n  c: >-\n    y\n\n    z\n",
		"a: 'x\n  y'\nb: \"p\\\n  q\"\n", "? a\n: b\n", "&x a: *x\n", "a: b: c\n", "a: [b, c: d]\n", "a:\n b\n c\nd: e\n", "a: |\n\n\nb: >\n c\n# d\ne: 1 # f\n",
		"--- a\n...\n--- |\n b\n", "%YAML 1.2\n---\na: 1\n", "a: ~\nb: null\nc: 0x1F\nd: .inf\ne: 1e3\nf: 1_000\n", "a:\n  - b\n c: d\n", "- a\n b: c\n", "a: {b: c\n}\n", "a:\nb: |\n c\n  d\n e\n- f\n",
		"a: !!str 1\n", "<<: {a: b}\n", "'a' : b\n\"c\": d\n1: e\ntrue: f\n", "a: b #c\n #d\n e: f\n", "a: |-\n  b\n c\n", "a: |\n", "- |\n a\n-\n b: c\n", "{a: b}: c\n", "[a]: b\n", "a: [b]c\n", "a: 'b' c\n",
	)
}

func TestReaderAgreesWithTheParser(t *testing.T) {
	t.Parallel()
	read, documents := 0, 0
	for _, seed := range readerSeeds(t) {
		r, d, problem := compareReaders(seed)
		if problem != "" {
			t.Errorf("%s\nof\n%s", problem, seed)
		}
		read, documents = read+r, documents+d
	}
	if read < documents/2 {
		t.Errorf("the reader read %d of %d documents", read, documents)
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range readerSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		if len(input) > 1000 {
			return
		}
		if _, _, problem := compareReaders(input); problem != "" {
			t.Error(problem)
		}
	})
}

func TestUnmaskUndoesMask(t *testing.T) {
	t.Parallel()
	for _, text := range append(readerSeeds(t), "${{", "${{ }}", "a ${{ {b: [c, d]} }} } e ${{\n}} f", "${{ a }}}}${{b}}", "日本 ${{ 日: 本 }}") {
		masked, ok := mask(text)
		if !ok {
			continue
		}
		if got := unmask(masked); got != text {
			t.Errorf("got %q of %q", got, text)
		}
		if len([]rune(masked)) != len([]rune(text)) {
			t.Errorf("masking moves the characters of %q", text)
		}
	}
}

// TestParseIsBounded gives the parser what would cost it most; each must end soon, whatever the answer.
func TestParseIsBounded(t *testing.T) {
	t.Parallel()
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	var keys strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	for name, text := range map[string]string{
		"brackets":  many("[", 500_000),
		"braces":    many("{a: ", 200_000),
		"dashes":    many("- ", 500_000),
		"questions": many("? ", 500_000),
		"anchors":   many("&a ", 200_000),
		"tags":      many("!!str ", 100_000),
		"documents": many("---\na: 1\n", 50_000),
		"empty":     many("---\n", 200_000),
		"keys":      keys.String(),
		"quotes":    many("\"a\": 'b\n", 50_000),
		"comments":  many("# c\n", 200_000),
		"indent":    many(" ", 1_000_000) + "a",
		"colons":    many("a:", 300_000),
		"block":     "a: |\n" + many("  some text here\n", 100_000),
		"folded":    "a: >\n" + many("  some text here\n", 100_000),
		"quoted":    "a: \"" + many("some text \\n\n", 100_000) + "\"\n",
		"plain":     "a: " + many("some text\n ", 100_000) + "\n",
		"line":      "a: " + many("some text ", 200_000) + "\n",
		"blank":     "a:" + many("\n", 1_000_000) + " b",
		"flow list": "a: [" + many("x,\n", 200_000) + "]\n",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, _ = parseYAML(text)
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			} else {
				t.Log(took)
			}
		})
	}
}
