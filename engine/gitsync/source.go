package gitsync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"flowctl/dsl"
)

// DefaultPoll is how often a source is polled when Options do not say.
const DefaultPoll = 30 * time.Second

// ErrNoFlows says that a commit or folder has no flowctl.yaml where it was looked for.
var ErrNoFlows = errors.New("no " + dsl.SettingsFile)

// Options say what to follow.
type Options struct {
	Repo     string        // path or URL
	Branch   string        // empty = main
	Path     string        // of the flows root inside the repository, slash-separated; empty = "."
	Mirror   string        // folder for the mirror of a remote repository; made when needed
	Poll     time.Duration // 0 = DefaultPoll
	Worktree bool          // serve the folder Repo live, with uncommitted changes
	Log      *slog.Logger  // nil = none
}

// Source is a branch, or a folder, that is followed. Its methods are safe for concurrent use.
type Source struct {
	opts Options
	// One of these is set, by the kind of source.
	local    string // git folder of a local repository
	remote   *remote
	worktree *worktree

	mu    sync.Mutex
	head  Commit // last returned by Head
	trees *trees // of the last commit that was read
}

// Commit is one commit of the branch.
type Commit struct {
	Hash    string // full; "worktree-…" for a folder served live
	Author  string // Alice <alice@example.com>
	Subject string // first line of the message
	When    time.Time
}

// Open checks the options and that a local repository or folder is there. It does not touch the network.
func Open(_ context.Context, o Options) (*Source, error) {
	if o.Repo == "" {
		return nil, errors.New("no flows repository: name one with --repo PATH or --repo URL")
	}
	if o.Branch == "" {
		o.Branch = "main"
	}
	if o.Poll <= 0 {
		o.Poll = DefaultPoll
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Path = path.Clean("/" + filepath.ToSlash(o.Path))[1:] // "" is the root; never leads out of the repository
	s := &Source{opts: o}
	endpoint, err := transport.NewEndpoint(o.Repo)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the repository %s is neither a path nor a URL: %w", redact(o.Repo), err)
	case o.Worktree:
		if s.worktree, err = openWorktree(o); err != nil {
			return nil, err
		}
	case endpoint.Protocol == "file":
		if s.local, err = gitFolder(localPath(o.Repo)); err != nil {
			return nil, err
		}
	default:
		if o.Mirror == "" {
			return nil, fmt.Errorf("the remote repository %s needs a folder for its mirror", redact(o.Repo))
		}
		if s.remote, err = openRemote(o, endpoint); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Head returns the tip of the branch, after a fetch when the repository is remote.
func (s *Source) Head(ctx context.Context) (*Commit, error) {
	if s.worktree != nil {
		return s.worktree.head()
	}
	var commit Commit
	err := twice(func() error {
		tip, err := s.tip(ctx)
		if err != nil {
			return err
		}
		commit, err = s.commit(tip)
		if err != nil && s.remote != nil {
			// A power cut can leave a mirror with refs to what never reached the disk: git does not fetch that again.
			err = errors.Join(err, s.remote.forget())
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &commit, nil
}

// Files returns the flows at a commit that Head returned, by path: every file below the flows root, but hidden folders, submodules
// and what .flowctlignore names. The contents are shared with later calls and must not be changed.
func (s *Source) Files(ctx context.Context, hash string) ([]dsl.File, error) {
	if s.worktree != nil {
		return s.worktree.files(hash)
	}
	if !plumbing.IsHash(hash) {
		return nil, fmt.Errorf("%q is not the hash of a commit", hash)
	}
	var files []dsl.File
	err := twice(func() (err error) {
		files, err = s.read(ctx, plumbing.NewHash(hash))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the flows at commit %.10s: %w", hash, err)
	}
	return files, nil
}

// twice tries again when an object was missing: a repack may have moved it while we looked.
func twice(f func() error) error {
	err := f()
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		err = f()
	}
	return err
}

// folder is the git folder that commits are read from.
func (s *Source) folder() string {
	if s.remote != nil {
		return s.remote.mirror
	}
	return s.local
}

// localPath returns the path that a path or file URL names.
func localPath(repo string) string {
	if u, err := url.Parse(repo); err == nil && u.Scheme == "file" {
		return filepath.FromSlash(u.Path)
	}
	return repo
}

// redact returns a repository's name for messages.
func redact(repo string) string {
	if u, err := url.Parse(repo); err == nil {
		return u.Redacted()
	}
	return repo[strings.LastIndex(repo, "@")+1:]
}

// gitFolder finds the folder with the objects and refs of the repository at a path: a bare repository itself, its .git, or what
// that names when it is a file (a linked work tree, a submodule).
func gitFolder(repo string) (string, error) {
	repo, err := filepath.Abs(repo)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(repo, ".git")
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		dir = repo
	case err != nil:
		return "", fmt.Errorf("open the repository %s: %w", repo, err)
	case !info.IsDir():
		text, err := os.ReadFile(dir)
		if err != nil {
			return "", fmt.Errorf("open the repository %s: %w", repo, err)
		}
		target := strings.TrimSpace(strings.TrimPrefix(string(text), "gitdir:"))
		if !filepath.IsAbs(target) {
			target = filepath.Join(repo, target)
		}
		dir = target
	}
	if common, err := os.ReadFile(filepath.Join(dir, "commondir")); err == nil {
		target := strings.TrimSpace(string(common))
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		dir = target
	}
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err != nil {
		return "", fmt.Errorf("%s is not a git repository: run `git init` there, name another with --repo, or serve the folder as it is with --worktree", repo)
	}
	return dir, nil
}
