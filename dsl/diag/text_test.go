package diag_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"flowctl/dsl/diag"
)

func TestWriteTextPutsTheCaretBelowThePlace(t *testing.T) {
	t.Parallel()
	source := "a: 1\n\tb: x\n日本: wrong y\nesc: \x1b[31mred\n" + strings.Repeat("x", 200) + " here\n"
	for name, c := range map[string]struct {
		line, col  int
		text, mark string
	}{
		"plain":         {1, 4, "  1 | a: 1", "    |    ^"},
		"after a tab":   {2, 5, "  2 | \tb: x", "    | \t   ^"},
		"after wide":    {3, 5, "  3 | 日本: wrong y", "    |       ^~~~~"},
		"control chars": {4, 6, "  4 | esc: \ufffd[31mred", "    |      ^~~~~~~~"},
		"long line": {
			5, 202, "  5 | …" + strings.Repeat("x", 58) + " here",
			"    | " + strings.Repeat(" ", 60) + "^~~~",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			d := diag.Diagnostic{File: "f.yaml", Line: c.line, Col: c.col, Rule: "type", Message: "bad"}
			list := []diag.Diagnostic{d}
			diag.Quote(list, func(string) []byte { return []byte(source) })
			if err := diag.WriteText(&b, list, diag.TextOptions{}); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(b.String(), "\n")
			if lines[1] != c.text || lines[2] != c.mark {
				t.Errorf("got\n%s\n%s\nwant\n%s\n%s", lines[1], lines[2], c.text, c.mark)
			}
		})
	}
}

func TestQuoteLeavesSecretsAndLongLinesOut(t *testing.T) {
	t.Parallel()
	list := []diag.Diagnostic{
		{File: "a", Line: 0}, {File: "a", Line: 1}, {File: "a", Line: 2, Rule: diag.SecretInPlainText}, {File: "a", Line: 2}, {File: "a", Line: 3},
		{File: "a", Line: 9}, {File: "b", Line: 1}, {File: "c", Line: 2},
	}
	diag.Quote(list, func(file string) []byte {
		return map[string][]byte{"a": []byte("\ufeffone\r\ntwo\r" + strings.Repeat("x", 1001)), "c": []byte("x\n\ty\n")}[file]
	})
	var got []string
	for _, d := range list {
		got = append(got, d.Source)
	}
	if want := []string{"", "one", "", "", "", "", "", "\ty"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWriteTextIsPlainUnlessColourIsAsked(t *testing.T) {
	t.Parallel()
	d := []diag.Diagnostic{{File: "f.yaml", Line: 1, Col: 1, Rule: "type", Message: "bad", Hint: "mend it"}}
	for _, color := range []bool{false, true} {
		var b strings.Builder
		if err := diag.WriteText(&b, d, diag.TextOptions{Color: color}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "\x1b"); got != color {
			t.Errorf("colour %v: escape sequences %v in %q", color, got, b.String())
		}
	}
}

func TestWriteJSONReadsBack(t *testing.T) {
	t.Parallel()
	want := diag.Diagnostic{File: "f.yaml", Line: 2, Col: 3, Severity: diag.Warning, Rule: "dst", Message: "<m>", Related: &diag.Related{File: "g.yaml", Line: 1, Col: 1, Message: "first"}}
	var b strings.Builder
	if err := diag.WriteJSON(&b, []diag.Diagnostic{want}); err != nil {
		t.Fatal(err)
	}
	var got struct{ Items []diag.Diagnostic }
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Items) != 1 || *got.Items[0].Related != *want.Related || got.Items[0].Severity != want.Severity || got.Items[0].Message != want.Message {
		t.Errorf("got %+v, want %+v", got.Items, want)
	}
	if !strings.Contains(b.String(), `"severity": "warning"`) {
		t.Errorf("severity is not spelled out: %s", b.String())
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	list := []diag.Diagnostic{{File: "a"}, {File: "a"}, {File: "b", Severity: diag.Warning}}
	if got, want := diag.Summary(list), "2 errors and 1 warning in 2 files"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := diag.Summary(nil); got != "" {
		t.Errorf("got %q for nothing", got)
	}
}
