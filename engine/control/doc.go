// Package control drives the scheduler: it feeds events to the core machine, commits what changed, and only then
// performs the effects.
//
// # The loop
//
// One goroutine, [Loop.Run], owns the machine. Events wait in a channel; the loop handles all that are there, commits
// their changes in one transaction (group commit: while a commit runs, the next events gather), then performs effects and
// answers callers. A caller of [Loop.Do] hears of success only after its change is durable.
//
// Questions to the ledger and to the list of existing runs are answered at once, between a commit and the next event,
// so nothing can change between question and answer.
//
// # Failure
//
// A commit that fails leaves the store in an unknown state. The loop then ends with an error, and its machine must not be
// used any more: the server makes a new loop, which rebuilds the machine from the store under a new term. A loop of an older term
// is refused by the store. Effects that were lost between commit and crash are derived again when agents present
// themselves.
//
// # The rest
//
// [Service] implements engine.Service over a loop and a store; over a loop that is [Direct], it lets operators act in simulations. [Follower] turns commits of the flows repository into
// revisions. [Monitor] looks whether each period that should have a run has one.
package control
