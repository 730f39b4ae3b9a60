// Package hive is the runner that executes HiveQL on a HiveServer2, Apache Hive's or Spark's.
//
//	run:  the script; statements end with ;
//	file: the same from a file
//	args: named ones are variables of the script, ${name} or ${hivevar:name}; so are the FLOWCTL_… variables
//	with: the server and how to log in; docs/dsl.md lists all
//
// An attempt is a process on the agent's host (Session) that package process starts, keeps and kills as it does any other: it survives the agent and the
// plugin. It opens a session on the server and executes the statements in it, one after the other, each asynchronously: it asks for the state,
// copies the operation's log into its own stdout, tells progress where the server does, and shows the first rows of a result.
//
// The handles of session and operation are in the work folder, from before anything runs until the session is closed. With them the process goes on over
// another connection when one breaks, if the server did not end the session with it. When the process is told to end, or was killed, they serve to cancel what runs
// and to close the session, which ends its jobs (Runner.Settle): nothing is told before that was done.
//
// In templates, quote(x) makes a string literal of HiveQL.
package hive
