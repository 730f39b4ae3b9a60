// Command flowctl-channel-file is a channel plugin for tests.
package main

import (
	"os"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest/inbox"
)

func main() { os.Exit(sdk.Serve(inbox.Channel{})) }
