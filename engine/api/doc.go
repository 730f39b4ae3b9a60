// Package api carries engine.Service over HTTP: a server that answers requests from a Service, and a client that is one.
//
// A command therefore does not care whether it talks to the engine in its own process or across a network, and the tests of
// this package are round trips: client, HTTP, server, fake Service and back.
//
// # Requests
//
// Everything lives below /api/v1/<plural>. Bodies are JSON in the form of the engine's view types; lists are {"items", "next"}.
// The OpenAPI document is derived from the routes (docs/openapi.json is its committed copy) and validates requests: what does not
// fit is answered with 422 and the location of each problem. Errors are RFC 9457 problems. An engine.Error's class is
// the HTTP status, its field the location; the client turns both back, so errors survive the wire. An error that is no
// *engine.Error becomes 500 with a request id, under which the server's log tells the rest.
//
// Each request below /api/ carries the admin token as bearer token. Caller tells a Service who asked.
//
// # Streams
//
// Watching a run or a backfill is a stream of Server-Sent Events that the server pushes: "state" holds the whole, "change" only the
// task runs that changed, "end" says that nothing will follow. A comment every few seconds shows that the server lives. A
// log is plain text that can be read from any offset.
//
// The client's Watch and Logs with follow outlive the server: a stream that breaks before its end is opened again, a log at the
// offset it had reached, with growing pauses, until ctx ends or the server answers with an error that will not pass.
package api
