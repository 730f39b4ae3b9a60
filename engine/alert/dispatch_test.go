package alert

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"flowctl/dsl"
	"flowctl/engine"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sdktest/inbox"
)

// settings keeps what a channel is configured with, and passes the rest on.
type settings struct {
	inbox.Channel
	seen json.RawMessage
}

func (*settings) Capabilities(context.Context, json.RawMessage) (sdk.Capabilities, error) {
	return sdk.Capabilities{Address: sdk.AddressNone}, nil
}

func (s *settings) Send(_ context.Context, n sdk.Notification) (sdk.Receipt, error) {
	s.seen = n.With
	return sdk.Receipt{Delivered: true}, nil
}

// A channel is given the values of the secrets that its settings name, at any depth, and a missing one is no message without it.
func TestSecretsOfChannels(t *testing.T) {
	t.Parallel()
	project, findings := dsl.New().Compile([]dsl.File{{Path: dsl.SettingsFile, Data: []byte("version: 1\n")}, {Path: "c.yaml", Data: []byte(`
people: {alice: {name: Alice, email: alice@example.com}}
teams: {data: {members: [alice]}}
secrets: {hook: {teams: [data]}}
channels: {box: {plugin: webhook, with: {url: "https://h/${{ secret('hook') }}", body: {a: [1, "${{ secret('hook') }}"]}}}}
`)}})
	if project == nil {
		t.Fatal(findings)
	}
	channel := &settings{}
	found := true
	d := &Dispatcher{
		Channel: func(context.Context, string, []string) (sdk.Channel, error) { return channel, nil },
		Secret: func(name string) (string, error) {
			if !found {
				return "", errors.New("there is no secret " + name)
			}
			return "<" + name + ">", nil
		},
		Log: slog.New(slog.DiscardHandler),
	}
	v := &engine.Delivery{To: engine.Told{Channel: "box"}, Items: []engine.Item{{Subject: "x"}}}
	r := d.Send(t.Context(), project, v)
	var seen struct {
		URL  string
		Body struct{ A []any }
	}
	if err := json.Unmarshal(channel.seen, &seen); err != nil || !r.Delivered || seen.URL != "https://h/<hook>" || seen.Body.A[1] != "<hook>" {
		t.Errorf("%+v: %s, %v", r, channel.seen, err)
	}
	found, channel.seen = false, nil
	if r := d.Send(t.Context(), project, v); r.Delivered || channel.seen != nil || !strings.Contains(r.Message, "no secret hook") {
		t.Errorf("%+v, %s", r, channel.seen)
	}
}

// broken is a channel whose plugin breaks in a call.
type broken struct {
	inbox.Channel
	able, sent error
}

func (b broken) Capabilities(context.Context, json.RawMessage) (sdk.Capabilities, error) {
	return sdk.Capabilities{Address: sdk.AddressNone, MaxLength: -1}, b.able
}

func (b broken) Send(context.Context, sdk.Notification) (sdk.Receipt, error) {
	return sdk.Receipt{}, b.sent
}

// A message that a plugin did not deliver because it broke is sent again, and its receipt says what broke.
func TestBrokenPlugins(t *testing.T) {
	t.Parallel()
	project, findings := dsl.New().Compile([]dsl.File{{Path: dsl.SettingsFile, Data: []byte("version: 1\n")}, {Path: "c.yaml", Data: []byte(`
channels: {box: {plugin: webhook, with: {url: "https://h/"}}}
`)}})
	if project == nil {
		t.Fatal(findings)
	}
	for name, test := range map[string]struct {
		channel sdk.Channel
		err     error
	}{
		"launch":       {nil, errors.New("no handshake")},
		"capabilities": {broken{able: sdk.ErrLate}, nil},
		"send":         {broken{sent: sdk.ErrGone}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &Dispatcher{
				Channel: func(context.Context, string, []string) (sdk.Channel, error) { return test.channel, test.err }, Log: slog.New(slog.DiscardHandler),
			}
			r := d.Send(t.Context(), project, &engine.Delivery{To: engine.Told{Channel: "box"}, Items: []engine.Item{{Subject: "x"}}})
			if r.Delivered || !r.Retryable || r.Message == "" {
				t.Errorf("%+v", r)
			}
		})
	}
}
