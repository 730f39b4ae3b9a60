// Package cli is the command line: one file for each verb, and the only place that wires concrete types together.
//
// A verb reads its flags, asks an engine.Service, which is the client of package api, and hands what comes back to a view. Views
// compute a text from data, a clock, a zone and a width, and do no I/O; JSON and YAML are the API's own form of the same data. Results
// go to stdout, everything else to stderr. Nothing is coloured, cut or asked unless a terminal is there.
//
// Each error becomes an exit code in one place, exitCode, from the class of an engine.Error or from the exitError that a verb
// returned. Main is the whole program but for the end of the process, so that tests can run it as a function.
//
// docs/reference/cli.md is written by a test from what the commands say of themselves.
package cli
