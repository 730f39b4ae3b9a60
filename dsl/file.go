package dsl

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// SettingsFile marks the flows root and holds its defaults.
const SettingsFile = "flowctl.yaml"

// IgnoreFile is the file in the flows root that lists files that are not part of the flows.
const IgnoreFile = ".flowctlignore"

// File is one file of a flows repository: a document or a script that a task names.
type File struct {
	Path string // slash-separated, relative to the flows root
	Mode uint32 // 0644, 0755, or 0120000 for a symbolic link, whose Data is its target
	Data []byte // must not change after Compile has seen it
}

// ErrNoRoot is returned by FindRoot when no enclosing folder has a flowctl.yaml.
var ErrNoRoot = errors.New("no " + SettingsFile + " in this folder or any above it")

// FindRoot returns the flows root that a path lies in: the nearest folder, upwards from it, that holds flowctl.yaml.
func FindRoot(start string) (string, error) {
	dir, err := filepath.Abs(start)
	if err != nil {
		return "", fmt.Errorf("find the flows root: %w", err)
	}
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("find the flows root: %w", err)
	}
	for {
		if info, err := os.Stat(filepath.Join(dir, SettingsFile)); err == nil && !info.IsDir() {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find the flows root of %s: %w", start, ErrNoRoot)
		}
		dir = parent
	}
}

// ReadDir reads a flows root from disk: every file, in order of path, but hidden folders and what .flowctlignore names. Symbolic links are
// returned as such and not followed.
func ReadDir(root string) ([]File, error) {
	root, err := filepath.EvalSymlinks(root) // the walk follows none, not even its root
	if err != nil {
		return nil, fmt.Errorf("read the flows root: %w", err)
	}
	ignore, err := readIgnore(root)
	if err != nil {
		return nil, err
	}
	var files []File
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == root {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case ignore.skips(rel, entry.IsDir()):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.Type().IsRegular():
			files = append(files, File{Path: rel})
		case entry.Type()&fs.ModeSymlink != 0:
			files = append(files, File{Path: rel, Mode: modeSymlink})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the flows root: %w", err)
	}
	failures := make([]error, len(files))
	parallel(len(files), func(i int) {
		err := files[i].read(root)
		if errors.Is(err, fs.ErrNotExist) { // removed since the walk
			files[i].Path, err = "", nil
		}
		failures[i] = err
	})
	if err := errors.Join(failures...); err != nil {
		return nil, fmt.Errorf("read the flows root: %w", err)
	}
	return slices.DeleteFunc(files, func(f File) bool { return f.Path == "" }), nil
}

const (
	modeSymlink    = 0o120000
	modeRegular    = 0o644
	modeExecutable = 0o755
)

// read fills in what the file system says of a file.
func (f *File) read(root string) error {
	name := filepath.Join(root, filepath.FromSlash(f.Path))
	if f.Mode == modeSymlink {
		target, err := os.Readlink(name)
		f.Data = []byte(target)
		return err
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	f.Mode = modeRegular
	if info.Mode()&0o100 != 0 {
		f.Mode = modeExecutable
	}
	f.Data = make([]byte, info.Size())
	n, err := io.ReadFull(file, f.Data)
	f.Data = f.Data[:n]
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // cut short meanwhile
		return nil
	}
	return err
}

// IsDocument tells whether a file is read as YAML.
func IsDocument(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// parallel calls do for 0 … n-1, on all cores, and returns when all are done.
func parallel(n int, do func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var done sync.WaitGroup
	for range workers {
		done.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	done.Wait()
}
