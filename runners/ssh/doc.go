// Package ssh is the runner that executes on a host without an agent, through the host's sshd.
//
//	run:  the text is written to a file there, which with.shell reads (default /bin/sh); "$0" is that file
//	file: the file itself when it is executable and begins with #!; otherwise the shell reads it
//	args: positional ones are "$1", "$2", …; a named one becomes two of them, --name and its value
//	with: host and how to log in; docs/dsl.md lists all
//
// The host needs an account, /bin/sh, tar, awk and the usual POSIX commands. With setsid and /proc (Linux) the task's whole tree is
// ended like on an agent's host; without, what leaves the process group and loses its parents escapes.
//
// Two halves look after an attempt. The near one is a process on the agent's host (Session), which package process starts, keeps and kills as it
// does any other: it survives the agent and the plugin. It logs in, uploads what is missing, starts the far half, copies the task's log into its own
// stdout, and ends as the task ended. The far one (remote.sh) is detached from the connection. It runs the task, writes log and exit code into
// ~/.cache/flowctl/attempts/ID, and holds the lease: when the near half has not been heard for so long, it ends the task.
//
// So a connection that breaks is made anew, and nothing of log or exit code is lost; and whatever happens to the near half, its
// host or the network, the task ends within the lease (plus a tenth and the 10 seconds that it has between TERM and KILL). When the
// near half was killed, the plugin itself sees to it that the task is over before it says so (Runner.Settle).
package ssh
