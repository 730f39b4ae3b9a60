package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"flowctl/dsl"
	"flowctl/engine"
)

// serverOptions are the flags of `flowctl server`.
type serverOptions struct {
	repo, branch, path string
	worktree           bool
	poll               time.Duration
	redispatchAfter    time.Duration
	data, store        string
	listen, agents     string
	public             string
	plugins            string
	noLocalAgent       bool
	slots              int
	maxLog             byteSize
	keepLogDays        int
	config             string
	debug              bool

	now func() time.Time
	log *slog.Logger
	out func(format string, args ...any)
}

func newServer(g *globals) *cobra.Command {
	o := serverOptions{now: g.now, maxLog: defaultMaxLog}
	cmd := &cobra.Command{
		Use:   "server --repo PATH|URL",
		Short: "Follow a repository of flows, schedule its runs and serve the API",
		Long: `Follows a branch of a git repository of flows, creates their runs, gives their tasks to agents and serves the API. It has an agent
of its own, so one process is a complete system. State lives in --data; a server that is started again on it, also after kill -9, goes
on where it was.

Every flag can be given as an environment variable (FLOWCTL_REPO for --repo) and in the file that --config names (repo: …); the command line
wins over the environment, and that over the file.`,
		Example: `  flowctl server --repo .
  flowctl server --repo https://git.example.com/data/flows.git --branch main --path flows --data /var/lib/flowctl
  flowctl server --repo flows --worktree`,
		Args: argsAs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fillFlags(cmd.Flags(), o.config, g.env); err != nil {
				return err
			}
			if o.repo == "" {
				return usagef("--repo is missing: give the path or URL of a git repository that holds flowctl.yaml")
			}
			if o.store != "sqlite" {
				return usagef("--store %q: this version has sqlite only", o.store)
			}
			if o.public != "" && engine.GateAddress(o.public) != o.public {
				return usagef("--url %q: write the address at which gates reach this server, without user and query, such as https://flows.example.com", o.public)
			}
			rest()
			level := slog.LevelInfo
			if o.debug {
				level = slog.LevelDebug
			}
			o.log = slog.New(slog.NewTextHandler(g.err, &slog.HandlerOptions{Level: level}))
			o.out = func(format string, args ...any) { fmt.Fprintf(g.out, format, args...) }
			return serve(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.repo, "repo", "", "path or URL of the git repository of flows")
	f.StringVar(&o.branch, "branch", "main", "branch to follow")
	f.StringVar(&o.path, "path", ".", "flows root inside the repository: the folder with flowctl.yaml")
	f.BoolVar(&o.worktree, "worktree", false, "serve the folder live, with changes that are not committed")
	f.DurationVar(&o.poll, "poll", 30*time.Second, "how often to look for new commits")
	f.DurationVar(&o.redispatchAfter, "redispatch-after", 5*time.Minute, "how long an agent has for the start of an attempt before another agent gets it; 0 = as long as it takes")
	f.StringVar(&o.data, "data", ".flowctl", "folder for the state, logs and keys")
	f.StringVar(&o.store, "store", "sqlite", "where the state lives: sqlite")
	f.StringVar(&o.listen, "listen", "127.0.0.1:7400", "address of the API")
	f.StringVar(&o.public, "url", "", "address of the API as others reach it, for the callbacks of gates (default http://LISTEN)")
	f.StringVar(&o.agents, "agents", "127.0.0.1:7401", "address for agents (gRPC, mutual TLS)")
	f.StringVar(&o.plugins, "plugins", "", "folder with executables of third-party plugins, looked at before PATH (default DATA/plugins)")
	f.BoolVar(&o.noLocalAgent, "no-local-agent", false, "execute nothing on this host")
	f.IntVar(&o.slots, "slots", slotsPerCore*runtime.NumCPU(), "how many tasks the local agent executes at once")
	f.Var(&o.maxLog, "max-log", "how long the log of an attempt on the local agent gets, with a unit; of a longer one the middle is left out; 0: any length")
	f.IntVar(&o.keepLogDays, "keep-logs", 90, "how many days a log stays after it was written; 0: for ever. Older ones are removed at 02:10 local time")
	f.StringVar(&o.config, "config", "", "YAML file with values for these flags")
	f.BoolVar(&o.debug, "debug", false, "log more")
	return cmd
}

// fillFlags sets the flags that the command line did not: from FLOWCTL_… variables, else from a YAML file.
func fillFlags(flags *pflag.FlagSet, config string, env func(string) string) error {
	values := map[string]any{}
	if config == "" {
		config = env("FLOWCTL_CONFIG")
	}
	if config != "" {
		b, err := os.ReadFile(config)
		if err != nil {
			return usagef("--config: %w", err)
		}
		if err := dsl.DecodeYAML(b, &values); err != nil {
			return usagef("--config %s: %w", config, err)
		}
		for name := range values {
			if flags.Lookup(name) == nil {
				return usagef("--config %s: there is no flag %q", config, name)
			}
		}
	}
	var failed error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || failed != nil {
			return
		}
		if v := env("FLOWCTL_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))); v != "" {
			if err := flags.Set(f.Name, v); err != nil {
				failed = usagef("FLOWCTL_%s: %w", strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")), err)
			}
		} else if v, ok := values[f.Name]; ok {
			if err := flags.Set(f.Name, fmt.Sprint(v)); err != nil {
				failed = usagef("--config %s: %s: %w", config, f.Name, err)
			}
		}
	})
	return failed
}

// serve runs a server until ctx ends. It is wiring only.
func serve(ctx context.Context, o serverOptions) error {
	s, err := openServer(ctx, o)
	if err != nil {
		return err
	}
	defer s.close()
	return s.run(ctx)
}
