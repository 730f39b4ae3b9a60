package flow

import (
	"time"

	"flowctl/dsl/period"
)

// Person is somebody who owns flows or receives alerts.
type Person struct {
	Key      string `json:"key"`
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	SMS      string `json:"sms,omitempty"`
	Phone    string `json:"phone,omitempty"`
	Timezone string `json:"timezone,omitempty"`
	Pos      Pos    `json:"pos"`
}

// Address returns where a kind of channel reaches the person, empty when it does not.
func (p *Person) Address(kind ChannelKind) string {
	switch kind {
	case Phone:
		return p.Phone
	case SMS:
		return p.SMS
	case Email:
		return p.Email
	}
	return ""
}

// Team owns flows.
type Team struct {
	Name       string       `json:"name"`
	Members    []string     `json:"members"`
	Oncall     *Oncall      `json:"oncall,omitempty"`     // nil: nobody is on call
	Escalation []Escalation `json:"escalation,omitempty"` // in the order of After
	Pos        Pos          `json:"pos"`
}

// Oncall is the rotation of a team: the first of the order is on call, the next one is the secondary, and at each hand-off
// the order moves on by one.
type Oncall struct {
	Rotate    Rotation      `json:"rotate"`
	Weekday   *time.Weekday `json:"weekday,omitempty"` // of the hand-off; nil for a daily one
	Handoff   time.Duration `json:"handoff"`           // clock time of the hand-off, since midnight
	Timezone  string        `json:"timezone"`          // of the hand-off and the overrides
	Order     []string      `json:"order"`
	Overrides []Override    `json:"overrides,omitempty"`
}

// Rotation says how often duty is handed on.
type Rotation string

// The rotations.
const (
	Daily  Rotation = "daily"
	Weekly Rotation = "weekly"
)

// Override puts somebody else on call for some days.
type Override struct {
	From string `json:"from"` // first day, 2006-01-02
	To   string `json:"to"`   // last day
	Who  string `json:"who"`
	Pos  Pos    `json:"pos"`
}

// Escalation says who is told too when nobody has acknowledged an alert in time.
type Escalation struct {
	After  time.Duration `json:"after"` // since the alert
	Notify []Receiver    `json:"notify"`
	Pos    Pos           `json:"pos"`
}

// Channel is a configured plugin that delivers alerts.
type Channel struct {
	Name    string         `json:"name"`
	Plugin  string         `json:"plugin"`
	Kind    ChannelKind    `json:"kind"`
	Default bool           `json:"default,omitempty"` // alerts of its kind take this one; at most one of each kind
	With    map[string]any `json:"with,omitempty"`    // as Task.With
	Pos     Pos            `json:"pos"`
}

// ChannelKind says what a channel delivers to.
type ChannelKind string

// The kinds of channels.
const (
	Phone   ChannelKind = "phone"
	SMS     ChannelKind = "sms"
	Email   ChannelKind = "email"
	Webhook ChannelKind = "webhook"
)

// Account is an account of the operating system and the teams whose tasks may run as it.
type Account struct {
	Name  string   `json:"name"`
	User  string   `json:"user"`
	Teams []string `json:"teams"`
	Pos   Pos      `json:"pos"`
}

// Secret is the name of a secret and the teams whose flows may use it. Its value lives outside the repository.
type Secret struct {
	Name  string   `json:"name"`
	Teams []string `json:"teams"`
	Pos   Pos      `json:"pos"`
}

// Pool limits how many task runs use something at once.
type Pool struct {
	Name  string `json:"name"`
	Slots int    `json:"slots"`
	Pos   Pos    `json:"pos"`
}

// Connection is where a runner finds its peer. The compiler has put its settings into the tasks that use it.
type Connection struct {
	Name   string         `json:"name"`
	Runner string         `json:"runner"`
	Teams  []string       `json:"teams"` // whose flows may use it
	With   map[string]any `json:"with,omitempty"`
	// Address is where its peer listens, HOST:PORT; empty when the settings do not say so in words that are the same for all plugins.
	Address string `json:"address,omitempty"`
	Pos     Pos    `json:"pos"`
}

// Signal is data of a third party, which announces each of its periods.
type Signal struct {
	Name     string           `json:"name"`
	Spec     period.Spec      `json:"schedule"`
	Schedule *period.Schedule `json:"-"`     // never nil
	Teams    []string         `json:"teams"` // who may announce it, beside admins
	Pos      Pos              `json:"pos"`
}

// Plugin is a third-party plugin as plugins.lock pins it.
type Plugin struct {
	Name    string     `json:"name"`
	Kind    PluginKind `json:"kind"`
	Version string     `json:"version"`
	SHA256  []string   `json:"sha256"` // of its executables, one for each platform
	Pos     Pos        `json:"pos"`
}

// PluginKind says what a plugin does.
type PluginKind string

// The kinds of plugins.
const (
	RunnerPlugin  PluginKind = "runner"
	ChannelPlugin PluginKind = "channel"
	SensorPlugin  PluginKind = "sensor"
)

// Watchdog is pinged while all is well, so that an outsider notices silence.
type Watchdog struct {
	URL string `json:"url"`
	Pos Pos    `json:"pos"`
}

// Monitors are the thresholds of the platform's own alerts. A nil one is left to what is sensible for the size of the installation.
type Monitors struct {
	Agents          *Threshold `json:"agents,omitempty"`           // connected agents; alerts below
	Servers         *Threshold `json:"servers,omitempty"`          // servers; alerts below
	Redispatches10m *Threshold `json:"redispatches_10m,omitempty"` // redispatches of one host within 10 minutes; alerts above
	Redispatches30m *Threshold `json:"redispatches_30m,omitempty"` // the same within 30 minutes
	CPU             *Threshold `json:"cpu,omitempty"`              // of an agent's host, in percent; alerts above
	Memory          *Threshold `json:"memory,omitempty"`
	Disk            *Threshold `json:"disk,omitempty"`
	Generation      *Delay     `json:"generation,omitempty"`  // how late runs are made
	Checks          *Delay     `json:"checks,omitempty"`      // how late dependencies are checked
	Connections     *Outside   `json:"connections,omitempty"` // for how long a system outside is unavailable
}

// Threshold is a number for each severity; 0 is none.
type Threshold struct {
	Major    int `json:"major,omitempty"`
	Critical int `json:"critical,omitempty"`
}

// Outside is when systems outside count as unavailable.
type Outside struct {
	Slow time.Duration `json:"slow,omitempty"` // an answer that takes longer is as bad as none; 0 = 10 seconds
	Delay
}

// Delay is a duration for each severity; 0 is none.
type Delay struct {
	Major    time.Duration `json:"major,omitempty"`
	Critical time.Duration `json:"critical,omitempty"`
}
