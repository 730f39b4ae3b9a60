package dsl

import (
	"fmt"
	"strings"
	"testing"
)

func TestDecodeYAML(t *testing.T) {
	t.Parallel()
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := range 20 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	for text, wrong := range map[string]string{
		"":                         "",
		"\ufefflisten: a\r\n":      "",
		"listen: a\nlisten: b\n":   "already defined",
		"a: 1\n---\nb: 2\n":        "line 3 begins a second document",
		"a: \xff\n":                "1:4: not UTF-8",
		"a: [\n":                   "1:4",
		strings.Repeat("[", 1_000): "nested deeper",
		bomb:                       "aliases are expanded",
	} {
		values := map[string]any{}
		if err := DecodeYAML([]byte(text), &values); (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%.20q: %v, want %q", text, err, wrong)
		}
	}
}

// FuzzDecodeYAML reads anything as a settings file: it reads as the same with a byte order mark and CRLF.
func FuzzDecodeYAML(f *testing.F) {
	for _, text := range []string{"repo: .\nlisten: 127.0.0.1:7400\npoll: 30s\n", "a: &a [*a]\n", "{", "a: 1\na: 2\n", "\ufeffa: 1\r\n", "- a\n", "a: !!binary x\n", "?\n", "a: |\n b\n", "<<: *x\n", "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 {
			return
		}
		values, again := map[string]any{}, map[string]any{}
		err := DecodeYAML([]byte(text), &values)
		if strings.Contains(text, "\r") {
			return
		}
		errAgain := DecodeYAML([]byte("\ufeff"+strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\n", "\r\n")), &again)
		if (err == nil) != (errAgain == nil) || fmt.Sprint(values) != fmt.Sprint(again) {
			t.Fatalf("%q reads as %v (%v), and as %v (%v) with other line ends", text, values, err, again, errAgain)
		}
	})
}
