// Package graph is the graph of a compiled project: which tasks, or flows, need which, and which read what others write. It is computed first
// (Tasks, Flows, Around) and then written: as a tree for the terminal, as dot, as mermaid or as a drawing in SVG. Its JSON form is that of the
// types.
//
// An edge points from what is needed to what needs it: in the direction in which data flows and time passes. Edges on earlier periods may
// close a circle; writers cut it where the order of nodes says.
//
// Everything here is pure and deterministic: the same project gives the same bytes.
package graph
