package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/plugins/sdk"
)

// sendTime is how long a channel has for one message. A call rings, speaks and waits for a key in that time.
const sendTime = 2 * time.Minute

// Dispatcher sends deliveries through channel plugins.
type Dispatcher struct {
	// Channel returns a plugin's channel. Pins are the SHA-256 of the executables that a third party's may be.
	Channel func(ctx context.Context, plugin string, pins []string) (sdk.Channel, error)
	Secret  func(name string) (string, error)
	// Tail returns the end of an attempt's log; empty when there is none.
	Tail func(engine.AttemptID) string
	// Token returns what acknowledges the alerts of a delivery.
	Token func(engine.DeliveryID) string
	URL   string
	Log   *slog.Logger

	programs expr.Programs
}

// Send sends a delivery by a channel of the project and tells what became of it.
func (d *Dispatcher) Send(ctx context.Context, p *flow.Project, v *engine.Delivery) Receipt {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	r, err := d.send(ctx, p, v)
	if err != nil {
		r = Receipt{Message: err.Error(), Retryable: !errors.Is(err, errHopeless)}
	}
	r.ID = v.ID
	if !r.Delivered {
		d.Log.Warn("an alert was not delivered", "delivery", v.ID, "channel", v.To.Channel, "to", v.To.Name, "again", r.Retryable, "why", r.Message)
	}
	return r
}

// errHopeless marks what trying again does not mend.
var errHopeless = errors.New("it is not tried again")

func (d *Dispatcher) send(ctx context.Context, p *flow.Project, v *engine.Delivery) (Receipt, error) {
	if p == nil || p.Channels[v.To.Channel] == nil {
		return Receipt{}, fmt.Errorf("the active revision has no channel %s: %w", v.To.Channel, errHopeless)
	}
	c := p.Channels[v.To.Channel]
	with, err := d.with(c)
	if err != nil {
		return Receipt{}, fmt.Errorf("channel %s: %w", c.Name, err)
	}
	var pins []string
	if locked := p.Plugins[c.Plugin]; locked != nil && locked.Kind == flow.ChannelPlugin {
		pins = locked.SHA256
	}
	plugin, err := d.Channel(ctx, c.Plugin, pins)
	if err != nil {
		return Receipt{}, err
	}
	able, err := plugin.Capabilities(ctx, with)
	if err != nil {
		return Receipt{}, fmt.Errorf("ask what channel %s can do: %w", c.Name, err)
	}
	around := Surroundings{URL: d.URL, Short: able.MaxLength, Zone: zoneOf(p, v.To.Person)}
	if len(v.Alerts) > 0 {
		around.AckToken = d.Token(v.ID)
	}
	if first := v.Items[0]; first.Attempt != 0 && len(v.Items) == 1 && d.Tail != nil && v.To.Kind == flow.Email {
		around.LogTail = d.Tail(first.Attempt)
	}
	n := Compose(v, around)
	n.With = with
	r, err := plugin.Send(ctx, n)
	if err != nil {
		return Receipt{}, fmt.Errorf("channel %s: %w", c.Name, err)
	}
	return Receipt{
		Delivered: r.Delivered, Retryable: r.Retryable, Unanswered: r.Unanswered, Acknowledged: r.Acknowledged, Message: r.Message, Receipt: r.ID,
	}, nil
}

// zoneOf returns the time zone of a receiver: their own, or the repository's.
func zoneOf(p *flow.Project, person string) *time.Location {
	name := p.Timezone
	if who := p.People[person]; who != nil && who.Timezone != "" {
		name = who.Timezone
	}
	zone, err := time.LoadLocation(name)
	if err != nil { // the compiler has seen it
		return time.UTC
	}
	return zone
}

// with writes the configuration of a channel, secrets filled in.
func (d *Dispatcher) with(c *flow.Channel) (json.RawMessage, error) {
	if len(c.With) == 0 {
		return nil, nil
	}
	filled, err := d.fill(c.With)
	if err != nil {
		return nil, err
	}
	return json.Marshal(filled)
}

func (d *Dispatcher) fill(x any) (any, error) {
	switch x := x.(type) {
	case *flow.Template:
		text, err := d.programs.Text(x, expr.Peer, &expr.Values{})
		if err != nil {
			return nil, err
		}
		return flow.Reveal(text, d.Secret)
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, v := range x {
			filled, err := d.fill(v)
			if err != nil {
				return nil, err
			}
			out[k] = filled
		}
		return out, nil
	case []any:
		out := make([]any, len(x))
		for i, v := range x {
			filled, err := d.fill(v)
			if err != nil {
				return nil, err
			}
			out[i] = filled
		}
		return out, nil
	}
	return x, nil
}
