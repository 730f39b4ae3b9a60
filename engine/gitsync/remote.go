package gitsync

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/http"
	"github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/go-git/go-git/v5/storage"
	"github.com/go-git/go-git/v5/storage/memory"
)

// fetchTimeout is when a fetch is given up, so that a server that went silent does not end the following for good.
const fetchTimeout = 10 * time.Minute

// remote is a repository elsewhere with its mirror here.
type remote struct {
	opts   Options
	mirror string
	auth   transport.AuthMethod // nil = what the URL and the ssh agent give

	fetching sync.Mutex
}

func openRemote(o Options, e *transport.Endpoint) (*remote, error) {
	r := &remote{opts: o, mirror: o.Mirror}
	switch e.Protocol {
	case "http", "https":
		if token := os.Getenv("FLOWCTL_GIT_TOKEN"); token != "" && e.Password == "" {
			user := e.User
			if user == "" {
				user = "git" // GitHub and GitLab take any name with a token
			}
			r.auth = &http.BasicAuth{Username: user, Password: token}
		}
	case "ssh":
		if key := os.Getenv("FLOWCTL_GIT_SSH_KEY"); key != "" {
			user := e.User
			if user == "" {
				user = "git"
			}
			auth, err := ssh.NewPublicKeysFromFile(user, key, "")
			if err != nil {
				return nil, fmt.Errorf("read the ssh key FLOWCTL_GIT_SSH_KEY=%s: %w", key, err)
			}
			r.auth = auth
		}
	}
	return r, nil
}

// fetch brings the branch of the mirror up to date. Only the newest commit is wanted; where a server cannot do that, or the mirror
// is damaged, the mirror is made anew with all history.
func (r *remote) fetch(ctx context.Context) error {
	r.fetching.Lock()
	defer r.fetching.Unlock()
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	err := r.try(ctx, 1)
	if err == nil || ctx.Err() != nil {
		return err
	}
	names, listErr := r.branches(ctx)
	switch {
	case errors.Is(listErr, transport.ErrEmptyRemoteRepository):
		return noBranch(r.opts, nil)
	case listErr != nil:
		return r.explain(listErr)
	}
	found := false
	for _, name := range names {
		found = found || name == r.opts.Branch
	}
	if !found {
		return noBranch(r.opts, names)
	}
	r.opts.Log.Info("mirror the repository with all its history", "repository", redact(r.opts.Repo), "because", err)
	if err := os.RemoveAll(r.mirror); err != nil {
		return fmt.Errorf("mirror the repository: %w", err)
	}
	return r.explain(r.try(ctx, 0))
}

// forget removes the mirror; the next fetch makes it anew.
func (r *remote) forget() error {
	r.fetching.Lock()
	defer r.fetching.Unlock()
	return os.RemoveAll(r.mirror)
}

// try fetches the newest commits, depth of them, or all when it is 0.
func (r *remote) try(ctx context.Context, depth int) error {
	repo, err := git.PlainOpen(r.mirror)
	if errors.Is(err, git.ErrRepositoryNotExists) {
		repo, err = git.PlainInit(r.mirror, true)
	}
	if err != nil {
		return fmt.Errorf("open the mirror %s: %w", r.mirror, err)
	}
	branch := plumbing.NewBranchReferenceName(r.opts.Branch)
	err = r.connect(repo.Storer).FetchContext(ctx, &git.FetchOptions{
		RefSpecs: []config.RefSpec{config.RefSpec(fmt.Sprintf("+%s:%s", branch, branch))},
		Depth:    depth, Auth: r.auth, Tags: git.NoTags, Force: true,
	})
	if errors.Is(err, git.NoErrAlreadyUpToDate) {
		return nil
	}
	return err
}

// connect names the remote for one operation; nothing of it, least of all a password, is written to the mirror.
func (r *remote) connect(into storage.Storer) *git.Remote {
	return git.NewRemote(into, &config.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{r.opts.Repo}})
}

func (r *remote) branches(ctx context.Context) ([]string, error) {
	refs, err := r.connect(memory.NewStorage()).ListContext(ctx, &git.ListOptions{Auth: r.auth})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, ref := range refs {
		if ref.Name().IsBranch() {
			names = append(names, ref.Name().Short())
		}
	}
	return names, nil
}

// explain says what to do about an error of the transport.
func (r *remote) explain(err error) error {
	repo := redact(r.opts.Repo)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed), errors.Is(err, transport.ErrInvalidAuthMethod),
		strings.Contains(err.Error(), "ssh: unable to authenticate"), strings.Contains(err.Error(), "SSH_AUTH_SOCK"):
		return fmt.Errorf("the repository %s refused us: set FLOWCTL_GIT_TOKEN for https; for ssh FLOWCTL_GIT_SSH_KEY or an ssh agent: %w", repo, err)
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return fmt.Errorf("there is no repository %s, or we may not know of it: check --repo and the credentials: %w", repo, err)
	}
	return fmt.Errorf("fetch from %s: %w", repo, err)
}
