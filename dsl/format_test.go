package dsl_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowctl/dsl"
	"flowctl/dsl/dsltest"
	"flowctl/dsl/workload"
)

// TestFormatGolden formats testdata/format/NAME.yaml; NAME.want holds what comes out, or the problem.
func TestFormatGolden(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../testdata/format/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got, problem := dsl.Format(filepath.Base(path), data)
			if problem != nil {
				got = []byte(problem.Message + "\n")
			} else {
				checkFormat(t, path, data)
			}
			golden := strings.TrimSuffix(path, ".yaml") + ".want"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// checkFormat formats a file, and what comes out once more. It tells whether the file could be formatted.
func checkFormat(t testing.TB, path string, data []byte) ([]byte, bool) {
	t.Helper()
	once, problem := dsl.Format(path, data)
	if problem != nil {
		return nil, false
	}
	twice, problem := dsl.Format(path, once)
	if problem != nil {
		t.Errorf("%s: %q becomes %q, which cannot be formatted: %s", path, data, once, problem.Message)
	} else if !bytes.Equal(once, twice) {
		t.Errorf("%s: %q becomes %q and then %q", path, data, once, twice)
	}
	return once, true
}

// TestFormatKeepsProjects compiles whole repositories before and after: their hashes are the same, and so is what is wrong with them.
func TestFormatKeepsProjects(t *testing.T) {
	t.Parallel()
	repositories := map[string][]dsl.File{"generated": dsltest.Repository(20, 12)}
	folders, err := filepath.Glob("../testdata/diag/*")
	if err != nil || len(folders) == 0 {
		t.Fatal("no repositories", err)
	}
	for _, folder := range append(folders, "../flows") {
		files, err := dsl.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		repositories[folder] = files
	}
	if facts, ok := workload.Folder(); ok {
		r, err := workload.BQETL(facts, workload.Options{CutKnots: true})
		if err != nil {
			t.Fatal(err)
		}
		for path, data := range r {
			repositories["bqetl"] = append(repositories["bqetl"], dsl.File{Path: path, Mode: 0o644, Data: data})
		}
	}
	for name, files := range repositories {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			formatted := slices.Clone(files)
			for i, f := range files {
				if !dsl.IsDocument(f.Path) {
					continue
				}
				if out, ok := checkFormat(t, f.Path, f.Data); ok {
					formatted[i].Data = out
				} else if !strings.Contains(name, "diag") {
					t.Errorf("%s cannot be formatted", f.Path)
				}
			}
			before, problems := dsl.New().Compile(files)
			after, again := dsl.New().Compile(formatted)
			if (before == nil) != (after == nil) || len(problems) != len(again) {
				t.Fatalf("%d problems before, %d after:\n%v\n%v", len(problems), len(again), problems, again)
			}
			if before != nil && before.Hash != after.Hash {
				t.Errorf("the project's hash was %s, is %s", before.Hash, after.Hash)
			}
		})
	}
}

// TestFormatSuite formats the test suite of YAML, which comes with the YAML library.
func TestFormatSuite(t *testing.T) {
	t.Parallel()
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/goccy/go-yaml").Output()
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(module)), "testdata", "yaml-test-suite", "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	formatted := 0
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := checkFormat(t, path, data); ok {
			formatted++
		}
	}
	if formatted < 200 {
		t.Errorf("of %d files only %d could be formatted", len(paths), formatted)
	}
}

// The example repository is in the canonical form.
func TestExampleIsFormatted(t *testing.T) {
	t.Parallel()
	files, err := dsl.ReadDir("../flows")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !dsl.IsDocument(f.Path) {
			continue
		}
		if out, problem := dsl.Format(f.Path, f.Data); problem != nil || !bytes.Equal(out, f.Data) {
			t.Errorf("flows/%s: run `flowctl fmt flows`", f.Path)
		}
	}
}

// FuzzFormat formats any text: what comes out does not change when it is formatted again, and compiles to the same.
func FuzzFormat(f *testing.F) {
	err := filepath.WalkDir("../testdata", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !dsl.IsDocument(path) {
			return err
		}
		data, err := os.ReadFile(path)
		if len(data) < 4<<10 {
			f.Add(data)
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(dsltest.Flow(3, 4)))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, ok := checkFormat(t, "f.yaml", data)
		if !ok {
			return
		}
		settings := dsl.File{Path: dsl.SettingsFile, Data: []byte("version: 1\n")}
		teams := dsl.File{Path: "teams.yaml", Data: []byte("teams: {data: {members: []}}\npeople: {alice: {}}\n")}
		compile := func(data []byte) (string, int) {
			p, found := dsl.New().Compile([]dsl.File{settings, teams, {Path: "f.yaml", Data: data}})
			if p == nil {
				return "", len(found)
			}
			return p.Hash, len(found)
		}
		was, problems := compile(data)
		if is, now := compile(out); was != is || problems != now {
			t.Errorf("%q became %q: hash %q with %d problems, then %q with %d", data, out, was, problems, is, now)
		}
	})
}
