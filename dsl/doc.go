// Package dsl compiles a flows repository: YAML files in, one flow.Project and all diagnostics out.
//
// Files come from a folder (ReadDir) or from a commit; a Compiler does not care. It works in named stages (see stages
// in compile.go), each on what the former ones made:
//
//	bytes -> nodes    yaml.go: the only place that knows the YAML library; every scalar keeps its place
//	nodes -> drafts   decode.go and the files *doc.go: what one kind of document says, checked as far as it can be on its own
//	drafts -> catalog collect.go, peers.go: what flows refer to by name
//	drafts -> flows   build.go, uses.go, options.go: templates and defaults filled in, names looked up (lookup.go), settings checked (schema.go),
//	                  matrices expanded, schedules and expressions compiled
//	flows -> graph    knots.go: tasks that wait for each other; lineage.go: who reads what others write
//	nodes -> tests    testdoc.go, outcomes.go: tests of flows, read last because they name flows, tasks and periods
//	flows -> warnings lint.go and its neighbours: what compiles, but is hardly meant; silence.go drops what comments silence
//	graph -> project  hash.go and assemble: sorted, hashed, indexed
//
// What it promises:
//
//   - One pass reports everything, sorted by place, without diagnostics that merely follow from others.
//   - Nothing is ignored: a field that the language does not have is an unknown-field, and the engine acts on all that it has.
//   - Whatever the bytes, it ends in bounded time and memory and does not panic; the limits are in yaml.go.
//   - The same files give the same project, hashes included, in whatever order they come.
//   - A compile after a change costs what changed: drafts are kept by the content of their file, flows as long as
//     their draft, the catalog, the flows they need and the scripts they name are the same.
//
// Format lays a file out anew with package format, and returns nothing that would mean something else.
//
// Other packages write and read no YAML of their own; what they need beyond Compile is EncodeYAML.
package dsl
