package sdktest

import (
	"context"
	"testing"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"

	"flowctl/plugins/sdk"
)

// Serve serves a plugin in this process until the test ends, and returns its client.
func Serve(t testing.TB, p sdk.Plugin) *sdk.Client {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	attach, closed := sdk.ServeTest(ctx, p)
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: sdk.Handshake(), Plugins: sdk.PluginSet(), Reattach: attach,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Logger: hclog.NewNullLogger(),
	})
	t.Cleanup(func() {
		client.Kill()
		cancel()
		<-closed
	})
	protocol, err := client.Client()
	if err != nil {
		t.Fatalf("attach to the plugin: %v", err)
	}
	c, err := protocol.Dispense("flowctl")
	if err != nil {
		t.Fatalf("ask the plugin to describe itself: %v", err)
	}
	return c.(*sdk.Client)
}
