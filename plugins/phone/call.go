package phone

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/emiago/sipgo/sip"

	"flowctl/plugins/internal/trust"
	"flowctl/plugins/sdk"
)

// reserve is what is kept of the time of a call to end it.
const reserve = 5 * time.Second

// call makes a call, and tells what became of it. A call that is cut off before anybody heard it has no receipt.
func (s *settings) call(ctx context.Context, number string, n *sdk.Notification) (sdk.Receipt, error) {
	r := s.try(ctx, number, n)
	if ctx.Err() != nil && !r.Delivered {
		return sdk.Receipt{}, ctx.Err()
	}
	if s.Password != "" {
		r.Message = strings.ReplaceAll(r.Message, s.Password, "***")
	}
	r.Message = strings.Join(strings.FieldsFunc(r.Message, func(r rune) bool { return unicode.IsControl(r) || r == ' ' }), " ")
	return r, nil
}

func (s *settings) try(ctx context.Context, number string, n *sdk.Notification) sdk.Receipt {
	samples, err := s.message(ctx, n) // before it rings: nobody waits for it with the phone at the ear
	if err != nil {
		return sdk.Receipt{Message: err.Error()}
	}
	believed, err := trust.Config(s.host, s.CA)
	if err != nil {
		return sdk.Receipt{Message: err.Error()}
	}
	l, err := s.open(ctx, believed)
	if err != nil {
		return sdk.Receipt{Retryable: true, Message: err.Error()}
	}
	defer l.close()
	if n.AckURL != "" {
		l.key = s.Key[0]
	}
	if s.Register {
		if refusal := l.register(ctx, true); refusal != nil {
			return *refusal
		}
		defer l.register(ctx, false)
	}
	if refusal := l.ring(ctx, number); refusal != nil {
		return *refusal
	}
	return l.talk(ctx, samples)
}

// talk says the message until a key acknowledges it, or the other side hangs up, and ends the call.
func (l *line) talk(ctx context.Context, samples []int16) sdk.Receipt {
	defer l.hangUp(ctx)
	to, err := parseAnswer(string(l.session.InviteResponse.Body()))
	if err != nil {
		return sdk.Receipt{Message: fmt.Sprintf("SIP server %s: the answer's SDP: %v", l.s.Server, err), ID: l.id}
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-reserve))
		defer cancel()
	}
	whole, err := l.play(ctx, to, encode(samples, to.law))
	switch {
	case l.isPressed():
		return sdk.Receipt{Delivered: true, Acknowledged: true, Message: "acknowledged with the key " + l.s.Key, ID: l.id}
	case whole:
		return sdk.Receipt{Delivered: true, Message: "the call was taken, and no key acknowledged it", ID: l.id}
	case err != nil:
		return sdk.Receipt{Retryable: true, Message: err.Error(), ID: l.id}
	}
	return sdk.Receipt{Unanswered: true, Message: "the call ended before the message was said once", ID: l.id}
}

// refused tells what a final answer means that is not 2xx (RFC 3261, section 21).
func (s *settings) refused(r *sip.Response) sdk.Receipt {
	said := fmt.Sprintf("SIP server %s: %d %s", s.Server, r.StatusCode, r.Reason)
	switch r.StatusCode {
	case sip.StatusBusyHere, sip.StatusGlobalBusyEverywhere:
		return sdk.Receipt{Unanswered: true, Message: "busy: " + said}
	case sip.StatusGlobalDecline, sip.StatusRequestTerminated:
		return sdk.Receipt{Unanswered: true, Message: "declined: " + said}
	case sip.StatusRequestTimeout, sip.StatusTemporarilyUnavailable:
		return sdk.Receipt{Unanswered: true, Message: "nobody answered: " + said}
	case sip.StatusUnauthorized, sip.StatusProxyAuthRequired:
		if s.Password == "" {
			return sdk.Receipt{Message: said + ": it wants a login: set with/user and with/password"}
		}
		return sdk.Receipt{Message: said + ": the login as " + s.User + " failed"}
	}
	return sdk.Receipt{Retryable: r.StatusCode >= 500 && r.StatusCode < 600 && r.StatusCode != sip.StatusNotImplemented, Message: said}
}
