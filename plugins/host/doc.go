// Package host finds, launches and keeps plugin processes for whoever needs them: the agent for runners and sensors, the server for channels.
//
// There is one process per plugin name, detached from the host: it is launched below a keeper (package keeper) in a session of its own, and
// outlives the host while it has work. A host that starts looks for the processes that an earlier one left in Options.Dir and
// attaches to them; a process of another binary, or whose keeper died, drains: it takes no new attempts and ends after its last. One that died is
// replaced at the next request; calls on it fail with sdk.ErrGone, and the attempts are found again by Recover on the new process.
//
// The executable of a third party's plugin must have one of the SHA-256 that the caller got from plugins.lock. It is looked at for each request, read
// when it is another than before, and copied into the folder of its process: what was hashed is what runs.
//
// Every process has a numbered folder DIR/NAME/N:
//
//	reattach.json  its address (a unix socket in a 0700 folder), ids and binary
//	journal        which process belongs to which work folder (package sdk/process)
//	bin/           the copy of a third party's executable
//	plugin.log     what the plugin and its keeper printed
//	*.lock         held while they live
//
// Connections are plain gRPC on the socket: go-plugin cannot re-attach with its automatic TLS, and the folder's mode keeps others out.
package host
