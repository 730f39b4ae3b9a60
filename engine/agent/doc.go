// Package agent is the process that executes attempts on a host. It keeps one stream to the server (package wire tells how
// it proceeds), and executes through plugins: runners start and watch attempts, sensors look at paths.
//
// # What lies in the data folder
//
//	identity.pem          certificate, key and the server's authority, from joining
//	work/RUNNER/TREE/ID   one attempt (FLOWCTL_WORK): what the runner keeps of it, and what the task leaves
//	trees/TREE            the files of a revision; blobs/HASH their contents, shared between revisions
//	accounts/USER         of a user as whom attempts run: its workspace, and the trees as it sees them. Its attempts are in
//	                      work/RUNNER@USER/TREE/ID, where task/ is the user's
//	env/RUNNER.env        what attempts of a runner see of this host
//	spare/                emptied folders of attempts, for the next ones
//	workspace/            FLOWCTL_WORKSPACE: what tasks leave for one another; relative input paths resolve against it
//
// # The life of an attempt
//
//	preparing   files are fetched, inputs are looked at. Nothing is on disk. When the stream breaks, the attempt is forgotten
//	            and the server sends it again
//	started     its folder was made, then the runner was called. From here on the attempt outlives streams, the agent
//	            and the plugin: the folder's path tells whom to ask, and the runner's record in it tells the rest
//	finished    the result is known. It is reported, again with each new stream, until the server acknowledges that it is
//	            stored; then the folder is removed
//
// Each attempt has one goroutine, which spends its life in the runner's Wait. Logs come out of Wait and go into the outbox
// of the stream, which blocks when the server is slower than the task. Nothing of a log is kept in memory or copied to disk:
// the runner has it, and Wait begins anywhere. So after a lost stream Wait is called again from what the server
// has.
//
// An attempt with a lease waits for the server's word before it starts, and its lease is renewed as long as it runs. The runner ends it when
// that has not happened for too long, whatever became of the agent.
//
// A folder of which the runner says that nothing was started in it, and never will be, is removed; the server sends that
// attempt again.
//
// A runner that cannot be asked for 15 minutes, or that breaks 21 times in a row while it watches an attempt, without any more of its log and without
// five minutes of calm, costs the attempt its result: it ends as lost, and says why. An agent that starts gives its runners 15 seconds before it
// connects, and asks the others on. Each sensor is asked and answers for itself.
//
// # Messages
//
// Everything for the server goes through the outbox and is sent in batches as large as what gathered while the last batch was
// on its way. The report of a start lingers for some milliseconds: a short task is over by then, and start and end
// travel, and are stored, together.
package agent
