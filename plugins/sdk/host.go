package sdk

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Environ returns the environment of this process less flowctl's own settings and secrets, which are for this process only.
func Environ() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "FLOWCTL_") })
}

// ExpandHome resolves a leading ~/ to the home of the account that this process belongs to.
func ExpandHome(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	return filepath.Join(home, rest), nil
}
