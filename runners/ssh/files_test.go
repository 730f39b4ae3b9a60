//go:build linux

package ssh

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"flowctl/plugins/sdk"
)

// lay makes files in a new folder; a name that ends in * is executable.
func lay(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path, executable := strings.CutSuffix(filepath.Join(dir, name), "*")
		mode := os.FileMode(0o644)
		if executable {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// trees lists the folders that were sent.
func (s *server) trees(t testing.TB) []string {
	return slices.DeleteFunc(entries(t, filepath.Join(s.Cache, "trees")), func(name string) bool { return !strings.Contains(name, ".") })
}

func TestFilesOfTheFlow(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	long := strings.Repeat("n", 180)
	dir := lay(t, map[string]string{
		"program*": "#!/bin/sh\ncat 'a folder/däta ✓.txt'\n", "a folder/däta ✓.txt": "unicode\n", "plain": "echo plain \"$1\"\n", long + "/" + long: "long\n",
	})
	if err := os.Symlink("plain", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := "./program; sh link x; cat n*/n*; [ -d empty ] && [ -x program ] && ! [ -x plain ] && [ -L link ] && echo modes"
	want := "unicode\nplain x\nlong\nmodes\n"
	for range 2 {
		if r, log := here.run(sdk.Spec{Dir: dir, Text: text, With: s.With(nil)}); log != want {
			t.Fatalf("%+v, log %q", r, log)
		}
	}
	first := s.trees(t)
	if len(first) != 1 {
		t.Errorf("two attempts sent %q", first)
	}
	if err := os.WriteFile(filepath.Join(dir, "plain"), []byte("echo other\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, log := here.run(sdk.Spec{Dir: dir, File: filepath.Join(dir, "plain"), With: s.With(nil)}); log != "other\n" {
		t.Errorf("%+v, log %q", r, log)
	}
	if got := s.trees(t); len(got) != 2 || !slices.Contains(got, first[0]) {
		t.Errorf("after a change there are %q", got)
	}
}

// Two attempts that send the same files at once do not disturb one another.
func TestFilesSentTwiceAtOnce(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	dir := lay(t, map[string]string{"x": "content\n"})
	var works []string
	for i := range 5 {
		works = append(works, here.start(fmt.Sprint(i), sdk.Spec{Dir: dir, Text: "cat x; ls", With: s.With(nil)}))
	}
	for _, work := range works {
		if r, log := here.wait(work, nil); log != "content\nx\n" {
			t.Errorf("%+v, log %q", r, log)
		}
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	dir := lay(t, map[string]string{"sub/it's*": "#!/bin/sh\necho \"$0|$1|$2\"\n", "no interpreter*": "echo shell \"$1\"\n"})
	outside := lay(t, map[string]string{"beyond*": "#!/bin/sh\necho beyond; pwd\n"})
	args := []sdk.Arg{{Name: "n", Value: "a 'b'"}}
	for _, c := range []struct{ file, want string }{
		{filepath.Join(dir, "sub/it's"), "./sub/it's|--n|a 'b'\n"},
		{filepath.Join(dir, "no interpreter"), "shell --n\n"},
		{filepath.Join(outside, "beyond"), "beyond\n"},
	} {
		if r, log := here.run(sdk.Spec{Dir: dir, File: c.file, Args: args, With: s.With(nil)}); !strings.HasPrefix(log, c.want) {
			t.Errorf("%s: %+v, log %q, want %q", c.file, r, log, c.want)
		}
	}
	if r, log := here.run(sdk.Spec{Text: "echo ${BASH_VERSION:+bash}", With: s.With(map[string]any{"shell": "bash"})}); log != "bash\n" {
		t.Errorf("another shell: %+v, log %q", r, log)
	}
	if r, log := here.run(sdk.Spec{Text: "x", With: s.With(map[string]any{"shell": "no-such-shell"})}); r.ExitCode != 127 || !strings.Contains(log, "no-such-shell") {
		t.Errorf("a shell that is missing: %+v, log %q", r, log)
	}
}

// What nobody used for a week goes; what an attempt still works in stays, and so does an attempt that runs.
func TestOldFilesAreRemoved(t *testing.T) {
	t.Parallel()
	s, here := sshd(t), newSite(t)
	old := lay(t, map[string]string{"a": "old\n"})
	here.run(sdk.Spec{Dir: old, Text: "true", With: s.With(nil)})
	unused := s.trees(t)

	file := filepath.Join(t.TempDir(), "go")
	busy := here.start("busy", sdk.Spec{Dir: lay(t, map[string]string{"b": "busy\n"}), Text: waiting(file, "true", "cat b"), With: s.With(nil)})
	r, log := here.wait(busy, once("ready\n", func(string) {
		dead := filepath.Join(s.Cache, "attempts", "dead")
		if err := os.Mkdir(dead, 0o700); err != nil {
			t.Fatal(err)
		}
		past := time.Now().Add(-9 * 24 * time.Hour)
		for _, folder := range []string{"attempts", "trees"} {
			for _, name := range entries(t, filepath.Join(s.Cache, folder)) {
				if err := os.Chtimes(filepath.Join(s.Cache, folder, name), past, past); err != nil {
					t.Fatal(err)
				}
			}
		}
		here.run(sdk.Spec{Dir: lay(t, map[string]string{"c": "new\n"}), Text: "true", With: s.With(nil)})
		if left := s.trees(t); len(left) != 2 || slices.Contains(left, unused[0]) {
			t.Errorf("of %q is left %q", unused, left)
		}
		if left := entries(t, filepath.Join(s.Cache, "attempts")); len(left) != 1 || left[0] == "dead" {
			t.Errorf("attempts that are left: %q", left)
		}
		touch(t, file)
	}))
	if log != "ready\nbusy\n" {
		t.Errorf("%+v, log %q", r, log)
	}
	if r, log := here.run(sdk.Spec{Dir: old, Text: "cat a", With: s.With(nil)}); log != "old\n" {
		t.Errorf("sent anew: %+v, log %q", r, log)
	}
}

func TestPack(t *testing.T) {
	t.Parallel()
	one, same := lay(t, map[string]string{"a/b": "x", "c*": "y"}), lay(t, map[string]string{"c*": "y", "a/b": "x"})
	mode, text := lay(t, map[string]string{"a/b": "x", "c": "y"}), lay(t, map[string]string{"a/b": "x", "c*": "z"})
	hash := func(dir, skip string) string {
		var b bytes.Buffer
		h, err := pack(dir, skip, &b)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	want := hash(one, "")
	if hash(same, "") != want || hash(mode, "") == want || hash(text, "") == want {
		t.Error("the hash is not that of names, modes and content")
	}
	if hash(one, filepath.Join(one, "a")) == want {
		t.Error("nothing was skipped")
	}
	if err := unix.Mkfifo(filepath.Join(one, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pack(one, "", &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "pipe is neither") {
		t.Errorf("a pipe: %v", err)
	}
	if _, err := pack(filepath.Join(one, "missing"), "", &bytes.Buffer{}); err == nil {
		t.Error("packed what is not there")
	}
}
