package cli

import (
	"errors"
	"fmt"
	"io/fs"

	"flowctl/dsl"
	"flowctl/dsl/flow"
)

// readRoot reads the flows root that a path lies in.
func readRoot(path string) (root string, files []dsl.File, err error) {
	root, err = dsl.FindRoot(path)
	switch {
	case errors.Is(err, dsl.ErrNoRoot), errors.Is(err, fs.ErrNotExist):
		return "", nil, usage(err)
	case err != nil:
		return "", nil, &exitError{exitUnavailable, err}
	}
	files, err = dsl.ReadDir(root)
	if err != nil {
		return "", nil, &exitError{exitUnavailable, err}
	}
	return root, files, nil
}

// repository is a flows repository on disk, compiled.
type repository struct {
	root    string
	project *flow.Project
}

// compileRoot compiles the flows root that a path lies in, for verbs that look at the project. When it does not compile they have nothing
// to look at: what is wrong goes to stdout, as validate shows it. Warnings are validate's alone.
func compileRoot(s streams, path string) (*repository, error) {
	root, files, err := readRoot(path)
	if err != nil {
		return nil, err
	}
	project, found := newCompiler().Compile(files)
	if project != nil {
		return &repository{root, project}, nil
	}
	if err := writeFindings(s.out, nil, found, namer(root)); err != nil {
		return nil, &exitError{exitUnavailable, err}
	}
	return nil, &exitError{code: exitProblems}
}

// pathOf returns the path that the arguments name, or the current folder.
func pathOf(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return "."
}

// unknown says that a repository lacks a flow or a task, and which name is near.
func unknown(what, name string, known []string) error {
	hint := dsl.Suggest(name, known)
	if hint != "" {
		hint = "; " + hint
	}
	return &exitError{exitProblems, fmt.Errorf("the repository has no %s %q%s", what, name, hint)}
}

func flowNames(p *flow.Project) []string {
	names := make([]string, len(p.Flows))
	for i, f := range p.Flows {
		names[i] = f.Name
	}
	return names
}
