// Package logs keeps what attempts print: one append-only file for each attempt that printed anything, below one folder.
//
// Data comes from agents as chunks that say where in the log they belong. Appending is idempotent: what is there already
// is skipped, so an agent may send a range again after a lost stream. A chunk that would leave a hole is refused with
// ErrGap; the agent then learns the size and goes on from there.
//
// Readers copy a log, or follow it: a follower sleeps until something is appended or the attempt ends, and polls nothing.
// Logs does not know which attempts are over, since that is the store's to know: a follower brings a function that
// asks, and whoever has stored the end of an attempt calls End after it.
//
// Files are DIR/<attempt/1000>/<attempt>.log, and beside it <attempt>.times with when what was printed arrived, to the second, unless all of it arrived
// within one. Some time after its end a log that is worth it becomes <attempt>.log.zst, with both in it; an append that brings
// something new, as after an end that was declared, makes the files again. Sweep removes what is old. The number of open files is bounded; the least
// recently used is closed.
// Nothing is synced: after a power loss a log may be short, and is sent again when the agent still has it.
package logs
