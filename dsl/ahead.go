package dsl

import (
	"slices"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
)

// The language is ahead of the engine: what is named in this file is accepted, checked and part of the model, but the engine of
// this build does not act on it. A use of it is a not-supported warning, and an error when a repository is compiled to be run: nothing is
// ever ignored. Whoever builds the engine's side removes the line.

// ahead are fields by their mapping.
var ahead = map[*shape][]string{
	&monitorsShape: {
		"checks",
		"cpu",
		"disk",
		"generation",
		"memory",
		"servers",
	},
}

func isAhead(list []string, name string) bool { return len(list) > 0 && slices.Contains(list, name) }

// The message and hint of what is ahead.
const (
	aheadMessage = " is not supported by this version's server"
	aheadHint    = "the server refuses the commit: remove it, or wait for the version that acts on it"
)

// aheadAt is the warning about a use of something.
func aheadAt(at flow.Pos, what string) diag.Diagnostic {
	return warningAt(at, diag.NotSupported, aheadHint, what+aheadMessage)
}
