package cli

import (
	"flowctl/dsl"
	"flowctl/dsl/flow"
)

// repository is a flows repository on disk, compiled.
type repository struct {
	root    string
	project *flow.Project
}

// compileRepository compiles the flows root that the arguments name, or the one around the current folder. What is wrong with it goes to
// stdout, as validate shows it; warnings alone go to stderr.
func compileRepository(s streams, args []string) (*repository, error) {
	path := "."
	if len(args) == 1 {
		path = args[0]
	}
	root, files, err := readRoot(path)
	if err != nil {
		return nil, err
	}
	project, found := dsl.New().Compile(files)
	to := s.err
	if project == nil {
		to = s.out
	}
	if len(found) > 0 {
		if err := writeFindings(to, project, found, namer(root)); err != nil {
			return nil, &exitError{exitUnavailable, err}
		}
	}
	if project == nil {
		return nil, &exitError{code: exitProblems}
	}
	return &repository{root, project}, nil
}
