package cli

import (
	"strings"
	"testing"
)

// FuzzKeyValues gives --param any two values: together they are refused, or name what was written.
func FuzzKeyValues(f *testing.F) {
	for _, pair := range [][2]string{{"a=1", "b=2"}, {"a=x=y", "a="}, {"=x", "a"}, {"", "="}, {"k=v\n", "\xff=\x00"}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		m, err := keyValues("--param", []string{a, b})
		if err != nil {
			if len(m) > 0 {
				t.Fatalf("%q and %q are refused and give %v", a, b, m)
			}
			return
		}
		for _, text := range []string{a, b} {
			key, value, _ := strings.Cut(text, "=")
			if got, ok := m[key]; !ok || key == "" || got != value || len(m) != 2 {
				t.Fatalf("%q and %q give %v", a, b, m)
			}
		}
	})
}
