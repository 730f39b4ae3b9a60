// Package engine holds the words that all parts of the engine share: runs, task runs, attempts and what becomes of
// them, the table of their transitions, error codes, and the interfaces between the parts.
//
// # The parts
//
// A [Store] keeps the rows, and what is not in it did not happen. The machine of package core decides, package control commits
// what it decided and then acts. A [Fleet] carries assignments to agents, and what the agents say comes back through
// [FleetEvents]. A [Service] is all that people and programs can ask; the server and the HTTP client both implement it.
//
// # The life of a task run
//
// [Transitions] is the table of all moves of a task run, each with its cause; nothing moves in another way. A task run is waiting while
// something blocks it, and each blocker is data, a [Blocker]. An attempt is one execution on one agent. Its number only grows, and
// is handed to the task as its fencing token. What is worth telling somebody, such as a failure, is an [Event], stored with the
// change that causes it.
//
// # Rows and views
//
// Rows ([Run], [TaskRun], …) are what is stored: numbers and instants in microseconds. Views ([RunView], …) are what is
// shown: names, labels and RFC 3339 times. Their JSON form is the API.
package engine
