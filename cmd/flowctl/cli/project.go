package cli

import (
	"errors"
	"fmt"
	"io"
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

// compileRoot returns the project that a path lies in, for verbs that look at one. When it does not compile they have nothing to look
// at: what is wrong goes to problems, as validate shows it.
func compileRoot(path string, problems io.Writer) (*flow.Project, error) {
	root, files, err := readRoot(path)
	if err != nil {
		return nil, err
	}
	project, found := dsl.New().Compile(files)
	if project != nil {
		return project, nil
	}
	if err := writeFindings(problems, nil, found, namer(root)); err != nil {
		return nil, &exitError{exitUnavailable, err}
	}
	return nil, &exitError{code: exitProblems}
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
