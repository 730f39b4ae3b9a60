package engine

import (
	"strings"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
)

// AlertID numbers the alerts of a server, from 1.
type AlertID int64

// DeliveryID numbers the deliveries of a server, from 1.
type DeliveryID int64

// OverrideID numbers the overrides of on-call duty that operators made, from 1.
type OverrideID int64

// SilenceID numbers the silences of a server, from 1.
type SilenceID int64

// Alert is trouble that somebody has to look after: an event with all that follows from it. It is open until what it is about has
// recovered, or until it is old.
type Alert struct {
	ID       AlertID        `json:"id"`
	Key      string         `json:"key"` // of the event that opened it
	Event    flow.Event     `json:"event"`
	Severity flow.Severity  `json:"severity"`
	Flow     string         `json:"flow,omitempty"`
	Task     string         `json:"task,omitempty"`
	Run      RunID          `json:"run,omitempty"`
	Subject  string         `json:"subject"` // warehouse.orders/load@2026-11-19, agent host-1
	Detail   string         `json:"detail,omitempty"`
	Events   int            `json:"events"`            // that it gathers
	Members  []string       `json:"members,omitempty"` // subjects of the first of those that followed
	Causes   []string       `json:"causes,omitempty"`  // subjects from which it follows; what follows from the same ones joins it
	Told     []Told         `json:"told,omitempty"`    // who was told, by which channel
	Opened   period.Instant `json:"opened"`
	Updated  period.Instant `json:"updated"`
	Pressing period.Instant `json:"pressing,omitempty"` // since when it is more than minor; 0 = since it was opened, or not at all
	Acked    period.Instant `json:"acked,omitempty"`
	AckedBy  string         `json:"acked_by,omitempty"`
	Closed   period.Instant `json:"closed,omitempty"`
	Why      string         `json:"why,omitempty"`     // it was closed
	Step     int            `json:"step,omitempty"`    // steps of the team's escalation that were taken
	Repeats  int            `json:"repeats,omitempty"` // how often its receivers were told again
}

// Told is a receiver who was told of an alert by one channel.
type Told struct {
	Channel string           `json:"channel"`
	Kind    flow.ChannelKind `json:"kind"`
	Person  string           `json:"person,omitempty"`
	Name    string           `json:"name,omitempty"`
	Address string           `json:"address,omitempty"`
}

// DeliveryState says what became of a delivery.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryFailed    DeliveryState = "failed"
	DeliverySilenced  DeliveryState = "silenced" // nobody was told, because of a silence
)

// Delivery is one message to one receiver by one channel: a row of the outbox. What it tells of grows until it is sent for the first time.
type Delivery struct {
	ID       DeliveryID     `json:"id"`
	Key      string         `json:"key"` // stable: a receiver that sees it twice can drop the second
	To       Told           `json:"to"`
	Severity flow.Severity  `json:"severity"`
	Alerts   []AlertID      `json:"alerts,omitempty"` // that whoever gets it can acknowledge
	Reasons  []string       `json:"reasons"`          // why this receiver
	Note     string         `json:"note,omitempty"`   // above the items: nobody acknowledged, it goes on
	Items    []Item         `json:"items"`
	More     int            `json:"more,omitempty"` // items beyond those listed
	State    DeliveryState  `json:"state"`
	Silence  SilenceID      `json:"silence,omitempty"` // that holds it back
	Tries    int            `json:"tries,omitempty"`
	At       period.Instant `json:"at"`
	NextAt   period.Instant `json:"next_at,omitempty"` // when it is to be sent, or tried again
	Done     period.Instant `json:"done,omitempty"`
	Message  string         `json:"message,omitempty"` // what the other side said, or why it failed
	Receipt  string         `json:"receipt,omitempty"` // by which the other side knows it
	About    DeliveryID     `json:"about,omitempty"`   // it tells of the failure of that delivery
}

// Item is one event that a delivery tells of.
type Item struct {
	Event   flow.Event     `json:"event"`
	Subject string         `json:"subject"`
	Flow    string         `json:"flow,omitempty"`
	Task    string         `json:"task,omitempty"`
	Run     RunID          `json:"run,omitempty"`
	Period  string         `json:"period,omitempty"` // label
	Attempt AttemptID      `json:"attempt,omitempty"`
	At      period.Instant `json:"at"`
	Detail  string         `json:"detail,omitempty"`
	Causes  []string       `json:"causes,omitempty"`
}

// Silence keeps receivers from being told of a flow or a task for some time. What is not over by its end is told then.
type Silence struct {
	ID     SilenceID      `json:"id"`
	Target string         `json:"target"` // flow or flow/task
	Why    string         `json:"why"`
	By     string         `json:"by"`
	At     period.Instant `json:"at"`
	Until  period.Instant `json:"until"` // moved forward when it is lifted
}

// Covers tells whether the silence is about a task, or with an empty task about something that happens to the flow as a whole.
func (s *Silence) Covers(flow, task string) bool { return covers(s.Target, flow, task) }

// Override lets somebody stand in on call in a team, beside the overrides that the repository has.
type Override struct {
	ID     OverrideID     `json:"id"`
	Team   string         `json:"team"`
	Person string         `json:"person"` // key in people
	From   period.Instant `json:"from"`
	To     period.Instant `json:"to"` // exclusive; moved forward when it is ended early
	Why    string         `json:"why"`
	By     string         `json:"by"`
	At     period.Instant `json:"at"`
}

// Subscription tells a person of a flow or a task that is not theirs.
type Subscription struct {
	Target  string // flow or flow/task
	Person  string // key in people
	At      period.Instant
	By      string
	Removed bool // the subscription is no more
}

// Covers tells whether the subscription is about a task, or with an empty task about something that happens to the flow as a whole.
func (s *Subscription) Covers(flow, task string) bool { return covers(s.Target, flow, task) }

func covers(target, flow, task string) bool {
	f, t, one := strings.Cut(target, "/")
	return f == flow && (!one || t == task)
}
