package cli

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"flowctl/dsl"
	"flowctl/plugins/host"
)

// pluginItem is what `plugin list` tells of one plugin.
type pluginItem struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"` // of a third party's: the one that is locked
	BuiltIn bool   `json:"built_in"`
	Locked  bool   `json:"locked"` // this very executable is in plugins.lock
	SHA256  string `json:"sha256,omitempty"`
	Path    string `json:"path,omitempty"`
}

func newPluginList(g *globals) *cobra.Command {
	var plugins string
	cmd := &cobra.Command{
		Use:   "list [PATH]",
		Short: "List the plugins of this host, and whether the flows root at PATH locks them",
		Long: `Lists the plugins that come with flowctl and the executables of third parties in --plugins and on PATH. None of them is run. A third
party's plugin is locked when the SHA-256 of its executable is in the plugins.lock of the flows root.`,
		Example: "  flowctl plugin list\n  flowctl plugin list flows --plugins /opt/flowctl/plugins -o json",
		Args:    argsAs(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := g.checkOutput(); err != nil {
				return err
			}
			locked, err := lockedAt(args)
			if err != nil {
				return err
			}
			h, end, err := examiner(first(plugins, g.env(pluginsVariable)))
			if err != nil {
				return err
			}
			defer end(false)
			items, err := listPlugins(h.Executables(), locked)
			if err != nil {
				return &exitError{exitUnavailable, err}
			}
			list := struct {
				Items []pluginItem `json:"items"`
				Next  string       `json:"next"`
			}{items, ""}
			return g.show(list, func(v *view) { pluginTable(v, items) })
		},
	}
	cmd.Flags().StringVar(&plugins, "plugins", "", "folder with executables of plugins, looked at before PATH ("+pluginsVariable+")")
	return cmd
}

// lockedAt returns what the plugins.lock of the flows root at a path holds, nothing outside of one unless the path was given.
func lockedAt(args []string) ([]dsl.LockedPlugin, error) {
	_, files, err := readRoot(pathOf(args))
	if errors.Is(err, dsl.ErrNoRoot) && len(args) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return lockedIn(files)
}

// listPlugins returns the plugins of flowctl and the executables of third parties, by kind and name.
func listPlugins(found map[string]string, locked []dsl.LockedPlugin) ([]pluginItem, error) {
	var items []pluginItem
	for _, id := range host.Builtin() {
		kind, name, _ := strings.Cut(id, "-")
		items = append(items, pluginItem{Kind: kind, Name: name, Version: version, BuiltIn: true})
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		p := pluginItem{Path: found[id]}
		p.Kind, p.Name, _ = strings.Cut(id, "-")
		var err error
		if p.SHA256, err = host.Sum(p.Path); err != nil {
			return nil, err
		}
		for _, l := range locked {
			if string(l.Kind) == p.Kind && l.Name == p.Name && slices.Contains(l.SHA256, p.SHA256) {
				p.Locked, p.Version = true, l.Version
			}
		}
		items = append(items, p)
	}
	slices.SortFunc(items, func(a, b pluginItem) int { return strings.Compare(a.Kind+"-"+a.Name, b.Kind+"-"+b.Name) })
	return items, nil
}

func pluginTable(v *view, items []pluginItem) {
	rows := make([][]string, len(items))
	for i, p := range items {
		state := "not locked"
		switch {
		case p.BuiltIn:
			state = "comes with flowctl"
		case p.Locked:
			state = "locked"
		}
		rows[i] = []string{p.Kind, p.Name, first(p.Version, "-"), state, p.Path}
	}
	v.table([]string{"KIND", "NAME", "VERSION", "STATE", "PATH"}, rows)
}
