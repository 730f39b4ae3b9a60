// Package scaffold writes the beginnings of plugins: a Go module with one implementation of an interface of package sdk, its conformance test and
// a README. What it writes builds and passes its test as it is.
package scaffold
