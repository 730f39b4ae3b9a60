package gitsync_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"flowctl/dsl"
	"flowctl/engine/gitsync"
)

func TestHead(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	hash := a.flows()
	a.write("warehouse/orders.yaml", "not committed\n", 0o644)
	for _, repo := range []string{a.dir, "file://" + a.dir, filepath.Join(a.dir, ".git")} {
		s := a.open(gitsync.Options{Repo: repo})
		want := gitsync.Commit{Hash: hash, Author: "Alice <alice@example.com>", Subject: "Add orders", When: noon}
		if got := *head(t, s); got != want {
			t.Errorf("head of %s: got %+v, want %+v", repo, got, want)
		}
		wantTexts(t, texts(t, s, hash), map[string]string{"flowctl.yaml": "version: 1\n", "warehouse/orders.yaml": "flow: orders\n"})
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	a.write("README.md", "outside the root", 0o644)
	a.write("flows/flowctl.yaml", "version: 1\n", 0o644)
	a.write("flows/.flowctlignore", "# not ours\n*.md\ntmp/\n/b/only-here.sql\n", 0o644)
	a.write("flows/.hidden/x.yaml", "x", 0o644)
	a.write("flows/b/extract.sh", "#!/bin/sh\n", 0o755)
	a.write("flows/b/empty", "", 0o644)
	a.write("flows/b/notes.md", "x", 0o644)
	a.write("flows/b/only-here.sql", "x", 0o644)
	a.write("flows/b/c/only-here.sql", "select 1", 0o644)
	a.write("flows/b.sql", "between b and its files", 0o644)
	a.write("flows/b/tmp/x", "x", 0o644)
	a.must(os.Symlink("extract.sh", filepath.Join(a.dir, "flows/b/link.sh")))
	hash := a.commit("All kinds of files")

	want := []dsl.File{
		{Path: ".flowctlignore", Mode: 0o644, Data: []byte("# not ours\n*.md\ntmp/\n/b/only-here.sql\n")},
		{Path: "b.sql", Mode: 0o644, Data: []byte("between b and its files")},
		{Path: "b/c/only-here.sql", Mode: 0o644, Data: []byte("select 1")},
		{Path: "b/empty", Mode: 0o644, Data: []byte{}},
		{Path: "b/extract.sh", Mode: 0o755, Data: []byte("#!/bin/sh\n")},
		{Path: "b/link.sh", Mode: 0o120000, Data: []byte("extract.sh")},
		{Path: "flowctl.yaml", Mode: 0o644, Data: []byte("version: 1\n")},
	}
	if got := files(t, a.open(gitsync.Options{Path: "flows"}), hash); !reflect.DeepEqual(got, want) {
		t.Errorf("files:\n got %+v\nwant %+v", got, want)
	}
	// The folder itself, served live, holds the same.
	s := a.open(gitsync.Options{Path: "./flows/", Worktree: true})
	live := files(t, s, head(t, s).Hash)
	if got, want := slices.Sorted(slices.Values(paths(live))), paths(want); !slices.Equal(got, want) {
		t.Errorf("files of the folder: got %q, want %q", got, want)
	}
}

func TestOldCommitsStayReadable(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	first := a.flows()
	s := a.open(gitsync.Options{})
	one := files(t, s, first)
	a.write("warehouse/orders.yaml", "flow: orders2\n", 0o644)
	a.write("new/deep/flow.yaml", "flow: new\n", 0o644)
	second := a.commit("Change")
	wantTexts(t, texts(t, s, second), map[string]string{
		"flowctl.yaml": "version: 1\n", "warehouse/orders.yaml": "flow: orders2\n", "new/deep/flow.yaml": "flow: new\n",
	})
	two := files(t, s, second)
	if &one[0].Data[0] != &two[0].Data[0] {
		t.Error("an unchanged file was read again")
	}
	wantTexts(t, texts(t, s, first), map[string]string{"flowctl.yaml": "version: 1\n", "warehouse/orders.yaml": "flow: orders\n"})

	// What is ignored can change without a change of the files.
	a.write(".flowctlignore", "deep\n", 0o644)
	third := a.commit("Ignore")
	if got := texts(t, s, third)["new/deep/flow.yaml"]; got != "" {
		t.Errorf("an ignored file is there: %q", got)
	}
}

func TestUnchangedContentIsNotRead(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	first := a.flows()
	s := a.open(gitsync.Options{})
	files(t, s, first)
	a.write("flowctl.yaml", "version: 1\n# changed\n", 0o644)
	second := a.commit("Change the settings")
	// Take the unchanged folder and file away from the repository: who does not read them does not miss them.
	commit, err := a.repo.CommitObject(plumbing.NewHash(second))
	a.must(err)
	tree, err := commit.Tree()
	a.must(err)
	for _, name := range []string{"warehouse/orders.yaml", "warehouse"} {
		entry, err := tree.FindEntry(name)
		a.must(err)
		h := entry.Hash.String()
		a.must(os.Remove(filepath.Join(a.dir, ".git/objects", h[:2], h[2:])))
	}
	wantTexts(t, texts(t, s, second), map[string]string{"flowctl.yaml": "version: 1\n# changed\n", "warehouse/orders.yaml": "flow: orders\n"})
	if _, err := a.open(gitsync.Options{}).Files(t.Context(), second); !errors.Is(err, plumbing.ErrObjectNotFound) {
		t.Errorf("reading all of it: got error %v, want object not found", err)
	}
}

func TestForcedPush(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	first := a.flows()
	a.write("warehouse/orders.yaml", "v2", 0o644)
	second := a.commit("Second")
	for _, s := range []*gitsync.Source{a.open(gitsync.Options{}), a.open(gitsync.Options{Repo: a.serve(""), Mirror: filepath.Join(t.TempDir(), "mirror")})} {
		a.move("main", second)
		if got := head(t, s).Hash; got != second {
			t.Errorf("head %s, want %s", got, second)
		}
		a.move("main", first)
		if got := head(t, s).Hash; got != first {
			t.Errorf("head after the forced push %s, want %s", got, first)
		}
		wantTexts(t, texts(t, s, first), map[string]string{"flowctl.yaml": "version: 1\n", "warehouse/orders.yaml": "flow: orders\n"})
	}
}

func TestRemote(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	first := a.flows()
	mirror := filepath.Join(t.TempDir(), "deep", "mirror")
	o := gitsync.Options{Repo: a.serve(""), Mirror: mirror}
	s := a.open(o)
	if got := head(t, s).Hash; got != first {
		t.Fatalf("head %s, want %s", got, first)
	}
	wantTexts(t, texts(t, s, first), map[string]string{"flowctl.yaml": "version: 1\n", "warehouse/orders.yaml": "flow: orders\n"})
	a.write("warehouse/orders.yaml", "v2", 0o644)
	second := a.commit("Second")
	// A server that restarts goes on with the mirror.
	s = a.open(o)
	if got := head(t, s).Hash; got != second {
		t.Errorf("head %s, want %s", got, second)
	}
	if got := head(t, s).Hash; got != second {
		t.Errorf("head again %s, want %s", got, second)
	}
	wantTexts(t, texts(t, s, second), map[string]string{"flowctl.yaml": "version: 1\n", "warehouse/orders.yaml": "v2"})
	repo, err := git.PlainOpen(mirror)
	a.must(err)
	if cfg, err := repo.Config(); err != nil || !cfg.Core.IsBare || len(cfg.Remotes) != 0 {
		t.Errorf("the mirror is not bare or knows its remote: %v", err)
	}
}

func TestDamagedMirrorIsMadeAnew(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	hash := a.flows()
	o := gitsync.Options{Repo: a.serve(""), Mirror: t.TempDir()}
	head(t, a.open(o))
	for name, damage := range map[string]func(){
		"objects gone": func() { a.must(os.RemoveAll(filepath.Join(o.Mirror, "objects"))) },
		"config cut":   func() { a.must(os.WriteFile(filepath.Join(o.Mirror, "config"), []byte("[core"), 0o600)) },
		"ref cut":      func() { a.must(os.WriteFile(filepath.Join(o.Mirror, "refs/heads/main"), nil, 0o600)) },
	} {
		damage()
		s := a.open(o)
		if c, err := s.Head(t.Context()); err != nil || c.Hash != hash {
			t.Errorf("%s: got head %v, %v", name, c, err)
			continue
		}
		wantTexts(t, texts(t, s, hash), map[string]string{"flowctl.yaml": "version: 1\n", "warehouse/orders.yaml": "flow: orders\n"})
	}
}

// forge stores a commit whose tree has one entry more, byte by byte: go-git refuses to write some of them.
func (a *author) forge(mode filemode.FileMode, name string, object plumbing.Hash) string {
	a.Helper()
	commit, err := a.repo.CommitObject(plumbing.NewHash(a.flows()))
	a.must(err)
	old, err := a.repo.Storer.EncodedObject(plumbing.TreeObject, commit.TreeHash)
	a.must(err)
	r, err := old.Reader()
	a.must(err)
	entries, err := io.ReadAll(r)
	a.must(err)
	tree := a.repo.Storer.NewEncodedObject()
	tree.SetType(plumbing.TreeObject)
	w, err := tree.Writer()
	a.must(err)
	_, err = fmt.Fprintf(w, "%o %s\x00%s%s", uint32(mode), name, object[:], entries)
	a.must(errors.Join(err, w.Close()))
	commit.TreeHash, err = a.repo.Storer.SetEncodedObject(tree)
	a.must(err)
	forged := a.repo.Storer.NewEncodedObject()
	a.must(commit.Encode(forged))
	hash, err := a.repo.Storer.SetEncodedObject(forged)
	a.must(err)
	return hash.String()
}

func TestSubmodulesAreLeftOut(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	hash := a.forge(filemode.Submodule, "a", plumbing.NewHash(strings.Repeat("5", 40)))
	wantTexts(t, texts(t, a.open(gitsync.Options{}), hash), map[string]string{"flowctl.yaml": "version: 1\n", "warehouse/orders.yaml": "flow: orders\n"})
}

func TestNoFileLeavesItsFolder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"..", ".", "../x", "a/../../x", "/etc/passwd"} {
		a := newAuthor(t)
		hash := a.forge(filemode.Regular, name, plumbing.ComputeHash(plumbing.BlobObject, []byte("version: 1\n")))
		got, err := a.open(gitsync.Options{}).Files(t.Context(), hash)
		if err == nil || !strings.Contains(err.Error(), "name") {
			t.Errorf("a file named %q: got %q, %v", name, paths(got), err)
		}
	}
}

func TestLinkedWorktree(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	hash := a.flows()
	linked, own := t.TempDir(), filepath.Join(a.dir, ".git/worktrees/linked")
	write(t, filepath.Join(linked, ".git"), "gitdir: "+own+"\n", 0o644)
	write(t, filepath.Join(own, "commondir"), "../..\n", 0o644)
	write(t, filepath.Join(own, "HEAD"), "ref: refs/heads/other\n", 0o644)
	if got := head(t, a.open(gitsync.Options{Repo: linked})).Hash; got != hash {
		t.Errorf("head %s, want %s", got, hash)
	}
}

func TestRemoteCredentials(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	hash := a.flows()
	url := a.serve("s3cret")
	mirror := t.TempDir()
	_, err := a.open(gitsync.Options{Repo: strings.Replace(url, "//", "//alice:wrong@", 1), Mirror: mirror}).Head(t.Context())
	if err == nil || !strings.Contains(err.Error(), "FLOWCTL_GIT_TOKEN") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("bad password: got error %v", err)
	}
	s := a.open(gitsync.Options{Repo: strings.Replace(url, "//", "//alice:s3cret@", 1), Mirror: mirror})
	if got := head(t, s).Hash; got != hash {
		t.Errorf("head %s, want %s", got, hash)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	hash := a.flows()
	a.checkout("release/1", true)
	url := a.serve("")
	empty := newAuthor(t)
	elsewhere := newAuthor(t)
	elsewhere.write("data/flows/flowctl.yaml", "version: 1\n", 0o644)
	nested := elsewhere.commit("Nested")

	try := func(o gitsync.Options, hash string) error {
		s, err := gitsync.Open(t.Context(), o)
		if err == nil {
			_, err = s.Head(t.Context())
		}
		if err == nil {
			_, err = s.Files(t.Context(), hash)
		}
		return err
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no repository named":   {try(gitsync.Options{}, ""), "--repo"},
		"no repository":         {try(gitsync.Options{Repo: t.TempDir()}, ""), "git init"},
		"no mirror":             {try(gitsync.Options{Repo: url}, ""), "mirror"},
		"branch missing":        {try(gitsync.Options{Repo: a.dir, Branch: "trunk"}, ""), "main, release/1"},
		"remote branch missing": {try(gitsync.Options{Repo: url, Branch: "trunk", Mirror: t.TempDir()}, ""), "main, release/1"},
		"no commits":            {try(gitsync.Options{Repo: empty.dir}, ""), "no commits yet"},
		"no commits, remote":    {try(gitsync.Options{Repo: empty.serve(""), Mirror: t.TempDir()}, ""), "no commits yet"},
		"nobody there":          {try(gitsync.Options{Repo: "http://127.0.0.1:1/x.git", Mirror: t.TempDir()}, ""), "127.0.0.1:1"},
		"root elsewhere":        {try(gitsync.Options{Repo: elsewhere.dir}, nested), "--path data/flows"},
		"no such path":          {try(gitsync.Options{Repo: elsewhere.dir, Path: "flows"}, nested), "--path data/flows"},
		"no folder":             {try(gitsync.Options{Repo: filepath.Join(a.dir, "absent"), Worktree: true}, ""), "no folder"},
		"not a folder":          {try(gitsync.Options{Repo: filepath.Join(a.dir, "flowctl.yaml"), Worktree: true}, ""), "not a folder"},
		"no flows in folder":    {try(gitsync.Options{Repo: t.TempDir(), Worktree: true}, ""), "no flowctl.yaml"},
		"not a hash":            {try(gitsync.Options{Repo: a.dir}, "HEAD"), "not the hash"},
		"no such commit":        {try(gitsync.Options{Repo: a.dir}, strings.Repeat("1", 40)), "object not found"},
		"path leads outside":    {try(gitsync.Options{Repo: a.dir, Path: "../../etc"}, hash), "folder etc"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", name, c.err, c.want)
		}
	}
	if err := try(gitsync.Options{Repo: elsewhere.dir}, nested); !errors.Is(err, gitsync.ErrNoFlows) {
		t.Errorf("root elsewhere: got error %v, want ErrNoFlows", err)
	}
}

// slow is a poll that no test waits for.
const slow = time.Hour

func TestWatchSeesCommitsAtOnce(t *testing.T) {
	t.Parallel()
	for _, branch := range []string{"main", "team/data/main"} {
		t.Run(branch, func(t *testing.T) {
			t.Parallel()
			a := newAuthor(t)
			a.flows()
			if branch != "main" {
				a.checkout(branch, true)
			}
			s := a.open(gitsync.Options{Branch: branch, Poll: slow})
			signals := s.Watch(t.Context())
			await(t, s, signals, head(t, s).Hash) // the first signal
			for range 3 {
				await(t, s, signals, a.commit("Another"))
			}
		})
	}
}

func TestWatchSeesTheFirstCommitOfABranch(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	first := a.flows()
	s := a.open(gitsync.Options{Branch: "team/x", Poll: slow})
	signals := s.Watch(t.Context())
	<-signals
	a.move("team/x", first)
	await(t, s, signals, first)
}

func TestWatchSeesABareRepository(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	first := a.flows()
	dir := t.TempDir()
	a.must(os.CopyFS(dir, os.DirFS(filepath.Join(a.dir, ".git"))))
	bare, err := git.PlainOpen(dir)
	a.must(err)
	s := a.open(gitsync.Options{Repo: dir, Poll: slow})
	signals := s.Watch(t.Context())
	await(t, s, signals, first)
	a.dir = dir
	commit, err := bare.CommitObject(plumbing.NewHash(first))
	a.must(err)
	commit.Message = "Pushed"
	object := bare.Storer.NewEncodedObject()
	a.must(commit.Encode(object))
	pushed, err := bare.Storer.SetEncodedObject(object)
	a.must(err)
	a.move("main", pushed.String())
	await(t, s, signals, pushed.String())
}

func TestWatchPolls(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	a.flows()
	s := a.open(gitsync.Options{Repo: a.serve(""), Mirror: t.TempDir(), Poll: 10 * time.Millisecond})
	signals := s.Watch(t.Context())
	await(t, s, signals, a.commit("Pushed"))
}

func TestWorktree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "flowctl.yaml"), "version: 1\n", 0o644)
	s, err := gitsync.Open(t.Context(), gitsync.Options{Repo: dir, Worktree: true, Poll: slow})
	if err != nil {
		t.Fatal(err)
	}
	signals := s.Watch(t.Context())
	<-signals
	first := head(t, s)
	if !strings.HasPrefix(first.Hash, "worktree-") || first.When.IsZero() {
		t.Errorf("head %+v", first)
	}
	if again := head(t, s); *again != *first {
		t.Errorf("nothing changed, but the head did: %+v, %+v", first, again)
	}

	changed := func(what string) string {
		t.Helper()
		for last := first.Hash; ; {
			select {
			case <-signals:
				if c := head(t, s); c.Hash != last {
					first = c
					return c.Hash
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s: no signal", what)
			}
		}
	}
	write(t, filepath.Join(dir, "a/b/flow.yaml"), "flow: x\n", 0o644)
	old := changed("new folders")
	write(t, filepath.Join(dir, "a/b/flow.yaml"), "flow: y\n", 0o644)
	for texts(t, s, changed("file in a new folder"))["a/b/flow.yaml"] != "flow: y\n" { // a write is two events: cut, then filled
	}
	if err := os.Chmod(filepath.Join(dir, "a/b/flow.yaml"), 0o755); err != nil {
		t.Fatal(err)
	}
	now := changed("mode")
	if err := os.RemoveAll(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	for len(texts(t, s, changed("removal"))) != 1 {
	}
	for _, hash := range []string{old, now} {
		if _, err := s.Files(t.Context(), hash); err == nil {
			t.Errorf("the folder still gives %s, which it no longer holds", hash)
		}
	}
}

// The race detector watches this.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	a := newAuthor(t)
	a.flows()
	a.checkout("work", true) // go-git's own commits leave a ref empty for a moment; git's do not
	for _, s := range []*gitsync.Source{a.open(gitsync.Options{}), a.open(gitsync.Options{Repo: a.serve(""), Mirror: t.TempDir()})} {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 5 {
					c, err := s.Head(t.Context())
					if err != nil {
						t.Errorf("head: %v", err)
						return
					}
					if _, err := s.Files(t.Context(), c.Hash); err != nil {
						t.Errorf("files: %v", err)
					}
				}
			})
		}
		for range 5 {
			a.write("warehouse/orders.yaml", a.commit("Change"), 0o644)
			a.move("main", a.commit("Change"))
		}
		wg.Wait()
	}
}
