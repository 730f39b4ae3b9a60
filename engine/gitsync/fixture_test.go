package gitsync_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/server"

	"flowctl/dsl"
	"flowctl/engine/gitsync"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// author is a repository with a work tree in which a test commits.
type author struct {
	testing.TB
	dir  string
	repo *git.Repository
	mu   sync.RWMutex // held to write while committing, to read while serving
}

func newAuthor(t testing.TB) *author {
	t.Helper()
	a := &author{TB: t, dir: t.TempDir()}
	var err error
	a.repo, err = git.PlainInitWithOptions(a.dir, &git.PlainInitOptions{InitOptions: git.InitOptions{DefaultBranch: "refs/heads/main"}})
	a.must(err)
	return a
}

func (a *author) must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

func (a *author) write(name, text string, mode os.FileMode) {
	a.Helper()
	write(a.TB, filepath.Join(a.dir, name), text, mode)
}

func write(t testing.TB, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// commit commits everything in the work tree.
func (a *author) commit(message string) string {
	a.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	w, err := a.repo.Worktree()
	a.must(err)
	a.must(w.AddWithOptions(&git.AddOptions{All: true}))
	alice := &object.Signature{Name: "Alice", Email: "alice@example.com", When: noon}
	hash, err := w.Commit(message, &git.CommitOptions{Author: alice, AllowEmptyCommits: true})
	a.must(err)
	return hash.String()
}

func (a *author) checkout(branch string, create bool) {
	a.Helper()
	w, err := a.repo.Worktree()
	a.must(err)
	a.must(w.Checkout(&git.CheckoutOptions{Branch: plumbing.NewBranchReferenceName(branch), Create: create}))
}

// move sets a branch to a commit, as a forced push does: in one step, as git does.
func (a *author) move(branch, hash string) {
	a.Helper()
	dir := a.dir
	if info, err := os.Stat(filepath.Join(dir, ".git")); err == nil && info.IsDir() {
		dir = filepath.Join(dir, ".git")
	}
	a.mu.Lock() // go-git's server takes the .lock for a ref
	defer a.mu.Unlock()
	ref := filepath.Join(dir, "refs", "heads", branch)
	write(a.TB, ref+".lock", hash+"\n", 0o644)
	a.must(os.Rename(ref+".lock", ref))
}

// flows commits a small flows root and returns the commit.
func (a *author) flows() string {
	a.Helper()
	a.write("flowctl.yaml", "version: 1\n", 0o644)
	a.write("warehouse/orders.yaml", "flow: orders\n", 0o644)
	return a.commit("Add orders\n\nThe first flow.")
}

func (a *author) open(o gitsync.Options) *gitsync.Source {
	a.Helper()
	if o.Repo == "" {
		o.Repo = a.dir
	}
	s, err := gitsync.Open(a.Context(), o)
	a.must(err)
	return s
}

func head(t *testing.T, s *gitsync.Source) *gitsync.Commit {
	t.Helper()
	c, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func files(t *testing.T, s *gitsync.Source, hash string) []dsl.File {
	t.Helper()
	f, err := s.Files(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// texts returns the contents of files by path.
func texts(t *testing.T, s *gitsync.Source, hash string) map[string]string {
	t.Helper()
	m := map[string]string{}
	for _, f := range files(t, s, hash) {
		m[f.Path] = string(f.Data)
	}
	return m
}

func wantTexts(t *testing.T, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("files:\n got %q\nwant %q", got, want)
	}
}

// await returns when the source's head is the commit, as seen after a signal.
func await(t *testing.T, s *gitsync.Source, signals <-chan struct{}, hash string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		select {
		case <-signals:
			if head(t, s).Hash == hash {
				return
			}
		case <-ctx.Done():
			t.Fatalf("no signal of commit %s", hash)
		}
	}
}

// serve serves the repository over HTTP as git's servers do, but without shallow fetches: go-git's server knows none. With a password
// it is asked for.
func (a *author) serve(password string) string {
	git := server.NewServer(server.MapLoader{"file:///repo": a.repo.Storer})
	session := func() transport.UploadPackSession {
		e, err := transport.NewEndpoint("file:///repo")
		if err != nil {
			a.Error(err)
		}
		s, err := git.NewUploadPackSession(e, nil)
		if err != nil {
			a.Error(err)
		}
		return s
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repo.git/info/refs", func(w http.ResponseWriter, r *http.Request) {
		if _, got, _ := r.BasicAuth(); got != password {
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		a.mu.RLock()
		defer a.mu.RUnlock()
		refs, err := session().AdvertisedReferencesContext(r.Context())
		if err != nil {
			a.Error(err)
			return
		}
		refs.Prefix = [][]byte{[]byte("# service=git-upload-pack"), pktline.Flush}
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		if err := refs.Encode(w); err != nil {
			a.Error(err)
		}
	})
	mux.HandleFunc("POST /repo.git/git-upload-pack", func(w http.ResponseWriter, r *http.Request) {
		want := packp.NewUploadPackRequest()
		if err := want.Decode(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		pack, err := session().UploadPack(r.Context(), want)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		if err := pack.Encode(w); err != nil {
			a.Error(err)
		}
	})
	s := httptest.NewServer(mux)
	a.Cleanup(s.Close)
	return s.URL + "/repo.git"
}

func paths(fs []dsl.File) []string {
	var l []string
	for _, f := range fs {
		l = append(l, f.Path)
	}
	return l
}
