// Package flow is the compiled model of a flows repository: what a Project, its flows and their tasks are, once every name is resolved,
// every default filled in and every expression checked.
//
// Package dsl makes it; everybody else reads it. A Project belongs to one commit and never changes after it was made, so it is
// shared between goroutines without locks, and two projects of one compiler share the flows that did not change. Hashes
// tell whether two flows, or two tasks, do the same, whatever the commits they come from: descriptions, owners, alerts and places in files are
// not part of them. The project's hash covers owners and alerts too.
//
// It depends on package period alone, so that the scheduler's core can use it.
package flow
