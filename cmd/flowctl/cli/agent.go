package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flowctl/dsl"
	"flowctl/engine"
	"flowctl/engine/agent"
	"flowctl/plugins/host"
)

// slotsPerCore is how many attempts an agent offers to execute at once for each core, unless it is told.
const slotsPerCore = 4

func newAgent(g *globals) *cobra.Command {
	o := agent.Options{Version: version, Now: g.now}
	var memory, taskMemory, plugins string
	maxLog := defaultMaxLog
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Execute tasks on this host for a server",
		Long: `Connects to a server's port for agents and executes the tasks that it assigns, until it is ended by Ctrl-C or SIGTERM. What
runs then goes on, and is found again by the next start with the same --data.

An agent needs a token the first time: it joins with it and gets a certificate, which is kept in --data. "flowctl agents token", asked
of the server, makes one.`,
		Example: "  flowctl agent --server flows.example.com:7401 --token … --label zone=a --label hadoop",
		Args:    argsAs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			share()
			if o.Server == "" {
				return usagef("--server is missing: give host:port of the server's port for agents")
			}
			if o.Slots < 1 {
				return usagef("--slots %d: give at least 1", o.Slots)
			}
			if o.Admission.MaxLoad < 0 {
				return usagef("--max-load %g: give a load average per core, or 0 for no limit", o.Admission.MaxLoad)
			}
			var err error
			if o.Admission.MinFreeMemory, err = parseBytes(memory); err != nil {
				return usagef("--min-free-memory: %w", err)
			}
			if o.Memory, err = parseBytes(taskMemory); err != nil {
				return usagef("--memory: %w", err)
			}
			if o.CPU < 0 {
				return usagef("--cpu %g: give a number of cores, or 0 for those there are", o.CPU)
			}
			for _, l := range o.Labels {
				if name, _, _ := strings.Cut(l, "="); name == "" {
					return usagef("--label %q: write NAME or NAME=VALUE", l)
				}
			}
			if o.Token == "" {
				o.Token = g.env("FLOWCTL_JOIN_TOKEN")
			}
			if o.Name == "" && !agent.Joined(o.Dir) {
				name, err := os.Hostname()
				if err != nil {
					return usagef("this host has no name (%v): give the agent one with --name", err)
				}
				o.Name = name
			}
			o.MaxLog = maxLog.bytes
			rest()
			o.Log = slog.New(slog.NewTextHandler(g.err, nil))
			return runAgent(cmd.Context(), o, first(plugins, filepath.Join(o.Dir, "plugins")))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Server, "server", "", "host:port of the server's port for agents")
	f.StringVar(&o.Token, "token", "", "one-time token to join with (FLOWCTL_JOIN_TOKEN)")
	f.StringVar(&o.Name, "name", "", "of the agent (default: the host's name, later the one it joined with)")
	f.StringVar(&o.Dir, "data", ".flowctl-agent", "the agent's data folder")
	f.StringVar(&plugins, "plugins", "", "folder with executables of third-party plugins, looked at before PATH (default DATA/plugins)")
	f.IntVar(&o.Slots, "slots", slotsPerCore*runtime.NumCPU(), "how many tasks it executes at once")
	f.Float64Var(&o.Admission.MaxLoad, "max-load", 8, "load average of a minute, per core, above which it gives tasks back; 0 = no limit")
	f.StringVar(&memory, "min-free-memory", "256MiB", "free memory below which it gives tasks back; 0 = no limit")
	f.StringArrayVar(&o.Users, "allow-account", nil, "user of this host as whom tasks may run; can be repeated, wants root or sudo")
	f.Float64Var(&o.CPU, "cpu", 0, "cores that tasks which say what they need may take; 0 = those there are")
	f.StringVar(&taskMemory, "memory", "0", "memory that tasks which say what they need may take; 0 = what there is")
	f.StringToStringVar(&o.EnvFiles, "env-file", nil, "RUNNER=PATH: file of NAME=VALUE lines that tasks of the runner see; can be repeated (default: DATA/env/RUNNER.env)")
	f.Var(&maxLog, "max-log", "how long the log of an attempt gets, with a unit; of a longer one the middle is left out; 0: any length")
	f.StringArrayVar(&o.Labels, "label", nil, "NAME or NAME=VALUE that tasks can select it by; can be repeated")
	return cmd
}

// parseBytes reads a size such as 2GiB, or 0.
func parseBytes(text string) (int64, error) {
	if text == "0" {
		return 0, nil
	}
	n, err := dsl.ParseSize(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size such as 256MiB: %w", text, err)
	}
	return n, nil
}

// pluginsEnd is how long the end of idle plugin processes is awaited.
const pluginsEnd = 10 * time.Second

// runAgent runs an agent with this binary's plugins, and those of third parties in a folder, until ctx ends. Plugin processes that carry attempts stay.
func runAgent(ctx context.Context, o agent.Options, pluginDir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find flowctl's own executable: %w", err)
	}
	plugins, err := host.New(host.Options{Dir: filepath.Join(o.Dir, "plugins"), Self: self, PluginDir: pluginDir, Log: o.Log})
	if err != nil {
		return err
	}
	o.Plugins, o.Installed = hostPlugins{plugins}, installed(plugins)
	a, err := agent.New(o)
	if err == nil {
		err = a.Run(ctx)
	}
	if errors.Is(err, agent.ErrInUse) {
		return err
	}
	if errors.Is(err, agent.ErrRefused) {
		err = &exitError{exitUnauthorized, err}
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), pluginsEnd)
	defer cancel()
	if err := plugins.Close(end); err != nil {
		o.Log.Warn("plugins were not all ended", "error", err)
	}
	return err
}

// installed describes the plugins of this host. Those of flowctl itself have its version; others tell theirs when they are launched.
func installed(h *host.Host) []engine.Plugin {
	var all []engine.Plugin
	for _, id := range h.Installed() {
		p := engine.Plugin{}
		p.Kind, p.Name, _ = strings.Cut(id, "-")
		if slices.Contains(host.Builtin(), id) {
			p.Version = version
		}
		all = append(all, p)
	}
	return all
}

// hostPlugins gives an agent the plugins of a host.
type hostPlugins struct{ host *host.Host }

func (p hostPlugins) Runner(ctx context.Context, name, user string, pins []string) (agent.Runner, error) {
	return p.host.Runner(ctx, name, user, pins)
}

func (p hostPlugins) Holder(ctx context.Context, name, user string, pins []string) (agent.Runner, error) {
	return p.host.Holder(ctx, name, user, pins)
}

func (p hostPlugins) Sensor(ctx context.Context, name string, pins []string) (agent.Sensor, error) {
	return p.host.Sensor(ctx, name, pins)
}

func (p hostPlugins) Clear(ctx context.Context, user, folder string) error {
	return p.host.Clear(ctx, user, folder)
}
