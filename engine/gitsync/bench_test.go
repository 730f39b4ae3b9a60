package gitsync_test

import (
	"fmt"
	"testing"

	"flowctl/engine/gitsync"
)

// BenchmarkFiles reads a commit of 1,000 files in 100 folders: all of it, and when one file changed since the last one read.
func BenchmarkFiles(b *testing.B) {
	a := newAuthor(b)
	a.write("flowctl.yaml", "version: 1\n", 0o644)
	for i := range 999 {
		a.write(fmt.Sprintf("d%d/e%d/flow%d.yaml", i%10, i%100, i), fmt.Sprintf("flow: f%d\n", i), 0o644)
	}
	commits := []string{a.commit("First")}
	a.write("d1/e1/flow1.yaml", "flow: changed\n", 0o644)
	commits = append(commits, a.commit("Second"))
	read := func(s *gitsync.Source, hash string) {
		if got, err := s.Files(b.Context(), hash); err != nil || len(got) != 1000 {
			b.Fatalf("%d files, %v", len(got), err)
		}
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			read(a.open(gitsync.Options{}), commits[0])
		}
	})
	b.Run("changed", func(b *testing.B) {
		s := a.open(gitsync.Options{})
		read(s, commits[1])
		for i := 0; b.Loop(); i++ {
			read(s, commits[i%2])
		}
	})
}
