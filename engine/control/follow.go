package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"flowctl/dsl"
	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/engine/core"
	"flowctl/engine/gitsync"
)

// Follower turns commits of the flows repository into revisions: it compiles each new one, stores it, and activates it
// unless it has errors. It is safe for concurrent use.
type Follower struct {
	Source *gitsync.Source
	Store  engine.Store
	Now    func() time.Time
	Log    *slog.Logger
	// Compiler compiles new commits. What is stored is compiled without what plugins say beside their schemas: it was good enough once.
	Compiler *dsl.Compiler

	mu   sync.Mutex      // one commit at a time
	seen engine.Revision // the newest, without files
}

// Open prepares a follower over what is stored.
func (f *Follower) Open(ctx context.Context) error {
	if f.Compiler == nil {
		f.Compiler = dsl.New()
	}
	newest, err := f.Store.Revisions(ctx, 0, 1)
	if err != nil {
		return fmt.Errorf("read the newest revision: %w", err)
	}
	if len(newest) > 0 {
		f.seen = newest[0]
	}
	return nil
}

// Run follows the repository until ctx ends. What goes wrong is logged and tried again at the next sign of a change.
func (f *Follower) Run(ctx context.Context, loop *Loop) {
	changed := f.Source.Watch(ctx)
	failed := 0
	for {
		if _, err := f.Sync(ctx, loop); err == nil {
			failed = 0
		} else if ctx.Err() == nil {
			f.Log.Error("the repository could not be followed", "err", err)
			if failed++; failed == failures {
				f.unreadable(ctx, loop, err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case _, ok := <-changed:
			if !ok {
				return
			}
		}
	}
}

// failures is how often in a row the repository cannot be followed before an event tells of it.
const failures = 3

func (f *Follower) unreadable(ctx context.Context, loop *Loop, why error) {
	e := engine.Event{Kind: flow.SyncFailed, Key: fmt.Sprintf("repository/%d", f.Now().Unix()), Detail: why.Error()}
	if err := loop.Post(ctx, core.Observed{Event: e}); err != nil {
		f.Log.Warn("an event could not be told", "event", e.Key, "err", err)
	}
}

// Sync brings the newest commit in and returns its revision, active or rejected. Its error is *engine.Error Unavailable when
// the repository cannot be read.
func (f *Follower) Sync(ctx context.Context, loop *Loop) (*engine.Revision, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	head, err := f.Source.Head(ctx)
	if err != nil {
		return nil, unfollowed(err)
	}
	if head.Hash == f.seen.Commit && (f.seen.Active || f.seen.Rejected) { // else a crash came between storing and activating
		seen := f.seen
		return &seen, nil
	}
	files, project, found, err := f.compile(ctx, head.Hash)
	if err != nil {
		return nil, err
	}
	row := engine.Revision{
		Commit: head.Hash, Author: head.Author, Subject: head.Subject, CommittedAt: head.When, SeenAt: f.Now(),
		Rejected: project == nil, Diagnostics: found, Files: storedFiles(files),
	}
	if project != nil {
		row.Hash = project.Hash
	}
	if row.ID, err = f.Store.PutRevision(ctx, loop.Term(), &row); err != nil {
		return nil, fmt.Errorf("store commit %.12s: %w", head.Hash, err)
	}
	if project == nil {
		f.Log.Warn("commit rejected; the last good revision stays active", "commit", head.Hash, "problems", len(found))
		if err := loop.Post(ctx, core.Observed{Event: rejection(&row)}); err != nil {
			return nil, err
		}
	} else if err := f.activate(ctx, loop, &row, project); err != nil {
		return nil, err
	}
	row.Files = nil
	f.seen = row
	return &row, nil
}

// rejection tells of a commit that does not compile.
func rejection(r *engine.Revision) engine.Event {
	return engine.Event{
		Kind: flow.SyncFailed, Key: r.Commit, Detail: fmt.Sprintf("commit %.12s of %s (%s) was rejected: %s", r.Commit, r.Author, r.Subject, firstError(r.Diagnostics)),
	}
}

// unfollowed tells those who asked why the repository cannot be read now: they may be able to mend it.
func unfollowed(err error) error {
	return engine.Errorf(engine.Unavailable, "the repository cannot be followed: %v", err)
}

// compile reads and compiles a commit. One without flows root is as wrong as one that does not compile: nothing but another commit
// mends it.
func (f *Follower) compile(ctx context.Context, hash string) ([]dsl.File, *flow.Project, []diag.Diagnostic, error) {
	files, err := f.Source.Files(ctx, hash)
	if errors.Is(err, gitsync.ErrNoFlows) {
		return nil, nil, []diag.Diagnostic{{File: dsl.SettingsFile, Rule: diag.Missing, Message: err.Error()}}, nil
	}
	if err != nil {
		return nil, nil, nil, unfollowed(err)
	}
	f.Compiler.Year = f.Now().Year()
	project, found := f.Compiler.Compile(files)
	return files, project, found, nil
}

// activate makes a stored revision active, first in the store and then in the machine.
func (f *Follower) activate(ctx context.Context, loop *Loop, row *engine.Revision, p *flow.Project) error {
	if err := f.Store.Activate(ctx, loop.Term(), row.ID, f.Now()); err != nil {
		return fmt.Errorf("activate revision %d: %w", row.ID, err)
	}
	rev := &core.Revision{ID: row.ID, Commit: row.Commit, Tree: treeHash(row.Files), Project: p}
	if _, err := loop.Do(ctx, core.Activated{Revision: rev}); err != nil {
		return err
	}
	row.Active = true
	f.Log.Info("revision active", "revision", row.ID, "commit", row.Commit, "flows", len(p.Flows))
	return nil
}

// Revision compiles a stored revision again.
func (f *Follower) Revision(ctx context.Context, id engine.RevisionID) (*core.Revision, error) {
	row, err := f.Store.Revision(ctx, id)
	if err != nil {
		return nil, err
	}
	stored, err := f.Store.Files(ctx, id)
	if err != nil {
		return nil, err
	}
	files := make([]dsl.File, len(stored))
	for i, s := range stored {
		data, err := f.Store.Blob(ctx, s.Hash)
		if err != nil {
			return nil, fmt.Errorf("file %s of revision %d: %w", s.Path, id, err)
		}
		files[i] = dsl.File{Path: s.Path, Mode: s.Mode, Data: data}
	}
	project, found := dsl.New().Compile(files)
	if project == nil {
		return nil, fmt.Errorf("revision %d (commit %.12s) does not compile with this version: %s", id, row.Commit, firstError(found))
	}
	return &core.Revision{ID: id, Commit: row.Commit, Tree: treeHash(stored), Project: project}, nil
}

func firstError(found []diag.Diagnostic) string {
	for _, d := range found {
		if d.Severity == diag.Error {
			return fmt.Sprintf("%s:%d:%d: %s [%s]", d.File, d.Line, d.Col, d.Message, d.Rule)
		}
	}
	return "no error was reported"
}

func storedFiles(files []dsl.File) []engine.File {
	stored := make([]engine.File, len(files))
	for i, f := range files {
		sum := sha256.Sum256(f.Data)
		stored[i] = engine.File{
			Path: f.Path, Mode: f.Mode, Hash: hex.EncodeToString(sum[:]), Size: int64(len(f.Data)), Data: f.Data,
		}
	}
	return stored
}

// treeHash names the content of a revision: agents cache trees by it.
func treeHash(files []engine.File) string {
	h := sha256.New()
	for _, f := range slices.SortedFunc(slices.Values(files), func(a, b engine.File) int { return strings.Compare(a.Path, b.Path) }) {
		fmt.Fprintf(h, "%o %s %s\n", f.Mode, f.Hash, f.Path)
	}
	return hex.EncodeToString(h.Sum(nil))
}
