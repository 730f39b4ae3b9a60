package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"flowctl/plugins/scaffold"
)

func newPluginNew(g *globals) *cobra.Command {
	var dir, checkout string
	cmd := &cobra.Command{
		Use:   "new runner|channel|sensor NAME",
		Short: "Write the beginnings of a plugin in Go",
		Long: `Writes a Go module with one plugin, which builds and passes its test as it is: go.mod, main.go, main_test.go and a README that tells what
comes next.

The SDK is part of flowctl's source, so a plugin is built with a checkout of it, which go.mod names. --sdk says where that is; within a
checkout nothing needs to be said.`,
		Example: `  flowctl plugin new runner spark --sdk ~/src/flowctl
  flowctl plugin new sensor ftp --dir plugins/ftp`,
		Args: argsAs(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			p := scaffold.Plugin{Kind: args[0], Name: args[1]}
			var err error
			if checkout == "" {
				if checkout, err = os.Getwd(); err == nil {
					checkout, err = scaffold.FindSDK(checkout)
				}
				if err != nil {
					return usagef("--sdk is missing: give the path of a checkout of flowctl (%w)", err)
				}
			}
			if p.SDK, err = filepath.Abs(checkout); err != nil {
				return usage(err)
			}
			dir := first(dir, p.Program())
			names, err := scaffold.Write(dir, p)
			if err != nil {
				return usage(err)
			}
			for _, name := range names {
				fmt.Fprintln(g.out, filepath.Join(dir, name))
			}
			fmt.Fprintf(g.out, "next: cd %s && go mod tidy && go test ./...\n", dir)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder to write (default flowctl-KIND-NAME)")
	cmd.Flags().StringVar(&checkout, "sdk", "", "path of a checkout of flowctl (default: the one around the current folder)")
	return cmd
}
