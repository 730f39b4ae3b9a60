package gitsync

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"flowctl/dsl"
)

// worktree is a folder that is served live.
type worktree struct {
	repo string // as the user named it
	root string // the flows root

	mu     sync.Mutex
	commit Commit
	last   []dsl.File // the content that commit names
}

func openWorktree(o Options) (*worktree, error) {
	root, err := filepath.Abs(filepath.Join(localPath(o.Repo), filepath.FromSlash(o.Path)))
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(root)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("there is no folder %s to serve", root)
	case err != nil:
		return nil, fmt.Errorf("serve a folder live: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("%s is not a folder: --worktree serves a folder", root)
	}
	return &worktree{repo: o.Repo, root: root}, nil
}

// head reads the folder and names what it found.
func (w *worktree) head() (*Commit, error) {
	files, err := dsl.ReadDir(w.root)
	if err != nil {
		return nil, err
	}
	hash, marked := sha256.New(), false
	var newest time.Time
	for _, f := range files {
		fmt.Fprintf(hash, "%s\x00%o %d\x00", f.Path, f.Mode, len(f.Data))
		hash.Write(f.Data)
		marked = marked || f.Path == dsl.SettingsFile
		if info, err := os.Lstat(filepath.Join(w.root, filepath.FromSlash(f.Path))); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime().UTC()
		}
	}
	if !marked {
		return nil, fmt.Errorf("%w in %s: make one to mark the flows root, or name another folder with --path", ErrNoFlows, w.root)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	name := "worktree-" + hex.EncodeToString(hash.Sum(nil)[:20])
	if name != w.commit.Hash {
		w.commit = Commit{Hash: name, Subject: "what is in " + w.repo, When: newest}
		w.last = files
	}
	commit := w.commit
	return &commit, nil
}

// files returns what head found.
func (w *worktree) files(hash string) ([]dsl.File, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if hash != w.commit.Hash {
		return nil, fmt.Errorf("%s has changed since %s was read: ask for its head again", w.root, hash)
	}
	return w.last, nil
}
