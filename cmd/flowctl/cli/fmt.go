package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"flowctl/dsl"
	"flowctl/dsl/diag"
)

func newFmt(s streams) *cobra.Command {
	f := formatting{streams: s, sources: make(map[string][]byte)}
	cmd := &cobra.Command{
		Use:   "fmt [PATH…]",
		Short: "Bring the YAML of a flows repository into its canonical form",
		Long: `Bring the YAML of a flows repository into its canonical form, and print the names of the files that change.

PATH is a file, or a folder of a flows root: all YAML below it that belongs to the repository. Without PATH it is the whole flows root around the
current folder. With - a file is read from stdin and written to stdout.

The form: two spaces a level, also for lists; the keys of flows, tasks and templates in one order; one blank line where there
are some; collections in brackets as long as they fit into 120 columns. Comments, quotes, anchors, block scalars and the order of everything
else stay. What a file means never changes: one that cannot be laid out safely, or is no valid YAML, is reported and left alone.

Exit status: 0 when all is formatted, 1 with --check when a file would change, or when a file could not be formatted, 64 when the
command line is wrong.`,
		Example: `  flowctl fmt
  flowctl fmt flows/orders orders.yaml
  flowctl fmt --check --diff
  flowctl fmt - < orders.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("output") {
				return usagef("fmt has no form but YAML; leave out -o")
			}
			return f.run(args)
		},
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "write nothing; exit with 1 when a file would change")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "write nothing; print what would change")
	return cmd
}

// modeSymlink is the Mode of a dsl.File that is a symbolic link.
const modeSymlink = 0o120000

// formatting is one call of fmt.
type formatting struct {
	streams
	check, diff bool
	found       []diag.Diagnostic // files that could not be formatted
	sources     map[string][]byte // of these
	changed     int
}

func (f *formatting) run(args []string) error {
	if len(args) == 1 && args[0] == "-" {
		return f.stdin()
	}
	files, err := formatted(args)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := f.file(name); err != nil {
			return &exitError{exitUnavailable, err}
		}
	}
	return f.end()
}

func (f *formatting) stdin() error {
	data, err := io.ReadAll(f.in)
	if err != nil {
		return &exitError{exitUnavailable, fmt.Errorf("read stdin: %w", err)}
	}
	const name = "<stdin>"
	out, ok := f.format(name, data)
	switch {
	case !ok:
	case f.check || f.diff:
		f.report(name, data, out)
	default:
		if _, err := f.out.Write(out); err != nil {
			return &exitError{exitUnavailable, err}
		}
	}
	return f.end()
}

// end reports what could not be formatted, and how all went.
func (f *formatting) end() error {
	found := diag.Sort(f.found)
	diag.Quote(found, func(name string) []byte { return f.sources[name] })
	if err := diag.WriteText(f.err, found, diag.TextOptions{Color: isTerminal(f.err)}); err != nil {
		return &exitError{exitUnavailable, err}
	}
	if len(f.found) > 0 || f.check && f.changed > 0 {
		return &exitError{code: exitProblems}
	}
	return nil
}

// formatted lists the files that the arguments mean.
func formatted(args []string) ([]string, error) {
	if len(args) == 0 {
		root, _, err := readRoot(".")
		if err != nil {
			return nil, err
		}
		args = []string{namer(root)(".")}
	}
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, usage(err)
		case err != nil:
			return nil, &exitError{exitUnavailable, err}
		case !info.IsDir():
			files = append(files, arg)
			continue
		}
		below, err := documents(arg)
		if err != nil {
			return nil, err
		}
		files = append(files, below...)
	}
	return files, nil
}

// documents lists the YAML of a flows root that lies below a folder.
func documents(folder string) ([]string, error) {
	root, all, err := readRoot(folder)
	if err != nil {
		return nil, err
	}
	folder, err = filepath.Abs(folder)
	if err != nil {
		return nil, &exitError{exitUnavailable, err}
	}
	var names []string
	for _, file := range all {
		name := filepath.Join(root, filepath.FromSlash(file.Path))
		if dsl.IsDocument(file.Path) && file.Mode != modeSymlink && strings.HasPrefix(name, folder+string(filepath.Separator)) {
			names = append(names, namer(root)(file.Path))
		}
	}
	if len(names) == 0 {
		return nil, usagef("%s holds no YAML of the flows root %s", folder, root)
	}
	return names, nil
}

func (f *formatting) file(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	out, ok := f.format(name, data)
	if !ok || string(out) == string(data) {
		return nil
	}
	f.report(name, data, out)
	if f.check || f.diff {
		return nil
	}
	return replace(name, out)
}

func (f *formatting) format(name string, data []byte) ([]byte, bool) {
	out, problem := dsl.Format(filepath.ToSlash(name), data)
	if problem != nil {
		f.found = append(f.found, *problem)
		f.sources[filepath.ToSlash(name)] = data
		return nil, false
	}
	return out, true
}

// report tells of a file that changes.
func (f *formatting) report(name string, before, after []byte) {
	switch {
	case string(before) == string(after):
		return
	case f.diff:
		f.out.Write(diff.Diff(name, before, name+" (formatted)", after)) //nolint:errcheck // as fmt.Fprint
	default:
		fmt.Fprintln(f.out, name)
	}
	f.changed++
}

// replace writes a file at once or not at all; its mode stays, and a symbolic link stays one.
func replace(name string, data []byte) error {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(name), ".flowctl-fmt-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Chmod(info.Mode().Perm()), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}
