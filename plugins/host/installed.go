package host

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flowctl/plugins/sdk"
)

// ErrNotInstalled is wrapped by errors about plugins whose executable is nowhere.
var ErrNotInstalled = errors.New("install it first")

// Installed names the plugins that can be launched, as KIND-NAME, sorted: those of flowctl itself, and the executables in the plugin folder and
// on PATH.
func (h *Host) Installed() []string {
	found := h.Executables()
	for _, name := range h.options.Builtin {
		found[name] = h.options.Self
	}
	return slices.Sorted(maps.Keys(found))
}

// Executables returns the plugins of third parties that can be launched: their executables by KIND-NAME.
func (h *Host) Executables() map[string]string {
	found := map[string]string{}
	for _, dir := range append([]string{h.options.PluginDir}, filepath.SplitList(os.Getenv("PATH"))...) {
		if dir == "" {
			continue
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // PATH may name what is not there
		}
		for _, e := range entries {
			name, ok := strings.CutPrefix(e.Name(), "flowctl-")
			kind, short, _ := strings.Cut(name, "-")
			if !ok || !slices.Contains([]string{sdk.KindRunner, sdk.KindSensor, sdk.KindChannel}, kind) || !nameForm.MatchString(short) {
				continue
			}
			path := filepath.Join(dir, e.Name())
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && found[name] == "" {
				found[name] = path
			}
		}
	}
	maps.DeleteFunc(found, func(name, _ string) bool { return slices.Contains(h.options.Builtin, name) })
	return found
}
