// Package process turns one small interface into a runner: the author says which command executes a spec (Commander), the package
// starts it, collects its log, enforces its timeout, kills its whole tree and knows its end, also when this plugin process,
// the host or both were killed in between.
//
// What an attempt leaves in its work folder:
//
//	start.json  who started it, its deadline; created exclusively, so that an attempt starts once or never
//	log         stdout and stderr, written by the task itself: no death of ours breaks its pipe
//	lease.json  when its lease ends, if it has one; replaced at each renewal
//	cause.json  why we end it, written before the first signal
//	exit.json   how the process ended; its presence means: over
//	explained.json  what the process itself says of its end (Explain)
//
// and the plugin process, in its own folder: the journal (which work folder each process belongs to) and plugin.lock, held as
// long as it lives. Its parent, the keeper (package keeper), inherits the tasks of a plugin that dies, reaps them and writes the same exit.json.
// A process is reaped only after its exit.json is there; in between anyone may write it again, with the same content.
//
// An attempt's life here: Start writes start.json, and under one mutex the intent, forks, and notes the process id in the
// journal, so that at most one process has no record when this one is killed. A goroutine, no thread, waits on its pidfd. At the end what is left of
// its tree is killed, exit.json is written, the process reaped, Wait released. Wait reads the log file; it is woken by inotify,
// which short attempts never touch. Attempts of other plugin processes are adopted: their exit.json is awaited, and
// the locks of their plugin and keeper tell when nobody is left to write it.
//
// Deadlines are on the clock that counts since boot: no change of the wall clock moves them, and a recovered attempt keeps its own.
//
// Leases are, too, and are enforced by whoever is there: the plugin process, another one that has adopted the attempt, and the keeper of a dead one.
// Each reads lease.json when the time has come that it knows of, and goes on when the lease was renewed.
package process
