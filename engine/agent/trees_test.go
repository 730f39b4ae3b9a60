package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flowctl/engine"
	"flowctl/engine/wire"
)

// treeRig is a rig with a connected agent whose attempts end at once.
func treeRig(t *testing.T) (*rig, *Agent) {
	t.Helper()
	r := newRig(t)
	a, _ := r.connected("one")
	return r, a
}

// inTree assigns an attempt in a revision and returns its working directory, or why it was refused.
func (r *rig) inTree(id engine.AttemptID, rev engine.RevisionID) (dir, refusal string) {
	r.t.Helper()
	as := assignment(id)
	as.Revision, as.Tree, as.Folder = rev, fmt.Sprintf("tree%d", rev), ""
	r.hub.Assign("one", []*engine.Assignment{as})
	if rep := next[engine.Report](r.t, r.events); rep.Kind == engine.ReportRefused {
		return "", rep.Message
	}
	p := r.started()
	p.exit(success)
	nextReport(r.t, r.events, id, engine.ReportFinished)
	return p.spec.Dir, ""
}

func TestTreeHasModesAndLinks(t *testing.T) {
	t.Parallel()
	r, _ := treeRig(t)
	r.store.put(2, "a/run.sh", 0o755, "#!/bin/sh\n")
	r.store.put(2, "a/data", 0o644, "")
	r.store.put(2, "b/link", 0o120000, "../a/run.sh")
	r.store.put(2, "b/dangling", 0o120000, "nowhere")
	r.store.put(2, "big", 0o644, strings.Repeat("0123456789", 100_000)) // some parts of a blob
	dir, refusal := r.inTree(1, 2)
	if refusal != "" {
		t.Fatal(refusal)
	}
	for path, mode := range map[string]os.FileMode{"a/run.sh": 0o755, "a/data": 0o644, "b/link": 0o755, "big": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if target, err := os.Readlink(filepath.Join(dir, "b/link")); err != nil || target != "../a/run.sh" {
		t.Errorf("link to %q, %v", target, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "big")); err != nil || info.Size() != 1_000_000 {
		t.Errorf("big: %v, %v", info, err)
	}
}

func TestTreeThatLeadsOutIsRefused(t *testing.T) {
	t.Parallel()
	r, a := treeRig(t)
	r.store.put(2, "link", 0o120000, "/etc/passwd")
	r.store.put(3, "a/link", 0o120000, "../../secret")
	r.store.put(4, "here", 0o120000, ".") // the words of the next stay inside, its way does not
	r.store.put(4, "link", 0o120000, "here/../x")
	r.store.put(5, "../escape", 0o644, "x")
	r.store.put(6, "/abs", 0o644, "x")
	for rev := engine.RevisionID(2); rev <= 6; rev++ {
		if dir, refusal := r.inTree(engine.AttemptID(rev), rev); refusal == "" {
			t.Errorf("revision %d was materialised in %s", rev, dir)
		}
	}
	if left, err := os.ReadDir(filepath.Join(a.opts.Dir, "trees")); err != nil || len(left) != 0 {
		t.Errorf("trees holds %v, %v", left, err)
	}
}

func TestTreeIsFetchedOnceAndBlobsAreShared(t *testing.T) {
	t.Parallel()
	r, _ := treeRig(t)
	r.store.put(2, "same", 0o644, "the same in both")
	r.store.put(2, "old", 0o644, "old")
	r.store.put(3, "same", 0o644, "the same in both")
	r.store.put(3, "new", 0o644, "new")
	var as []*engine.Assignment
	for id := range engine.AttemptID(50) {
		a := assignment(id + 1)
		a.Revision, a.Tree, a.Folder = 2, "tree2", ""
		as = append(as, a)
	}
	r.hub.Assign("one", as)
	for range as {
		r.started()
	}
	if r.store.reads != 2 {
		t.Errorf("%d blobs were sent for 2 files", r.store.reads)
	}
	as[0].Attempt, as[0].Revision, as[0].Tree = 100, 3, "tree3"
	r.hub.Assign("one", as[:1])
	r.started()
	if r.store.reads != 3 {
		t.Errorf("%d blobs were sent for 3 contents", r.store.reads)
	}
}

func TestDamagedBlobIsFetchedAgain(t *testing.T) {
	t.Parallel()
	r, a := treeRig(t)
	r.store.put(2, "f", 0o644, "content")
	r.store.put(3, "f", 0o644, "content")
	if _, refusal := r.inTree(1, 2); refusal != "" {
		t.Fatal(refusal)
	}
	blob := filepath.Join(a.opts.Dir, "blobs", r.store.files[2][0].Hash)
	if err := os.WriteFile(blob, []byte("c"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, refusal := r.inTree(2, 3)
	if refusal != "" {
		t.Fatal(refusal)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "f")); string(data) != "content" {
		t.Errorf("f is %q, %v", data, err)
	}
}

func TestMissingBlobIsRefused(t *testing.T) {
	t.Parallel()
	r, _ := treeRig(t)
	r.store.put(2, "f", 0o644, "content")
	clear(r.store.blobs)
	if _, refusal := r.inTree(1, 2); !strings.Contains(refusal, "no such blob") {
		t.Errorf("refused because %q", refusal)
	}
	r.store.put(2, "g", 0o644, "content") // the store has it again
	if _, refusal := r.inTree(1, 2); refusal != "" {
		t.Errorf("refused because %q", refusal)
	}
}

func TestOldTreesAreRemoved(t *testing.T) {
	t.Parallel()
	r, a := treeRig(t)
	const n = keepTrees + 4
	for rev := engine.RevisionID(2); rev < 2+n; rev++ {
		r.store.put(rev, "f", 0o644, fmt.Sprint("content of ", rev))
	}
	held := assignment(1) // runs all the time
	held.Revision, held.Tree, held.Folder = 2, "tree2", ""
	r.hub.Assign("one", []*engine.Assignment{held})
	p := r.started()
	nextReport(t, r.events, 1, engine.ReportStarted)
	for rev := engine.RevisionID(3); rev < 2+n; rev++ {
		if _, refusal := r.inTree(engine.AttemptID(rev), rev); refusal != "" {
			t.Fatal(refusal)
		}
	}
	if _, err := os.Stat(filepath.Join(p.spec.Dir, "f")); err != nil {
		t.Errorf("the tree of a running attempt is gone: %v", err)
	}
	// The newest one, the idle ones that are kept, and the one in use.
	for _, sub := range []string{"trees", "blobs"} {
		left, err := os.ReadDir(filepath.Join(a.opts.Dir, sub))
		if err != nil || len(left) > keepTrees+2 || len(left) < keepTrees {
			t.Errorf("%s holds %d, %v", sub, len(left), err)
		}
	}
}

// TestWhatIsIdleForAWeekIsRemoved lets days pass over a tree in use, an idle one, and one that was used in between.
func TestWhatIsIdleForAWeekIsRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "blobs"), 0o700); err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"used", "idle", "between"} {
			if err := os.MkdirAll(filepath.Join(dir, "trees", name, treeRoot), 0o700); err != nil {
				t.Fatal(err)
			}
			hash := fmt.Sprintf("%064x", i)
			manifest := &wire.TreePart{Files: []*wire.File{{Path: "f", Hash: hash}}}
			if err := writeMessage(filepath.Join(dir, "trees", name, treeManifest), manifest); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "blobs", hash), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "boot"), []byte("this"), 0o600); err != nil {
			t.Fatal(err)
		}
		trees, err := openTrees(dir, "this", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go trees.clean(ctx, quiet())
		trees.keep("used")
		left := func() int {
			synctest.Wait()
			trees.mu.Lock()
			defer trees.mu.Unlock()
			blobs, err := os.ReadDir(filepath.Join(dir, "blobs"))
			if err != nil {
				t.Fatal(err)
			}
			return len(trees.known)*10 + len(blobs)
		}
		time.Sleep(5 * 24 * time.Hour)
		trees.keep("between")
		trees.release("between")
		if got := left(); got != 33 {
			t.Fatalf("after five days: %d", got)
		}
		time.Sleep(4 * 24 * time.Hour)
		if got := left(); got != 22 {
			t.Fatalf("after nine days: %d trees and blobs, want two of each", got)
		}
		time.Sleep(30 * 24 * time.Hour)
		if got := left(); got != 11 || !trees.keep("used") {
			t.Fatalf("after weeks: %d", got)
		}
	})
}

func TestUntilCleaning(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]time.Duration{
		"2026-11-19T02:09:00Z": time.Minute, "2026-11-19T02:10:00Z": 24 * time.Hour, "2026-12-31T23:10:00Z": 3 * time.Hour,
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := untilCleaning(now); got != want {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	}
}

func TestTreesOfAnotherBootAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "trees", "tree1", treeRoot), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "trees", ".new-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "boot"), []byte("this"), 0o600); err != nil {
		t.Fatal(err)
	}
	trees, err := openTrees(dir, "this", time.Now)
	if err != nil || !trees.keep("tree1") {
		t.Errorf("the tree of this boot is gone, %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "trees")); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	if trees, err = openTrees(dir, "next", time.Now); err != nil || trees.keep("tree1") {
		t.Errorf("the tree of another boot is there, %v", err)
	}
}
