package keeper

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Clear removes what is in a folder, also what lies in folders that their owner has closed to himself.
func Clear(dir string) error {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if path != dir && err == nil && e.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	})
	entries, err2 := os.ReadDir(dir)
	errs := []error{err, err2}
	for _, e := range entries {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return errors.Join(errs...)
}
