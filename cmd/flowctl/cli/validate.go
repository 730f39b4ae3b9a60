package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"flowctl/dsl"
	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

func newValidate(s streams) *cobra.Command {
	var output string
	var strict bool
	cmd := &cobra.Command{
		Use:   "validate [PATH]",
		Short: "Compile a flows repository and report what is wrong with it",
		Long: `Compile a flows repository and report what is wrong with it, all at once.

PATH is a flows root, the folder that holds flowctl.yaml, or anything inside one; without it, the current folder. Nothing
is run, and neither git nor a server is needed: the server compiles each commit in the same way. docs/rules.md explains each rule,
and how to silence a warning.

Formats for programs: json; github, commands that GitHub's workflows show beside the lines; sarif, which code hosts and editors
read; junit, a report with a test case for each file.

Exit status: 0 without errors, 1 with errors, 3 with warnings and --strict, 64 when the command line is wrong.`,
		Example: `  flowctl validate
  flowctl validate flows --strict
  flowctl validate -o json | jq '.items[] | .file + ": " + .message'
  flowctl validate -o sarif > flowctl.sarif`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.MaximumNArgs(1)(cmd, args); err != nil {
				return usage(err)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			path := "."
			if len(args) == 1 {
				path = args[0]
			}
			if !slices.Contains(findingFormats(), output) {
				return usagef("-o %s: the formats are %s", output, strings.Join(findingFormats(), ", "))
			}
			return validate(s.out, path, output, strict)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "format of the findings: "+strings.Join(findingFormats(), ", "))
	cmd.Flags().BoolVar(&strict, "strict", false, "exit with 3 when there are warnings")
	return cmd
}

// findingFormats are the ways to write findings.
func findingFormats() []string { return []string{"text", "json", "github", "sarif", "junit"} }

// The memory that a validate may leave uncollected: it ends soon, so collecting garbage is mostly wasted time.
const (
	validateGCPercent   = 800
	validateMemoryLimit = 640 << 20 // bytes; from here on garbage is collected as usual
)

func validate(out io.Writer, path, output string, strict bool) error {
	debug.SetGCPercent(validateGCPercent)
	debug.SetMemoryLimit(validateMemoryLimit)
	root, files, err := readRoot(path)
	if err != nil {
		return err
	}
	compiler := newCompiler()
	compiler.Year = time.Now().Year()
	project, found := compiler.Compile(files)
	name := namer(root)
	switch output {
	case "json":
		err = diag.WriteJSON(out, found)
	case "github":
		err = diag.WriteGitHub(out, found, name)
	case "sarif":
		err = diag.WriteSARIF(out, found, diag.SARIFOptions{Version: version, Name: name})
	case "junit":
		err = diag.WriteJUnit(out, documentPaths(files), found, strict, name)
	default:
		err = writeFindings(out, project, found, name)
	}
	if err != nil {
		return &exitError{exitUnavailable, fmt.Errorf("write the findings: %w", err)}
	}
	switch {
	case project == nil:
		return &exitError{code: exitProblems}
	case strict && len(found) > 0:
		return &exitError{code: exitStrict}
	}
	return nil
}

// writeFindings shows the diagnostics to a person, and what was looked at when there are none.
func writeFindings(out io.Writer, project *flow.Project, found []diag.Diagnostic, name func(string) string) error {
	if err := diag.WriteText(out, found, diag.TextOptions{Name: name, Color: isTerminal(out)}); err != nil {
		return err
	}
	if summary := diag.Summary(found); summary != "" {
		_, err := fmt.Fprintf(out, "%s\n", summary)
		return err
	}
	_, err := fmt.Fprintf(out, "ok: %s\n", size(project))
	return err
}

// size says how large a project is: 12 flows, 40 tasks in 3 files.
func size(p *flow.Project) string {
	tasks := 0
	files := make(map[string]bool)
	for _, f := range p.Flows {
		tasks += len(f.Tasks)
		files[f.Pos.File] = true
	}
	return fmt.Sprintf("%s, %s in %s", count(len(p.Flows), "flow"), count(tasks, "task"), count(len(files), "file"))
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// documentPaths returns the paths of the files that are read as YAML.
func documentPaths(files []dsl.File) []string {
	var names []string
	for i := range files {
		if dsl.IsDocument(files[i].Path) {
			names = append(names, files[i].Path)
		}
	}
	return names
}

// namer returns how a file of the flows root is called from the current folder, so that an editor or a terminal can open it. Files outside
// the current folder go by their full name.
func namer(root string) func(string) string {
	prefix := root
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, root); err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			prefix = rel
		}
	}
	return func(file string) string { return filepath.Join(prefix, filepath.FromSlash(file)) }
}

// isTerminal tells whether a person reads the stream and wants colours.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}
