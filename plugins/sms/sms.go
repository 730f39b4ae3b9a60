package sms

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"flowctl/plugins/internal/request"
	"flowctl/plugins/sdk"
)

// Channel is the SMS channel.
type Channel struct {
	sender *request.Sender

	mu    sync.Mutex
	links map[string]*link // by their configuration
}

// New returns a channel that signs requests to gateways with the time of a clock.
func New(now func() time.Time) *Channel {
	return &Channel{sender: request.New(now), links: make(map[string]*link)}
}

// Describe implements sdk.Plugin.
func (*Channel) Describe() sdk.Description {
	return sdk.Description{Name: "sms", Version: "1", Kind: sdk.KindChannel, Schema: json.RawMessage(schema)}
}

// Validate implements sdk.Plugin.
func (*Channel) Validate(with json.RawMessage) []sdk.Problem {
	_, problems := parse(with)
	return problems
}

// Capabilities implements sdk.Channel.
func (*Channel) Capabilities(_ context.Context, with json.RawMessage) (sdk.Capabilities, error) {
	s, problems := parse(with)
	if len(problems) > 0 {
		return sdk.Capabilities{}, fmt.Errorf("%w: with%s: %s", sdk.ErrInvalid, problems[0].Path, problems[0].Message)
	}
	return sdk.Capabilities{Address: sdk.AddressNumber, MaxLength: s.MaxLength}, nil
}

// Send implements sdk.Channel.
func (c *Channel) Send(ctx context.Context, n sdk.Notification) (sdk.Receipt, error) {
	s, problems := parse(n.With)
	if err := sdk.Refuse(problems); err != nil {
		return sdk.Receipt{Message: err.Error()}, nil
	}
	if !isNumber(n.Receiver.Address) {
		return sdk.Receipt{Message: fmt.Sprintf("%q is no phone number such as +8613800000001", n.Receiver.Address)}, nil
	}
	if s.Gateway != nil {
		return c.sender.Send(ctx, s.Gateway, request.FieldsOf(&n), nil)
	}
	ids, l, err := c.submit(ctx, s.SMPP, &n)
	switch {
	case ctx.Err() != nil:
		return sdk.Receipt{}, ctx.Err()
	case err != nil:
		return sdk.Receipt{Retryable: retryable(err), Message: fmt.Sprintf("SMS centre %s: %v", s.SMPP.Host, err)}, nil
	case s.SMPP.Receipts == "":
		return sdk.Receipt{Delivered: true, Message: "the SMS centre has it", ID: ids[0]}, nil
	}
	return l.await(ctx, ids, duration(s.SMPP.Receipts)), nil
}

// isNumber tells whether an address is a number as E.164 has it.
func isNumber(address string) bool {
	digits, plus := strings.CutPrefix(address, "+")
	return plus && len(digits) >= 3 && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}

// submit sends the parts of a message, once more when a connection that was kept turns out to be dead.
func (c *Channel) submit(ctx context.Context, s *smppSettings, n *sdk.Notification) (ids []string, l *link, err error) {
	l = c.link(s)
	sum := sha256.Sum256([]byte(n.Key + "\x00" + n.Receiver.Address))
	parts := split(n.Short, binary.BigEndian.Uint16(sum[:]), s.Reference == 8)
	for {
		session, fresh, err := l.connect(ctx, s)
		if err != nil {
			return nil, l, err
		}
		ids = nil
		for _, p := range parts {
			var id string
			if id, err = session.submit(ctx, s.message(n.Receiver.Address, p)); err != nil {
				break
			}
			ids = append(ids, id)
		}
		if err == nil || fresh || !errors.Is(err, errLost) {
			return ids, l, err
		}
	}
}

func (c *Channel) link(s *smppSettings) *link {
	key := fmt.Sprintf("%+v", *s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.links[key] == nil {
		c.links[key] = newLink()
	}
	return c.links[key]
}

// message writes the body of a submit_sm.
func (s *smppSettings) message(to string, p part) []byte {
	ton, npi := byte(0), byte(0) // unknown: a short code
	source, plus := strings.CutPrefix(s.Source, "+")
	switch {
	case plus:
		ton, npi = international, isdn
	case strings.Trim(source, "0123456789") != "":
		ton = alphanumeric
	}
	b := append(cstrings(""), ton, npi)
	b = append(b, cstrings(source)...)
	b = append(b, international, isdn)
	b = append(b, cstrings(strings.TrimPrefix(to, "+"))...)
	class, wanted := byte(0), byte(0)
	if p.header {
		class = classHeader
	}
	if s.Receipts != "" {
		wanted = wantReceipt
	}
	b = append(b, class, 0, 0, 0, 0, wanted, 0, p.coding, 0, byte(len(p.body)))
	return append(b, p.body...)
}

// await tells what the phone made of a message.
func (l *link) await(ctx context.Context, ids []string, limit time.Duration) sdk.Receipt {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, id := range ids {
		switch state := l.ledger.await(ctx, id); state {
		case "DELIVRD":
		case "":
			return sdk.Receipt{Delivered: true, Message: fmt.Sprintf("the SMS centre has it; the phone did not confirm it within %v", limit), ID: ids[0]}
		case "EXPIRED":
			return sdk.Receipt{Unanswered: true, Message: "the phone could not be reached: " + state, ID: ids[0]}
		default:
			return sdk.Receipt{Message: "the SMS centre could not deliver it: " + state, ID: ids[0]}
		}
	}
	return sdk.Receipt{Delivered: true, Message: "the phone has it", ID: ids[0]}
}

// retryable tells whether trying again can help.
func retryable(err error) bool {
	var refused refusal
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &refused) {
		return refused.retryable()
	}
	return !errors.As(err, &untrusted) && !errors.Is(err, errTrust)
}
