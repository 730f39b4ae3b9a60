// Package diag holds what is found wrong with a flows repository, and shows it to people and programs.
//
// A Diagnostic is a value with a place, a stable rule and a hint; a compile returns all of them, sorted by Sort and with the
// lines they are about, by Quote. Rules lists what can be found.
//
// WriteText shows diagnostics as a compiler does, with the line and a caret below the place; WriteJSON gives the same to programs, and
// WriteGitHub, WriteSARIF and WriteJUnit speak to code hosts and pipelines. All take the diagnostics as they are: what is a problem was decided
// before.
//
// Text that comes from a repository may hold anything; control characters are never written to the terminal.
package diag
