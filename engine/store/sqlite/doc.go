// Package sqlite keeps the state of one server in an SQLite database: it implements engine.Store.
//
// # Data flow
//
// There is one writing connection and a few reading ones, all in WAL mode: readers see the last commit and never wait for
// the writer. The writer takes one transaction at a time. A Commit is one transaction, whatever the number of its rows, and is
// flushed to disk (synchronous FULL) before it returns: the cost of the flush is shared by all rows of the group.
//
// The driver's connections are used directly, without database/sql: the hot path is a prepared statement per kind of row,
// bound and stepped a few hundred thousand times a second, where database/sql would cost as much as SQLite. All of that is in
// conn.go; everything else speaks in statements and rows.
//
// # Promises
//
//   - Commit, PutRevision and Activate check the term in their own transaction and change nothing when it is not the newest.
//   - A Changes is applied in this order: backfills, runs, task runs removed, task runs, attempts, waits removed, waits,
//     lateness of settled runs, outcomes, flows, operations, events, presences, paces, anomalies, signals, alerts,
//     deliveries, silences, subscriptions, overrides. So a run may come with a new backfill, and a run's waits may be replaced in one Changes.
//     A task run is never both put and removed by one Changes. Of the events of one key the first stays, and of the deliveries.
//   - Rows are put as a whole. The flow, period, version and backfill of a run, the run, task and number of an attempt, and
//     who asked for a backfill and when, are the row's identity and stay as first written.
//   - A commit is not interrupted half way by its context: the context is looked at before the transaction begins and while
//     waiting for the writer, and then the transaction runs to its end.
//   - One process at a time: Open holds a lock on a file beside the database. The kernel frees it when the process ends,
//     however it ends.
//
// # Layout
//
// Instants are microseconds since 1970, UTC; 0 is unknown. An empty text is an absent one. Maps and lists are JSON text, NULL
// when nil. States are words, except in the ledger (table outcomes), which is never purged and therefore compact: it names
// tasks by number (table tasks) and states by code (ledgerStates).
//
// Indices are few, because every one is paid for on the hot path: those on states are partial and hold only what is active,
// live or failed. What has no index (attempts of an agent, runs of a kind) is found by scanning from the newest.
package sqlite
