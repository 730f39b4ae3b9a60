package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"flowctl/plugins/sdk"
)

// ChannelSuite tells the conformance suite how to try a channel.
type ChannelSuite struct {
	Channel sdk.Channel
	// Peer starts, or empties, the system at the other end. It is called once for each test, and lasts until that test ends.
	Peer func(*testing.T) Peer
	// Wrong are `with` documents that Validate must refuse.
	Wrong []WrongWith
}

// Peer is the system at the other end of a channel.
type Peer struct {
	With    json.RawMessage // reaches the peer
	Address string          // of a receiver; empty for a channel without addresses
	Arrived func() []Arrival
	Down    func() // makes the peer refuse for a while; nil: it cannot
}

// Arrival is a notification as the peer received it.
type Arrival struct {
	To   string // Receiver.Address
	Text string // holds what it was sent: the short text when the channel limits its length, else the long one
}

// WrongWith is a document that is not valid, and the path of its problem.
type WrongWith struct{ With, Path string }

// sendTime bounds a call of the suite; it is long, for slow machines.
const sendTime = 30 * time.Second

// Channel tests that a channel describes itself, checks its configuration, delivers, and tells what became of notifications as
// package sdk promises.
func Channel(t *testing.T, s ChannelSuite) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*mailbox, *testing.T)
	}{
		{"describe", (*mailbox).describes},
		{"validate", (*mailbox).validates},
		{"deliver", (*mailbox).delivers},
		{"deliver the longest text", (*mailbox).deliversLong},
		{"deliver again with the same key", (*mailbox).deliversAgain},
		{"deliver many at once", (*mailbox).deliversMany},
		{"no address", (*mailbox).wantsAddress},
		{"peer is down", (*mailbox).peerDown},
		{"cancelled", (*mailbox).cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(&mailbox{suite: s, client: Serve(t, s.Channel), peer: s.Peer(t)}, t)
		})
	}
}

// mailbox is one served channel and the means to try it.
type mailbox struct {
	suite  ChannelSuite
	client *sdk.Client
	peer   Peer
}

func (b *mailbox) capabilities(t *testing.T) sdk.Capabilities {
	t.Helper()
	c, err := b.client.Capabilities(t.Context(), b.peer.With)
	if err != nil {
		t.Fatalf("capabilities: %v", err)
	}
	return c
}

// notification is one of which every field is set.
func (b *mailbox) notification(key, text string) sdk.Notification {
	return sdk.Notification{
		Key: key, With: b.peer.With, Severity: "critical", Event: "failed", Subject: "warehouse.orders/load failed",
		Short: text, Text: text, HTML: "<p>" + text + "</p>",
		Receiver: sdk.Receiver{Name: "Alice", Address: b.peer.Address, Kind: sdk.ReceiverPerson},
		At:       time.Date(2026, 11, 20, 1, 2, 3, 4000, time.UTC),
		Flow:     "warehouse.orders", Task: "load", Run: "warehouse.orders@2026-11-19", Period: "2026-11-19",
		Link: "http://127.0.0.1:7400/runs/1", AckURL: "http://127.0.0.1:7400/ack/1-abc", AckToken: "1-abc",
		LogTail: "exit 3", Blockers: []string{"warehouse.raw/load@2026-11-19 failed"},
	}
}

func (b *mailbox) send(t *testing.T, n sdk.Notification) (sdk.Receipt, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), sendTime)
	defer cancel()
	return b.client.Send(ctx, n)
}

// deliver sends what must be delivered.
func (b *mailbox) deliver(t *testing.T, n sdk.Notification) {
	t.Helper()
	if r, err := b.send(t, n); err != nil || !r.Delivered || r.Retryable || r.Unanswered {
		t.Fatalf("send: %+v, %v; want it delivered", r, err)
	}
}

// arrived counts the arrivals with a text for the suite's receiver.
func (b *mailbox) arrived(text string) int {
	n := 0
	for _, a := range b.peer.Arrived() {
		if a.To == b.peer.Address && strings.Contains(a.Text, text) {
			n++
		}
	}
	return n
}

func (b *mailbox) describes(t *testing.T) {
	d := b.client.Describe()
	if d.Kind != sdk.KindChannel || d.Name == "" || d.Version == "" {
		t.Errorf("got %q %q of kind %q, want a name, a version and the kind %q", d.Name, d.Version, d.Kind, sdk.KindChannel)
	}
	var schema struct{ Type string }
	if err := json.Unmarshal(d.Schema, &schema); err != nil || schema.Type != "object" {
		t.Errorf("schema %s: type %q, %v; want the JSON schema of an object", d.Schema, schema.Type, err)
	}
	c := b.capabilities(t)
	if !slices.Contains([]string{sdk.AddressEmail, sdk.AddressNumber, sdk.AddressNone}, c.Address) {
		t.Errorf("the address is %q, want one of the Address constants", c.Address)
	}
	if (c.Address == sdk.AddressNone) != (b.peer.Address == "") {
		t.Errorf("the address is of kind %q, but the suite's receiver has %q", c.Address, b.peer.Address)
	}
	if c.MaxLength < 0 {
		t.Errorf("the maximum length is %d", c.MaxLength)
	}
}

func (b *mailbox) validates(t *testing.T) {
	if problems := b.client.Validate(b.peer.With); len(problems) > 0 {
		t.Errorf("the suite's own configuration has problems: %v", problems)
	}
	for _, w := range b.suite.Wrong {
		problems := b.client.Validate(json.RawMessage(w.With))
		if !slices.ContainsFunc(problems, func(p sdk.Problem) bool { return p.Path == w.Path && p.Message != "" }) {
			t.Errorf("%s: problems %v, want one at %q", w.With, problems, w.Path)
		}
	}
}

func (b *mailbox) delivers(t *testing.T) {
	b.deliver(t, b.notification("failed/1/load/email", "load failed: 上游失败"))
	if n := b.arrived("load failed: 上游失败"); n != 1 {
		t.Errorf("%d such notifications arrived, want 1: %+v", n, b.peer.Arrived())
	}
}

func (b *mailbox) deliversLong(t *testing.T) {
	length := b.capabilities(t).MaxLength
	if length == 0 {
		length = 20000
	}
	text := strings.Repeat("flow ", length/5) + strings.Repeat("w", length%5)
	text = strings.TrimRight(text, " ")
	if utf8.RuneCountInString(text) > length {
		t.Fatalf("the suite made a text of more than %d characters", length)
	}
	b.deliver(t, b.notification("failed/2/load/email", text))
	arrived := b.peer.Arrived()
	plain := func(s string) string { return strings.Join(strings.Fields(s), " ") } // mail may break lines
	if len(arrived) != 1 || !strings.Contains(plain(arrived[0].Text), plain(text)) {
		t.Errorf("a text of %d characters did not arrive whole", length)
	}
}

func (b *mailbox) deliversAgain(t *testing.T) {
	n := b.notification("failed/3/load/email", "once or twice")
	b.deliver(t, n)
	b.deliver(t, n)
	if n := b.arrived("once or twice"); n != 1 && n != 2 {
		t.Errorf("%d arrived, want 1 or 2", n)
	}
}

func (b *mailbox) deliversMany(t *testing.T) {
	const many = 20
	var group sync.WaitGroup
	for i := range many {
		group.Go(func() {
			n := b.notification(fmt.Sprintf("failed/%d/load/email", 100+i), fmt.Sprintf("number %d.", i))
			if r, err := b.send(t, n); err != nil || !r.Delivered {
				t.Errorf("send %d: %+v, %v", i, r, err)
			}
		})
	}
	group.Wait()
	for i := range many {
		if n := b.arrived(fmt.Sprintf("number %d.", i)); n != 1 {
			t.Errorf("notification %d arrived %d times", i, n)
		}
	}
}

func (b *mailbox) wantsAddress(t *testing.T) {
	if b.peer.Address == "" {
		return // it has none
	}
	n := b.notification("failed/4/load/email", "to nobody")
	n.Receiver.Address = ""
	r, err := b.send(t, n)
	if err != nil || r.Delivered || r.Retryable || r.Message == "" {
		t.Errorf("got %+v, %v; want a refusal that says why and is not worth a retry", r, err)
	}
}

func (b *mailbox) peerDown(t *testing.T) {
	if b.peer.Down == nil {
		t.Skip("the peer cannot refuse")
	}
	b.peer.Down()
	r, err := b.send(t, b.notification("failed/5/load/email", "not now"))
	if err == nil && (r.Delivered || !r.Retryable || r.Message == "") {
		t.Errorf("got %+v; want a failure that says why and is worth a retry", r)
	}
}

func (b *mailbox) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := make(chan struct{})
	go func() {
		defer close(began)
		if r, err := b.client.Send(ctx, b.notification("failed/6/load/email", "too late")); err == nil {
			t.Errorf("a call that was cancelled returned %+v", r)
		}
	}()
	select {
	case <-began:
	case <-time.After(sendTime):
		t.Error("a call that was cancelled did not return")
	}
}
