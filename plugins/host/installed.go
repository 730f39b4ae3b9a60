package host

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flowctl/plugins/sdk"
)

// Installed names the plugins that can be launched, as KIND-NAME, sorted: those of flowctl itself, and the executables in the plugin folder and
// on PATH.
func (h *Host) Installed() []string {
	found := map[string]bool{}
	for _, name := range h.options.Builtin {
		found[name] = true
	}
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
			if !ok || kind != sdk.KindRunner && kind != sdk.KindSensor || !nameForm.MatchString(short) {
				continue
			}
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				found[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}
