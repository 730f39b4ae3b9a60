package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"flowctl/plugins/account"
	"flowctl/plugins/keeper"
	"flowctl/plugins/sdk"
)

// Found is a plugin of a third party as it describes itself.
type Found struct {
	sdk.Description
	Path   string
	SHA256 string // of the executable
}

// Inspect launches a plugin of a third party, whatever it is, and returns what it says of itself. It is for who means to lock it.
func (h *Host) Inspect(ctx context.Context, kind, name string) (Found, error) {
	c, err := h.command(kind, name)
	if err != nil {
		return Found{}, err
	}
	if !c.foreign {
		return Found{}, fmt.Errorf("the %s %s comes with flowctl", kind, name)
	}
	sum, err := Sum(c.path)
	if err != nil {
		return Found{}, err
	}
	p, err := h.process(ctx, kind, name, "", []string{sum})
	if err != nil {
		return Found{}, err
	}
	return Found{p.Describe(), c.path, sum}, nil
}

// Sum returns the SHA-256 of a file, as plugins.lock has it.
func Sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// stamp tells whether a file was changed without reading it.
type stamp struct {
	path         string
	device       uint64
	inode        uint64
	size         int64
	wrote, moved unix.Timespec
}

// summed is the SHA-256 of a file as it was at a stamp.
type summed struct {
	stamp stamp
	sum   string
}

// of returns the SHA-256 of a file, which is read only if it is another than the last time.
func (s *summed) of(path string) (string, error) {
	var info unix.Stat_t
	if err := unix.Stat(path, &info); err != nil {
		return "", fmt.Errorf("look at %s: %w", path, err)
	}
	now := stamp{path, uint64(info.Dev), info.Ino, info.Size, info.Mtim, info.Ctim} //nolint:unconvert // Dev is an int32 on macOS
	if s.stamp == now {
		return s.sum, nil
	}
	sum, err := Sum(path)
	if err != nil {
		return "", err
	}
	*s = summed{now, sum} // the stamp is older than the sum: a change meanwhile shows the next time
	return sum, nil
}

// pinPrefix begins the name that a third party's binary has in the address cards of its processes.
const pinPrefix = "sha256:"

// pinned tells whether a process was launched from one of the executables.
func pinned(card keeper.Reattach, pins []string) bool {
	sum, ok := strings.CutPrefix(card.Binary, pinPrefix)
	return ok && slices.Contains(pins, sum)
}

// admit finds out which executable a third party's plugin is, and refuses one that is not pinned.
func (e *entry) admit(c *command, pins []string) error {
	sum, err := e.summed.of(c.path)
	if err != nil {
		return err
	}
	c.sum, c.binary = sum, pinPrefix+sum
	switch {
	case len(pins) == 0:
		return fmt.Errorf("%s is not in plugins.lock: add it with `flowctl plugin lock`", c.path)
	case !slices.Contains(pins, sum):
		return fmt.Errorf("%s has the SHA-256 %s, but plugins.lock wants %s: install what is locked, or lock this one with `flowctl plugin lock`",
			c.path, sum, strings.Join(pins, " or "))
	}
	return nil
}

// holder returns a process that was launched from a pinned executable: one that still runs, or a new one of the copy that such a process left;
// nil: there is neither.
func (h *Host) holder(ctx context.Context, name, user string, pins []string) (*Process, error) {
	key := keyOf(sdk.KindRunner, name, user)
	e, err := h.entry(key)
	if err != nil {
		return nil, err
	}
	if err := e.take(ctx); err != nil {
		return nil, err
	}
	defer e.release()
	for _, p := range []*Process{e.current, e.former} {
		if p != nil && !p.isGone() && pinned(p.card, pins) {
			return p, nil
		}
	}
	dir := filepath.Join(h.options.Dir, key)
	numbers, err := processes(dir)
	if err != nil {
		return nil, err
	}
	left := command{kind: sdk.KindRunner, name: name, foreign: true}
	for _, n := range numbers {
		folder := filepath.Join(dir, strconv.Itoa(n))
		card, err := keeper.ReadReattach(folder)
		if err != nil || !pinned(card, pins) {
			continue
		}
		if e.former = h.reattach(ctx, folder, sdk.KindRunner+" plugin "+name); e.former != nil {
			return e.former, nil
		}
		if found, _ := filepath.Glob(filepath.Join(folder, copies, "flowctl-*")); len(found) == 1 && left.path == "" { // the pattern is valid
			left.path, left.args, left.binary, left.sum = found[0], found, card.Binary, strings.TrimPrefix(card.Binary, pinPrefix)
		}
	}
	if left.path == "" {
		return nil, nil
	}
	if user != "" {
		if left.account, err = account.Lookup(user); err != nil {
			return nil, err
		}
	}
	e.former, err = h.launch(ctx, filepath.Join(dir, strconv.Itoa(numbers[0]+1)), left)
	return e.former, err
}

// keptCopies is how many executables stay of which no process runs, for attempts whose end nobody has heard of.
const keptCopies = 3

// kept names the binaries whose copies stay.
type kept map[string]bool

// spare tells whether the copy of a dead process stays: the newest one of each binary, of a few.
func (k kept) spare(binary string) bool {
	if k[binary] || len(k) > keptCopies {
		return false
	}
	k[binary] = true
	return true
}

// copies is the folder, in that of a process, which holds the copy of a third party's executable.
const copies = "bin"

// copyTo copies a third party's executable into the folder of its process. The copy is what runs: nobody can change it between the look at its
// SHA-256 and its start, and the original can be replaced while it runs.
func (c *command) copyTo(dir string) error {
	from, err := os.Open(c.path)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	folder := filepath.Join(dir, copies)
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	path := filepath.Join(folder, filepath.Base(c.path))
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, hash), from)
	// The process may belong to another user, whatever the umask.
	if err = errors.Join(err, to.Close(), os.Chmod(folder, 0o755), os.Chmod(path, 0o755)); err != nil {
		return fmt.Errorf("copy %s: %w", c.path, err)
	}
	if hex.EncodeToString(hash.Sum(nil)) != c.sum {
		return fmt.Errorf("%s was changed while it was being launched", c.path)
	}
	c.args = append([]string{path}, c.args[1:]...)
	return nil
}
