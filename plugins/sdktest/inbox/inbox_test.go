package inbox_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest"
	"flowctl/plugins/sdktest/inbox"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "someone@example.com", "+8613800000001"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			sdktest.Channel(t, suite(address))
		})
	}
}

func suite(address string) sdktest.ChannelSuite {
	kind := map[bool]string{true: sdk.AddressNone, false: sdk.AddressEmail}[address == ""]
	if address != "" && address[0] == '+' {
		kind = sdk.AddressNumber
	}
	return sdktest.ChannelSuite{
		Channel: inbox.Channel{},
		Peer: func(t *testing.T) sdktest.Peer {
			dir := t.TempDir()
			path, down := filepath.Join(dir, "inbox"), filepath.Join(dir, "down")
			with := fmt.Sprintf(`{"path": %q, "address": %q, "down": %q, "max_length": 70}`, path, kind, down)
			return sdktest.Peer{
				With: json.RawMessage(with), Address: address,
				Arrived: func() []sdktest.Arrival {
					list, err := inbox.Read(path)
					if err != nil {
						t.Error(err)
					}
					var arrived []sdktest.Arrival
					for _, n := range list {
						arrived = append(arrived, sdktest.Arrival{To: n.Receiver.Address, Text: n.Short})
					}
					return arrived
				},
				Down: func() {
					if err := os.WriteFile(down, []byte("for a while"), 0o600); err != nil {
						t.Error(err)
					}
				},
			}
		},
		Wrong: []sdktest.WrongWith{
			{With: `{"path": "/tmp/x", "colour": 1}`, Path: "/colour"},
			{With: `{"path": "x"}`, Path: "/path"},
			{With: `{"path": "/x", "address": "pigeon"}`, Path: "/address"},
			{With: `{"path": "/x", "max_length": "long"}`, Path: "/max_length"},
		},
	}
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "inbox")
	with := json.RawMessage(fmt.Sprintf(`{"path": %q, "address": "number", "refuse": ["+1"], "busy": ["+2"], "acknowledges": ["+3"]}`, path))
	client := sdktest.Serve(t, inbox.Channel{})
	for to, want := range map[string]sdk.Receipt{
		"+1": {Message: "+1 is refused"},
		"+2": {Unanswered: true, Message: "+2 does not answer"},
		"+3": {Delivered: true, Acknowledged: true, ID: "k"},
		"+4": {Delivered: true, ID: "k"},
	} {
		got, err := client.Send(t.Context(), sdk.Notification{Key: "k", With: with, Receiver: sdk.Receiver{Address: to}})
		if err != nil || got != want {
			t.Errorf("to %s: %+v, %v; want %+v", to, got, err, want)
		}
	}
}
