package engine

import (
	"time"

	"flowctl/dsl/flow"
)

// AlertsQuery selects alerts for a list, newest first.
type AlertsQuery struct {
	Page
	Target string // flow[/task]; empty = all
	Open   bool   // neither acknowledged nor closed
}

// AlertView is an alert.
type AlertView struct {
	ID       AlertID       `json:"id"`
	State    string        `json:"state" enum:"open,acknowledged,closed"`
	Severity flow.Severity `json:"severity" enum:"critical,major,minor"`
	Event    flow.Event    `json:"event"`
	Subject  string        `json:"subject"` // warehouse.orders/load@2026-11-19, agent host-1
	Flow     string        `json:"flow,omitempty"`
	Task     string        `json:"task,omitempty"`
	Run      RunID         `json:"run,omitempty"`
	Detail   string        `json:"detail,omitempty"`
	Events   int           `json:"events"`                   // that it gathers
	Members  []string      `json:"members" nullable:"false"` // what followed from the subject
	Causes   []string      `json:"causes" nullable:"false"`  // what the subject waits for
	Told     []ToldView    `json:"told" nullable:"false"`
	OpenedAt time.Time     `json:"opened_at"`
	AckedAt  *time.Time    `json:"acked_at,omitempty"`
	AckedBy  string        `json:"acked_by,omitempty"`
	ClosedAt *time.Time    `json:"closed_at,omitempty"`
	Why      string        `json:"why,omitempty"` // it was closed
}

// ToldView is a receiver of an alert.
type ToldView struct {
	Channel string           `json:"channel"`
	Kind    flow.ChannelKind `json:"kind" enum:"phone,sms,email,webhook"`
	Person  string           `json:"person,omitempty"`
	Name    string           `json:"name,omitempty"`
	Address string           `json:"address,omitempty"`
}

// AckRequest is `flowctl alerts ack`: of one alert, or of all that are open for a target.
type AckRequest struct {
	ID     AlertID `json:"id,omitempty"`
	Target string  `json:"target,omitempty"` // flow[/task]
}

// DeliveriesQuery selects deliveries for a list, newest first.
type DeliveriesQuery struct {
	Page
	Alert AlertID
	State DeliveryState
}

// DeliveryView is a message to one receiver by one channel.
type DeliveryView struct {
	ID       DeliveryID    `json:"id"`
	State    DeliveryState `json:"state" enum:"pending,delivered,failed,silenced"`
	To       ToldView      `json:"to"`
	Severity flow.Severity `json:"severity" enum:"critical,major,minor"`
	Subject  string        `json:"subject"`
	Alerts   []AlertID     `json:"alerts" nullable:"false"`
	Events   int           `json:"events"` // that it tells of
	Reasons  []string      `json:"reasons" nullable:"false"`
	Tries    int           `json:"tries"`
	At       time.Time     `json:"at"`
	NextAt   *time.Time    `json:"next_at,omitempty"`
	DoneAt   *time.Time    `json:"done_at,omitempty"`
	Message  string        `json:"message,omitempty"` // what the other side said, or why it failed
	Receipt  string        `json:"receipt,omitempty"` // by which the other side knows it
	Key      string        `json:"key"`
}

// SilenceRequest is `flowctl alerts silence`.
type SilenceRequest struct {
	Target string  `json:"target"` // flow[/task]
	For    float64 `json:"for_s"`
	Why    string  `json:"why"`
}

// SilenceView is a silence that is in force.
type SilenceView struct {
	ID     SilenceID `json:"id"`
	Target string    `json:"target"`
	Why    string    `json:"why"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`
}

// SubscribeRequest is `flowctl alerts subscribe`.
type SubscribeRequest struct {
	Target string `json:"target"` // flow[/task]
	Person string `json:"person"` // key in people
	Remove bool   `json:"remove,omitempty"`
}

// SubscriptionView is a subscription.
type SubscriptionView struct {
	Target string    `json:"target"`
	Person string    `json:"person"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// TestAlertRequest is `flowctl alerts test`.
type TestAlertRequest struct {
	Channel string `json:"channel"`
	Person  string `json:"person,omitempty"` // key in people; empty for a webhook
}

// TestAlertView is what became of a test message.
type TestAlertView struct {
	Delivered bool   `json:"delivered"`
	Retryable bool   `json:"retryable,omitempty"`
	Address   string `json:"address,omitempty"`
	Message   string `json:"message,omitempty"`
	Receipt   string `json:"receipt,omitempty"`
}

// RouteQuery asks who would be told of an event.
type RouteQuery struct {
	Target   string // flow[/task]; empty for the platform's own events
	Event    flow.Event
	Severity flow.Severity
	Kind     RunKind // of the run; empty = scheduled
	At       time.Time
}

// RouteView says who is told of an event, by which channel and why.
type RouteView struct {
	Event       flow.Event    `json:"event"`
	Target      string        `json:"target,omitempty"`
	At          time.Time     `json:"at"`
	Severity    flow.Severity `json:"severity" enum:"critical,major,minor"`
	Alert       bool          `json:"alert"` // it opens an alert, and is not only news
	Items       []RouteItem   `json:"items" nullable:"false"`
	Unreachable []RouteItem   `json:"unreachable" nullable:"false"`
}

// RouteItem is one receiver by one channel.
type RouteItem struct {
	ToldView
	Severity flow.Severity `json:"severity" enum:"critical,major,minor"`
	Reasons  []string      `json:"reasons" nullable:"false"`
}

// OncallQuery asks who is on call.
type OncallQuery struct {
	Team string // empty = all
	At   time.Time
}

// DutyView says who is on call in a team.
type DutyView struct {
	Team      string    `json:"team"`
	Primary   string    `json:"primary"` // key in people; empty = nobody is on call
	Secondary string    `json:"secondary,omitempty"`
	Override  bool      `json:"override,omitempty"` // the primary stands in for the one of the rotation
	Until     time.Time `json:"until,omitzero"`
}

// OverrideRequest is `flowctl oncall override`.
type OverrideRequest struct {
	Team   string    `json:"team"`
	Person string    `json:"person"`        // key in people
	From   time.Time `json:"from,omitzero"` // absent = now
	To     time.Time `json:"to"`            // exclusive
	Why    string    `json:"why,omitempty"` // for those who ask later
}

// OverrideView is an override of on-call duty that is in force or to come, beside those of the repository.
type OverrideView struct {
	ID     OverrideID `json:"id"`
	Team   string     `json:"team"`
	Person string     `json:"person"` // key in people
	From   time.Time  `json:"from"`
	To     time.Time  `json:"to"` // exclusive
	Why    string     `json:"why,omitempty"`
	By     string     `json:"by"`
	At     time.Time  `json:"at"`
}
