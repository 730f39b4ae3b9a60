package gitsync_test

import (
	"log/slog"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"

	"flowctl/engine/gitsync"
)

// TestShallowFetch follows git's own server, which knows shallow fetches: the mirror holds no history.
func TestShallowFetch(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("git", "--exec-path").Output()
	backend := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, statErr := os.Stat(backend); err != nil || statErr != nil {
		t.Skip("git's HTTP server is not installed")
	}
	a := newAuthor(t)
	old := a.flows()
	a.write("warehouse/orders.yaml", "v2", 0o644)
	second := a.commit("Second")
	server := httptest.NewServer(&cgi.Handler{
		Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + a.dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
		Stderr: t.Output(),
	})
	t.Cleanup(server.Close)
	mirror := t.TempDir()
	var log strings.Builder // only Head writes to it
	s := a.open(gitsync.Options{Repo: server.URL + "/.git", Mirror: mirror, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if got := head(t, s).Hash; got != second {
		t.Fatalf("head %s, want %s", got, second)
	}
	wantTexts(t, texts(t, s, second), map[string]string{"flowctl.yaml": "version: 1\n", "warehouse/orders.yaml": "v2"})
	repo, err := git.PlainOpen(mirror)
	a.must(err)
	if _, err := repo.CommitObject(plumbing.NewHash(old)); err == nil {
		t.Error("the mirror holds history")
	}
	for _, text := range []string{"v3", "v4", "v5"} {
		a.write("warehouse/orders.yaml", text, 0o644)
		hash := a.commit(text)
		if got := head(t, s).Hash; got != hash {
			t.Fatalf("head %s, want %s", got, hash)
		}
		wantTexts(t, texts(t, s, hash), map[string]string{"flowctl.yaml": "version: 1\n", "warehouse/orders.yaml": text})
	}
	a.move("main", old)
	if got := head(t, s).Hash; got != old {
		t.Fatalf("head after a forced push %s, want %s", got, old)
	}
	wantTexts(t, texts(t, s, old), map[string]string{"flowctl.yaml": "version: 1\n", "warehouse/orders.yaml": "flow: orders\n"})
	// Fetching the same again, and what was there before.
	a.move("main", second)
	for range 2 {
		if got := head(t, s).Hash; got != second {
			t.Fatalf("head %s, want %s", got, second)
		}
	}
	wantTexts(t, texts(t, s, second), map[string]string{"flowctl.yaml": "version: 1\n", "warehouse/orders.yaml": "v2"})
	if log.Len() > 0 {
		t.Errorf("the mirror was made anew: %s", log.String())
	}
}
