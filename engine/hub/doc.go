// Package hub is the server's end of the agents' streams. It lets agents join, knows which are connected, carries
// assignments, kills, probes and acknowledgements to them, and hands what they report to the scheduler.
//
// # Trust
//
// The server is its own certificate authority; its key lies in DIR (0600). An agent joins with a one-time token made by
// Token. The token's text holds the fingerprint of the authority, so that the agent knows the server before it
// trusts it, and of the token only a hash is stored. The agent gets a client certificate that names it; every other call
// wants that certificate (TLS 1.3). A certificate is good as long as it is the one that the agent's name joined with
// last: joining again under a name replaces the old certificate. It lasts 30 days; Renew gives another for the same key. Revoke
// takes it back: handshakes and calls are refused, and the stream ends.
//
// The server's certificate always names the role (wire.ServerName), not a host. Only this authority can have issued it,
// so an agent may reach the server under any address.
//
// # Streams
//
//	control --Assign, Kill, Probe, Ack--> queue of the agent --writer--> stream
//	stream --reader--> logs, then FleetEvents
//
// The methods of engine.Fleet append to the agent's queue and return. The writer sends all that has gathered while it was
// busy as one message, so that batches grow with load and nothing waits for a timer. The reader hands over one
// message after the other: log chunks are written before the reports that came with them are passed on, and gRPC's
// flow control holds back an agent that sends faster than the server can take.
//
// An agent has at most one stream. A new one ends the old one, and Joined is called only after Lost returned for the old
// one. A dead peer is noticed by gRPC's keepalive after about ten seconds.
//
// Whatever goes wrong with a stream (a hole in a log, an error of FleetEvents) ends it: the agent connects again and
// both sides start from what they hold, which is the one way of repair that has to work anyway.
package hub
