package control

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/alert"
	"flowctl/engine/core"
)

// Alerts implements engine.Service.
func (s *Service) Alerts(ctx context.Context, q engine.AlertsQuery) (*engine.List[engine.AlertView], error) {
	query := engine.AlertQuery{Open: q.Open, Cursor: q.Cursor, Limit: limit(q.Page)}
	query.Flow, query.Task, _ = strings.Cut(q.Target, "/")
	rows, next, err := s.Store.Alerts(ctx, query)
	if err != nil {
		return nil, err
	}
	l := &engine.List[engine.AlertView]{Items: []engine.AlertView{}, Next: next}
	for i := range rows {
		l.Items = append(l.Items, alertView(&rows[i]))
	}
	return l, nil
}

func alertView(a *engine.Alert) engine.AlertView {
	v := engine.AlertView{
		ID: a.ID, State: "open", Severity: a.Severity, Event: a.Event, Subject: a.Subject, Flow: a.Flow, Task: a.Task, Run: a.Run, Detail: a.Detail,
		Events: a.Events, Members: append([]string{}, a.Members...), Causes: append([]string{}, a.Causes...), Told: []engine.ToldView{},
		OpenedAt: a.Opened.Time(), AckedAt: instant(a.Acked), AckedBy: a.AckedBy, ClosedAt: instant(a.Closed), Why: a.Why,
	}
	switch {
	case a.Closed != 0:
		v.State = "closed"
	case a.Acked != 0:
		v.State = "acknowledged"
	}
	for _, t := range a.Told {
		v.Told = append(v.Told, engine.ToldView(t))
	}
	return v
}

// AckAlerts implements engine.Service.
func (s *Service) AckAlerts(ctx context.Context, r engine.AckRequest) ([]engine.AlertView, error) {
	ids := []engine.AlertID{r.ID}
	switch {
	case (r.ID == 0) == (r.Target == ""):
		return nil, engine.Errorf(engine.Invalid, "name an alert by its number, or a target whose open alerts are meant")
	case r.Target != "":
		ids = nil
		q := engine.AlertQuery{Open: true, Limit: 1000}
		q.Flow, q.Task, _ = strings.Cut(r.Target, "/")
		rows, _, err := s.Store.Alerts(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			ids = append(ids, rows[i].ID)
		}
	}
	return s.acknowledge(ctx, ids, s.Caller(ctx))
}

// AckToken acknowledges what a signed link is about. It needs no other right.
func (s *Service) AckToken(ctx context.Context, token string) ([]engine.AlertView, error) {
	number, _, _ := strings.Cut(token, "-")
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !hmac.Equal([]byte(token), []byte(s.Token(engine.DeliveryID(id)))) {
		return nil, engine.Errorf(engine.NotFound, "the link is not this server's, or it is incomplete")
	}
	v, err := s.Store.Delivery(ctx, engine.DeliveryID(id))
	if err != nil {
		return nil, err
	}
	return s.acknowledge(ctx, v.Alerts, v.To.Name)
}

// Token returns what the link to acknowledge the alerts of a delivery ends with.
func (s *Service) Token(id engine.DeliveryID) string {
	mac := hmac.New(sha256.New, s.Key)
	fmt.Fprintf(mac, "ack %d", id)
	return fmt.Sprintf("%d-%s", id, hex.EncodeToString(mac.Sum(nil)[:16]))
}

func (s *Service) acknowledge(ctx context.Context, ids []engine.AlertID, by string) ([]engine.AlertView, error) {
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	views := []engine.AlertView{}
	err = l.atDesk(ctx, func(d *alert.Desk, now period.Instant) error {
		for _, a := range d.Ack(now, ids, by) {
			views = append(views, alertView(&a))
		}
		return nil
	})
	return views, err
}

// Deliveries implements engine.Service.
func (s *Service) Deliveries(ctx context.Context, q engine.DeliveriesQuery) (*engine.List[engine.DeliveryView], error) {
	rows, next, err := s.Store.Deliveries(ctx, engine.DeliveryQuery{Alert: q.Alert, State: q.State, Cursor: q.Cursor, Limit: limit(q.Page)})
	if err != nil {
		return nil, err
	}
	l := &engine.List[engine.DeliveryView]{Items: []engine.DeliveryView{}, Next: next}
	for i := range rows {
		d := &rows[i]
		l.Items = append(l.Items, engine.DeliveryView{
			ID: d.ID, State: d.State, To: engine.ToldView(d.To), Severity: d.Severity, Subject: alert.Headline(d), Alerts: append([]engine.AlertID{}, d.Alerts...),
			Events: len(d.Items) + d.More, Reasons: append([]string{}, d.Reasons...), Tries: d.Tries, At: d.At.Time(),
			NextAt: instant(d.NextAt), DoneAt: instant(d.Done), Message: d.Message, Receipt: d.Receipt, Key: d.Key,
		})
	}
	return l, nil
}

// Silences implements engine.Service.
func (s *Service) Silences(ctx context.Context, p engine.Page) (*engine.List[engine.SilenceView], error) {
	rows, err := s.Store.Silences(ctx, period.At(s.Now()))
	if err != nil {
		return nil, err
	}
	views := make([]engine.SilenceView, len(rows))
	for i := range rows {
		views[i] = silenceView(&rows[i])
	}
	return page(views, func(v engine.SilenceView) string { return fmt.Sprintf("%020d", v.ID) }, p), nil
}

func silenceView(x *engine.Silence) engine.SilenceView {
	return engine.SilenceView{ID: x.ID, Target: x.Target, Why: x.Why, By: x.By, At: x.At.Time(), Until: x.Until.Time()}
}

// SilenceAlerts implements engine.Service.
func (s *Service) SilenceAlerts(ctx context.Context, r engine.SilenceRequest) (*engine.SilenceView, error) {
	length := time.Duration(r.For * float64(time.Second))
	switch {
	case length <= 0 || length > 366*24*time.Hour:
		return nil, &engine.Error{Code: engine.Invalid, Field: "for_s", Message: "say for how long, up to a year: --for 2h"}
	case strings.TrimSpace(r.Why) == "":
		return nil, &engine.Error{Code: engine.Invalid, Field: "why", Message: "say why: whoever asks later where the alerts are will read it"}
	}
	if err := s.known(ctx, r.Target); err != nil {
		return nil, err
	}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	var v engine.SilenceView
	err = l.atDesk(ctx, func(d *alert.Desk, now period.Instant) error {
		made := d.Silence(now, engine.Silence{Target: r.Target, Why: r.Why, By: s.Caller(ctx), Until: now.Add(length)})
		v = silenceView(&made)
		return nil
	})
	return &v, err
}

// LiftSilence implements engine.Service.
func (s *Service) LiftSilence(ctx context.Context, id engine.SilenceID) (*engine.SilenceView, error) {
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	var v engine.SilenceView
	err = l.atDesk(ctx, func(d *alert.Desk, now period.Instant) error {
		lifted, err := d.Lift(now, id, s.Caller(ctx))
		v = silenceView(&lifted)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// known checks that the active revision has what flow[/task] names.
func (s *Service) known(ctx context.Context, target string) error {
	rev, err := s.project(ctx)
	if err != nil {
		return err
	}
	_, _, err = alert.Find(rev.Project, target)
	return err
}

// Subscriptions implements engine.Service.
func (s *Service) Subscriptions(ctx context.Context, p engine.Page) (*engine.List[engine.SubscriptionView], error) {
	rows, err := s.Store.Subscriptions(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]engine.SubscriptionView, len(rows))
	for i := range rows {
		views[i] = subscriptionView(&rows[i])
	}
	return page(views, func(v engine.SubscriptionView) string { return v.Target + " " + v.Person }, p), nil
}

func subscriptionView(x *engine.Subscription) engine.SubscriptionView {
	return engine.SubscriptionView{Target: x.Target, Person: x.Person, By: x.By, At: x.At.Time()}
}

// Subscribe implements engine.Service.
func (s *Service) Subscribe(ctx context.Context, r engine.SubscribeRequest) (*engine.SubscriptionView, error) {
	if !r.Remove { // what is no more can still be left
		if err := s.known(ctx, r.Target); err != nil {
			return nil, err
		}
		if _, err := s.person(ctx, r.Person); err != nil {
			return nil, err
		}
	}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	var v engine.SubscriptionView
	err = l.atDesk(ctx, func(d *alert.Desk, now period.Instant) error {
		made := d.Subscribe(now, engine.Subscription{Target: r.Target, Person: r.Person, By: s.Caller(ctx), Removed: r.Remove})
		v = subscriptionView(&made)
		return nil
	})
	return &v, err
}

func (s *Service) person(ctx context.Context, key string) (*flow.Person, error) {
	rev, err := s.project(ctx)
	if err != nil {
		return nil, err
	}
	p := rev.Project.People[key]
	if p == nil {
		return nil, alert.Unknown("person", key, rev.Project.People)
	}
	return p, nil
}

// TestAlert implements engine.Service.
func (s *Service) TestAlert(ctx context.Context, r engine.TestAlertRequest) (*engine.TestAlertView, error) {
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	rev, err := s.project(ctx)
	if err != nil {
		return nil, err
	}
	c := rev.Project.Channels[r.Channel]
	if c == nil {
		return nil, engine.Errorf(engine.NotFound, "no channel %q in the active revision", r.Channel)
	}
	now := period.At(s.Now())
	d := engine.Delivery{
		Key: fmt.Sprintf("test/%d/%s", now, c.Name), To: engine.Told{Channel: c.Name, Kind: c.Kind, Name: c.Name}, Severity: flow.Minor, At: now,
		Reasons: []string{s.Caller(ctx) + " tests the channel"},
		Items:   []engine.Item{{Subject: "test of the channel " + c.Name, At: now, Detail: "nothing happened"}},
	}
	if c.Kind != flow.Webhook {
		p, err := s.person(ctx, r.Person)
		if err != nil {
			return nil, err
		}
		d.To.Person, d.To.Name, d.To.Address = p.Key, p.Key, p.Address(c.Kind)
		if p.Name != "" {
			d.To.Name = p.Name
		}
		if d.To.Address == "" {
			return nil, engine.Errorf(engine.Invalid, "%s has no address for %s in people", p.Key, c.Kind)
		}
	}
	if _, err := l.Do(ctx, core.Noted{By: s.Caller(ctx), Verb: "alerts test", Target: c.Name, Detail: r.Person}); err != nil {
		return nil, err
	}
	got := l.Deliver(ctx, rev.Project, &d)
	return &engine.TestAlertView{
		Delivered: got.Delivered, Retryable: got.Retryable, Address: d.To.Address, Message: got.Message, Receipt: got.Receipt,
	}, nil
}

// RouteAlert implements engine.Service.
func (s *Service) RouteAlert(ctx context.Context, q engine.RouteQuery) (*engine.RouteView, error) {
	rev, err := s.project(ctx)
	if err != nil {
		return nil, err
	}
	subs, err := s.Store.Subscriptions(ctx)
	if err != nil {
		return nil, err
	}
	if q.At.IsZero() {
		q.At = s.Now()
	}
	overrides, err := s.Store.Overrides(ctx, period.At(q.At))
	if err != nil {
		return nil, err
	}
	return alert.Explain(rev.Project, subs, overrides, q)
}

// Oncall implements engine.Service.
func (s *Service) Oncall(ctx context.Context, q engine.OncallQuery) (*engine.List[engine.DutyView], error) {
	rev, err := s.project(ctx)
	if err != nil {
		return nil, err
	}
	if q.At.IsZero() {
		q.At = s.Now()
	}
	overrides, err := s.Store.Overrides(ctx, period.At(q.At))
	if err != nil {
		return nil, err
	}
	duties, err := alert.Duties(rev.Project, overrides, q.Team, q.At)
	return &engine.List[engine.DutyView]{Items: duties}, err
}

// Overrides implements engine.Service.
func (s *Service) Overrides(ctx context.Context, p engine.Page) (*engine.List[engine.OverrideView], error) {
	rows, err := s.Store.Overrides(ctx, period.At(s.Now()))
	if err != nil {
		return nil, err
	}
	views := make([]engine.OverrideView, len(rows))
	for i := range rows {
		views[i] = overrideView(&rows[i])
	}
	return page(views, func(v engine.OverrideView) string { return fmt.Sprintf("%020d", v.ID) }, p), nil
}

func overrideView(v *engine.Override) engine.OverrideView {
	return engine.OverrideView{
		ID: v.ID, Team: v.Team, Person: v.Person, From: v.From.Time(), To: v.To.Time(), Why: v.Why, By: v.By, At: v.At.Time(),
	}
}

// longestOverride is enough for a leave; who is away for longer is taken out of the rotation.
const longestOverride = 366 * 24 * time.Hour

// OverrideOncall implements engine.Service.
func (s *Service) OverrideOncall(ctx context.Context, r engine.OverrideRequest) (*engine.OverrideView, error) {
	now := s.Now()
	if r.From.IsZero() {
		r.From = now
	}
	switch {
	case r.To.Sub(r.From) <= 0 || r.To.Sub(r.From) > longestOverride:
		return nil, &engine.Error{Code: engine.Invalid, Field: "to", Message: "an override ends after it begins, and within a year: --to 2026-12-27"}
	case !r.To.After(now):
		return nil, &engine.Error{Code: engine.Invalid, Field: "to", Message: "that time is over: an override is for now or later"}
	}
	rev, err := s.project(ctx)
	if err != nil {
		return nil, err
	}
	switch t := rev.Project.Teams[r.Team]; {
	case t == nil:
		return nil, alert.Unknown("team", r.Team, rev.Project.Teams)
	case t.Oncall == nil || len(t.Oncall.Order) == 0:
		return nil, &engine.Error{Code: engine.Invalid, Field: "team", Message: fmt.Sprintf("team %s has no rotation that could be overridden: give it `oncall`", r.Team)}
	}
	if _, err := s.person(ctx, r.Person); err != nil {
		return nil, err
	}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	var v engine.OverrideView
	err = l.atDesk(ctx, func(d *alert.Desk, now period.Instant) error {
		made := d.Override(now, engine.Override{
			Team: r.Team, Person: r.Person, From: period.At(r.From), To: period.At(r.To), Why: r.Why, By: s.Caller(ctx),
		})
		v = overrideView(&made)
		return nil
	})
	return &v, err
}

// EndOverride implements engine.Service.
func (s *Service) EndOverride(ctx context.Context, id engine.OverrideID) (*engine.OverrideView, error) {
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	var v engine.OverrideView
	err = l.atDesk(ctx, func(d *alert.Desk, now period.Instant) error {
		ended, err := d.EndOverride(now, id, s.Caller(ctx))
		v = overrideView(&ended)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &v, nil
}
