// Package gitsync follows one branch of the flows repository and reads its commits. It is the only package that knows git and
// file system events.
//
// # Data flow
//
// Watch says when there may be something new; Head then returns the newest commit of the branch, and Files the flows of a
// commit. Files are read from git's object store, at the commit that was asked for: no work tree is checked out, so what a
// developer has open does not matter, and a commit can be read after the branch went on. No git binary is needed.
//
// There are three kinds of source:
//
//   - a local repository (a path or a file URL) is read in place. Changes of its refs wake Watch at once, by file system events;
//   - a remote repository (https, ssh) is mirrored into a bare repository in a folder of the server, which Head brings up to
//     date with one shallow fetch. Watch wakes with every poll;
//   - a folder served live (Options.Worktree) need not be a repository. Its content is the commit: Head reads the folder and
//     names what it found by a hash over it, and Files returns just that. Changes in the folder wake Watch.
//
// Every source is polled as well, because events can be missed: network file systems have none.
//
// # Promises
//
//   - Reading a commit costs what changed since the last one that was read: trees and contents are remembered by their git hash.
//   - A repository that is written meanwhile (gc, repack, a forced push) does no harm: each operation opens the repository
//     anew, which also keeps go-git's handles from being shared between goroutines, and tries twice when an object is missing.
//   - Errors say what to do and never contain credentials. ErrNoFlows marks a commit that has no flows root: it is the commit's fault,
//     and trying again does not help.
//
// # Credentials
//
// For https, in this order: user and password in the URL; FLOWCTL_GIT_TOKEN. For ssh: the key file FLOWCTL_GIT_SSH_KEY; the ssh
// agent. Host keys are checked against known_hosts. Credentials are never written to the mirror.
package gitsync
