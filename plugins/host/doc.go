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
//	plugin.log     what the plugin and its keeper printed last; plugin.log.1 what came before
//	*.lock         held while they live
//
// # Plugins that misbehave
//
// A plugin can crash, hang, flood or lie; that costs whoever asked it an error which names the plugin and its file, within these bounds, and nobody
// else anything:
//
//	handshake        30 s (Options.Start), 4 KiB; core protocol, protocol version and a unix socket are checked
//	describing       30 s (Options.Start); name and kind must be those of the file's name
//	launches         3, when the process ends by itself while it is launched. All who wait for one that fails get its error
//	an answer        1 min (Options.Answer): Start, Signal, Renew, Recover, Validate, Capabilities, Stop. 10 min: Check, Send
//	the end          no bound, but the process must describe itself every minute
//	a message        16 MiB; a text for people in it 16 KiB, of which the rest is cut off
//	plugin.log       4 MiB, and plugin.log.1 as much, of the processes that live and of the last 5 that died
//
// A launch that fails leaves no process. A process that does not describe itself in time, when a call is late or when a host begins, is killed with
// its session; its keeper and its attempts stay, and the next process finds those. A result with a state that there is not is taken for a lost one.
//
// Connections are plain gRPC on the socket: go-plugin cannot re-attach with its automatic TLS, and the folder's mode keeps others out.
package host
