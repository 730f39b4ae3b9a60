// Package shell is the runner that executes `run:` text through a shell, or a `file:`.
//
//	run:  /bin/sh -c TEXT, or the shell that with.shell names: a name on the task's PATH or an absolute path
//	file: the file itself when it is executable and begins with #!; otherwise the shell reads it
//	with: {strict: true}, the shell reads text and file alike, and ends at the first command that fails and at a variable that
//	      is not set; bash, ksh and zsh also take the failure of any part of a pipeline for that of the pipeline
//	args: positional ones are "$1", "$2", …; a named one becomes two of them, --name and its value
//
// The task starts in its flow's folder with the environment of the spec and FLOWCTL_WORK, nothing else. What the text leaves
// running in the background when it ends is killed with its session. In templates, quote(x) quotes for POSIX shells: between
// single quotes, with each single quote inside written as one that closes, an escaped one, and one that opens again.
package shell
