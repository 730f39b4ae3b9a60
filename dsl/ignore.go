package dsl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Ignored reads an ignore file (nil when there is none) and returns a function that tells whether a file or folder, by its path
// relative to the flows root, is left out: hidden folders always, and what the patterns name. It looks at the path itself; who
// walks a tree does not descend into a folder that is left out.
func Ignored(patterns []byte) func(path string, dir bool) bool {
	return parseIgnore(patterns).skips
}

// ignoreList holds the patterns of a .flowctlignore.
type ignoreList []string

func readIgnore(root string) (ignoreList, error) {
	data, err := os.ReadFile(filepath.Join(root, IgnoreFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the flows root: %w", err)
	}
	return parseIgnore(data), nil
}

// parseIgnore reads one pattern a line, as path.Match knows them; # begins a comment. A pattern with a slash is matched from the flows
// root, one without in every folder; a folder that matches is left out with all it holds.
func parseIgnore(data []byte) (list ignoreList) {
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list
}

// skips tells whether a file or folder itself, not one above it, is left out.
func (l ignoreList) skips(rel string, dir bool) bool {
	base := path.Base(rel)
	if dir && strings.HasPrefix(base, ".") {
		return true
	}
	for _, pattern := range l {
		if strings.HasSuffix(pattern, "/") && !dir {
			continue
		}
		pattern = strings.TrimSuffix(pattern, "/")
		name := base
		if strings.Contains(pattern, "/") {
			name, pattern = rel, strings.TrimPrefix(pattern, "/")
		}
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// skipsPath tells whether a file is left out, itself or by a folder above it.
func (l ignoreList) skipsPath(rel string) bool {
	for i := range len(rel) {
		if rel[i] == '/' && l.skips(rel[:i], true) {
			return true
		}
	}
	return l.skips(rel, false)
}
