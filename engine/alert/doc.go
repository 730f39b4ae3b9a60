// Package alert tells people what happens: rules -> notifications -> outbox -> channels.
//
// # Data flow
//
// The scheduler's core makes an event with the change that causes it. Before the loop commits a round, it shows the events to the Desk,
// and the rows that the desk makes of them go into the same transaction:
//
//	event -> Router.Route: who is told, by which channel, and why
//	      -> an alert: opened, or joined when the event follows from one
//	      -> deliveries: messages that wait a second for what else their receiver is to be told
//
// Once they are durable, Desk.Due hands out what is due; a Dispatcher sends it through a channel plugin and the answer comes back to the
// desk through the loop. A restart rebuilds the desk from the rows, and what was handed out is sent again, with the same key.
//
// Router and Desk are pure: time is an argument, nothing is read but what they are given. Only the Dispatcher does I/O.
//
// # Promises
//
//   - Trouble always reaches somebody when any channel reaches anybody, unless the flow says that nobody is to be told.
//   - Every delivery ends as delivered, failed or silenced; a failed one is told to the admins, by another channel when email is what failed.
//   - One call and one text per receiver for all that has one cause; emails tell all of it.
//   - A key names one message for ever. What a message tells does not change once it was handed out.
package alert
