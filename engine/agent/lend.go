package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"flowctl/plugins/account"
)

// lend returns the folder in which an account sees a tree that was claimed: the same files, which belong to the agent, below a folder that only the
// account can enter.
func (t *trees) lend(name string, who *account.User, dir string) (string, error) {
	shown := filepath.Join(dir, "trees", name)
	t.making.Lock()
	defer t.making.Unlock()
	if _, err := os.Lstat(shown); err == nil {
		return shown, nil
	}
	tmp, err := os.MkdirTemp(filepath.Join(dir, "trees"), ".new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // nothing is left of it when all went well
	if err := linkTree(filepath.Join(t.dir, name, treeRoot), tmp); err != nil {
		return "", err
	}
	if err := who.Show(tmp); err != nil {
		return "", err
	}
	return shown, os.Rename(tmp, shown)
}

// linkTree makes the folders of a tree anew and links its files.
func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == from {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		at := filepath.Join(to, rel)
		switch {
		case e.IsDir():
			return errors.Join(os.Mkdir(at, 0o755), os.Chmod(at, 0o755))
		case e.Type() == fs.ModeSymlink:
			target, err := os.Readlink(path)
			return errors.Join(err, os.Symlink(target, at))
		}
		return os.Link(path, at)
	})
}

// lent lists the folders in which accounts see a tree, or all of them when the name is *.
func (t *trees) lent(name string) []string {
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(t.dir), "accounts", "*", "trees", name)) // the pattern is well-formed
	return found
}

// takeBack removes the folders in which accounts see a tree.
func (t *trees) takeBack(name string) error {
	var errs []error
	for _, dir := range t.lent(name) {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}
