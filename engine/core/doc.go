// Package core is the scheduler as a deterministic machine: events go in with the instant at which they happened,
// changes of rows and effects come out. It does no I/O, reads no clock and starts no goroutine.
//
// # How data flows
//
// [Machine.Handle] applies one [Event]. What it changed is collected, each row once however often it changed, until
// [Machine.Take] hands over an [Output]: rows for one transaction, and effects that may be performed only after that
// transaction is durable. Every effect can be derived again from the rows, so a crash between the two loses nothing:
// [Restore] builds the machine that wrote the rows, and an agent that presents itself is told again what it missed.
//
// # What is in memory
//
// Only what can still move: active runs, the state of flows, unfinished backfills, connected agents. A run that has
// settled leaves memory; what became of it is in the ledger. When a need reaches a period that is not in memory, the
// machine asks with a look-up, and the need is "checking" until the answer comes as an event.
//
// # How a task run moves
//
// The table engine.Transitions lists all moves; move refuses any other. A task run counts its needs by class (unmet,
// good, bad), so an upstream that changes costs one step for each dependent and never a scan. When the needs allow
// it, the rest follows in order: the condition (when), the earliest start, the input paths, the quality gate, the limits; then it stands in the
// queue of its agent selector, ordered by backfills last, priority and age, due instant and number.
//
// Input paths that are not there are watches, one for each path and selector. Those that are due stand in the outlook of their selector and go
// to agents in bounded calls, so that an event costs the same however many are waited for.
//
// A point is what is known of one task for one period, kept while somebody waits for it. It is the only link between
// runs.
//
// An attempt of a task that does not wait for a lost agent has a lease, which whoever executes it enforces. The machine has no clock by which it could
// tell that a lease has ended, since its instants jump with the time of day: it asks for a [Silent] event when a stream is lost, and gives
// attempts up when that comes and the agent has not been back.
//
// # What is told
//
// What somebody may want to hear of is an event (tell.go), stored with the changes that cause it. An ordinary success is none, and costs nothing.
//
// # Promises
//
// Generation computes, so it fails for one reason alone: the paths of a run cannot be told. It is tried again three times, and then the run is
// made without the tasks that are wrong, which fail. A commit or a look-up that fails ends the machine, and the one rebuilt from the rows generates
// the period again.
//
// The invariants of docs/concepts.md: one run per flow, period and version; at most one live attempt per task and
// period; no attempt before its blockers cleared; a final attempt never changes; the same events give the same
// changes. Package reference says once more, slowly and plainly, what a machine at rest must be like; the tests compare the two.
package core
