package dsl

import (
	"path"
	"strings"
	"testing"
)

func FuzzIgnore(f *testing.F) {
	for _, seed := range [][2]string{
		{"# notes\ndrafts/\n*.tmp.yaml\n/a/only.yaml\n", "drafts/x.yaml"}, {"a/*/c\r\n\n", "a/b/c"}, {"[", "["}, {"\\", "x"}, {"**/x", "a/b/x"},
		{"!keep", "keep"}, {"/", "a"}, {" x \n\ufeffy", "y"}, {"[a-", "a"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, patterns, name string) {
		list := parseIgnore([]byte(patterns))
		for _, p := range list {
			if p == "" || p[0] == '#' || strings.ContainsAny(p, "\n") || !strings.Contains(patterns, p) {
				t.Fatalf("%q holds the pattern %q", patterns, p)
			}
		}
		again := parseIgnore([]byte("# again\n\n" + strings.Join(list, "\r\n")))
		name = strings.TrimPrefix(path.Clean("/"+name), "/")
		if list.skipsPath(name) != again.skipsPath(name) {
			t.Fatalf("%q and %q disagree on %q", list, again, name)
		}
		// Whatever lies in a folder that is left out is left out.
		if name != "" && list.skips(name, true) && !list.skipsPath(name+"/x") {
			t.Fatalf("%q leaves out the folder %q, and not what it holds", list, name)
		}
	})
}
