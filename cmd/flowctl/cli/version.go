package cli

import (
	"runtime"

	"github.com/spf13/cobra"
)

// version is what was built; the linker sets it.
var version = "dev"

// build says what this binary is.
type build struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this binary",
		Args:  argsAs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if err := g.checkOutput(); err != nil {
				return err
			}
			b := build{version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return g.show(b, func(v *view) { v.line("flowctl %s (%s, %s)", b.Version, b.Go, b.Platform) })
		},
	}
}
