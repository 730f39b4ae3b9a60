// Package expr understands ${{ expressions }}: it splits templates, checks them when a repository is compiled, and evaluates
// them when a run is created or a task is dispatched. It is the only importer of expr-lang.
//
// A text becomes a flow.Template by [ParseTemplate]. [Programs] holds the compiled expressions, keyed by their scope and
// source: the compiler asks it to Check, the engine asks it for Text and Bool, and an expression that ten thousand tasks
// share is compiled once.
//
// # Scopes
//
// A [Scope] says where a template stands, and so which contexts are known: at Creation of a run its period, params and
// matrix; at Dispatch also flow, task, run, env and needs. Run is Dispatch for text that a shell or an SQL engine will read:
// there every use of params must stand inside quote(), because whoever may start a run may set them. When is a condition.
//
// # Values
//
// Params, env, matrix and labels are text. Outputs of needs are dynamic: what reads back as the same number or as true or
// false is one, so needs.extract.outputs.rows > 0 works; compared with text they are text. Times are in the zone of the
// schedule. Text gives numbers without exponent, times in RFC 3339; nothing (nil), infinity, lists and maps are errors.
//
// # Bounds
//
// Whoever may open a pull request may write expressions, and the server evaluates them, so each ends soon: no loops (closures,
// ranges), no variables, no methods, a bounded number of nodes, and functions whose results are bounded.
package expr
