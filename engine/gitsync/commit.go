package gitsync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"flowctl/dsl"
)

// tip returns the hash that the branch has now.
func (s *Source) tip(ctx context.Context) (plumbing.Hash, error) {
	if s.remote != nil {
		if err := s.remote.fetch(ctx); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	repo, err := git.PlainOpen(s.folder())
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("open the repository %s: %w", redact(s.opts.Repo), err)
	}
	ref, err := repo.Reference(plumbing.NewBranchReferenceName(s.opts.Branch), true)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return plumbing.ZeroHash, noBranch(s.opts, branches(repo))
	}
	if err != nil {
		return plumbing.ZeroHash, fmt.Errorf("read branch %s of %s: %w", s.opts.Branch, redact(s.opts.Repo), err)
	}
	return ref.Hash(), nil
}

func branches(repo *git.Repository) []string {
	refs, err := repo.Branches()
	if err != nil {
		return nil
	}
	var names []string
	refs.ForEach(func(r *plumbing.Reference) error { //nolint:errcheck // the names only embellish an error
		names = append(names, r.Name().Short())
		return nil
	})
	return names
}

func noBranch(o Options, names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("the repository %s has no branch %s; it has no commits yet: commit something", redact(o.Repo), o.Branch)
	}
	slices.Sort(names)
	return fmt.Errorf("the repository %s has no branch %s; choose one with --branch: %s", redact(o.Repo), o.Branch, strings.Join(names, ", "))
}

// commit reads a commit, unless it is the one that was read last.
func (s *Source) commit(hash plumbing.Hash) (Commit, error) {
	s.mu.Lock()
	known := s.head
	s.mu.Unlock()
	if known.Hash == hash.String() {
		return known, nil
	}
	repo, err := git.PlainOpen(s.folder())
	if err != nil {
		return Commit{}, fmt.Errorf("open the repository %s: %w", redact(s.opts.Repo), err)
	}
	c, err := repo.CommitObject(hash)
	if err != nil {
		return Commit{}, fmt.Errorf("read commit %s: %w", hash, err)
	}
	subject, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
	commit := Commit{
		Hash: hash.String(), Author: fmt.Sprintf("%s <%s>", c.Author.Name, c.Author.Email), Subject: subject, When: c.Committer.When.UTC(),
	}
	s.mu.Lock()
	s.head = commit
	s.mu.Unlock()
	return commit, nil
}

// read returns the files of a commit with what is known from the commit that was read last.
func (s *Source) read(ctx context.Context, hash plumbing.Hash) ([]dsl.File, error) {
	repo, err := git.PlainOpen(s.folder())
	if err != nil {
		return nil, fmt.Errorf("open the repository %s: %w", redact(s.opts.Repo), err)
	}
	root, err := flowsRoot(repo, hash, s.opts.Path)
	if err != nil {
		return nil, err
	}
	var ignore []byte
	if entry, err := root.FindEntry(dsl.IgnoreFile); err == nil && entry.Mode.IsRegular() {
		if ignore, err = blob(repo, entry.Hash); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	known := s.trees
	s.mu.Unlock()
	now := &trees{repo: repo, known: known, ignore: string(ignore), ignored: dsl.Ignored(ignore), folders: make(map[folderKey]*folder)}
	now.blobs = make(map[plumbing.Hash][]byte)
	if err := now.walk(ctx, folderKey{root.Hash, ""}); err != nil {
		return nil, err
	}
	slices.SortFunc(now.files, func(a, b dsl.File) int { return strings.Compare(a.Path, b.Path) })
	files := now.files
	now.repo, now.known, now.files = nil, nil, nil
	s.mu.Lock()
	s.trees = now
	s.mu.Unlock()
	return files, nil
}

// flowsRoot returns the tree of the flows root at a commit.
func flowsRoot(repo *git.Repository, hash plumbing.Hash, at string) (*object.Tree, error) {
	c, err := repo.CommitObject(hash)
	if err != nil {
		return nil, err
	}
	top, err := c.Tree()
	if err != nil {
		return nil, err
	}
	root := top
	if at != "" {
		root, err = top.Tree(at)
		if errors.Is(err, object.ErrDirectoryNotFound) {
			return nil, noFlows(top, at)
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := root.FindEntry(dsl.SettingsFile); err != nil {
		return nil, noFlows(top, at)
	}
	return root, nil
}

// noFlows says where a flows root is, when there is one elsewhere.
func noFlows(top *object.Tree, at string) error {
	var elsewhere []string
	walker := object.NewTreeWalker(top, true, nil)
	defer walker.Close()
	for len(elsewhere) < 3 {
		name, _, err := walker.Next()
		if err != nil {
			break
		}
		if path.Base(name) == dsl.SettingsFile {
			elsewhere = append(elsewhere, "--path "+path.Dir(name))
		}
	}
	where := "at the top of the repository"
	if at != "" {
		where = "in its folder " + at
	}
	if len(elsewhere) == 0 {
		return fmt.Errorf("%w %s: commit one there to mark the flows root", ErrNoFlows, where)
	}
	return fmt.Errorf("%w %s, but elsewhere: use %s", ErrNoFlows, where, strings.Join(elsewhere, " or "))
}

// trees are the folders and contents of one commit by hash, and the walk that finds them.
type trees struct {
	ignore  string // content of the ignore file: with another one, the folders hold other files
	folders map[folderKey]*folder
	blobs   map[plumbing.Hash][]byte

	// Of the walk only.
	repo    *git.Repository
	known   *trees // of the commit before
	ignored func(path string, dir bool) bool
	files   []dsl.File
}

// folderKey names a folder's content and its place, on which the ignore patterns depend.
type folderKey struct {
	hash plumbing.Hash
	path string // relative to the flows root; empty = the root
}

// folder is what a tree object holds, without what is ignored.
type folder struct {
	files []file
	below []folderKey
}

type file struct {
	path string
	mode uint32
	hash plumbing.Hash
}

// walk adds a folder with all below it to files, and reads only what is not known.
func (t *trees) walk(ctx context.Context, key folderKey) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var f *folder
	if t.known != nil && t.known.ignore == t.ignore {
		f = t.known.folders[key]
	}
	if f == nil {
		var err error
		if f, err = t.readFolder(key); err != nil {
			return err
		}
	}
	t.folders[key] = f
	for _, file := range f.files {
		data, err := t.content(file.hash)
		if err != nil {
			return fmt.Errorf("file %s: %w", file.path, err)
		}
		t.files = append(t.files, dsl.File{Path: file.path, Mode: file.mode, Data: data})
	}
	for _, below := range f.below {
		if err := t.walk(ctx, below); err != nil {
			return err
		}
	}
	return nil
}

func (t *trees) readFolder(key folderKey) (*folder, error) {
	tree, err := t.repo.TreeObject(key.hash)
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", key.path, err)
	}
	f := &folder{}
	for _, e := range tree.Entries {
		if e.Name == "" || e.Name == "." || e.Name == ".." || strings.ContainsAny(e.Name, "/\x00") {
			// git never writes such a tree; whoever did wants a file outside of the folder.
			return nil, fmt.Errorf("folder %q holds a file with the forbidden name %q", key.path, e.Name)
		}
		name := path.Join(key.path, e.Name)
		if t.ignored(name, e.Mode == filemode.Dir) {
			continue
		}
		switch e.Mode {
		case filemode.Dir:
			f.below = append(f.below, folderKey{e.Hash, name})
		case filemode.Regular, filemode.Deprecated:
			f.files = append(f.files, file{name, 0o644, e.Hash})
		case filemode.Executable:
			f.files = append(f.files, file{name, 0o755, e.Hash})
		case filemode.Symlink:
			f.files = append(f.files, file{name, 0o120000, e.Hash})
		}
	}
	return f, nil
}

func (t *trees) content(hash plumbing.Hash) ([]byte, error) {
	data, ok := t.blobs[hash]
	if !ok && t.known != nil {
		data, ok = t.known.blobs[hash]
	}
	if !ok {
		var err error
		if data, err = blob(t.repo, hash); err != nil {
			return nil, err
		}
	}
	t.blobs[hash] = data
	return data, nil
}

func blob(repo *git.Repository, hash plumbing.Hash) ([]byte, error) {
	b, err := repo.BlobObject(hash)
	if err != nil {
		return nil, err
	}
	r, err := b.Reader()
	if err != nil {
		return nil, err
	}
	data := make([]byte, b.Size)
	_, err = io.ReadFull(r, data)
	return data, errors.Join(err, r.Close())
}
