package dsl_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"flowctl/dsl"
)

// tree writes files below a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestReadDir(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{
		"flowctl.yaml": "version: 1\n", ".flowctlignore": "*.csv\ndata/\n/a/b.yaml\n", "a/f.yaml": "x", "a/b.yaml": "", "a/run.sh": "echo", "b.csv": "", "data/d.yaml": "",
		".git/config": "", "a/.venv/x.py": "", "empty": "",
	})
	if err := os.Chmod(filepath.Join(root, "a/run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("f.yaml", filepath.Join(root, "a/link.txt")); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{root, root + "/", link} {
		files, err := dsl.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, f := range files {
			paths = append(paths, f.Path)
		}
		if want := []string{".flowctlignore", "a/f.yaml", "a/link.txt", "a/run.sh", "empty", "flowctl.yaml"}; !slices.Equal(paths, want) {
			t.Fatalf("read %q of %s, want %q", paths, root, want)
		}
		if f := files[1]; f.Mode != 0o644 || string(f.Data) != "x" {
			t.Errorf("a file: %o %q", f.Mode, f.Data)
		}
		if f := files[2]; f.Mode != 0o120000 || string(f.Data) != "f.yaml" {
			t.Errorf("a link: %o %q", f.Mode, f.Data)
		}
		if f := files[3]; f.Mode != 0o755 {
			t.Errorf("a script: %o", f.Mode)
		}
	}
}

func TestFindRoot(t *testing.T) {
	t.Parallel()
	root := tree(t, map[string]string{"flowctl.yaml": "", "a/b/f.yaml": ""})
	for _, start := range []string{".", "a", "a/b", "a/b/f.yaml"} {
		if got, err := dsl.FindRoot(filepath.Join(root, start)); err != nil || got != root {
			t.Errorf("from %s: %s, %v", start, got, err)
		}
	}
	if _, err := dsl.FindRoot(t.TempDir()); !errors.Is(err, dsl.ErrNoRoot) {
		t.Errorf("outside: %v", err)
	}
	if _, err := dsl.FindRoot(filepath.Join(root, "nowhere")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nowhere: %v", err)
	}
}

func TestReadDirOfTheCurrentFolder(t *testing.T) {
	t.Chdir(tree(t, map[string]string{"flowctl.yaml": "version: 1\n", "a/f.yaml": "x"}))
	files, err := dsl.ReadDir(".")
	if err != nil || len(files) != 2 || files[0].Path != "a/f.yaml" || files[1].Path != "flowctl.yaml" {
		t.Errorf("%+v, %v", files, err)
	}
}
