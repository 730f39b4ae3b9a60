// Package sdk is what authors of flowctl plugins import. A plugin is one executable that implements Plugin and one of
//
//   - Runner: executes attempts. Most runners start a process; they implement process.Commander instead (package
//     sdk/process), which is one method, and get logs, timeouts, kills and recovery for nothing.
//   - Sensor: tells whether data paths exist.
//   - Channel: delivers notifications.
//
// and whose main calls Serve:
//
//	func main() { os.Exit(sdk.Serve(process.New(myRunner{}))) }
//
// The host launches one process of it per name, keeps it as long as there is work, and may die and come back at any time.
// Authors see plain Go here; gRPC and go-plugin stay behind it. The client half in this package implements the same
// interfaces, so that a Runner is a Runner on both sides of the socket.
//
// A plugin describes itself at once, whatever else it does, and answers other calls within a minute, checks and messages within ten; what takes
// longer is told by Wait. No message is longer than 16 MiB. The host kills a process that does not describe itself, and asks the next one to recover
// its attempts: what they consist of must be in sessions of their own, not in the plugin's.
//
// Errors that cross the socket keep their class: ErrUnknown, ErrGone and ErrInvalid can be told apart with errors.Is.
package sdk
