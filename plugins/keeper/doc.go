// Package keeper is the parent of a plugin process, and of its tasks when it dies.
//
// A plugin process waits for its tasks itself; that is the cheap path. If it is killed, the kernel gives its children to the
// nearest subreaper above it, and that is the keeper: it reads the plugin's journal, waits for each orphan, ends what the orphan left behind,
// writes the exit.json that the plugin would have written, and only then reaps. So an exit code is lost only when plugin and
// keeper are both killed, and no attempt needs a process of its own for that.
//
// The keeper also introduces the plugin: it reads the handshake from the plugin's stdout and writes reattach.json, from which
// any host connects. A plugin without a proper handshake in time is killed with all that came of it. What a plugin prints goes through the keeper
// into a file that is bounded; one that outlives its keeper prints to nobody, until it has printed as much as a pipe holds. The keeper ends when the
// plugin has ended and no orphan is left.
package keeper
