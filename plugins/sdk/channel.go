package sdk

import (
	"context"
	"encoding/json"
	"time"
)

// Channel delivers notifications. Its methods are called concurrently.
type Channel interface {
	Plugin
	// Capabilities says what the channel can do when it is configured so. It must not touch the network or the disk.
	Capabilities(ctx context.Context, with json.RawMessage) (Capabilities, error)
	// Send delivers one notification to its one receiver, and returns when the other side has taken or refused it. A refusal
	// is no error, the receipt tells it. An error says that nobody knows what became of it: it is sent again, with the same key,
	// as after a restart. ctx has a deadline.
	Send(ctx context.Context, n Notification) (Receipt, error)
}

// Capabilities tell what a channel can do.
type Capabilities struct {
	Address      string // what a receiver's address is: one of the Address constants
	Acknowledges bool   // a receipt can say that the receiver acknowledged
	MaxLength    int    // of Notification.Short, in characters; 0: it takes Text
}

// What the address of a receiver is.
const (
	AddressEmail  = "email"
	AddressNumber = "number" // a phone number, E.164: +8613800000001
	AddressNone   = "none"   // `with` says where to
)

// Notification is one message about one or more events to one receiver.
type Notification struct {
	Key      string          // stable: a receiver that has seen it may drop what comes with the same key
	With     json.RawMessage // the channel's configuration, secrets filled in; may be empty
	Severity string          // critical, major, minor
	Event    string          // failed, output_late, ...
	Subject  string          // one line
	Short    string          // plain text for a phone or a text message, at most MaxLength characters
	Text     string          // plain text, long
	HTML     string          // the same for mail; may be empty
	Receiver Receiver
	At       time.Time // when it happened

	// All that follows may be empty.
	Flow     string
	Task     string // its name within the flow
	Run      string // flow@period, with #version from 2 on
	Period   string // label
	Link     string // page of what happened
	AckURL   string // whoever opens it acknowledges the alert; empty: there is nothing to acknowledge
	AckToken string // the part of AckURL that proves the right to
	LogTail  string
	Blockers []string
}

// Receiver is whom a notification is for.
type Receiver struct {
	Name    string // for people; may be empty
	Address string // empty when the channel's is AddressNone
	Kind    string // one of the Receiver constants
}

// The kinds of receivers.
const (
	ReceiverPerson  = "person"
	ReceiverAddress = "address" // an address that belongs to no known person
	ReceiverChannel = "channel" // whoever is at the other end
)

// Receipt says what became of a notification.
type Receipt struct {
	Delivered    bool
	Retryable    bool   // not delivered: trying again can help
	Unanswered   bool   // not delivered: the address works, but nobody was there; somebody else should be told
	Acknowledged bool   // the receiver answered that they look after it
	Message      string // what the other side said, or why it was not delivered
	ID           string // by which the other side knows it; may be empty
}
