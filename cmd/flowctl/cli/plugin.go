package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"flowctl/plugins/email"
	"flowctl/plugins/keeper"
	"flowctl/plugins/phone"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdk/process"
	"flowctl/plugins/sensor/file"
	"flowctl/plugins/sensor/hdfs"
	"flowctl/plugins/sensor/http"
	"flowctl/plugins/sensor/s3"
	"flowctl/plugins/sms"
	"flowctl/plugins/webhook"
	"flowctl/runners/hive"
	"flowctl/runners/python"
	"flowctl/runners/shell"
	"flowctl/runners/ssh"
)

// The verbs of the processes that look after attempts.
const (
	sshSession  = "ssh-session"
	hiveSession = "hive-session"
)

// newPlugin returns the verbs about plugins.
func newPlugin(g *globals) *cobra.Command {
	plugin := verbsOnly(&cobra.Command{
		Use: "plugin", Short: "Lock, list and write plugins of third parties",
		Long: "Plugins of third parties are executables named flowctl-runner-NAME, flowctl-channel-NAME and flowctl-sensor-NAME. docs/plugins.md tells more.",
	})
	plugin.AddCommand(newPluginLock(g), newPluginList(g), newPluginNew(g))
	plugin.AddCommand(pluginProcesses()...)
	return plugin
}

// pluginProcesses are the verbs with which flowctl starts itself as a plugin process and as its keeper. They are no part of the command-line
// contract.
func pluginProcesses() []*cobra.Command {
	var kind string
	serve := &cobra.Command{
		Use: "serve NAME", Short: "Serve a built-in plugin to the process that started this one", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return servePlugin(kind, args[0]) },
	}
	serve.Flags().StringVar(&kind, "kind", sdk.KindRunner, "runner, sensor or channel")
	keep := &cobra.Command{
		Use: "keep DIR -- COMMAND...", Short: "Be the parent of a plugin process", Args: cobra.MinimumNArgs(2),
		// The real stdout: its end tells the host that the plugin accepts connections.
		RunE: func(_ *cobra.Command, args []string) error { return keeper.Run(args[0], args[1:], os.Stdin, os.Stdout) },
	}
	empty := &cobra.Command{
		Use: "clear DIR", Short: "Remove what is in a folder", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return keeper.Clear(args[0]) },
	}
	var whole bool
	end := &cobra.Command{
		Use: "end DIR", Short: "Kill the plugin in a folder", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return keeper.End(args[0], whole) },
	}
	end.Flags().BoolVar(&whole, "whole", false, "with its keeper and all that came of it")
	session := &cobra.Command{
		Use: sshSession, Short: "Be the near half of an attempt of the ssh runner", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return exitWith(ssh.Session(os.Getenv(process.EnvWork))) },
	}
	statements := &cobra.Command{
		Use: hiveSession, Short: "Be the session of an attempt of the hive runner", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return exitWith(hive.Session(os.Getenv(process.EnvWork), os.Stdout))
		},
	}
	all := []*cobra.Command{serve, keep, empty, end, session, statements}
	for _, c := range all {
		c.Hidden = true
	}
	return all
}

// servePlugin serves a built-in plugin until its host does not need it any more.
func servePlugin(kind, name string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	switch kind + "-" + name {
	case "runner-shell":
		return exitWith(process.Serve(shell.Runner{}))
	case "runner-python":
		return exitWith(process.Serve(python.Runner{}))
	case "runner-ssh":
		return exitWith(process.Serve(ssh.Runner{Near: []string{self, "plugin", sshSession}}))
	case "runner-hive":
		return exitWith(process.Serve(hive.Runner{Near: []string{self, "plugin", hiveSession}}))
	case "channel-email":
		return exitWith(sdk.Serve(email.New(time.Now)))
	case "channel-phone":
		return exitWith(sdk.Serve(phone.New(time.Now)))
	case "channel-sms":
		return exitWith(sdk.Serve(sms.New(time.Now)))
	case "channel-webhook":
		return exitWith(sdk.Serve(webhook.New(time.Now)))
	case "sensor-file":
		return exitWith(sdk.Serve(file.Sensor{}))
	case "sensor-hdfs":
		return exitWith(sdk.Serve(hdfs.New(os.Getenv)))
	case "sensor-http":
		return exitWith(sdk.Serve(http.New()))
	case "sensor-s3":
		return exitWith(sdk.Serve(s3.New(os.Getenv)))
	}
	return usage(fmt.Errorf("there is no built-in %s plugin %q", kind, name))
}

// exitWith ends this process with a code.
func exitWith(code int) error {
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}
