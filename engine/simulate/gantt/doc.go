// Package gantt draws the result of a simulation: [SVG] as one picture, [HTML] as a page with that picture and the tables beside it.
//
// Both are self-contained (no script, no font, nothing that is fetched), follow the reader's light or dark scheme, and give the same
// bytes for the same result. Rows are tasks, grouped by flow in the order in which the flows began; bars are attempts. Bars that would touch on
// the screen are drawn as one, so the size of a picture is bounded by its rows, not by the length of the simulation.
package gantt
