package phone

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/emiago/sipgo/sip"

	"flowctl/plugins/internal/request"
	"flowctl/plugins/sdk"
)

// maxText is how many characters a message has: about half a minute of speech.
const maxText = 400

// Channel is the phone channel.
type Channel struct{ sender *request.Sender }

// New returns a channel that signs requests to gateways with the time of a clock. It silences the log of sipgo, which is one for the process: it
// warns of its own closing.
func New(now func() time.Time) Channel {
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
	return Channel{request.New(now)}
}

// Describe implements sdk.Plugin.
func (Channel) Describe() sdk.Description {
	return sdk.Description{Name: "phone", Version: "1", Kind: sdk.KindChannel, Schema: json.RawMessage(schema)}
}

// Validate implements sdk.Plugin.
func (Channel) Validate(with json.RawMessage) []sdk.Problem {
	_, problems := parse(with)
	return problems
}

// Capabilities implements sdk.Channel.
func (Channel) Capabilities(_ context.Context, with json.RawMessage) (sdk.Capabilities, error) {
	s, _ := parse(with)
	return sdk.Capabilities{Address: sdk.AddressNumber, Acknowledges: s != nil && s.Gateway == nil, MaxLength: maxText}, nil
}

// Send implements sdk.Channel.
func (c Channel) Send(ctx context.Context, n sdk.Notification) (sdk.Receipt, error) {
	s, problems := parse(n.With)
	if err := sdk.Refuse(problems); err != nil {
		return sdk.Receipt{Message: err.Error()}, nil
	}
	number := s.dial(n.Receiver.Address)
	if number == "" {
		return sdk.Receipt{Message: fmt.Sprintf("%q is no phone number", n.Receiver.Address)}, nil
	}
	if s.Gateway != nil {
		fields := request.FieldsOf(&n)
		return c.sender.Send(ctx, s.Gateway, fields, fields)
	}
	return s.call(ctx, number, &n)
}
