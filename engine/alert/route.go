package alert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// Occasion is an event with what routing needs to know of it.
type Occasion struct {
	Kind     flow.Event
	Severity flow.Severity // of a platform event; empty = its usual one
	Flow     string
	Task     string // empty: of the flow as a whole
	Backfill bool   // the run is a backfill's
	By       string // who started the backfill
	Owner    string // whom it is for, when it is of no flow: a person, or oncall:TEAM
	// Values are what the conditions of rules see; nil = nothing is known of the run.
	Values *expr.Values
}

// Route is who is told of an occasion.
type Route struct {
	Severity flow.Severity // the highest by which anybody is told
	Trouble  bool          // somebody has to do something: it is an alert, and not only news
	To       []Addressee   // by channel and address, each once
	Nobody   []Addressee   // receivers that cannot be reached; their last reason says why
}

// Addressee is one receiver by one channel.
type Addressee struct {
	Channel  string // of the project; empty in Route.Nobody
	Kind     flow.ChannelKind
	Person   string // key; empty for an address that belongs to no known person, and for a webhook
	Name     string // for people
	Address  string // empty for a webhook
	Severity flow.Severity
	Reasons  []string
}

// Router tells who is told of what. It is pure: the same occasion at the same time always has the same route.
type Router struct {
	Project       *flow.Project
	Subscriptions []engine.Subscription
	Overrides     []engine.Override // by number
	Programs      *expr.Programs
}

// class says how much an event matters by default.
type class uint8

const (
	trouble class = iota + 1 // by priority
	news                     // by email
	quiet                    // only rules tell of it
)

func classOf(kind flow.Event) class {
	switch kind {
	case flow.Killed, flow.Recovered, flow.Zombie, flow.BackfillFinished, flow.BackfillSkipped, flow.BackfillLate, flow.DailyReport:
		return news
	case flow.Retrying, flow.Redispatched, flow.LongRunning, flow.Deviating: // the daily report holds the last two
		return quiet
	}
	return trouble
}

// PlatformSeverity is that of a platform event which does not say its own.
func PlatformSeverity(kind flow.Event) flow.Severity {
	switch kind {
	case flow.HostExhausted, flow.OutboxStuck, flow.GenerationsFailed:
		return flow.Critical
	case flow.TooFewAgents, flow.TooFewServers, flow.RedispatchStorm, flow.SlowGeneration, flow.SlowChecks, flow.ConnectionDown:
		return flow.Major
	}
	return flow.Minor
}

// SubjectOf tells what an event happens to.
func SubjectOf(kind flow.Event) flow.Subject {
	for _, e := range flow.Events() {
		if e.Event == kind {
			return e.Subject
		}
	}
	return flow.OfPlatform
}

// Route says who is told of an occasion at an instant, by which channels and why.
func (r *Router) Route(o *Occasion, at period.Instant) Route {
	b := &routing{Router: r, at: at, route: Route{Severity: flow.Minor, Trouble: classOf(o.Kind) == trouble}}
	f := r.Project.Flow(o.Flow)
	switch {
	case SubjectOf(o.Kind) == flow.OfPlatform:
		b.platform(cmp.Or(o.Severity, PlatformSeverity(o.Kind)))
	case SubjectOf(o.Kind) == flow.OfOwner:
		b.report(o.Owner)
	case o.Backfill && (o.Kind == flow.DependencyLate || o.Kind == flow.OutputLate): // backfill_late tells of it, once
		b.route.Trouble = false
	case o.Kind == flow.BackfillLate || f == nil:
		b.route.Trouble = false
		b.starter(o, f)
	default:
		b.task(o, f)
	}
	if b.route.Trouble && len(b.route.To) == 0 && !b.nobodyWanted {
		b.lastResort(f)
	}
	slices.SortStableFunc(b.route.To, func(a, c Addressee) int {
		return cmp.Or(cmp.Compare(kindOrder(a.Kind), kindOrder(c.Kind)), cmp.Compare(a.Channel, c.Channel), cmp.Compare(a.Address, c.Address))
	})
	return b.route
}

// kindOrder lists what reaches people soonest first.
func kindOrder(k flow.ChannelKind) int {
	return slices.Index([]flow.ChannelKind{flow.Phone, flow.SMS, flow.Email, flow.Webhook}, k)
}

// routing is one route in the making.
type routing struct {
	*Router
	at           period.Instant
	route        Route
	nobodyWanted bool // the flow says that nobody is to be told
}

// platform follows the rule of severities for the installation itself.
func (b *routing) platform(s flow.Severity) {
	b.route.Severity = s
	for _, name := range b.Project.Admins {
		b.receiver(flow.Receiver{Team: name}, []flow.ChannelKind{flow.Email}, s, "admins")
		if s == flow.Minor {
			continue
		}
		kinds := slices.DeleteFunc(s.Kinds(), func(k flow.ChannelKind) bool { return k == flow.Email })
		if t := b.Project.Teams[name]; t == nil || t.Oncall == nil {
			b.receiver(flow.Receiver{Team: name}, kinds, s, "admins, where nobody is on call")
			continue
		}
		b.receiver(flow.Receiver{Oncall: name}, kinds, s, "admins")
		b.receiver(flow.Receiver{Oncall: name, Secondary: true}, kinds, s, "admins")
	}
}

// report tells an owner what they look after.
func (b *routing) report(owner string) {
	r := flow.Receiver{Person: owner}
	if team, ok := strings.CutPrefix(owner, "oncall:"); ok {
		r = flow.Receiver{Oncall: team}
		if t := b.Project.Teams[team]; t == nil || t.Oncall == nil {
			r = flow.Receiver{Team: team}
		}
	}
	b.receiver(r, []flow.ChannelKind{flow.Email}, flow.Minor, "owner")
}

// starter is told of how a backfill fares. When that is nobody that the project knows, the flow's owner is, or the admins.
func (b *routing) starter(o *Occasion, f *flow.Flow) {
	kinds := []flow.ChannelKind{flow.Email}
	switch {
	case b.Project.People[o.By] != nil:
		b.receiver(flow.Receiver{Person: o.By}, kinds, flow.Minor, "started the backfill")
	case f != nil:
		b.owner(f, kinds, flow.Minor, "owner, since "+cmp.Or(o.By, "nobody")+" who started the backfill is not in people")
	default:
		b.platform(flow.Minor)
	}
}

// task follows the rules of a task, or of a flow as a whole.
func (b *routing) task(o *Occasion, f *flow.Flow) {
	alerts := f.Alerts
	if t := f.Task(o.Task); t != nil {
		alerts = t.Alerts
	}
	byPriority, severity := []flow.ChannelKind{flow.Email}, flow.Minor
	if f.Priority <= 4 && b.route.Trouble {
		byPriority, severity = flow.Major.Kinds(), flow.Major
	}
	about := fmt.Sprintf("priority %d", f.Priority)
	switch c := classOf(o.Kind); {
	case alerts.OwnerOnly:
		if c != quiet {
			b.owner(f, byPriority, severity, "owner only, "+about)
		}
		return
	case c == quiet:
	case !alerts.Default:
	default:
		b.byDefault(o, f, byPriority, severity, about)
	}
	if c := classOf(o.Kind); c == trouble || c == news {
		b.extra(alerts, c)
	}
	for i := range alerts.Rules {
		b.rule(&alerts.Rules[i], o)
	}
	b.nobodyWanted = !alerts.Default && len(alerts.Phone)+len(alerts.SMS)+len(alerts.Email) == 0 && len(b.route.Nobody) == 0
}

// byDefault tells the owner, the team and the subscribers by email, and with a high priority who is on call and the subscribers by SMS.
func (b *routing) byDefault(o *Occasion, f *flow.Flow, kinds []flow.ChannelKind, s flow.Severity, about string) {
	email := []flow.ChannelKind{flow.Email}
	if f.Owner != "" {
		b.receiver(flow.Receiver{Person: f.Owner}, email, s, "owner")
	}
	b.receiver(flow.Receiver{Team: f.Team}, email, s, "owning team")
	for _, sub := range b.Subscriptions {
		if sub.Covers(o.Flow, o.Task) {
			b.receiver(flow.Receiver{Person: sub.Person}, kinds, s, "subscribed to "+sub.Target)
		}
	}
	if !slices.Contains(kinds, flow.SMS) {
		return
	}
	texts := []flow.ChannelKind{flow.SMS}
	switch t := b.Project.Teams[f.Team]; {
	case t != nil && t.Oncall != nil:
		b.receiver(flow.Receiver{Oncall: f.Team}, texts, s, about)
	case f.Owner != "":
		b.receiver(flow.Receiver{Person: f.Owner}, texts, s, about+", owner, since nobody is on call in "+f.Team)
	default:
		b.receiver(flow.Receiver{Team: f.Team}, texts, s, about+", since nobody is on call in "+f.Team)
	}
}

// extra tells the receivers that a task lists beside the rule by priority.
func (b *routing) extra(a *flow.Alerts, c class) {
	for _, list := range []struct {
		kind      flow.ChannelKind
		severity  flow.Severity
		receivers []flow.Receiver
	}{{flow.Phone, flow.Critical, a.Phone}, {flow.SMS, flow.Major, a.SMS}, {flow.Email, flow.Minor, a.Email}} {
		if c == news && list.kind != flow.Email {
			continue
		}
		for _, r := range list.receivers {
			b.receiver(r, []flow.ChannelKind{list.kind}, list.severity, "listed under alerts."+string(list.kind))
		}
	}
}

func (b *routing) rule(rule *flow.AlertRule, o *Occasion) {
	if !slices.Contains(rule.Events, o.Kind) {
		return
	}
	why := fmt.Sprintf("rule at %s:%d", rule.Pos.File, rule.Pos.Line)
	if rule.When != nil && o.Values != nil {
		holds, err := b.Programs.Bool(rule.When, expr.When, o.Values)
		switch {
		case err != nil: // better told in vain than not at all
			why += ", whose condition could not be evaluated: " + err.Error()
		case !holds:
			return
		}
	}
	if rule.Severity != flow.Minor {
		b.route.Trouble = true
	}
	for _, r := range rule.Notify {
		b.receiver(r, rule.Severity.Kinds(), rule.Severity, why)
	}
}

// owner tells the owner of a flow: the person it names, else who is on call in the team, else the team.
func (b *routing) owner(f *flow.Flow, kinds []flow.ChannelKind, s flow.Severity, why string) {
	t := b.Project.Teams[f.Team]
	switch {
	case f.Owner != "":
		b.receiver(flow.Receiver{Person: f.Owner}, kinds, s, why)
	case t != nil && t.Oncall != nil:
		b.receiver(flow.Receiver{Oncall: f.Team}, kinds, s, why)
	default:
		b.receiver(flow.Receiver{Team: f.Team}, kinds, s, why)
	}
}

// Escalate says who is told by a step of a team's escalation.
func (r *Router) Escalate(e *flow.Escalation, s flow.Severity, at period.Instant) Route {
	b := &routing{Router: r, at: at, route: Route{Severity: s, Trouble: true}}
	for _, to := range e.Notify {
		b.receiver(to, s.Kinds(), s, fmt.Sprintf("escalation: nobody acknowledged within %s", e.After))
	}
	return b.route
}

// receiver tells whoever a receiver means, by those of the kinds of channels that reach them.
func (b *routing) receiver(r flow.Receiver, kinds []flow.ChannelKind, s flow.Severity, why string) {
	switch {
	case r.Channel != "":
		if c := b.Project.Channels[r.Channel]; c != nil {
			b.add(Addressee{Channel: c.Name, Kind: c.Kind, Name: c.Name, Severity: s, Reasons: []string{why}})
		}
	case r.Address != "":
		kind := flow.Email
		if !strings.Contains(r.Address, "@") {
			kind = flow.SMS
			if !slices.Contains(kinds, flow.SMS) && slices.Contains(kinds, flow.Phone) {
				kind = flow.Phone
			}
		}
		b.reach(Addressee{Kind: kind, Name: r.Address, Address: r.Address, Severity: s, Reasons: []string{why}})
	default:
		for _, who := range b.people(r) {
			b.person(who.key, kinds, s, strings.TrimPrefix(who.as+", "+why, ", "))
		}
	}
}

// meant is a person that a receiver means, and as what.
type meant struct{ key, as string }

func (b *routing) people(r flow.Receiver) (list []meant) {
	switch {
	case r.Person != "":
		return []meant{{key: r.Person}}
	case r.Team != "":
		t := b.Project.Teams[r.Team]
		if t == nil {
			return nil
		}
		for _, m := range t.Members {
			list = append(list, meant{m, "member of " + r.Team})
		}
		return list
	}
	duty, ok := duty(b.Project, b.Overrides, r.Oncall, b.at)
	switch {
	case !ok:
		return nil
	case r.Secondary && duty.Secondary != "":
		return []meant{{duty.Secondary, "secondary on call in " + r.Oncall}}
	case r.Secondary: // who is on call alone is the secondary too
		return []meant{{duty.Primary, "alone on call in " + r.Oncall}}
	}
	return []meant{{duty.Primary, "on call in " + r.Oncall}}
}

// person tells a person by each of the kinds that reach them.
func (b *routing) person(key string, kinds []flow.ChannelKind, s flow.Severity, why string) {
	p := b.Project.People[key]
	if p == nil {
		return
	}
	for _, kind := range kinds {
		b.reach(Addressee{
			Kind: kind, Person: key, Name: cmp.Or(p.Name, key), Address: p.Address(kind), Severity: s, Reasons: []string{why},
		})
	}
}

// reach finds the channel of an addressee.
func (b *routing) reach(a Addressee) {
	if a.Address == "" {
		a.Reasons = append(a.Reasons, "has no address for "+string(a.Kind))
		b.route.Nobody = append(b.route.Nobody, a)
		return
	}
	for _, c := range b.Project.Channels {
		if c.Kind == a.Kind && c.Default {
			a.Channel = c.Name
			b.add(a)
			return
		}
	}
	a.Reasons = append(a.Reasons, "there is no channel for "+string(a.Kind))
	b.route.Nobody = append(b.route.Nobody, a)
}

// add tells an addressee, once for all reasons.
func (b *routing) add(a Addressee) {
	b.route.Severity = Worse(b.route.Severity, a.Severity)
	for i := range b.route.To {
		if t := &b.route.To[i]; t.Channel == a.Channel && t.Address == a.Address {
			t.Severity = Worse(t.Severity, a.Severity)
			if !slices.Contains(t.Reasons, a.Reasons[0]) {
				t.Reasons = append(t.Reasons, a.Reasons[0])
			}
			return
		}
	}
	b.route.To = append(b.route.To, a)
}

// Worse returns the worse of two severities.
func Worse(a, b flow.Severity) flow.Severity {
	if len(b.Kinds()) > len(a.Kinds()) {
		return b
	}
	return a
}

// lastResort finds somebody when those who should be told cannot be: the same people by any kind of channel, then the owning
// team, the admins, a webhook, and at last anybody.
func (b *routing) lastResort(f *flow.Flow) {
	any := []flow.ChannelKind{flow.Email, flow.SMS, flow.Phone}
	s := b.route.Severity
	steps := []func(){
		func() {
			for _, a := range slices.Clone(b.route.Nobody) {
				b.person(a.Person, any, s, a.Reasons[0]+", by another kind of channel")
			}
		},
		func() {
			if f != nil {
				b.receiver(flow.Receiver{Team: f.Team}, any, s, "nobody else can be reached")
			}
		},
		func() {
			for _, name := range b.Project.Admins {
				b.receiver(flow.Receiver{Team: name}, any, s, "nobody else can be reached")
			}
		},
		func() {
			for _, name := range sortedKeys(b.Project.Channels) {
				if b.Project.Channels[name].Kind == flow.Webhook {
					b.receiver(flow.Receiver{Channel: name}, nil, s, "nobody else can be reached")
				}
			}
		},
		func() {
			for _, key := range sortedKeys(b.Project.People) {
				b.person(key, any, s, "nobody else can be reached")
			}
		},
	}
	for _, step := range steps {
		unreachable := len(b.route.Nobody)
		step()
		b.route.Nobody = b.route.Nobody[:unreachable] // those who should have been told are enough to name
		if len(b.route.To) > 0 {
			return
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
