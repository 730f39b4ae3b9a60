package webhook

import (
	"context"
	"encoding/json"
	"time"

	"flowctl/plugins/internal/request"
	"flowctl/plugins/sdk"
)

const schema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["url"],
  "properties": {
    ` + request.Properties + `
  }
}`

// Channel is the webhook channel.
type Channel struct{ sender *request.Sender }

// New returns a channel that signs with the time of a clock.
func New(now func() time.Time) Channel { return Channel{request.New(now)} }

// Describe implements sdk.Plugin.
func (Channel) Describe() sdk.Description {
	return sdk.Description{Name: "webhook", Version: "1", Kind: sdk.KindChannel, Schema: json.RawMessage(schema)}
}

// Validate implements sdk.Plugin.
func (Channel) Validate(with json.RawMessage) []sdk.Problem {
	_, problems := parse(with)
	return problems
}

func parse(with json.RawMessage) (*request.Spec, []sdk.Problem) {
	s := &request.Spec{}
	if problems := sdk.DecodeWith(with, s); len(problems) > 0 {
		return nil, problems
	}
	return s, s.Check("")
}

// Capabilities implements sdk.Channel.
func (Channel) Capabilities(context.Context, json.RawMessage) (sdk.Capabilities, error) {
	return sdk.Capabilities{Address: sdk.AddressNone}, nil
}

// Send implements sdk.Channel.
func (c Channel) Send(ctx context.Context, n sdk.Notification) (sdk.Receipt, error) {
	s, problems := parse(n.With)
	if err := sdk.Refuse(problems); err != nil {
		return sdk.Receipt{Message: err.Error()}, nil
	}
	fields := request.FieldsOf(&n)
	return c.sender.Send(ctx, s, fields, fields)
}
