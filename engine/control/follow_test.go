package control

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"

	"flowctl/engine"
	"flowctl/engine/core"
	"flowctl/engine/gitsync"
)

// commits is a fixture whose flows are those of a git repository's main branch.
type commits struct {
	*fixture
	repo *git.Repository
}

func newCommits(t *testing.T) *commits {
	c := &commits{fixture: newFixture(t)}
	var err error
	options := &git.PlainInitOptions{InitOptions: git.InitOptions{DefaultBranch: "refs/heads/main"}}
	c.repo, err = git.PlainInitWithOptions(c.folder(), options)
	c.must(err)
	c.commit("first")
	c.reopen(c.fixture.store)
	return c
}

func (c *commits) folder() string { return filepath.Join(c.dir, "flows") }

// commit commits all that the folder holds and returns the hash.
func (c *commits) commit(subject string) string {
	c.t.Helper()
	w, err := c.repo.Worktree()
	c.must(err)
	c.must(w.AddWithOptions(&git.AddOptions{All: true}))
	hash, err := w.Commit(subject, &git.CommitOptions{Author: &object.Signature{Name: "Ann", Email: "ann@example.com", When: c.clock()}})
	c.must(err)
	return hash.String()
}

// reopen makes a follower that knows what is stored, as a restart does.
func (c *commits) reopen(store engine.Store) {
	c.t.Helper()
	source, err := gitsync.Open(c.t.Context(), gitsync.Options{Repo: c.folder()})
	c.must(err)
	c.service.Follower = &Follower{Source: source, Store: store, Now: c.clock, Log: slog.New(slog.DiscardHandler)}
	c.must(c.service.Follower.Open(c.t.Context()))
}

// revisions lists number and state of all, newest first.
func (c *commits) revisions() []engine.RevisionView {
	c.t.Helper()
	l, err := c.service.Revisions(c.t.Context(), engine.Page{})
	c.must(err)
	return l.Items
}

func TestABrokenCommitKeepsTheLastGoodOne(t *testing.T) {
	t.Parallel()
	c := newCommits(t)
	c.start()
	t.Cleanup(c.end)
	first := c.sync("active")
	if again := c.sync("active"); again.ID != first.ID || again.Flows != 1 || again.Subject != "first" || again.Author != "Ann <ann@example.com>" {
		t.Fatalf("the same commit again: %+v", again)
	}

	c.write("shop.yaml", strings.Replace(shop, "needs: [a]", "needs: [c]", 1))
	hash := c.commit("broken")
	broken := c.sync("rejected")
	if broken.Commit != hash || len(broken.Diagnostics) != 1 || broken.Diagnostics[0].Rule != "unknown-task" || broken.Diagnostics[0].Line != 6 {
		t.Fatalf("rejected: %+v", broken)
	}
	if again := c.sync("rejected"); again.ID != broken.ID || len(again.Diagnostics) != 1 {
		t.Fatalf("the same commit again: %+v", again)
	}
	if f, err := c.service.Flow(t.Context(), "shop"); err != nil || len(f.Tasks) != 2 {
		t.Fatalf("the last good flows are gone: %v %v", f, err)
	}

	c.write("shop.yaml", shop+"  d: {run: 'true'}\n")
	c.commit("mended")
	c.sync("active")
	var states []string
	for _, r := range c.revisions() {
		states = append(states, r.Subject+" "+r.State)
	}
	if got := strings.Join(states, ", "); got != "mended active, broken rejected, first superseded" {
		t.Fatal(got)
	}
	if found := c.revisions()[1].Diagnostics; len(found) != 1 || found[0].File != "shop.yaml" {
		t.Fatalf("the list forgot the diagnostics: %v", found)
	}
	if f, err := c.service.Flow(t.Context(), "shop"); err != nil || len(f.Tasks) != 3 {
		t.Fatalf("%v %v", f, err)
	}
}

func TestACommitWithoutFlowsRootIsRejectedOnce(t *testing.T) {
	t.Parallel()
	c := newCommits(t)
	c.start()
	t.Cleanup(c.end)
	c.sync("active")
	c.must(os.Rename(filepath.Join(c.folder(), "flowctl.yaml"), filepath.Join(c.folder(), "other.yaml")))
	c.commit("lost")
	v := c.sync("rejected")
	if len(v.Diagnostics) != 1 || v.Diagnostics[0].Rule != "missing" || v.Diagnostics[0].File != "flowctl.yaml" {
		t.Fatalf("diagnostics %v", v.Diagnostics)
	}
	if again := c.sync("rejected"); again.ID != v.ID {
		t.Fatal("the commit was stored twice")
	}
	c.reopen(c.store)
	if again := c.sync("rejected"); again.ID != v.ID || len(c.revisions()) != 2 {
		t.Fatal("the commit was stored again after a restart")
	}
}

func TestARepositoryThatIsGoneIsNamed(t *testing.T) {
	t.Parallel()
	c := newCommits(t)
	c.start()
	t.Cleanup(c.end)
	c.sync("active")
	c.must(os.RemoveAll(c.folder()))
	_, err := c.service.Sync(t.Context())
	c.wantError(err, engine.Unavailable, "cannot be followed")
}

// crashing is a store that fails to activate a revision, as a server does that dies before.
type crashing struct{ engine.Store }

var errCrash = errors.New("crash")

func (crashing) Activate(context.Context, int64, engine.RevisionID, time.Time) error { return errCrash }

func TestACrashBeforeActivationIsRepaired(t *testing.T) {
	t.Parallel()
	c := newCommits(t)
	c.start()
	t.Cleanup(func() { c.end() })
	c.sync("active")
	c.write("shop.yaml", shop+"  d: {run: 'true'}\n")
	hash := c.commit("second")
	c.reopen(crashing{c.store})
	if _, err := c.service.Sync(t.Context()); !errors.Is(err, errCrash) {
		t.Fatalf("error %v", err)
	}
	if rs := c.revisions(); len(rs) != 2 || rs[0].Commit != hash || rs[0].State == "active" || rs[1].State != "active" {
		t.Fatalf("after the crash: %+v", rs)
	}
	c.end()
	c.reopen(c.store)
	c.start()
	if v := c.sync("active"); v.Commit != hash {
		t.Fatalf("synced %+v", v)
	}
	if rs := c.revisions(); rs[0].Commit != hash || rs[0].State != "active" || rs[len(rs)-1].State != "superseded" {
		t.Fatalf("after the repair: %+v", rs)
	}
	if f, err := c.service.Flow(t.Context(), "shop"); err != nil || len(f.Tasks) != 3 {
		t.Fatalf("%v %v", f, err)
	}
}

// TestARestartNeedsNoRepository: revisions that runs follow are compiled again from the store alone.
func TestARestartNeedsNoRepository(t *testing.T) {
	t.Parallel()
	c := newCommits(t)
	c.start()
	t.Cleanup(func() { c.end() })
	c.sync("active")
	c.join()
	run, err := c.service.StartRun(t.Context(), engine.StartRun{Target: "shop@2026-11-10"})
	c.must(err)
	c.executed()
	c.write("shop.yaml", strings.ReplaceAll(shop, "b:", "z:"))
	c.commit("second")
	c.sync("active")
	c.end()
	c.must(os.RemoveAll(c.folder()))

	c.start()
	c.join()
	c.drain()
	d, err := c.service.Run(t.Context(), run.ID)
	c.must(err)
	if d.State != engine.RunSucceeded || len(d.Tasks) != 2 || d.Tasks[1].Task != "b" || d.Revision != 1 {
		t.Fatalf("the run that the first revision began: %+v", d)
	}
	if f, err := c.service.Flow(t.Context(), "shop"); err != nil || f.Tasks[1] != "z" {
		t.Fatalf("the active revision: %+v %v", f, err)
	}
}

func TestFollowingSeesCommits(t *testing.T) {
	t.Parallel()
	c := newCommits(t)
	c.start()
	t.Cleanup(c.end)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.service.Follower.Run(ctx, c.loop) }()
	tasks := func() (n int) {
		c.must(c.loop.Query(t.Context(), func(m *core.Machine) {
			if rev := m.Active(); rev != nil {
				n = len(rev.Project.Flows[0].Tasks)
			}
		}))
		return n
	}
	for tasks() != 2 { // the file system tells of a commit, nothing of its activation
		time.Sleep(time.Millisecond)
	}
	c.write("shop.yaml", shop+"  d: {run: 'true'}\n")
	c.commit("second")
	for tasks() != 3 {
		time.Sleep(time.Millisecond)
	}
	stop()
	<-ended
}
