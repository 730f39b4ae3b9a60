// Package wire is the protocol between a server and its agents: the .proto, the code generated from it, and the
// translation to and from the types of package engine. It holds no behaviour; engine/hub is the server's end and
// engine/agent the agent's.
//
// An agent joins once (Join, the only call without a client certificate) and then keeps one stream open (Connect), on
// which everything small travels in batches: assignments, kills, probes and acknowledgements one way, reports, log
// chunks and probe results the other way. The files of a revision are fetched beside it (Tree, Blobs), so that a large
// file does not hold up an assignment.
//
// A stream opens with a handshake of three messages:
//
//	agent:  Open    the attempts it holds
//	server: Welcome how much of each log the server has
//	agent:  Hello   who it is, and how each attempt stands
//
// The agent says in its Hello that an attempt is over only when the server has all of its log; otherwise it sends the rest
// first and the report after it. So an attempt that is reported finished has a complete log at the server. Within
// a message, log chunks come before reports.
//
// Leases are renewed on the stream: the agent sends a time of its own clock (renew), and the server sends it back (renewed) while it counts
// on the agent. What the agent executes under a lease ends so much later than that time, unless it was renewed (docs/adr/0024).
//
// The generated files are made by scripts/proto.
package wire
