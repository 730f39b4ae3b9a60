// Package proc is what flowctl needs to know of processes: who they are, whose children they are, how they ended, and how to
// end a whole tree of them.
//
// A process id alone names nobody, because ids are reused. A process is identified here by its id and a window of time in which
// it was born, both on the clock that counts since boot (Boot), which no change of the wall clock moves. Ends are awaited on
// pidfds through the runtime's poller, which costs no thread.
//
// It works on Linux 5.4 and newer. Elsewhere it compiles, and everything answers with errors.ErrUnsupported.
package proc
