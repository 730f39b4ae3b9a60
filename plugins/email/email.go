package email

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"flowctl/plugins/internal/trust"
	"flowctl/plugins/sdk"
)

// timeout is how long the mail server has for each of its answers.
const timeout = 30 * time.Second

// Channel is the email channel.
type Channel struct{ now func() time.Time }

// New returns a channel that dates its mails by a clock.
func New(now func() time.Time) Channel { return Channel{now} }

// Describe implements sdk.Plugin.
func (Channel) Describe() sdk.Description {
	return sdk.Description{Name: "email", Version: "1", Kind: sdk.KindChannel, Schema: json.RawMessage(schema)}
}

// Validate implements sdk.Plugin.
func (Channel) Validate(with json.RawMessage) []sdk.Problem {
	_, problems := parse(with)
	return problems
}

// Capabilities implements sdk.Channel.
func (Channel) Capabilities(context.Context, json.RawMessage) (sdk.Capabilities, error) {
	return sdk.Capabilities{Address: sdk.AddressEmail}, nil
}

// Send implements sdk.Channel.
func (c Channel) Send(ctx context.Context, n sdk.Notification) (sdk.Receipt, error) {
	s, problems := parse(n.With)
	if err := sdk.Refuse(problems); err != nil {
		return sdk.Receipt{Message: err.Error()}, nil
	}
	to, err := mail.ParseAddress(n.Receiver.Address)
	if err != nil {
		return sdk.Receipt{Message: fmt.Sprintf("%q is no mail address", n.Receiver.Address)}, nil
	}
	if to.Name == "" {
		to.Name = line(n.Receiver.Name)
	}
	m := c.message(s, &n, to)
	sending, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := s.client(sending)
	if err != nil {
		return sdk.Receipt{Message: err.Error()}, nil
	}
	err = client.DialAndSendWithContext(sending, m)
	switch {
	case m.IsDelivered(): // what goes wrong after that is of no consequence
		return sdk.Receipt{Delivered: true, Message: line(m.ServerResponse()), ID: m.GetMessageID()}, nil
	case ctx.Err() != nil:
		return sdk.Receipt{}, ctx.Err()
	case err == nil:
		return sdk.Receipt{}, fmt.Errorf("%s did not say whether it took the mail", s.Host)
	}
	return sdk.Receipt{Retryable: retryable(err), Message: s.explain(err)}, nil
}

// client prepares a connection. It ends with ctx, whatever it waits for.
func (s *settings) client(ctx context.Context) (*gomail.Client, error) {
	config, err := trust.Config(s.Host, s.CA)
	if err != nil {
		return nil, err
	}
	options := []gomail.Option{gomail.WithPort(s.Port), gomail.WithTimeout(timeout), gomail.WithTLSConfig(config)}
	switch s.TLS {
	case implicitTLS:
		options = append(options, gomail.WithSSL())
	case startTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.Password != "" {
		options = append(options, gomail.WithUsername(s.User), gomail.WithPassword(s.Password), gomail.WithOpportunisticSMTPAuth(s.mechanisms()...))
	}
	if s.Hello != "" {
		options = append(options, gomail.WithHELO(s.Hello))
	}
	options = append(options, gomail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(dialing, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		if s.TLS != implicitTLS {
			return conn, nil
		}
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(dialing); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return secure, nil
	}))
	return gomail.NewClient(s.Host, options...)
}

// retryable tells whether trying again can help: not when the server refused for good, and not when it is not who it should be.
func retryable(err error) bool {
	var answer *textproto.Error
	var sending *gomail.SendError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &answer):
		return answer.Code < 500
	case errors.As(err, &sending):
		return sending.ErrorCode() < 500
	}
	return !errors.As(err, &untrusted)
}

// explain says what went wrong without showing the password.
func (s *settings) explain(err error) string {
	text := line(fmt.Sprintf("mail server %s: %v", net.JoinHostPort(s.Host, fmt.Sprint(s.Port)), err))
	if s.Password != "" {
		text = strings.ReplaceAll(text, s.Password, "***")
	}
	return text
}
