package cli

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestReference compares docs/reference/cli.md with what the commands say of themselves.
func TestReference(t *testing.T) {
	t.Parallel()
	root := newRoot(streams{strings.NewReader(""), io.Discard, io.Discard})
	var b strings.Builder
	fmt.Fprintf(&b, "# The command line\n\n<!-- Written by go test ./cmd/flowctl/cli -run Reference -update -->\n\n%s\n\n", root.Long)
	b.WriteString("## Flags of all verbs\n\n")
	flagTable(&b, root.PersistentFlags())
	for _, c := range root.Commands() {
		reference(&b, c)
	}
	golden(t, "../../../docs/reference/cli.md", strings.TrimRight(b.String(), "\n")+"\n")
}

func reference(b *strings.Builder, c *cobra.Command) {
	if c.Hidden || c.Name() == "help" {
		return
	}
	fmt.Fprintf(b, "%s %s\n\n%s.\n\n", strings.Repeat("#", min(len(strings.Fields(c.CommandPath())), 4)), c.CommandPath(), c.Short)
	if c.Runnable() {
		fmt.Fprintf(b, "    %s\n\n", c.UseLine())
	}
	if c.Long != "" {
		fmt.Fprintf(b, "%s\n\n", c.Long)
	}
	if c.Example != "" {
		fmt.Fprintf(b, "```sh\n%s\n```\n\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	flagTable(b, c.LocalNonPersistentFlags())
	for _, sub := range c.Commands() {
		reference(b, sub)
	}
}

func flagTable(b *strings.Builder, flags *pflag.FlagSet) {
	rows := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if rows == 0 {
			b.WriteString("| flag | meaning |\n|---|---|\n")
		}
		rows++
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		text := strings.ReplaceAll(f.Usage, "|", "\\|")
		// The default of --slots is this machine's.
		if f.Name != "slots" && f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" && f.DefValue != "[]" {
			text += " (default `" + f.DefValue + "`)"
		}
		fmt.Fprintf(b, "| %s | %s |\n", name, text)
	})
	if rows > 0 {
		b.WriteByte('\n')
	}
}
