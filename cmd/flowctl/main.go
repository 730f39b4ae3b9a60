// Command flowctl is the workflow engine: server, agent and command line in one binary.
package main

import (
	"os"

	"flowctl/cmd/flowctl/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
