package phone

import (
	"context"
	"crypto/rand"
	cryptotls "crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"flowctl/plugins/sdk"
)

// patience is how long the SIP server has for an answer to what is not a call.
const patience = 5 * time.Second

// rounds bounds how often the provisional answers to one call are read: sipgo reads about ten at a time.
const rounds = 20

// line carries one call.
type line struct {
	s       *settings
	ua      *sipgo.UserAgent
	client  *sipgo.Client
	session *sipgo.DialogClientSession // from ring on
	audio   *net.UDPConn
	local   netip.AddrPort // of audio
	id      string         // Call-ID
	tag     string         // of From
	route   *sip.Uri       // of the server, when it is not where the domain's numbers are; may be nil

	key     byte // acknowledges; 0: none does
	pressed chan struct{}
	press   func() // closes pressed
	hungUp  chan struct{}
	hang    func() // closes hungUp
}

// open prepares the SIP endpoint and the audio socket of a call, at the address from which the server is reached.
func (s *settings) open(ctx context.Context, trust *cryptotls.Config) (*line, error) {
	probe, err := new(net.Dialer).DialContext(ctx, "udp", s.address()) // sends nothing
	if err != nil {
		return nil, fmt.Errorf("SIP server %s: %w", s.Server, err)
	}
	own := probe.LocalAddr().(*net.UDPAddr).IP
	_ = probe.Close()
	audio, err := net.ListenUDP("udp", &net.UDPAddr{IP: own})
	if err != nil {
		return nil, fmt.Errorf("open a socket for the audio: %w", err)
	}
	ua, err := sipgo.NewUA(sipgo.WithUserAgent("flowctl"), sipgo.WithUserAgenTLSConfig(trust),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerTerminateOnConnClose()))
	if err != nil {
		_ = audio.Close()
		return nil, err
	}
	l := &line{
		s: s, ua: ua, audio: audio, id: rand.Text(), tag: rand.Text(), pressed: make(chan struct{}), hungUp: make(chan struct{}),
		local: audio.LocalAddr().(*net.UDPAddr).AddrPort(),
	}
	l.press = sync.OnceFunc(func() { close(l.pressed) })
	l.hang = sync.OnceFunc(func() { close(l.hungUp) })
	if s.Domain != s.host {
		l.route = &sip.Uri{Scheme: "sip", Host: s.host, Port: s.port, UriParams: sip.HeaderParams{{K: "transport", V: s.Transport}, {K: "lr"}}}
	}
	if err := l.listen(own.String()); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// listen makes ready for the requests of both sides.
func (l *line) listen(own string) error {
	server, err := sipgo.NewServer(l.ua)
	if err != nil {
		return err
	}
	answer := func(method sip.RequestMethod, code int, reason string, then func(*sip.Request)) {
		server.OnRequest(method, func(r *sip.Request, tx sip.ServerTransaction) {
			if !l.ours(r) {
				_ = tx.Respond(sip.NewResponseFromRequest(r, sip.StatusCallTransactionDoesNotExists, "Call Does Not Exist", nil))
				return
			}
			_ = tx.Respond(sip.NewResponseFromRequest(r, code, reason, nil)) // without it the other side asks again
			then(r)                                                          // may end the call
		})
	}
	nothing := func(*sip.Request) {}
	answer(sip.BYE, sip.StatusOK, "OK", func(*sip.Request) { l.hang() })
	answer(sip.INFO, sip.StatusOK, "OK", func(r *sip.Request) {
		if kind := r.ContentType(); kind != nil {
			l.heard(infoKey(kind.Value(), string(r.Body())))
		}
	})
	answer(sip.OPTIONS, sip.StatusOK, "OK", nothing)
	answer(sip.INVITE, sip.StatusNotAcceptableHere, "Not Acceptable Here", nothing) // the call stays as it is
	server.OnAck(func(*sip.Request, sip.ServerTransaction) {})                      // has no answer
	l.client, err = sipgo.NewClient(l.ua, sipgo.WithClientHostname(own), sipgo.WithClientNAT(), sipgo.WithClientConnectionAddr(net.JoinHostPort(own, "0")))
	return err
}

// ours tells whether a request belongs to the call. Its Call-ID and tag are known to nobody else.
func (l *line) ours(r *sip.Request) bool {
	if r.CallID() == nil || r.CallID().Value() != l.id || r.To() == nil {
		return false
	}
	tag, _ := r.To().Params.Get("tag")
	return tag == l.tag
}

// heard takes in a key.
func (l *line) heard(key byte) {
	if key != 0 && key == l.key {
		l.press()
	}
}

func (l *line) isPressed() bool {
	select {
	case <-l.pressed:
		return true
	default:
		return false
	}
}

// uri names somebody of the domain.
func (l *line) uri(user string) sip.Uri {
	u := sip.Uri{Scheme: "sip", User: user, Host: l.s.Domain}
	if l.route == nil {
		u.Port = l.s.port
	}
	return u
}

// request begins a request that is not within a dialog.
func (l *line) request(method sip.RequestMethod, to, called sip.Uri) *sip.Request {
	r := sip.NewRequest(method, to)
	r.SetTransport(strings.ToUpper(l.s.Transport))
	called.Port = 0
	from := sip.FromHeader{Address: l.uri(l.s.From), Params: sip.HeaderParams{{K: "tag", V: l.tag}}}
	from.Address.Port = 0
	id := sip.CallIDHeader(l.id)
	r.AppendHeader(&from)
	r.AppendHeader(&sip.ToHeader{Address: called})
	r.AppendHeader(&id)
	r.AppendHeader(sip.NewHeader("User-Agent", "flowctl"))
	if l.route != nil {
		r.AppendHeader(&sip.RouteHeader{Address: *l.route})
	}
	return r
}

// contact is where the other side reaches this one; sipgo adds the port.
func (l *line) contact() sip.ContactHeader {
	c := sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: l.s.From, Host: l.local.Addr().String()}}
	if l.s.Transport != overUDP {
		c.Address.UriParams = sip.HeaderParams{{K: "transport", V: l.s.Transport}}
	}
	return c
}

// register logs in to the registrar, or out. It returns nil when that is done.
func (l *line) register(ctx context.Context, in bool) *sdk.Receipt {
	expires := "0"
	if in {
		expires = "300" // longer than any call
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	r := l.request(sip.REGISTER, l.uri(""), l.uri(l.s.From))
	id := sip.CallIDHeader(l.id + "-" + expires) // a dialog has its own
	r.ReplaceHeader(&id)
	contact := l.contact()
	r.AppendHeader(&contact)
	r.AppendHeader(sip.NewHeader("Expires", expires))
	a, err := l.client.Do(ctx, r)
	if err == nil && l.s.Password != "" && (a.StatusCode == sip.StatusUnauthorized || a.StatusCode == sip.StatusProxyAuthRequired) {
		a, err = l.client.DoDigestAuth(ctx, r, a, sipgo.DigestAuth{Username: l.s.User, Password: l.s.Password})
	}
	if err != nil {
		return &sdk.Receipt{Retryable: trusted(err), Message: fmt.Sprintf("SIP server %s: register: %v", l.s.Server, err)}
	}
	if !a.IsSuccess() {
		receipt := l.s.refused(a)
		receipt.Unanswered, receipt.Message = false, "register: "+receipt.Message
		return &receipt
	}
	return nil
}

// ring calls a number until somebody answers. It returns nil then.
func (l *line) ring(ctx context.Context, number string) *sdk.Receipt {
	ringing, cancel := context.WithTimeout(ctx, l.s.ring)
	defer cancel()
	called := l.uri(number)
	r := l.request(sip.INVITE, called, called)
	r.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	r.AppendHeader(sip.NewHeader("Allow", "INVITE, ACK, CANCEL, BYE, INFO, OPTIONS"))
	var session [8]byte
	_, _ = rand.Read(session[:]) // never fails
	r.SetBody([]byte(offer(l.local, binary.BigEndian.Uint64(session[:])>>2)))
	dialogs := &sipgo.DialogUA{Client: l.client, ContactHDR: l.contact(), RewriteContact: true}
	var err error
	if l.session, err = dialogs.WriteInvite(ringing, r); err != nil {
		l.session = nil
		return &sdk.Receipt{Retryable: trusted(err), Message: fmt.Sprintf("SIP server %s: %v", l.s.Server, err)}
	}
	login := sipgo.AnswerOptions{Username: l.s.User, Password: l.s.Password}
	for range rounds {
		err = l.session.WaitAnswer(ringing, login)
		if err == nil || ringing.Err() != nil || l.session.InviteResponse == nil || !l.session.InviteResponse.IsProvisional() {
			break
		}
	}
	last := l.session.InviteResponse
	if last != nil && last.IsSuccess() { // perhaps just when it was about to be given up
		if ackErr := l.session.Ack(ctx); ackErr != nil {
			return &sdk.Receipt{Retryable: true, Message: fmt.Sprintf("SIP server %s: %v", l.s.Server, ackErr), ID: l.id}
		}
		if err == nil {
			return nil
		}
		l.hangUp(ctx)
	}
	var refusal *sipgo.ErrDialogResponse
	switch {
	case errors.As(err, &refusal):
		receipt := l.s.refused(refusal.Res)
		receipt.ID = l.id
		return &receipt
	case ringing.Err() != nil && last != nil:
		return &sdk.Receipt{Unanswered: true, Message: fmt.Sprintf("nobody answered within %v", l.s.ring), ID: l.id}
	case last == nil:
		return &sdk.Receipt{Retryable: true, Message: fmt.Sprintf("SIP server %s does not answer", l.s.Server), ID: l.id}
	}
	return &sdk.Receipt{Retryable: true, Message: fmt.Sprintf("SIP server %s: %v", l.s.Server, err), ID: l.id}
}

// trusted tells whether an error can pass: not that the server is not who it should be.
func trusted(err error) bool {
	var untrusted *cryptotls.CertificateVerificationError
	return !errors.As(err, &untrusted)
}

// hangUp ends the call, unless the other side did.
func (l *line) hangUp(ctx context.Context) {
	select {
	case <-l.hungUp:
		return
	default:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_ = l.session.Bye(ctx) // what was said is said; the audio stops
}

func (l *line) close() {
	_ = l.ua.Close()
	_ = l.audio.Close()
}
