// Package simulate runs the production scheduler on a clock that jumps from event to event: a month of a repository in seconds, without a
// store, an agent or a process.
//
// [Play] takes a compiled project, two instants and what is known of how tasks behave ([flow.Outcomes]), and returns a [Result]: each run,
// task run and attempt with its instants, what it waited for, the critical path of each run, and how busy the agents and pools were. [Check] takes a
// test of flows and returns where it and the simulation disagree. Packages gantt and cli show the results.
//
// # How it works
//
// A world holds a core.Machine and answers its effects: assignments go to simulated agents, which report a start at once and an end when
// the attempt's duration has passed; probes are answered by the arrivals of the outcomes; look-ups by a ledger in memory. The next
// instant is that of the machine's next timer or of the next such event, whichever is first. What operators do goes through the service of the
// server, which asks the ledger in place of a store.
//
// Events are handled one at a time, so whatever a task run is released by is known: it is the event that was being handled. Critical
// paths follow these causes back.
//
// # What it takes for granted
//
// Each flow is taken to have run before the simulation begins: its first generated period is the first one that is due in it, and every
// earlier one succeeded, unless the outcomes say that it is missing. An attempt starts in the instant in which it is assigned.
//
// # What it promises
//
// The same input gives the same result, byte for byte. What is drawn at random follows from the seed, the task run and the number of the
// attempt, so that a change elsewhere does not change it.
package simulate
