package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"google.golang.org/protobuf/proto"

	"flowctl/dsl"
	"flowctl/engine/wire"
)

const (
	// keepTrees is how many trees that no attempt uses stay for the next one.
	keepTrees = 5
	// keepIdle is how long they stay (R23).
	keepIdle = 7 * 24 * time.Hour
)

// The parts of a tree's folder.
const (
	treeRoot     = "root"     // what attempts see
	treeManifest = "manifest" // wire.TreePart; tells which blobs the tree is made of
)

// trees holds the files of revisions. A tree appears whole, by a rename, and is never changed by the agent after it.
type trees struct {
	dir    string // of the trees
	now    func() time.Time
	blobs  *blobs
	flight singleflight.Group
	making sync.Mutex // one tree at a time: a sweep must not remove the blobs of the next

	mu    sync.Mutex
	uses  uint64
	known map[string]*tree
}

// tree is one that is on disk, or that an attempt has claimed.
type tree struct {
	users   int
	lastUse uint64    // counts uses, so that the oldest can go
	idle    time.Time // since then it has no users
	ready   bool
	lock    []dsl.LockedPlugin // its plugins.lock; nil: not read yet
}

// openTrees finds the trees in the agent's folder. Trees of another boot are removed: nothing is synced when one is made,
// so a power loss may have emptied some of their files. (Blobs are checked by their hash whenever they are read.)
func openTrees(dir, boot string, now func() time.Time) (*trees, error) {
	t := &trees{dir: filepath.Join(dir, "trees"), now: now, blobs: &blobs{filepath.Join(dir, "blobs")}, known: map[string]*tree{}}
	bootFile := filepath.Join(dir, "boot")
	if last, err := os.ReadFile(bootFile); err != nil || string(last) != boot {
		if err := errors.Join(os.RemoveAll(t.dir), os.MkdirAll(t.dir, 0o700), os.WriteFile(bootFile, []byte(boot), 0o600)); err != nil {
			return nil, fmt.Errorf("remove the trees of another boot: %w", err)
		}
	}
	if err := t.takeBack("*"); err != nil { // they are made again from the trees
		return nil, fmt.Errorf("remove the trees of accounts: %w", err)
	}
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return nil, fmt.Errorf("look for trees: %w", err)
	}
	for _, e := range entries {
		if validName.MatchString(e.Name()) {
			t.known[e.Name()] = &tree{ready: true, idle: now()}
		} else if err := os.RemoveAll(filepath.Join(t.dir, e.Name())); err != nil { // half made or half removed
			return nil, fmt.Errorf("remove what is left of a tree: %w", err)
		}
	}
	return t, nil
}

// use returns the folder of a revision's tree, which it fetches when it is not there. The tree stays until release.
func (t *trees) use(ctx context.Context, client wire.AgentsClient, name string, revision int64) (string, error) {
	root := filepath.Join(t.dir, name, treeRoot)
	if t.keep(name) {
		return root, nil
	}
	// One fetch for all that want the tree over the same stream; a fetch ends with its stream.
	key := name + " " + fmt.Sprintf("%p", client)
	_, err, _ := t.flight.Do(key, func() (any, error) { return nil, t.make(ctx, client, revision, name) })
	if err != nil {
		t.release(name)
		return "", fmt.Errorf("get the files of revision %d: %w", revision, err)
	}
	return root, nil
}

// keep claims a tree until release, and tells whether it is there.
func (t *trees) keep(name string) (ready bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.known[name]
	if k == nil {
		k = &tree{}
		t.known[name] = k
	}
	t.uses++
	k.users++
	k.lastUse = t.uses
	return k.ready
}

// release gives up one claim.
func (t *trees) release(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.known[name]
	k.users--
	k.idle = t.now()
	if k.users == 0 && !k.ready {
		delete(t.known, name)
	}
}

// make fetches a tree, puts it in place, and removes those that are of no more use.
func (t *trees) make(ctx context.Context, client wire.AgentsClient, revision int64, name string) error {
	t.making.Lock()
	defer t.making.Unlock()
	t.mu.Lock()
	ready := t.known[name].ready
	t.mu.Unlock()
	if ready { // made between the caller's look and its flight
		return nil
	}
	manifest, err := fetchManifest(ctx, client, revision)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(t.dir, ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // nothing is left of it when all went well
	if err := t.blobs.fetch(ctx, client, manifest); err != nil {
		return err
	}
	if err := t.materialise(tmp, manifest); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(t.dir, name)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	t.mu.Lock()
	t.known[name].ready = true
	t.mu.Unlock()
	return t.sweep()
}

func fetchManifest(ctx context.Context, client wire.AgentsClient, revision int64) (*wire.TreePart, error) {
	stream, err := client.Tree(ctx, &wire.TreeRequest{Revision: revision})
	if err != nil {
		return nil, err
	}
	all := new(wire.TreePart)
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all.Files = append(all.Files, part.Files...)
	}
}

// materialise writes the files below dir/root. Paths and links cannot lead out of it: os.Root refuses.
func (t *trees) materialise(dir string, manifest *wire.TreePart) error {
	if err := os.Mkdir(filepath.Join(dir, treeRoot), 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(filepath.Join(dir, treeRoot))
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // it only holds the folder
	for _, f := range manifest.Files {
		if err := t.place(root, f); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	for _, f := range manifest.Files {
		if f.Mode != modeLink {
			continue
		}
		if _, err := root.Stat(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is a link that leads out of the flows root: %w", f.Path, err)
		}
	}
	data, err := proto.Marshal(manifest)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, treeManifest), data, 0o600)
}

// modeLink marks a symbolic link, as git writes it.
const modeLink = 0o120000

func (t *trees) place(root *os.Root, f *wire.File) error {
	path := filepath.FromSlash(f.Path)
	if err := root.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	data, err := t.blobs.read(f.Hash)
	if err != nil {
		return err
	}
	if f.Mode == modeLink {
		target := string(data)
		if filepath.IsAbs(target) || !filepath.IsLocal(filepath.Join(filepath.Dir(path), target)) {
			return fmt.Errorf("the link leads out of the flows root, to %s", strconv.Quote(clip(target)))
		}
		return root.Symlink(target, path)
	}
	mode := fs.FileMode(0o644)
	if f.Mode&0o111 != 0 {
		mode = 0o755
	}
	if err := root.WriteFile(path, data, mode); err != nil {
		return err
	}
	return root.Chmod(path, mode) // whatever the umask
}

// sweep removes the trees that are of no more use, and the blobs that only they had. A removed tree is renamed first, so that a
// crash leaves none that looks whole.
func (t *trees) sweep() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var idle []string
	for name, k := range t.known {
		if k.ready && k.users == 0 {
			idle = append(idle, name)
		}
	}
	slices.SortFunc(idle, func(x, y string) int { return int(t.known[y].lastUse) - int(t.known[x].lastUse) })
	keep := min(len(idle), keepTrees)
	for keep > 0 && t.now().Sub(t.known[idle[keep-1]].idle) > keepIdle {
		keep--
	}
	if keep == len(idle) {
		return nil
	}
	for _, name := range idle[keep:] {
		gone := filepath.Join(t.dir, ".gone-"+name)
		if err := errors.Join(os.Rename(filepath.Join(t.dir, name), gone), os.RemoveAll(gone), t.takeBack(name)); err != nil {
			return fmt.Errorf("remove an old tree: %w", err)
		}
		delete(t.known, name)
	}
	used, err := t.usedBlobs()
	if err != nil {
		return err
	}
	return t.blobs.retain(used)
}

// clean removes, once a day at cleaning, what has been of no use for long, until ctx ends.
func (t *trees) clean(ctx context.Context, log *slog.Logger) {
	for sleep(ctx, untilCleaning(t.now())) {
		t.making.Lock()
		err := t.sweep()
		t.making.Unlock()
		if err != nil {
			log.Warn("old files of flows were not removed", "error", err)
		}
	}
}

// cleaning is the time of day on the agent's clock (R23).
const cleaning = 2*time.Hour + 10*time.Minute

// untilCleaning returns how long it is until the next cleaning.
func untilCleaning(now time.Time) time.Duration {
	y, m, d := now.Date()
	at := time.Date(y, m, d, 0, 0, 0, 0, now.Location()).Add(cleaning)
	if !at.After(now) {
		at = time.Date(y, m, d+1, 0, 0, 0, 0, now.Location()).Add(cleaning)
	}
	return at.Sub(now)
}

// usedBlobs is called with mu held.
func (t *trees) usedBlobs() (map[string]bool, error) {
	used := map[string]bool{}
	for name, k := range t.known {
		if !k.ready {
			continue
		}
		manifest := new(wire.TreePart)
		if err := readMessage(filepath.Join(t.dir, name, treeManifest), manifest); err != nil {
			return nil, err
		}
		for _, f := range manifest.Files {
			used[f.Hash] = true
		}
	}
	return used, nil
}
