package flow

// Alerts say who hears of what happens to a task.
type Alerts struct {
	Default   bool        `json:"default"`              // the rule by priority: the owner's team and the subscribers
	OwnerOnly bool        `json:"owner_only,omitempty"` // overrides everything below, and Default
	Phone     []Receiver  `json:"phone,omitempty"`
	SMS       []Receiver  `json:"sms,omitempty"`
	Email     []Receiver  `json:"email,omitempty"`
	Rules     []AlertRule `json:"rules,omitempty"` // in addition
}

// AlertRule tells some receivers of some events.
type AlertRule struct {
	Events   []Event    `json:"events"`
	When     *Template  `json:"when,omitempty"` // as Task.When; nil = always
	Severity Severity   `json:"severity"`       // picks the kinds of channels
	Notify   []Receiver `json:"notify"`
	Pos      Pos        `json:"pos"`
}

// Receiver is whom an alert is for. Exactly one of Person, Team, Oncall, Channel and Address is set.
type Receiver struct {
	Person    string `json:"person,omitempty"`
	Team      string `json:"team,omitempty"`      // all its members
	Oncall    string `json:"oncall,omitempty"`    // the team whose on-call person it is
	Secondary bool   `json:"secondary,omitempty"` // with Oncall: the secondary
	Channel   string `json:"channel,omitempty"`   // a webhook channel
	Address   string `json:"address,omitempty"`   // an e-mail address or a phone number
	Pos       Pos    `json:"pos"`
}

// Severity is how bad an event is.
type Severity string

// The severities: critical goes out by phone, SMS and email, major by SMS and email, minor by email.
const (
	Critical Severity = "critical"
	Major    Severity = "major"
	Minor    Severity = "minor"
)

// Kinds returns the kinds of channels that a severity goes out by.
func (s Severity) Kinds() []ChannelKind {
	switch s {
	case Critical:
		return []ChannelKind{Phone, SMS, Email}
	case Major:
		return []ChannelKind{SMS, Email}
	}
	return []ChannelKind{Email}
}
