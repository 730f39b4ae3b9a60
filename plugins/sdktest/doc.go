// Package sdktest exercises plugins in-process, over the same gRPC that the engine uses. Serve makes any plugin reachable;
// Runner is the conformance suite for runners that execute commands, Attempts the one for others, Channel and Sensor those for the other kinds.
// Package inbox below it is a whole channel, with its test.
//
//	func TestConformance(t *testing.T) {
//		sdktest.Runner(t, sdktest.Suite{Commander: shell.Runner{}, Script: func(s string) sdk.Spec { return sdk.Spec{Text: s} }})
//	}
package sdktest
