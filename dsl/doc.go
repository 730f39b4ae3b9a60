// Package dsl compiles a flows repository: YAML files in, one flow.Project and all diagnostics out.
//
// Files come from a folder (ReadDir) or from a commit; a Compiler does not care. It works in named stages (see stages
// in compile.go), each on what the former ones made:
//
//	bytes -> nodes    yaml.go: the only place that knows the YAML library; every scalar keeps its place
//	nodes -> drafts   decode.go, flowdoc.go, catalog.go: what one file says, checked as far as it can be on its own
//	drafts -> flows   collect.go, build.go: names looked up, defaults filled in, matrices expanded, schedules and expressions compiled
//	flows -> graph    knots.go: tasks that wait for each other
//	graph -> project  hash.go and assemble: sorted, hashed, indexed
//
// What it promises:
//
//   - One pass reports everything, sorted by place, without diagnostics that merely follow from others.
//   - Nothing is ignored: a field that the language does not have is an unknown-field, one that this build does not have yet is
//     not-supported.
//   - Whatever the bytes, it ends in bounded time and memory and does not panic; the limits are in yaml.go.
//   - The same files give the same project, hashes included, in whatever order they come.
//   - A compile after a change costs what changed: drafts are kept by the content of their file, flows as long as
//     their draft, the catalog, the flows they need and the scripts they name are the same.
//
// Format lays a file out anew with package format, and returns nothing that would mean something else.
//
// Other packages write and read no YAML of their own; what they need beyond Compile is EncodeYAML.
package dsl
