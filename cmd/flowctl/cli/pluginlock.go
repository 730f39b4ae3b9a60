package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"flowctl/dsl"
	"flowctl/dsl/flow"
	"flowctl/plugins/host"
)

// What became of an entry of plugins.lock.
const (
	lockAdded     = "added"
	lockUpdated   = "updated"
	lockUnchanged = "unchanged"
	lockAbsent    = "not installed" // its executable is not here: the entry stays as it is
	lockFailed    = "failed"
)

// lockedItem is what `plugin lock` tells of one plugin.
type lockedItem struct {
	Kind    flow.PluginKind `json:"kind"`
	Name    string          `json:"name"`
	Version string          `json:"version,omitempty"`
	SHA256  string          `json:"sha256,omitempty"` // of the executable on this host
	Path    string          `json:"path,omitempty"`
	State   string          `json:"state"`
	Problem string          `json:"problem,omitempty"`
}

func newPluginLock(g *globals) *cobra.Command {
	var plugins string
	var names []string
	var check, replace bool
	cmd := &cobra.Command{
		Use:   "lock [PATH]",
		Short: "Write plugins.lock: which executables the third-party plugins of the flows may be",
		Long: `Launches each third-party plugin that the flows root at PATH uses, asks it for its version and the JSON schema of its settings, and
writes both into plugins.lock with the SHA-256 of its executable. Agents and servers run no other executable, and validate checks settings against
the schema without running anything.

The same version on another platform has another executable: lock it there, too, and its SHA-256 is added. Another version replaces what
was locked. Entries of plugins that are not installed here stay as they are. Sensors are named with --plugin, because flows name only
paths.

What a plugin loads at run time, such as the libraries of a script, is not locked.

Exit codes: 0 ok, 1 a plugin could not be locked, or with --check: plugins.lock is not up to date.`,
		Example: `  flowctl plugin lock
  flowctl plugin lock flows --plugins /opt/flowctl/plugins
  flowctl plugin lock --plugin ftp
  flowctl plugin lock --check -o json`,
		Args: argsAs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := g.checkOutput(); err != nil {
				return err
			}
			root, files, err := readRoot(pathOf(args))
			if err != nil {
				return err
			}
			l, err := openLock(root, files, replace)
			if err != nil {
				return err
			}
			h, end, err := examiner(first(plugins, g.env(pluginsVariable)))
			if err != nil {
				return err
			}
			for _, use := range l.uses(h, names) {
				l.lock(cmd.Context(), h, use)
			}
			end(l.any(lockFailed)) // what failed plugins printed is worth a look
			return l.finish(g, check)
		},
	}
	f := cmd.Flags()
	f.StringVar(&plugins, "plugins", "", "folder with executables of plugins, looked at before PATH ("+pluginsVariable+")")
	f.StringArrayVar(&names, "plugin", nil, "lock this plugin only; can be repeated")
	f.BoolVar(&check, "check", false, "write nothing, and exit with 1 when something would be written")
	f.BoolVar(&replace, "replace", false, "forget the executables of other platforms and builds of the same version")
	return cmd
}

// pluginsVariable names the plugin folder, as it does for a server.
const pluginsVariable = "FLOWCTL_PLUGINS"

// examiner returns a host that launches plugins to look at them, and what ends it and removes, unless they are to be kept, the logs of plugins.
func examiner(plugins string) (*host.Host, func(keep bool), error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find flowctl's own executable: %w", err)
	}
	dir, err := os.MkdirTemp("", "flowctl-plugins-")
	if err != nil {
		return nil, nil, err
	}
	h, err := host.New(host.Options{Dir: dir, Self: self, PluginDir: plugins})
	if err != nil {
		return nil, nil, errors.Join(err, os.Remove(dir))
	}
	return h, func(keep bool) {
		ctx, cancel := context.WithTimeout(context.Background(), pluginsEnd)
		defer cancel()
		_ = h.Close(ctx) // a plugin that does not end is nothing that its description could tell
		if !keep {
			_ = os.RemoveAll(dir)
		}
	}, nil
}

// lockFile is a plugins.lock in the making.
type lockFile struct {
	path    string
	files   []dsl.File
	locked  map[string]dsl.LockedPlugin
	items   []lockedItem
	replace bool
}

func openLock(root string, files []dsl.File, replace bool) (*lockFile, error) {
	l := &lockFile{path: filepath.Join(root, dsl.LockFile), files: files, replace: replace, locked: map[string]dsl.LockedPlugin{}}
	locked, err := lockedIn(files)
	for _, p := range locked {
		l.locked[p.Name] = p
	}
	return l, err
}

// lockedIn returns what the plugins.lock among the files of a flows root holds.
func lockedIn(files []dsl.File) ([]dsl.LockedPlugin, error) {
	i := slices.IndexFunc(files, func(f dsl.File) bool { return f.Path == dsl.LockFile })
	if i < 0 {
		return nil, nil
	}
	locked, err := dsl.ReadLock(files[i].Data)
	if err != nil {
		return nil, &exitError{exitProblems, fmt.Errorf("%w; mend it, or remove the file and lock again", err)}
	}
	return locked, nil
}

// uses returns the plugins to lock, sorted: those that the flows use and those that are locked, or those with the names.
func (l *lockFile) uses(h *host.Host, names []string) (uses []dsl.PluginUse) {
	unlocked := dsl.Unlocked(l.files)
	if len(names) == 0 {
		uses = unlocked
		for _, p := range l.locked {
			uses = append(uses, dsl.PluginUse{Kind: p.Kind, Name: p.Name, Pos: p.Pos})
		}
	}
	found := h.Executables()
	for _, name := range names {
		known := false
		for _, id := range slices.Sorted(maps.Keys(found)) {
			if kind, short, _ := strings.Cut(id, "-"); short == name {
				known = true
				uses = append(uses, dsl.PluginUse{Kind: flow.PluginKind(kind), Name: name})
			}
		}
		if !known {
			kind := flow.RunnerPlugin
			if p, ok := l.locked[name]; ok {
				kind = p.Kind
			} else if i := slices.IndexFunc(unlocked, func(u dsl.PluginUse) bool { return u.Name == name }); i >= 0 {
				kind = unlocked[i].Kind
			}
			uses = append(uses, dsl.PluginUse{Kind: kind, Name: name})
		}
	}
	slices.SortFunc(uses, func(a, b dsl.PluginUse) int {
		return strings.Compare(string(a.Kind)+"-"+a.Name, string(b.Kind)+"-"+b.Name)
	})
	return uses
}

// lock looks at one plugin and enters what it finds.
func (l *lockFile) lock(ctx context.Context, h *host.Host, use dsl.PluginUse) {
	item := lockedItem{Kind: use.Kind, Name: use.Name, State: lockFailed}
	old, known := l.locked[use.Name]
	found, err := h.Inspect(ctx, string(use.Kind), use.Name)
	switch {
	case errors.Is(err, host.ErrNotInstalled) && known && old.Kind == use.Kind:
		item.State, item.Version = lockAbsent, old.Version
	case err != nil:
		item.Problem = err.Error()
		if use.Pos.Line > 0 {
			item.Problem = fmt.Sprintf("%s:%d:%d: %v", use.Pos.File, use.Pos.Line, use.Pos.Col, err)
		}
	case known && old.Kind != use.Kind:
		item.Problem = fmt.Sprintf("plugins.lock has the %s %s already, and a name stands for one plugin: rename one of them", old.Kind, old.Name)
	default:
		item.Version, item.SHA256, item.Path = found.Version, found.SHA256, found.Path
		now := dsl.LockedPlugin{
			Plugin: flow.Plugin{Name: use.Name, Kind: use.Kind, Version: found.Version, SHA256: []string{found.SHA256}},
			Schema: found.Schema,
		}
		if known && old.Version == now.Version && !l.replace {
			now.SHA256 = slices.Compact(slices.Sorted(slices.Values(append(now.SHA256, old.SHA256...))))
		}
		after, err := dsl.WriteLock([]dsl.LockedPlugin{now})
		if err != nil { // its version or schema makes no sense
			item.Problem = fmt.Sprintf("%s describes itself wrongly: %v", found.Path, err)
			break
		}
		item.State = lockAdded
		if known {
			item.State = lockUpdated
			if before, err := dsl.WriteLock([]dsl.LockedPlugin{old}); err == nil && bytes.Equal(before, after) {
				item.State = lockUnchanged
			}
		}
		l.locked[use.Name] = now
	}
	l.items = append(l.items, item)
}

// any tells whether something became of one of the plugins.
func (l *lockFile) any(states ...string) bool {
	return slices.ContainsFunc(l.items, func(item lockedItem) bool { return slices.Contains(states, item.State) })
}

// finish writes the file, or only looks whether it would, and tells what was done.
func (l *lockFile) finish(g *globals, check bool) error {
	stale := l.any(lockAdded, lockUpdated)
	if stale && !check {
		if err := l.write(); err != nil {
			return &exitError{exitUnavailable, err}
		}
	}
	list := struct {
		Items []lockedItem `json:"items"`
		Next  string       `json:"next"`
	}{append([]lockedItem{}, l.items...), ""}
	if err := g.show(list, l.table); err != nil {
		return err
	}
	for _, item := range l.items {
		if item.Problem != "" {
			fmt.Fprintf(g.err, "flowctl: %s %s: %s\n", item.Kind, item.Name, item.Problem)
		}
	}
	switch {
	case l.any(lockFailed):
		return &exitError{code: exitProblems}
	case check && stale:
		return &exitError{exitProblems, fmt.Errorf("%s is not up to date: run `flowctl plugin lock`, and commit what it writes", l.path)}
	}
	return nil
}

func (l *lockFile) table(v *view) {
	rows := make([][]string, len(l.items))
	for i, item := range l.items {
		rows[i] = []string{string(item.Kind), item.Name, item.Version, item.State, item.Path}
	}
	v.table([]string{"KIND", "NAME", "VERSION", "STATE", "PATH"}, rows)
	if len(rows) == 0 {
		v.line("the flows use no plugins of third parties")
	}
}

func (l *lockFile) write() error {
	text, err := dsl.WriteLock(slices.Collect(maps.Values(l.locked)))
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.path+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(l.path+".new", l.path)
}
