package period

import (
	"errors"
	"time"
)

// Instant is a point in time: microseconds since the Unix epoch, UTC. It is comparable and eight bytes, so periods
// can be map keys and travel to the store as they are.
type Instant int64

// At returns the instant of t, cut to microseconds.
func At(t time.Time) Instant { return Instant(t.UnixMicro()) }

// Time returns the instant as a time in UTC.
func (i Instant) Time() time.Time { return time.UnixMicro(int64(i)).UTC() }

// Add returns the instant d later.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Microseconds()) }

// Sub returns the time from o to i.
func (i Instant) Sub(o Instant) time.Duration { return time.Duration(i-o) * time.Microsecond }

// Kind tells how a schedule cuts time into periods.
type Kind uint8

// The kinds of period. Demand is the zero value: a flow without schedule, whose runs take the instant of their
// request as an empty period.
const (
	Demand Kind = iota
	Hour
	Day
	Week
	Month
	Cron
	Once
)

// String returns the kind as flows and the API write it: demand, hour, day, week, month, cron or once.
func (k Kind) String() string {
	names := [...]string{"demand", "hour", "day", "week", "month", "cron", "once"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Period is a half-open interval [Start, End) of instants. (Kind, the schedule's zone, Start) identify it. Demand and Once
// periods are empty: Start equals End.
type Period struct {
	Kind       Kind
	Start, End Instant
}

// Rule says which upstream periods a need reaches. The zero Rule is the default: every upstream period that ends
// within the downstream period, or when none does, the last one that ended before it.
type Rule struct {
	Kind RuleKind `json:"kind,omitempty"`
	N    int      `json:"n,omitempty"` // how many periods back (Offset, positive), or how many periods (Last)
}

// RuleKind is the kind of a Rule.
type RuleKind uint8

// The rules between two schedules. Previous is Offset with N = 1 and is stored so.
const (
	Joined RuleKind = iota // the default rule
	Offset                 // move the downstream N existing periods back, then apply the default rule
	Last                   // the N upstream periods that ended last, up to the run's own end
	Latest                 // the newest upstream success, whatever its period
)

// Spec is a schedule as written in a flow. Exactly one of Every, Cron and Once is set, or none for on-demand flows.
type Spec struct {
	Every    string        `json:"every,omitempty"`    // hour, day, week, month
	Cron     string        `json:"cron,omitempty"`     // five fields
	Once     string        `json:"once,omitempty"`     // local clock time, 2026-11-20T10:00
	At       string        `json:"at,omitempty"`       // hour ":01", day "00:01", week "Mon 00:02", month "1 00:05"; empty = the kind's default
	Timezone string        `json:"timezone,omitempty"` // IANA name; empty = UTC
	Start    string        `json:"start,omitempty"`    // local date or clock time; empty = none
	End      string        `json:"end,omitempty"`      // local date or clock time; empty = none. No period begins at or after it
	Calendar *CalendarSpec `json:"calendar,omitempty"` // nil = every day
}

// CalendarSpec names the days on which hour and day periods may begin. Dates are local to the schedule.
type CalendarSpec struct {
	Days    []string `json:"days,omitempty"`    // mon … sun; empty = all
	Exclude []string `json:"exclude,omitempty"` // 2026-10-01 or 2026-10-01..2026-10-07
	Include []string `json:"include,omitempty"` // as Exclude; wins over it
}

// SpecError says which field of a Spec is wrong.
type SpecError struct {
	Field string // every, cron, once, at, timezone, start, end, calendar.days, calendar.exclude, calendar.include
	Err   error
}

func (e *SpecError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *SpecError) Unwrap() error { return e.Err }

// ErrNoPeriod is returned when a label is well formed but names no period of the schedule.
var ErrNoPeriod = errors.New("no such period")
