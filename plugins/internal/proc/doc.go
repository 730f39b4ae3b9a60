// Package proc is what flowctl needs to know of processes: who they are, whose children they are, how they ended, and how to
// end a whole tree of them.
//
// A process id alone names nobody, because ids are reused. A process is identified here by its id and a window of time in which
// it was born, both on the clock that counts since boot (Boot), which no change of the wall clock moves. Ends are awaited on
// pidfds through the runtime's poller, which costs no thread.
//
// All of it is Linux; elsewhere the package offers what POSIX has (see proc_other.go): ends are awaited by a blocked thread,
// and trees are process groups.
package proc
